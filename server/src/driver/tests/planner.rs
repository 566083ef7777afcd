//! The planner beside a running cell.

use std::sync::Arc;

use offpeak_core::{
    command::{Command, Request, Target},
    model::{
        AllocationId, Constraints, JobExtras, JobSpec, Labels, Millis, Name, Priority, Resources,
    },
    state::State,
};

use super::{House, PATIENCE, create, node, recover, request};
use crate::{config::Config, store::Log};

const LARGE: u64 = 600;
const SMALL: u64 = 500;

fn name(text: &str) -> Name {
    Name::parse(text).expect("a name")
}

pub(in crate::driver) fn submit(job: &str, cpu_millis: u64, count: u32) -> Request {
    submit_after(job, cpu_millis, count, None)
}

/// A job with something that few ask for.
pub(super) fn submit_after(
    job: &str,
    cpu_millis: u64,
    count: u32,
    extras: Option<Arc<JobExtras>>,
) -> Request {
    let spec = JobSpec {
        count,
        request: Resources { cpu_millis, ..Resources::default() },
        constraints: Constraints::default(),
        priority: Priority(0),
        min_runtime: Millis(0),
        max_runtime: None,
        deadline: None,
        complete_by: None,
        gang: false,
        labels: Labels::new(),
        notice: None,
        on_notice: Default::default(),
        extras,
    };
    request(Command::SubmitJob { tenant: name("t"), name: name(job), spec: Arc::new(spec) })
}

pub(super) fn cancel(job: &str) -> Request {
    let target = Target { name: name(job), expected: None };
    request(Command::CancelJob { tenant: name("t"), target, grace: None })
}

impl House {
    pub(super) async fn accept(&self, requests: impl IntoIterator<Item = Request>) {
        for answer in self.cell.submit_many(requests.into_iter().collect()).await {
            answer.expect("accepted");
        }
    }

    /// A cell that has seen what is asked for, and has two nodes but no task. The larger task fits both; only on the
    /// second it leaves nothing over that is of no use.
    async fn seasoned(config: &Config) -> Self {
        let house = Self::new(config);
        house.accept([create("t"), submit("x", SMALL, 24), submit("y", LARGE, 8)]).await;
        house.accept([cancel("x"), cancel("y")]).await;
        let nodes = vec![node("a", 1_000), node("b", 1_100)];
        house.accept([request(Command::RegisterNodes(nodes))]).await;
        house
    }

    async fn adopted(&self, promises: u64) {
        let counted = format!("command=\"promise\",result=\"accepted\"}} {promises}\n");
        let adopted = async {
            while !self.metrics.render(&self.cell).expect("text").contains(&counted) {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, adopted).await.expect("the planner is consulted");
    }

    /// The nodes of the tasks that have a place, and how many have none.
    async fn fill(&self) -> (Vec<u32>, u64) {
        self.accept([submit("large", LARGE, 1)]).await;
        self.accept([submit("small", SMALL, 3)]).await;
        self.cell.read(|state| {
            let placed = state.allocations_from(AllocationId(0));
            (placed.map(|allocation| allocation.at.node.0).collect(), state.waiting().tasks)
        })
    }
}

#[tokio::test]
async fn promises_arrive_and_leave_no_trace_in_the_log() {
    let house = House::seasoned(&Config::default()).await;
    let (revision, records) = (house.cell.read(State::revision), house.log.record_count());
    house.adopted(1).await;
    assert_eq!((house.cell.read(State::revision), house.log.record_count()), (revision, records));

    let (placed, waiting) = house.fill().await;
    assert_eq!((placed[0], placed.len(), waiting), (1, 4, 0));
    let recovered = recover(&*house.log).expect("readable").state;
    assert_eq!(format!("{recovered:?}"), format!("{:?}", house.cell.snapshot()));
    house.driver.stop().await;
}

#[tokio::test]
async fn a_restarted_cell_plans_from_what_its_checkpoint_tells() {
    let house = House::seasoned(&Config { planner_attempts: 0, ..Config::default() }).await;
    house.driver.stop().await;
    assert_eq!(house.log.bounds().checkpoint, house.log.bounds().newest);

    let house = House::on(house.log, &Config::default());
    house.adopted(1).await;
    let (placed, waiting) = house.fill().await;
    assert_eq!((placed[0], placed.len(), waiting), (1, 4, 0));
    house.driver.stop().await;
}

#[tokio::test]
async fn no_attempts_are_no_planner() {
    let config = Config { planner_attempts: 0, ..Config::default() };
    let house = House::seasoned(&config).await;
    let (placed, waiting) = house.fill().await;
    assert_eq!((placed[0], placed.len(), waiting), (0, 3, 1));
    house.adopted(0).await;
    house.driver.stop().await;
}

#[tokio::test]
async fn stopping_does_not_wait_for_promises_to_be_adopted() {
    let config = Config {
        batch_limit_requests: 1,
        steps_in_flight: 1,
        planner_attempts: 10,
        planner_share_percent: 1,
        ..Config::default()
    };
    let house = House::new(&config);
    let nodes = (0..200).map(|number| node(&format!("n{number}"), 4_000)).collect();
    house.accept([create("t"), request(Command::RegisterNodes(nodes))]).await;
    house.log.hold_appends();
    // The first leads to a problem, and the engine cannot send the third.
    let names = ["x", "y", "z"];
    let answers = names.map(|job| house.cell.submit(submit(job, SMALL, 24)));
    house.log.wait_until_held();
    house.driver.close();
    house.log.release();
    tokio::time::timeout(PATIENCE, house.driver.stop()).await.expect("it stops");
    for answer in answers {
        answer.await.expect("taken before");
    }
    assert_eq!(*house.fatal.lock().expect("unharmed"), Vec::<String>::new());
}
