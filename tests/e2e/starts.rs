//! Starts that lie ahead, as they are seen from outside.

use offpeak::v1::{Blocker, JobSpec, JobState, Node};
use offpeak_client::Error;
use prost_types::{Duration, Timestamp};
use tonic::Code;

use crate::house::{BEGIN, House, cpu, job_with, node, refusal};

fn bounded(cpu_millis: u64, hours: i64) -> JobSpec {
    let max_runtime = Some(Duration { seconds: hours * 3600, nanos: 0 });
    JobSpec { count: 1, request: Some(cpu(cpu_millis)), max_runtime, ..JobSpec::default() }
}

#[tokio::test]
async fn a_planned_start_is_seen_moves_and_outlives_a_restart() {
    let house = House::new().await;
    house.create_tenant("acme").await;
    let registered = house.register(vec![Node { capacity: Some(cpu(2_000)), ..node("a") }]).await;
    house.submit(job_with("first", bounded(2_000, 1))).await;
    house.submit(job_with("next", bounded(2_000, 2))).await;
    let mut lines = house.lines_after(registered);
    lines.expect(&["submitted acme/first", "placed acme/first 0 on a"]).await;
    house.advance(2);
    let planned = lines.expect(&["submitted acme/next", "planned 1 of acme/next on a"]).await;
    let next = house.job("next", planned).await;
    let start = next.planned_start.clone().expect("a planned start");
    assert_eq!((start.node.as_str(), start.tasks), ("a", 1));
    assert!(next.pending_reasons.iter().any(|r| r.blocker() == Blocker::PlannedStart));

    let house = house.restart().await;
    let again = house.job("next", planned).await;
    assert_eq!(again.planned_start, Some(start), "a restart changes nothing");
    let mut lines = house.lines_after(planned);
    let first = house.allocations_on("a").await[0].id;
    house.report(&[(first, offpeak::v1::TaskOutcome::Succeeded)]).await;
    house.advance(2);
    let ended = ["succeeded acme/first 0 on a", "job acme/first succeeded"];
    let started = lines.expect(&[ended[0], ended[1], "placed acme/next 0 on a"]).await;
    let next = house.job("next", started).await;
    assert_eq!((next.state(), next.planned_start), (JobState::Running, None));
    house.stop().await;
}

#[tokio::test]
async fn work_that_cannot_be_complete_in_time_is_refused() {
    let house = House::new().await;
    house.create_tenant("acme").await;
    let seconds = i64::try_from(BEGIN.0 / 1_000).expect("it fits") + 3_600;
    let by = Timestamp { seconds, nanos: 0 };
    let late = JobSpec { complete_by: Some(by), ..bounded(1_000, 2) };
    let refused: Result<_, Error> = house.try_submit(job_with("late", late)).await;
    assert_eq!(refusal(refused), (Code::InvalidArgument, "CANNOT_COMPLETE".to_owned()));
    let endless = JobSpec { max_runtime: None, complete_by: Some(by), ..bounded(1_000, 2) };
    let refused = house.try_submit(job_with("endless", endless)).await;
    assert_eq!(refusal(refused), (Code::InvalidArgument, "INVALID_FIELD".to_owned()));
    house.stop().await;
}
