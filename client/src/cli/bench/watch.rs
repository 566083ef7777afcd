//! Watchers that count placements.

use std::time::Instant;

use offpeak::v1::{WatchFilter, event::Kind};
use offpeak_client::{Client, WatchMessage, WatchOptions, WatchStart};
use tokio::sync::watch;

/// What one watcher has seen.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Seen {
    pub(super) placements: u64,
    /// When the last of them came.
    pub(super) last: Option<Instant>,
}

/// Counts the placements of a tenant after a revision, and tells each new count.
///
/// Ends when nobody listens any more, or when the watch fails: the count then stays where it is.
pub(super) async fn count(client: Client, tenant: String, after: u64, seen: watch::Sender<Seen>) {
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
        let mut placements = 0;
        for event in &batch.events {
            if let Some(Kind::TasksPlaced(placed)) = &event.kind {
                placements += placed
                    .placements
                    .iter()
                    .map(|placement| u64::from(placement.count))
                    .sum::<u64>();
            }
        }
        seen.send_modify(|seen| {
            seen.placements += placements;
            seen.last = Some(Instant::now());
        });
    }
}
