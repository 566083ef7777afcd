//! Watchers that count placements.

use std::time::Instant;

use offpeak::v1::{WatchFilter, event::Kind};
use offpeak_client::{Client, WatchMessage, WatchOptions, WatchStart};
use tokio::sync::watch;

use super::{clock::Clock, plan::Names};

/// What one watcher has seen.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Seen {
    pub(super) placements: u64,
    /// When the last of them came.
    pub(super) last: Option<Instant>,
}

/// Counts the placements of a tenant after a revision, tells each new count, and how long they took.
///
/// Ends when nobody listens any more, or when the watch fails: the count then stays where it is.
pub(super) async fn count(
    client: Client,
    tenant: String,
    after: u64,
    clock: Clock,
    seen: watch::Sender<Seen>,
) {
    let mut options = WatchOptions::new(WatchStart::After(after));
    options.filter =
        WatchFilter { tenant, kinds: vec!["tasks_placed".to_owned()], ..WatchFilter::default() };
    options.max_failures = Some(3);
    let mut watch = client.watch(options);
    loop {
        let message = tokio::select! {
            message = watch.next() => message,
            () = seen.closed() => return,
        };
        let Ok(message) = message else {
            return;
        };
        let WatchMessage::Events(batch) = message else {
            continue;
        };
        let placed = batch.events.iter().filter_map(|event| match &event.kind {
            Some(Kind::TasksPlaced(placed)) => {
                let tasks = placed.placements.iter().map(|placement| u64::from(placement.count));
                Some((Names::index_of(&placed.job), tasks.sum::<u64>()))
            }
            _ => None,
        });
        let placed: Vec<(Option<usize>, u64)> = placed.collect();
        let placements: u64 = placed.iter().map(|(_, tasks)| tasks).sum();
        clock.placed(placed.into_iter().filter_map(|(job, tasks)| Some((job?, tasks))));
        seen.send_modify(|seen| {
            seen.placements += placements;
            seen.last = Some(Instant::now());
        });
    }
}
