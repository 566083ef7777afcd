//! Every committed fact, in order, without gap or repeat, at whatever pace.

use std::{collections::BTreeMap, time::Duration};

use offpeak::v1::{
    CheckpointRequest, DrainNodeRequest, Event, FromRevision, GetStatusRequest, Node,
    SubmitJobRequest, SubmitJobsRequest, TaskOutcome, UncordonNodeRequest, UpdateJobRequest,
    WatchFilter, WatchRequest, event::Kind, submit_result, watch_request::Start,
    watch_response::Message,
};
use offpeak_client::{Client, Error, WatchMessage, WatchOptions, WatchStart};
use tokio::time::timeout;

use crate::{
    fold::{Fold, Lists},
    house::{House, PATIENCE, job, line, node, tokio_stream_of},
};

/// Some of everything that can happen, `round` by `round`.
async fn live(house: &House, round: u64) {
    let [a, b] = ["a", "b"].map(|name| format!("{name}{round}"));
    house.register(vec![node(&a), Node { region: "eu".to_owned(), ..node(&b) }]).await;
    for (name, count) in [("grows", 3), ("ends", 2), ("waits", 30)] {
        house.submit(job(&format!("{name}{round}"), count, 1_500)).await;
    }
    let name = format!("grows{round}");
    for count in [6, 4] {
        let request = UpdateJobRequest {
            job: Some(job(&name, count, 0)),
            update_mask: Some(prost_types::FieldMask { paths: vec!["spec.count".to_owned()] }),
            ..UpdateJobRequest::default()
        };
        house.client.call(request).await.expect("resized");
    }
    let placed = house.allocations_on(&a).await;
    let reports: Vec<_> = placed.iter().map(|placed| (placed.id, TaskOutcome::Started)).collect();
    house.report(&reports).await;
    if let Some(first) = placed.first() {
        house.report(&[(first.id, TaskOutcome::Succeeded)]).await;
    }
    house.report_load(&b, 3_000).await;
    let drain = DrainNodeRequest { name: a.clone(), ..DrainNodeRequest::default() };
    house.client.call(drain).await.expect("draining");
    house.advance(if round.is_multiple_of(2) { 60 } else { 10 });
    let back = UncordonNodeRequest { name: a, ..UncordonNodeRequest::default() };
    house.client.call(back).await.expect("back");
    house.cancel(&format!("ends{round}")).await;
}

/// Follows a watch up to a revision.
async fn fold_to(client: &Client, start: WatchStart, revision: u64) -> Fold {
    let mut watch = client.watch(WatchOptions::new(start));
    let mut fold = Fold::default();
    while watch.revision().is_none_or(|through| through < revision) {
        let message = timeout(PATIENCE, watch.next()).await.expect("it goes on");
        match message.expect("no error") {
            WatchMessage::Snapshot { part, .. } => fold.add(part),
            WatchMessage::Events(batch) => batch.events.iter().for_each(|e| fold.apply(e)),
            WatchMessage::Progress(_) => {}
            WatchMessage::Interrupted(error) => panic!("{error}"),
        }
    }
    fold
}

#[tokio::test]
async fn the_folded_watch_is_what_the_lists_say() {
    let house = House::new().await;
    house.create_tenant("acme").await;
    live(&house, 0).await;
    // It has its snapshot before more happens.
    let mut early = house.client.watch(WatchOptions::new(WatchStart::Snapshot));
    let mut fold = Fold::default();
    while early.revision().is_none() {
        let WatchMessage::Snapshot { part, .. } = early.next().await.expect("a snapshot") else {
            panic!("a snapshot comes first");
        };
        fold.add(part);
    }
    for round in 1..4 {
        live(&house, round).await;
    }
    let lists = Lists::read(&house.client).await.expect("lists");
    lists.check();
    while early.revision().is_none_or(|through| through < lists.revision) {
        let message = timeout(PATIENCE, early.next()).await.expect("it goes on");
        if let WatchMessage::Events(batch) = message.expect("no error") {
            batch.events.iter().for_each(|event| fold.apply(event));
        }
    }
    assert_eq!(fold.objects(), lists.objects);
    let from_log = fold_to(&house.client, WatchStart::After(0), lists.revision).await;
    assert_eq!(from_log.objects(), lists.objects);
    let from_snapshot = fold_to(&house.client, WatchStart::Snapshot, lists.revision).await;
    assert_eq!(from_snapshot.objects(), lists.objects);
    house.stop().await;
}

/// All events after revision 0 that pass the filter, as lines.
async fn filtered(client: &Client, filter: WatchFilter, through: u64) -> Vec<String> {
    let options = WatchOptions { filter, ..WatchOptions::new(WatchStart::After(0)) };
    let options = WatchOptions { progress_interval: Some(Duration::from_millis(100)), ..options };
    let mut watch = client.watch(options);
    let mut lines = Vec::new();
    while watch.revision().is_none_or(|revision| revision < through) {
        let message = timeout(PATIENCE, watch.next()).await.expect("it goes on");
        if let WatchMessage::Events(batch) = message.expect("no error") {
            lines.extend(batch.events.iter().map(line));
        }
    }
    lines
}

#[tokio::test]
async fn a_filter_passes_what_it_names_and_marks_progress_over_the_rest() {
    let house = House::new().await;
    house.create_tenant("acme").await;
    house.create_tenant("other").await;
    house.register(vec![Node { region: "eu".to_owned(), ..node("a") }, node("b")]).await;
    house.submit(job("train", 2, 8_000)).await;
    let mut other = job("train", 1, 1_000);
    other.tenant = "other".to_owned();
    let submitted = house.submit(other).await;
    let mut lines = house.lines_after(submitted);
    house.cancel("train").await;
    let cancelled = ["cancelled acme/train 0 on a", "cancelled acme/train 1 on b"];
    lines.expect(&cancelled).await;
    let through = lines.expect(&["job acme/train cancelled", "placed other/train 0 on a"]).await;

    let all = WatchFilter::default();
    let of_tenant = WatchFilter { tenant: "other".to_owned(), ..all.clone() };
    let expected = ["tenant other", "submitted other/train", "placed other/train 0 on a"];
    assert_eq!(filtered(&house.client, of_tenant.clone(), through).await, expected);
    let of_job = WatchFilter { job: "train".to_owned(), ..of_tenant };
    assert_eq!(filtered(&house.client, of_job, through).await, expected[1..]);
    let of_node = WatchFilter { node: "b".to_owned(), ..all.clone() };
    let expected = ["registered b", "placed acme/train 1 on b", "cancelled acme/train 1 on b"];
    assert_eq!(filtered(&house.client, of_node, through).await, expected);
    let of_region = WatchFilter { region: "eu".to_owned(), ..all.clone() };
    let expected = [
        "registered a",
        "placed acme/train 0 on a",
        "cancelled acme/train 0 on a",
        "placed other/train 0 on a",
    ];
    assert_eq!(filtered(&house.client, of_region, through).await, expected);
    let kinds = vec!["job_ended".to_owned(), "tenant_created".to_owned()];
    let of_kinds = WatchFilter { kinds, ..all.clone() };
    let expected = ["tenant acme", "tenant other", "job acme/train cancelled"];
    assert_eq!(filtered(&house.client, of_kinds, through).await, expected);
    // Nothing passes, and still it is told how far the cell has come.
    let of_nobody = WatchFilter { tenant: "nobody".to_owned(), ..all };
    assert!(filtered(&house.client, of_nobody, through).await.is_empty());
    house.stop().await;
}

#[tokio::test]
async fn a_revision_that_was_trimmed_is_compacted_and_the_first_one_kept_is_named() {
    let house = House::with(|config| {
        config.retention_revisions = 5;
        // What is in memory would be given out though it is no longer in the log.
        config.feed_limit_records = 1;
    })
    .await;
    for index in 0..20 {
        house.create_tenant(&format!("t{index}")).await;
    }
    house.client.call(CheckpointRequest {}).await.expect("a checkpoint");
    let newest = house.create_tenant("last").await;

    let mut watch = house.client.watch(WatchOptions::new(WatchStart::After(1)));
    let error = loop {
        match timeout(PATIENCE, watch.next()).await.expect("an answer") {
            Ok(message) => assert!(!matches!(message, WatchMessage::Events(_)), "{message:?}"),
            Err(error) => break error,
        }
    };
    let Error::Compacted { after: 1, first_available: Some(first) } = error else {
        panic!("{error:?}");
    };
    let status = house.client.call(GetStatusRequest::default()).await.expect("a status");
    assert_eq!(status.compacted_revision + 1, first);
    assert!(first > 1 && first < newest, "{first}");
    let mut lines = house.lines_after(first - 1);
    let kept: Vec<String> = (first..newest).map(|r| format!("tenant t{}", r - 2)).collect();
    let kept: Vec<&str> = kept.iter().map(String::as_str).chain(["tenant last"]).collect();
    assert_eq!(lines.expect(&kept).await, newest);

    // Whoever began with a snapshot and wants another one gets it.
    let options = WatchOptions::new(WatchStart::Snapshot);
    let fold = fold_to(&house.client, options.start, newest).await;
    assert_eq!(fold.objects().tenants.len(), 21);
    house.stop().await;
}

/// A job that takes some kilobytes in a watch.
fn long_job(name: &str) -> SubmitJobRequest {
    let mut job = job(name, 1, 1_000);
    let labels = (0..60).map(|index| (format!("label-{index}"), "x".repeat(63)));
    job.spec.as_mut().expect("a spec").labels = labels.collect();
    SubmitJobRequest { job: Some(job), ..SubmitJobRequest::default() }
}

#[tokio::test]
async fn a_watcher_that_does_not_read_holds_nobody_up_and_misses_nothing() {
    const BATCHES: usize = 30;
    const BATCH: usize = 100;
    let house = House::with(|config| {
        config.feed_limit_records = 2;
        config.feed_limit_bytes = 1 << 10;
    })
    .await;
    let begin = house.create_tenant("acme").await;
    // The generated client, which reads ahead no further than the connection's window.
    let start = Some(Start::After(FromRevision { revision: begin }));
    let request = WatchRequest { start, ..WatchRequest::default() };
    let slow = crate::house::connect(house.server.address()).await;
    let mut slow = slow.watches().watch(request).await.expect("a watch").into_inner();

    let name = |index: usize| format!("job-{index}");
    let mut submitted = BTreeMap::new();
    for batch in 0..BATCHES {
        let jobs = (0..BATCH).map(|index| long_job(&name(batch * BATCH + index))).collect();
        let batch = tokio_stream_of(SubmitJobsRequest { jobs });
        let mut answers = house.client.jobs().submit_jobs(batch).await.expect("a stream");
        let answer = timeout(PATIENCE, answers.get_mut().message()).await.expect("not held up");
        for result in answer.expect("no error").expect("an answer").results {
            let Some(submit_result::Result::Accepted(job)) = result.result else {
                panic!("{result:?}");
            };
            submitted.insert(job.revision, job.name);
        }
    }

    let mut seen: BTreeMap<u64, String> = BTreeMap::new();
    let mut last = begin;
    while seen.len() < submitted.len() {
        let response = timeout(PATIENCE, slow.message()).await.expect("it goes on");
        let Some(Message::Events(batch)) = response.expect("no error").and_then(|r| r.message)
        else {
            continue;
        };
        for Event { revision, kind, .. } in batch.events {
            assert!(revision > last, "{revision} after {last}");
            last = revision;
            let Some(Kind::JobSubmitted(e)) = kind else { panic!("{kind:?}") };
            seen.insert(revision, e.job.expect("a job").name);
        }
        assert!(batch.through_revision >= last);
    }
    assert_eq!(seen, submitted);
    house.stop().await;
}
