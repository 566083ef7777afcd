//! The resuming watch of the client library against a fake cell that cuts it short.

mod fake;

use std::time::Duration;

use fake::{Fake, Script, compacted, proxy::Proxy, stopping};
use offpeak::v1::{
    Event, EventBatch, FromRevision, FromSnapshot, Progress, SnapshotPart, WatchResponse,
    watch_request::Start, watch_response::Message,
};
use offpeak_client::{
    Client, ConnectOptions, Error, Watch, WatchMessage, WatchOptions, WatchStart,
};
use tonic::{Code, Status};

async fn watch(fake: &Fake, options: WatchOptions) -> Watch {
    let mut connecting = ConnectOptions::to(fake.serve().await);
    connecting.retry.first_pause = Duration::from_millis(1);
    let client = Client::connect(connecting).await.expect("the fake listens");
    client.watch(options)
}

fn script(messages: Vec<Message>, end: Option<Status>) -> Script {
    let messages =
        messages.into_iter().map(|message| WatchResponse { message: Some(message) }).collect();
    Script { messages, end }
}

/// Events of these revisions; their seconds tell them apart.
fn events(revisions: &[(u64, i64)], through_revision: u64) -> Message {
    let events = revisions
        .iter()
        .map(|&(revision, seconds)| Event {
            revision,
            time: Some(prost_types::Timestamp { seconds, nanos: 0 }),
            kind: None,
        })
        .collect();
    Message::Events(EventBatch { events, through_revision })
}

fn part(revision: u64, complete: bool) -> Message {
    Message::Snapshot(SnapshotPart { revision, complete, ..SnapshotPart::default() })
}

/// Reads until the watch stands at `last`; gives what came, interruptions as their codes.
async fn read(watch: &mut Watch, last: u64) -> (Vec<(u64, i64)>, Vec<Code>) {
    let mut seen = Vec::new();
    let mut interruptions = Vec::new();
    while watch.revision() != Some(last) {
        match watch.next().await.expect("the watch goes on") {
            WatchMessage::Events(batch) => seen.extend(batch.events.iter().map(|event| {
                let seconds = event.time.map_or(0, |time| time.seconds);
                (event.revision, seconds)
            })),
            WatchMessage::Interrupted(error) => interruptions.push(error.code()),
            WatchMessage::Progress(_) | WatchMessage::Snapshot { .. } => {}
        }
    }
    (seen, interruptions)
}

fn starts(fake: &Fake) -> Vec<Start> {
    let state = fake.state();
    state.watches.iter().filter_map(|watch| watch.start).collect()
}

#[tokio::test]
async fn a_cut_watch_resumes_without_gap_or_repeat() {
    let fake = Fake::default();
    // Revision 12 is cut in two: its first two events came, its third did not.
    fake.state().scripts.extend([
        script(vec![events(&[(11, 1)], 11), events(&[(12, 2), (12, 3)], 11)], Some(stopping())),
        script(
            vec![events(&[(12, 2), (12, 3), (12, 4), (13, 5)], 13)],
            Some(Status::unavailable("gone")),
        ),
        script(vec![Message::Progress(Progress { revision: 20 })], None),
    ]);
    let mut watch = watch(&fake, WatchOptions::new(WatchStart::After(10))).await;
    let (seen, interruptions) = read(&mut watch, 20).await;
    assert_eq!(seen, [(11, 1), (12, 2), (12, 3), (12, 4), (13, 5)]);
    assert_eq!(interruptions, [Code::Unavailable, Code::Unavailable]);
    let after = |revision| Start::After(FromRevision { revision });
    assert_eq!(starts(&fake), [after(10), after(11), after(13)]);
}

#[tokio::test]
async fn progress_is_a_place_to_resume_from() {
    let fake = Fake::default();
    fake.state().scripts.extend([
        script(vec![Message::Progress(Progress { revision: 30 })], Some(stopping())),
        script(vec![events(&[(31, 1)], 31)], None),
    ]);
    let mut watch = watch(&fake, WatchOptions::new(WatchStart::After(10))).await;
    let (seen, _) = read(&mut watch, 31).await;
    assert_eq!(seen, [(31, 1)]);
    let after = |revision| Start::After(FromRevision { revision });
    assert_eq!(starts(&fake), [after(10), after(30)]);
}

#[tokio::test]
async fn now_is_a_known_revision_before_the_first_attempt() {
    let fake = Fake::default();
    fake.state().revision = 7;
    fake.state()
        .scripts
        .extend([script(vec![], Some(stopping())), script(vec![events(&[(8, 1)], 8)], None)]);
    let mut watch = watch(&fake, WatchOptions::new(WatchStart::Now)).await;
    read(&mut watch, 8).await;
    let after = |revision| Start::After(FromRevision { revision });
    assert_eq!(starts(&fake), [after(7), after(7)]);
}

#[tokio::test]
async fn a_cut_snapshot_begins_anew() {
    let fake = Fake::default();
    fake.state().scripts.extend([
        script(vec![part(5, false)], Some(stopping())),
        script(vec![part(6, false), part(6, true)], None),
    ]);
    let mut watch = watch(&fake, WatchOptions::new(WatchStart::Snapshot)).await;
    let mut firsts = Vec::new();
    while watch.revision() != Some(6) {
        if let WatchMessage::Snapshot { first, .. } = watch.next().await.expect("goes on") {
            firsts.push(first);
        }
    }
    assert_eq!(firsts, [true, true, false]);
}

#[tokio::test]
async fn compaction_is_an_error_of_its_own() {
    let fake = Fake::default();
    fake.state().scripts.push_back(script(vec![], Some(compacted())));
    let mut watch = watch(&fake, WatchOptions::new(WatchStart::After(10))).await;
    let error = watch.next().await.expect_err("compacted");
    let Error::Compacted { after, first_available } = error else {
        panic!("{error:?}");
    };
    assert_eq!((after, first_available), (10, Some(40)));
}

#[tokio::test]
async fn after_compaction_a_new_snapshot_comes_when_asked_for() {
    for snapshot_again in [true, false] {
        let fake = Fake::default();
        fake.state().scripts.extend([
            script(vec![part(5, true)], Some(stopping())),
            script(vec![], Some(compacted())),
            script(vec![part(50, true)], None),
        ]);
        let mut options = WatchOptions::new(WatchStart::Snapshot);
        options.snapshot_again = snapshot_again;
        let mut watch = watch(&fake, options).await;
        let mut snapshots = Vec::new();
        let ended = loop {
            match watch.next().await {
                Ok(WatchMessage::Snapshot { first, part }) => {
                    snapshots.push((first, part.revision))
                }
                Ok(_) => {}
                Err(error) => break Some(error),
            }
            if watch.revision() == Some(50) {
                break None;
            }
        };
        if snapshot_again {
            assert_eq!(snapshots, [(true, 5), (true, 50)]);
            let snapshot = Start::Snapshot(FromSnapshot {});
            let after = Start::After(FromRevision { revision: 5 });
            assert_eq!(starts(&fake), [snapshot, after, snapshot]);
        } else {
            assert_eq!(snapshots, [(true, 5)]);
            assert!(matches!(ended, Some(Error::Compacted { after: 5, .. })));
        }
    }
}

#[tokio::test]
async fn a_refusal_ends_the_watch() {
    let fake = Fake::default();
    let refusal = Status::invalid_argument("no such kind");
    fake.state().scripts.push_back(script(vec![], Some(refusal)));
    let mut watch = watch(&fake, WatchOptions::new(WatchStart::After(1))).await;
    let error = watch.next().await.expect_err("refused");
    assert_eq!(error.code(), Code::InvalidArgument);
}

#[tokio::test]
async fn a_watch_may_give_up() {
    let fake = Fake::default();
    for _ in 0..3 {
        fake.state().scripts.push_back(script(vec![], Some(stopping())));
    }
    let mut options = WatchOptions::new(WatchStart::After(1));
    options.max_failures = Some(3);
    let mut watch = watch(&fake, options).await;
    assert!(matches!(watch.next().await, Ok(WatchMessage::Interrupted(_))));
    assert!(matches!(watch.next().await, Ok(WatchMessage::Interrupted(_))));
    let error = watch.next().await.expect_err("the third failure");
    assert_eq!(error.reason(), "SERVER_STOPPING");
}

#[tokio::test]
async fn a_broken_connection_is_an_interruption() {
    let fake = Fake::default();
    let proxy = Proxy::to(&fake.serve().await).await;
    let mut connecting = ConnectOptions::to(&proxy.endpoint);
    connecting.retry.first_pause = Duration::from_millis(1);
    let client = Client::connect(connecting).await.expect("the proxy listens");
    fake.state().scripts.extend([
        script(vec![events(&[(11, 1), (12, 2)], 11)], None),
        script(vec![events(&[(12, 2), (12, 3)], 12)], None),
    ]);
    let mut watch = client.watch(WatchOptions::new(WatchStart::After(10)));
    let first = watch.next().await.expect("events");
    assert!(matches!(first, WatchMessage::Events(batch) if batch.events.len() == 2));
    proxy.cut();
    let (seen, interruptions) = read(&mut watch, 12).await;
    assert_eq!(seen, [(12, 3)]);
    assert_eq!(interruptions, [Code::Unavailable]);
}
