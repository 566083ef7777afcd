//! More than the server can take.

use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tonic::Code;

use crate::{
    house::{House, create_tenant, spec, submit},
    refusal::check,
};

const CALLS: usize = 1_000;

#[tokio::test]
async fn a_full_queue_refuses_at_once_and_says_when_to_come_back() {
    let house = House::start_with(|config| {
        config.queue_limit_requests = 1;
        config.batch_limit_requests = 1;
        config.steps_in_flight = 1;
    })
    .await;
    house.tenants.clone().create_tenant(create_tenant("a")).await.expect("created");
    let mut calls = JoinSet::new();
    let begun = Instant::now();
    for index in 0..CALLS {
        let mut jobs = house.jobs.clone();
        calls.spawn(async move { jobs.submit_job(submit(&format!("j{index}"), spec())).await });
    }
    let (mut accepted, mut refused) = (0, 0);
    while let Some(answer) = calls.join_next().await {
        let Err(status) = answer.expect("no panic") else {
            accepted += 1;
            continue;
        };
        refused += 1;
        let details = check(&status, Code::ResourceExhausted, "OVERLOADED");
        let delay = details.retry_info().and_then(|info| info.retry_delay);
        assert_eq!(delay, Some(Duration::from_millis(100)));
        assert!(status.message().contains("100 ms"), "{}", status.message());
    }
    assert!(begun.elapsed() < Duration::from_secs(30), "nobody waits for room");
    assert!(refused > 0, "the queue was full");
    assert!(accepted > 0, "but not for all");
    assert_eq!(house.status().await.jobs, accepted, "what was refused was not done");
}
