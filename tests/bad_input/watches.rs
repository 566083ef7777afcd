//! Revisions that are gone, and revisions that have not come.

use std::time::{Duration, Instant};

use offpeak::v1::{
    CheckpointRequest, FromRevision, GetStatusRequest, GetTenantRequest, watch_request::Start,
    watch_response::Message,
};
use tonic::{Code, Request, Status};

use crate::{
    house::{House, create_tenant, next},
    refusal::check,
};

/// How a watch after this revision ends, whether at once or as a stream.
async fn end(house: &House, revision: u64) -> Status {
    match house.watch(Start::After(FromRevision { revision })).await {
        Ok(mut watch) => watch.message().await.expect_err("no event"),
        Err(status) => status,
    }
}

#[tokio::test]
async fn a_compacted_revision_is_out_of_range_and_the_first_available_one_is_not() {
    let house = House::start_with(|config| {
        config.retention_revisions = 2;
        config.retention_bytes = 1;
        (config.feed_limit_records, config.feed_limit_bytes) = (1, 1);
    })
    .await;
    for index in 0..20 {
        let create = create_tenant(&format!("t{index}"));
        house.tenants.clone().create_tenant(create).await.expect("created");
    }
    house.admin.clone().checkpoint(CheckpointRequest {}).await.expect("a checkpoint");
    let compacted = house.status().await.compacted_revision;
    assert!(compacted > 0, "the log was trimmed");
    let status = end(&house, 0).await;
    let details = check(&status, Code::OutOfRange, "COMPACTED");
    let first = &details.error_info().expect("an ErrorInfo").metadata["first_available"];
    assert_eq!(first.parse(), Ok(compacted + 1), "the first revision that is still there");
    let says = format!("resume after {compacted}");
    assert!(status.message().contains(&says), "{}", status.message());

    let start = Start::After(FromRevision { revision: compacted });
    let mut watch = house.watch(start).await.expect("a watch");
    house.tenants.clone().create_tenant(create_tenant("last")).await.expect("created");
    assert!(matches!(next(&mut watch).await, Message::Events(_)));
}

#[tokio::test]
async fn a_future_revision_is_out_of_range_after_a_short_wait() {
    let house = House::start().await;
    for revision in [1_000_000, u64::MAX] {
        let begun = Instant::now();
        let status = end(&house, revision).await;
        let waited = begun.elapsed();
        let details = check(&status, Code::OutOfRange, "FUTURE_REVISION");
        let newest = &details.error_info().expect("an ErrorInfo").metadata["newest"];
        assert_eq!(newest.parse(), Ok(house.status().await.revision));
        assert!(waited >= Duration::from_millis(900), "it waits: {waited:?}");
        assert!(waited < Duration::from_secs(4), "it gives up: {waited:?}");
    }
}

#[tokio::test]
async fn a_future_revision_that_comes_in_time_is_served() {
    let house = House::start().await;
    let revision = house.status().await.revision + 1;
    let create = async {
        house.tenants.clone().create_tenant(create_tenant("a")).await.expect("created");
    };
    let start = Start::After(FromRevision { revision });
    let (watch, ()) = tokio::join!(house.watch(start), create);
    let mut watch = watch.expect("it came");
    house.tenants.clone().create_tenant(create_tenant("b")).await.expect("created");
    assert!(matches!(next(&mut watch).await, Message::Events(_)));
}

#[tokio::test]
async fn a_read_waits_for_its_minimum_revision_no_longer_than_its_deadline() {
    let house = House::start().await;
    let begun = Instant::now();
    let mut request = Request::new(GetStatusRequest { min_revision: u64::MAX });
    request.set_timeout(Duration::from_millis(300));
    let status = house.admin.clone().get_status(request).await.expect_err("not yet");
    check(&status, Code::OutOfRange, "FUTURE_REVISION");
    let min_revision = u64::MAX;
    let mut request = Request::new(GetTenantRequest { name: "a".into(), min_revision });
    request.set_timeout(Duration::from_millis(300));
    let status = house.tenants.clone().get_tenant(request).await.expect_err("not yet");
    check(&status, Code::OutOfRange, "FUTURE_REVISION");
    assert!(begun.elapsed() < Duration::from_secs(4), "the deadline ends it");
}
