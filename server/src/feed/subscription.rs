use std::{
    collections::VecDeque,
    sync::{Arc, atomic::Ordering},
};

use offpeak_core::model::Revision;
use tokio::{
    sync::watch,
    task::{JoinError, JoinHandle},
};

use super::{Feed, ring::Found};
use crate::{
    cell::FeedError,
    codec,
    record::Record,
    store::{Log, StoreError},
    view::Reached,
};

/// Records that a subscriber takes from the ring at once.
const TAKEN_AT_ONCE: usize = 64;

type Numbered = (Arc<Record>, Revision);

/// Committed records in order; see [`Cell::subscribe`](crate::cell::Cell::subscribe).
#[derive(Debug)]
pub struct Subscription {
    feed: Arc<Feed>,
    progress: watch::Receiver<Reached>,
    /// Everything up to here was given out.
    cursor: Revision,
    /// What comes next, each with its last revision.
    ahead: VecDeque<Numbered>,
    reading: Option<JoinHandle<Result<Vec<Numbered>, FeedError>>>,
}

impl Subscription {
    pub(super) fn new(feed: Arc<Feed>, after: Revision) -> Self {
        feed.watchers.fetch_add(1, Ordering::Relaxed);
        let progress = feed.progress.subscribe();
        Self { feed, progress, cursor: after, ahead: VecDeque::new(), reading: None }
    }

    /// The next record. The first one may begin at or before the revision subscribed after, because a record is given
    /// whole; later ones follow without a gap or a repeat. Safe to cancel.
    ///
    /// # Errors
    /// Every error is final: [`FeedError::Compacted`], [`FeedError::Stopping`], [`FeedError::Log`].
    pub async fn next(&mut self) -> Result<Arc<Record>, FeedError> {
        loop {
            // Seen before the ring is looked at, so that whatever is published after the look is noticed.
            if self.progress.borrow_and_update().stopping {
                return Err(FeedError::Stopping);
            }
            if let Some((record, last)) = self.ahead.pop_front() {
                self.cursor = last;
                return Ok(record);
            }
            if self.reading.is_some() {
                self.finish_reading().await?;
                continue;
            }
            let found = self.feed.ring().after(self.cursor, TAKEN_AT_ONCE);
            match found {
                Found::Records(records) => self.ahead.extend(records),
                Found::Newest => {
                    self.progress.changed().await.map_err(|_| FeedError::Stopping)?;
                }
                Found::Behind => self.begin_reading().await?,
            }
        }
    }

    /// Reads what follows the cursor from the log, on a thread that may block.
    async fn begin_reading(&mut self) -> Result<(), FeedError> {
        let permit = Arc::clone(&self.feed.readers).acquire_owned().await;
        let permit = permit.map_err(|_| FeedError::Stopping)?;
        let log = self.feed.log.upgrade().ok_or(FeedError::Stopping)?;
        let (after, max_bytes) = (self.cursor, self.feed.read_bytes);
        // The log is ahead of the view while a commit is on its way; that must not be seen yet.
        let through = self.feed.progress.reached().revision;
        self.reading = Some(tokio::task::spawn_blocking(move || {
            let records = read(&*log, after, through, max_bytes);
            drop(log);
            drop(permit);
            records
        }));
        Ok(())
    }

    async fn finish_reading(&mut self) -> Result<(), FeedError> {
        if let Some(reading) = &mut self.reading {
            let read = reading.await;
            self.reading = None;
            self.ahead.extend(read.map_err(|error: JoinError| FeedError::Log(Arc::new(error)))??);
        }
        Ok(())
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.feed.watchers.fetch_sub(1, Ordering::Relaxed);
    }
}

fn read(
    log: &dyn Log,
    after: Revision,
    through: Revision,
    max_bytes: usize,
) -> Result<Vec<Numbered>, FeedError> {
    let mut records = Vec::new();
    for stored in log.read(after, max_bytes).map_err(FeedError::from)? {
        if stored.last > through {
            break;
        }
        let record = codec::decode_record(&stored.payload);
        let record = record.map_err(|error| FeedError::Log(Arc::new(error)))?;
        records.push((Arc::new(record), stored.last));
    }
    Ok(records)
}

impl From<StoreError> for FeedError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Compacted { first_available } => Self::Compacted { first_available },
            other => Self::Log(Arc::new(other)),
        }
    }
}
