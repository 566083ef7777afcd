use offpeak_core::{
    command::{Command, LoadReport},
    model::{Horizon, Millis, Name, Resources},
};

use super::{House, PATIENCE, Recovered, recover, register, request};
use crate::{config::Config, store::Log};

/// A load that is the same at the same time of each day.
fn report(step: u64) -> Command {
    let cpu_millis = if (100..200).contains(&(step % 288)) { 3_000 } else { 200 + step % 7 };
    let load = Resources { cpu_millis, ..Resources::default() };
    let node = Name::parse("a").expect("a name");
    Command::ReportLoad(vec![LoadReport { node, time: None, load }])
}

#[tokio::test]
async fn what_was_learned_of_owners_bounds_them_and_survives_a_restart() {
    let house = House::new(&Config::default());
    house.cell.submit(register("a", None)).await.expect("a new node");
    for step in 0..300 {
        house.clock.advance(Millis(300_000));
        house.cell.submit(request(report(step))).await.expect("taken");
    }
    let bounded = async {
        loop {
            let revision = house.cell.read(|state| state.revision());
            let bounds = house.cell.read(|state| {
                let node = state.node_named("a").expect("it is there");
                node.bounds.as_ref().map(|_| node.held_back.over(Horizon::Day).cpu_millis)
            });
            match bounds {
                Some(held) => return held,
                None => house.cell.wait_for(revision.next(), PATIENCE).await.expect("more comes"),
            }
        }
    };
    let held = tokio::time::timeout(PATIENCE, bounded).await.expect("bounds come");
    assert!(held >= 200, "no less than the load is held back: {held}");

    house.driver.stop().await;
    assert_eq!(house.log.bounds().checkpoint, house.log.bounds().newest);
    let Recovered { state, forecaster } = recover(&*house.log).expect("readable");
    assert_eq!(forecaster.revision(), state.revision());
    let mut pieces = 0;
    let Ok(()) = forecaster.save(|_| {
        pieces += 1;
        Ok::<_, std::convert::Infallible>(())
    });
    assert_eq!(pieces, 2, "what was learned of the owner, and of its node");
}
