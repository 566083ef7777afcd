//! The cell as the API sees it.
//!
//! A [`Cell`] is a handle: commands go in through its queue, answers come back once they are durable and visible, and
//! everything read through it is committed. What stands behind the handle is put together by the driver.
//!
//! Deliberately absent: gRPC, authorization, and any way to change the state but by a command.

mod error;

use std::{
    fmt,
    future::Future,
    sync::{Arc, Weak, mpsc},
    time::Duration,
};

use offpeak_core::{
    command::{Outcome, Request},
    engine::Fork,
    forecaster::Memories,
    model::{Job, NodeId, Revision, Time},
    scheduler::{Explanation, PendingReason},
    state::State,
};
use tokio::{sync::oneshot, time::timeout};

pub use error::{CellError, FeedError};

pub use crate::feed::Subscription;
use crate::{
    clock::Clock,
    driver::{
        Ask, forecasts,
        queue::{Queue, Refused, Waiter},
    },
    feed::Feed,
    store::Log,
    telemetry::Metrics,
    view::{Progress, View},
};

/// A running cell; cheap to clone.
#[derive(Clone, Debug)]
pub struct Cell {
    shared: Arc<Shared>,
}

/// What a cell's handles and its driver's threads have in common.
pub(crate) struct Shared {
    pub(crate) name: String,
    pub(crate) started: Time,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) queue: Arc<Queue>,
    pub(crate) view: Arc<View>,
    pub(crate) feed: Arc<Feed>,
    pub(crate) progress: Progress,
    /// Weak, so that a forgotten handle does not keep the store open after the server has stopped.
    pub(crate) log: Weak<dyn Log>,
    pub(crate) asks: mpsc::Sender<Ask>,
    pub(crate) forecaster: forecasts::Line,
    pub(crate) metrics: Metrics,
    pub(crate) retry_after: Duration,
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

impl Cell {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    pub(crate) fn shared(&self) -> &Shared {
        &self.shared
    }

    pub(crate) fn share(&self) -> Arc<Shared> {
        Arc::clone(&self.shared)
    }

    /// What time it is for the cell.
    #[must_use]
    pub fn now(&self) -> Time {
        self.shared.clock.now()
    }

    /// Hands a command to the engine at once, and resolves when its events are durable and visible in the view.
    /// Dropping the future does not take the command back.
    ///
    /// # Errors
    /// [`CellError::Rejected`], [`CellError::Overloaded`] when the queue is full, [`CellError::Stopping`].
    pub fn submit(
        &self,
        request: Request,
    ) -> impl Future<Output = Result<Outcome, CellError>> + Send + use<> {
        let (tx, rx) = oneshot::channel();
        let pushed = self.push(std::iter::once(request), Waiter::One(tx));
        async move {
            pushed?;
            rx.await.unwrap_or(Err(CellError::Stopping))
        }
    }

    /// Hands a batch of commands to the engine at once as one entry of its queue, and resolves to one answer a
    /// command, in order, when all of them are durable and visible. A full queue takes none of them.
    pub fn submit_many(
        &self,
        requests: Vec<Request>,
    ) -> impl Future<Output = Vec<Result<Outcome, CellError>>> + Send + use<> {
        let count = requests.len();
        let (tx, rx) = oneshot::channel();
        let pushed = self.push(requests.into_iter(), Waiter::Many(count, tx));
        async move {
            match pushed {
                Ok(()) => rx.await.unwrap_or_else(|_| vec![Err(CellError::Stopping); count]),
                Err(error) => vec![Err(error); count],
            }
        }
    }

    /// A copy of the engine as of a committed revision, to ask what would come of a command: a new one that is no older
    /// than `min_revision`, or than what is visible now if that is 0. Waits for at most `limit`.
    ///
    /// # Errors
    /// [`CellError::Overloaded`], [`CellError::NotYet`] after `limit`, [`CellError::Stopping`].
    pub async fn fork(
        &self,
        min_revision: Revision,
        limit: Duration,
    ) -> Result<Arc<Fork>, CellError> {
        let fork = async {
            self.reach(min_revision).await?;
            let min_revision = if min_revision.0 > 0 { min_revision } else { self.newest() };
            let asked = self.shared.queue.ask_for_fork(min_revision);
            let rx = asked.map_err(|refused| self.refusal(refused, 1))?;
            let fork = rx.await.map_err(|_| CellError::Stopping)?;
            self.reach(fork.state().revision()).await?;
            Ok(fork)
        };
        self.within(limit, fork).await
    }

    /// Waits until the view has reached `revision`, for at most `limit`.
    ///
    /// # Errors
    /// [`CellError::NotYet`] after `limit`, [`CellError::Stopping`].
    pub async fn wait_for(&self, revision: Revision, limit: Duration) -> Result<(), CellError> {
        self.within(limit, self.reach(revision)).await
    }

    /// Reads the committed state under a read lock: for short reads only.
    pub fn read<R>(&self, read: impl FnOnce(&State) -> R) -> R {
        self.shared.view.read(read)
    }

    /// A copy of the committed state, which shares what it can: for long reads, lists and snapshots.
    #[must_use]
    pub fn snapshot(&self) -> State {
        self.read(State::clone)
    }

    /// Why a job of this state waits. Counts over the nodes, as far as they were not counted for an earlier question.
    #[must_use]
    pub fn explain(&self, state: &State, job: &Job) -> Vec<PendingReason> {
        self.explain_fully(state, job).reasons
    }

    /// The same, and how near they are to a place.
    #[must_use]
    pub fn explain_fully(&self, state: &State, job: &Job) -> Explanation {
        self.shared.view.explain(|reasons| reasons.explain_fully(state, job))
    }

    /// What is remembered of the loads of these nodes, of all that is visible now at least. Waits for at most `limit`.
    ///
    /// # Errors
    /// [`CellError::NotYet`] after `limit`, [`CellError::Stopping`].
    pub async fn memories(
        &self,
        nodes: Vec<NodeId>,
        limit: Duration,
    ) -> Result<Memories, CellError> {
        match timeout(limit, self.shared.forecaster.ask(nodes)).await {
            Ok(answer) => answer.map_err(|_| CellError::Stopping),
            Err(_) => Err(CellError::NotYet { newest: self.newest() }),
        }
    }

    /// Everything committed after `after`, from the log and then live.
    #[must_use]
    pub fn subscribe(&self, after: Revision) -> Subscription {
        self.shared.feed.subscribe(after)
    }

    /// How the cell is.
    #[must_use]
    pub fn status(&self) -> CellStatus {
        let newest = self.newest();
        let bounds = self.shared.log.upgrade().map(|log| log.bounds());
        CellStatus {
            name: self.shared.name.clone(),
            started: self.shared.started,
            newest,
            compacted: bounds.map_or(newest, |bounds| bounds.compacted),
            checkpoint: bounds.map_or(newest, |bounds| bounds.checkpoint),
            log_bytes: bounds.map_or(0, |bounds| bounds.log_bytes),
            watchers: self.shared.feed.watchers(),
        }
    }

    /// Takes a checkpoint now and resolves to its revision when it is durable.
    ///
    /// # Errors
    /// [`CellError::Checkpoint`], [`CellError::Stopping`].
    pub async fn checkpoint(&self) -> Result<Revision, CellError> {
        let (tx, rx) = oneshot::channel();
        self.shared.asks.send(Ask::Now(tx)).map_err(|_| CellError::Stopping)?;
        rx.await.unwrap_or(Err(CellError::Stopping))
    }

    /// How many commands wait for the engine.
    pub(crate) fn queue_length(&self) -> usize {
        self.shared.queue.len()
    }

    fn newest(&self) -> Revision {
        self.shared.progress.reached().revision
    }

    async fn reach(&self, revision: Revision) -> Result<(), CellError> {
        let mut progress = self.shared.progress.subscribe();
        let done = progress.wait_for(|reached| reached.stopping || reached.revision >= revision);
        let reached = *done.await.map_err(|_| CellError::Stopping)?;
        if reached.revision >= revision { Ok(()) } else { Err(CellError::Stopping) }
    }

    async fn within<T>(
        &self,
        limit: Duration,
        done: impl Future<Output = Result<T, CellError>>,
    ) -> Result<T, CellError> {
        let late = |_| Err(CellError::NotYet { newest: self.newest() });
        timeout(limit, done).await.unwrap_or_else(late)
    }

    fn push(
        &self,
        requests: impl ExactSizeIterator<Item = Request>,
        waiter: Waiter,
    ) -> Result<(), CellError> {
        let count = requests.len();
        self.shared.queue.push(requests, waiter).map_err(|refused| self.refusal(refused, count))
    }

    fn refusal(&self, refused: Refused, count: usize) -> CellError {
        match refused {
            Refused::Closed => CellError::Stopping,
            Refused::Full => {
                self.shared.metrics.overloaded(count as u64);
                CellError::Overloaded { retry_after: self.shared.retry_after }
            }
        }
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("name", &self.name).finish_non_exhaustive()
    }
}
