//! What was committed, for those who follow along.
//!
//! The newest records lie in a bounded ring. A subscriber takes them from there; one that has fallen behind the ring
//! reads the log until it has caught up with the ring again. The writer never waits for a subscriber.

mod ring;
mod subscription;

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError, Weak,
    atomic::{AtomicU32, Ordering},
};

use offpeak_core::model::Revision;
use tokio::sync::Semaphore;

pub use subscription::Subscription;

use crate::{record::Record, store::Log, view::Progress};
use ring::Ring;

/// How much the feed holds and does at once.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FeedLimits {
    /// Records in the ring.
    pub(crate) ring_records: usize,
    /// Encoded bytes of the records in the ring.
    pub(crate) ring_bytes: usize,
    /// Encoded bytes that a subscriber reads from the log at once.
    pub(crate) read_bytes: usize,
    /// Subscribers that read the log at the same time.
    pub(crate) readers: usize,
}

/// The committed records, newest in memory, older ones in the log.
#[derive(Debug)]
pub(crate) struct Feed {
    ring: Mutex<Ring>,
    progress: Progress,
    log: Weak<dyn Log>,
    readers: Arc<Semaphore>,
    read_bytes: usize,
    reader_limit: u32,
    watchers: AtomicU32,
}

impl Feed {
    /// A feed whose ring begins after the newest revision of `progress`.
    pub(crate) fn new(progress: Progress, log: Weak<dyn Log>, limits: FeedLimits) -> Self {
        let floor = progress.reached().revision;
        let reader_limit = u32::try_from(limits.readers.max(1)).unwrap_or(u32::MAX);
        Self {
            ring: Mutex::new(Ring::new(floor, limits.ring_records, limits.ring_bytes)),
            progress,
            log,
            readers: Arc::new(Semaphore::new(reader_limit as usize)),
            read_bytes: limits.read_bytes,
            reader_limit,
            watchers: AtomicU32::new(0),
        }
    }

    /// Adds the next record, `bytes` long when encoded, and wakes the subscribers.
    pub(crate) fn publish(&self, record: Arc<Record>, last: Revision, bytes: usize) {
        let dropped = self.ring().push(record, last, bytes);
        self.progress.reach(last);
        drop(dropped);
    }

    pub(crate) fn subscribe(self: &Arc<Self>, after: Revision) -> Subscription {
        Subscription::new(Arc::clone(self), after)
    }

    /// How many subscriptions are open.
    pub(crate) fn watchers(&self) -> u32 {
        self.watchers.load(Ordering::Relaxed)
    }

    /// Ends all subscriptions.
    pub(crate) fn stop(&self) {
        self.progress.stop();
    }

    /// Resolves when nobody reads the log any longer, and keeps others from beginning to.
    pub(crate) async fn release_log(&self) {
        if let Ok(all) = self.readers.acquire_many(self.reader_limit).await {
            all.forget();
        }
        self.readers.close();
    }

    fn ring(&self) -> MutexGuard<'_, Ring> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
