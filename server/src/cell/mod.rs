//! The cell as the API sees it.
//!
//! A [`Cell`] is a handle: commands go in through its queue, answers come back once they are durable and visible, and
//! everything read through it is committed. What stands behind the handle is put together by the driver.
//!
//! Deliberately absent: gRPC, authorization, and any way to change the state but by a command.

mod error;

use std::{
    future::Future,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use offpeak_core::{
    command::{Outcome, Request},
    model::{Revision, Time},
    state::State,
};

pub use error::{CellError, FeedError};

use crate::record::Record;

/// A running cell; cheap to clone.
#[derive(Clone, Debug)]
pub struct Cell {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    view: RwLock<State>,
}

/// How a cell is, besides what its state says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CellStatus {
    /// The cell's name.
    pub name: String,
    /// When this server started.
    pub started: Time,
    /// The newest durable and visible revision.
    pub newest: Revision,
    /// The oldest revision that a watch can begin after.
    pub compacted: Revision,
    /// The revision of the newest checkpoint; 0 when there is none.
    pub checkpoint: Revision,
    /// Bytes of log kept after the compacted revision.
    pub log_bytes: u64,
    /// How many subscriptions are open.
    pub watchers: u32,
}

/// Committed records in order; see [`Cell::subscribe`].
#[derive(Debug)]
pub struct Subscription {
    after: Revision,
}

impl Cell {
    /// Hands a command to the engine at once, and resolves when its events are durable and visible in the view.
    ///
    /// # Errors
    /// [`CellError::Rejected`], [`CellError::Overloaded`] when the queue is full, [`CellError::Stopping`].
    pub fn submit(
        &self,
        request: Request,
    ) -> impl Future<Output = Result<Outcome, CellError>> + Send + use<> {
        let _ = request;
        std::future::ready(Err(CellError::Stopping))
    }

    /// Hands a batch of commands to the engine at once as one entry of its queue, and resolves to one answer a
    /// command, in order, when all of them are durable and visible. A full queue takes none of them.
    pub fn submit_many(
        &self,
        requests: Vec<Request>,
    ) -> impl Future<Output = Vec<Result<Outcome, CellError>>> + Send + use<> {
        std::future::ready(requests.iter().map(|_| Err(CellError::Stopping)).collect())
    }

    /// Waits until the view has reached `revision`, for at most `limit`.
    ///
    /// # Errors
    /// [`CellError::NotYet`] after `limit`, [`CellError::Stopping`].
    #[expect(clippy::unused_async, reason = "the view cannot change yet")]
    pub async fn wait_for(&self, revision: Revision, limit: Duration) -> Result<(), CellError> {
        let newest = self.read(State::revision);
        let _ = limit;
        if newest >= revision { Ok(()) } else { Err(CellError::NotYet { newest }) }
    }

    /// Reads the committed state under a read lock: for short reads only.
    pub fn read<R>(&self, read: impl FnOnce(&State) -> R) -> R {
        read(&self.shared.view.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// A copy of the committed state, which shares what it can: for long reads, lists and snapshots.
    #[must_use]
    pub fn snapshot(&self) -> State {
        self.read(State::clone)
    }

    /// Everything committed after `after`, from the log and then live.
    #[must_use]
    pub fn subscribe(&self, after: Revision) -> Subscription {
        Subscription { after }
    }

    /// How the cell is.
    #[must_use]
    pub fn status(&self) -> CellStatus {
        CellStatus {
            name: String::new(),
            started: Time(0),
            newest: self.read(State::revision),
            compacted: Revision(0),
            checkpoint: Revision(0),
            log_bytes: 0,
            watchers: 0,
        }
    }

    /// Takes a checkpoint now and resolves to its revision when it is durable.
    ///
    /// # Errors
    /// [`CellError::Checkpoint`], [`CellError::Stopping`].
    #[expect(clippy::unused_async, reason = "there is no log yet")]
    pub async fn checkpoint(&self) -> Result<Revision, CellError> {
        Err(CellError::Stopping)
    }
}

impl Subscription {
    /// The next record. The first one may begin at or before the revision subscribed after, because a record is given
    /// whole; later ones follow without a gap or a repeat. Safe to cancel.
    ///
    /// # Errors
    /// Every error is final: [`FeedError::Compacted`], [`FeedError::Stopping`], [`FeedError::Log`].
    #[expect(clippy::unused_async, reason = "there is no feed yet")]
    pub async fn next(&mut self) -> Result<Arc<Record>, FeedError> {
        let _ = self.after;
        Err(FeedError::Stopping)
    }
}
