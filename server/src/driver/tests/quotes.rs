//! The quoter beside a running cell.

use std::sync::Arc;

use offpeak_core::{
    command::Command,
    event::Event,
    model::{Dependency, DependencyCondition, JobExtras, JobId, Name, Revision},
};

use super::{
    House, PATIENCE, create, node,
    planner::{cancel, submit, submit_after},
    request,
};
use crate::config::Config;

#[tokio::test]
async fn a_job_that_waited_for_another_is_quoted_when_that_has_ended() {
    let house = House::with_quotes(Arc::default(), &Config::default());
    let nodes = Command::RegisterNodes(vec![node("n", 1_000)]);
    house.accept([create("t"), request(nodes), submit("first", 600, 1)]).await;
    let after = Dependency {
        job: JobId(0),
        name: Name::parse("first").expect("a name"),
        condition: DependencyCondition::End,
    };
    let extras = JobExtras { dependencies: vec![after], ..JobExtras::default() };
    // The second waits for the first, and the third for a place: it is quoted, and the second has been looked at.
    let second = submit_after("second", 2_000, 1, Some(Arc::new(extras)));
    house.accept([second, submit("third", 2_000, 1)]).await;
    let mut feed = house.cell.subscribe(Revision(0));
    for (told, job) in [JobId(3), JobId(2)].into_iter().enumerate() {
        if told == 1 {
            house.accept([cancel("first")]).await;
        }
        let quoted = async {
            loop {
                let record = feed.next().await.expect("the feed goes on");
                for event in &record.batch.events {
                    if let Event::JobsQuoted { quotes } = event {
                        return quotes.iter().map(|(job, _)| *job).collect::<Vec<_>>();
                    }
                }
            }
        };
        let quoted = tokio::time::timeout(PATIENCE, quoted).await.expect("a quote comes");
        assert_eq!(quoted, [job]);
    }
    house.driver.stop().await;
}
