//! Who follows the cell from its first event on, whatever happens to the server.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use offpeak::v1::{
    Event, FromRevision, WatchRequest, event::Kind, watch_request::Start, watch_response::Message,
};
use offpeak_client::{Client, WatchMessage, WatchOptions, WatchStart};
use tokio::{sync::watch, task::JoinHandle};

use super::{ledger::Ledger, load::Acknowledged};
use crate::fold::{Fold, Lists, Objects};

/// How many checks a comparison with the log goes back.
const REACH_BACK: usize = 3;

pub(super) struct Follower {
    events: Arc<Mutex<Vec<Event>>>,
    through: watch::Receiver<u64>,
    following: JoinHandle<()>,
    fold: Fold,
    folded: u64,
    pub(super) ledger: Ledger,
    /// Revisions of the last checks; events are kept from the first one on.
    checked: Vec<u64>,
}

impl Follower {
    pub(super) fn start(client: Client) -> Self {
        let events = Arc::new(Mutex::new(Vec::new()));
        let (reached, through) = watch::channel(0);
        let following = tokio::spawn(follow(client, Arc::clone(&events), reached));
        let (fold, ledger) = (Fold::default(), Ledger::default());
        Self { events, through, following, fold, folded: 0, ledger, checked: vec![0] }
    }

    /// Waits until everything up to a revision has been seen.
    pub(super) async fn reach(&mut self, revision: u64) {
        let reached = self.through.wait_for(|through| *through >= revision).await.is_ok();
        assert!(reached, "the follower failed: {:?}", (&mut self.following).await);
    }

    /// What the cell charges is what the events come to that were followed.
    pub(super) async fn check_ledger(&mut self, client: &Client, context: &str) {
        let statement = Ledger::statement(client).await;
        self.reach(statement.1).await;
        let events = self.events.lock().expect("no panic");
        self.ledger.check(events.iter(), statement, context);
    }

    /// What was followed through kills must be what the log tells in one go.
    pub(super) async fn compare_with_log(&mut self, client: &Client, through: u64, context: &str) {
        let after = self.checked[0];
        let from_log = read_log(client, after, through).await;
        let mut events = self.events.lock().expect("no panic");
        events.retain(|event| event.revision > after);
        let followed: Vec<&Event> = events.iter().filter(|e| e.revision <= through).collect();
        let differ = followed.iter().zip(&from_log).find(|(a, b)| **a != *b);
        assert_eq!(differ, None, "{context}: followed and told");
        assert_eq!(followed.len(), from_log.len(), "{context}: events followed and told");
        drop(events);
        self.checked.push(through);
        if self.checked.len() > REACH_BACK {
            self.checked.remove(0);
        }
    }

    /// An acknowledged job was submitted at its revision and is still there, unless it was forgotten since.
    pub(super) fn check(&self, acknowledged: &Acknowledged, lists: &Lists, context: &str) {
        let Acknowledged { revision, name } = acknowledged;
        let events = self.events.lock().expect("no panic");
        let from = events.partition_point(|event| event.revision < *revision);
        let of_revision = events[from..].iter().take_while(|event| event.revision == *revision);
        let submitted = of_revision.filter_map(|event| match &event.kind {
            Some(Kind::JobSubmitted(e)) => e.job.as_ref(),
            _ => None,
        });
        let found = submitted.into_iter().any(|job| job.name == *name);
        assert!(found, "{context}: {name} was acknowledged at {revision} and is not there");
        let listed = lists.objects.jobs.contains_key(&("acme".to_owned(), name.clone()));
        let forgotten = events[from..]
            .iter()
            .any(|event| matches!(&event.kind, Some(Kind::JobForgotten(e)) if e.job == *name));
        assert!(listed || forgotten, "{context}: {name} of {revision} is not listed");
    }

    /// The objects as they are at a revision that was reached.
    pub(super) fn fold_to(&mut self, revision: u64) -> Objects {
        let events = self.events.lock().expect("no panic");
        let from = events.partition_point(|event| event.revision <= self.folded);
        for event in events[from..].iter().take_while(|event| event.revision <= revision) {
            self.fold.apply(event);
        }
        self.folded = revision;
        self.fold.objects()
    }
}

async fn follow(client: Client, events: Arc<Mutex<Vec<Event>>>, reached: watch::Sender<u64>) {
    let options = WatchOptions {
        progress_interval: Some(Duration::from_millis(100)),
        ..WatchOptions::new(WatchStart::After(0))
    };
    let mut watch = client.watch(options);
    let mut last = 0;
    loop {
        match watch.next().await.expect("the watch goes on") {
            WatchMessage::Events(batch) => {
                for event in &batch.events {
                    assert!(event.revision >= last, "{} after {last}", event.revision);
                    last = event.revision;
                }
                events.lock().expect("no panic").extend(batch.events);
            }
            WatchMessage::Progress(_) | WatchMessage::Interrupted(_) => {}
            WatchMessage::Snapshot { .. } => panic!("nobody asked for a snapshot"),
        }
        if reached.send(watch.revision().unwrap_or(0)).is_err() {
            return;
        }
    }
}

/// The events of the revisions `after + 1 ..= through`, by a watch that nothing interrupts.
async fn read_log(client: &Client, after: u64, through: u64) -> Vec<Event> {
    let start = Some(Start::After(FromRevision { revision: after }));
    let request = WatchRequest { start, ..WatchRequest::default() };
    let mut watch = client.watches().watch(request).await.expect("a watch").into_inner();
    let mut events = Vec::new();
    loop {
        let response = watch.message().await.expect("no error").expect("not the end");
        if let Some(Message::Events(batch)) = response.message {
            let before = events.last().map_or(0, |event: &Event| event.revision);
            assert!(batch.events.first().is_none_or(|event| event.revision >= before));
            events.extend(batch.events);
            if batch.through_revision >= through {
                break;
            }
        }
    }
    events.retain(|event| event.revision <= through);
    events
}
