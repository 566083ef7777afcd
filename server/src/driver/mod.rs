//! Moves commands through the cell, one way:
//!
//! ```text
//! Cell -> Queue -> engine thread: Engine::step -> steps -> committer thread: Log::append -> View -> Feed -> answers
//!          ^              | problem                                      \-> checkpoint thread: Log::begin_checkpoint
//!          | promises     v
//!          |------ planner thread: Problem::solve
//!          |------ forecast thread: Forecaster::fold <- what is committed
//!          \------ quotes thread: Fork::look_ahead <- a copy of the engine
//! ```
//!
//! While one append is in flight the engine goes on deciding, a bounded number of steps ahead; the committer joins
//! what has come meanwhile into one record. All answers pass through the committer, refusals too, so that nobody is
//! told of anything that is not durable. The planner works beside the engine, one problem at a time, and its promises
//! come back as requests that nobody waits for: they leave no trace in the log. So do the forecaster's bounds, which are
//! facts and stand in the log; it learns from what is committed. Whoever asks what would come of a command gets a copy
//! of the engine (`forks.rs`) between two steps. The planner and the quoter take what the others leave of the cores. If a
//! thread cannot go on, the process stops: memory is ahead of the disk.
//!
//! Deliberately absent: deciding (the core does), formats (the codec's), async but at the handle.

mod checkpoints;
mod committer;
mod decider;
mod fatal;
pub(crate) mod forecasts;
mod forks;
mod group;
mod planner;
pub(crate) mod queue;
mod quoter;
#[cfg(test)]
mod tests;

use std::{
    fmt, io,
    sync::{Arc, mpsc},
    thread::{Builder, JoinHandle},
};

use offpeak_core::{engine::Engine, forecaster::Forecaster, state::State};

pub use fatal::{FatalError, OnFatal, exit_on_fatal};

pub(crate) use checkpoints::Ask;

use crate::{
    cell::{Cell, Shared},
    clock::Clock,
    config::Config,
    feed::{Feed, FeedLimits},
    store::{Log, Retention},
    telemetry::Metrics,
    view::{Progress, View},
};
use checkpoints::Checkpointer;
use committer::{Committer, Learners};
use decider::Decider;
use fatal::Guard;
use forecasts::{Forecasts, Line};
use forks::Forks;
use planner::Planner;
use queue::Queue;
use quoter::Quoter;

/// What a driver is made of.
pub struct Setup {
    /// The recovered state: all that `log` holds.
    pub state: State,
    /// What was learned of the loads in `log`.
    pub forecaster: Forecaster,
    /// Where events go.
    pub log: Arc<dyn Log>,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// What is counted.
    pub metrics: Metrics,
    /// What to do when a thread cannot go on.
    pub on_fatal: OnFatal,
}

/// The threads of a running cell.
pub struct Driver {
    cell: Cell,
    threads: Vec<JoinHandle<()>>,
    checkpointer: JoinHandle<()>,
    planner: Option<JoinHandle<()>>,
    quoter: Option<JoinHandle<()>>,
    forecasts: JoinHandle<()>,
    log: Arc<dyn Log>,
}

impl Driver {
    /// Starts the threads.
    ///
    /// # Errors
    /// When the machine has no thread left.
    pub fn start(config: &Config, setup: Setup) -> io::Result<Self> {
        let Setup { state, forecaster, log, clock, metrics, on_fatal } = setup;
        let progress = Progress::new(state.revision());
        let queue = Arc::new(Queue::new(config.queue_limit_requests));
        let waker = Arc::clone(&queue);
        clock.on_jump(Box::new(move || waker.wake()));
        let view = Arc::new(View::new(state.clone()));
        let feed = Feed::new(progress.clone(), Arc::downgrade(&log), feed_limits(config));
        let (asks_tx, asks_rx) = mpsc::channel();
        let (steps_tx, steps_rx) = mpsc::sync_channel(config.steps_in_flight);
        // Without a limit: who waits for the engine must not be waited for by the committer. The engine's own queue and
        // its steps in flight bound what can be told.
        let (told_tx, told_rx) = mpsc::channel();

        let shared = Arc::new(Shared {
            name: config.cell.clone(),
            started: clock.now(),
            clock: Arc::clone(&clock),
            queue: Arc::clone(&queue),
            view: Arc::clone(&view),
            feed: Arc::new(feed),
            progress: progress.clone(),
            log: Arc::downgrade(&log),
            asks: asks_tx,
            forecaster: Line::new(told_tx.clone()),
            metrics: metrics.clone(),
            retry_after: config.overload_retry.0,
        });
        let guard = |thread| Guard::new(thread, &on_fatal, &queue, &progress);
        let checkpointer = Checkpointer {
            view: Arc::clone(&view),
            log: Arc::clone(&log),
            asks: asks_rx,
            forecaster: told_tx.clone(),
            retention: Retention {
                revisions: config.retention_revisions,
                bytes: config.retention_bytes,
            },
            metrics: metrics.clone(),
        };
        let (quoter, bell) = Quoter::new(config, &queue, &view).unzip();
        let committer = Committer::new(
            config,
            Arc::clone(&shared),
            Arc::clone(&log),
            steps_rx,
            Learners { forecaster: told_tx, bell },
            metrics.clone(),
        );
        let forecasts = Forecasts { forecaster, told: told_rx, queue: Arc::clone(&queue) };
        // The wall clock may be behind what the last server saw.
        let last = clock.now().max(state.now());
        let (planner, desk) = Planner::new(config, &queue, &metrics).unzip();
        let decider = Decider {
            engine: Engine::new(state, last).with_batch_budget(config.batch_budget.into()),
            queue: Arc::clone(&queue),
            clock,
            steps: steps_tx,
            batch_limit_requests: config.batch_limit_requests,
            last,
            desk,
            forks: Forks::new(),
            metrics,
        };

        let checkpointer = spawn("checkpoint", guard("checkpoint"), |_| checkpointer.run())?;
        let plan = |planner: Planner| spawn_beside("planner", guard("planner"), |_| planner.run());
        let planner = planner.map(plan).transpose()?;
        let quote = |quoter: Quoter| spawn_beside("quotes", guard("quotes"), |_| quoter.run());
        let quoter = quoter.map(quote).transpose()?;
        let forecasts = spawn("forecast", guard("forecast"), |_| forecasts.run())?;
        let threads = vec![
            spawn("commit", guard("commit"), |guard| committer.run(guard))?,
            spawn("engine", guard("engine"), |_| decider.run())?,
        ];
        let cell = Cell::new(shared);
        Ok(Self { cell, threads, checkpointer, planner, quoter, forecasts, log })
    }

    /// The handle to the cell.
    #[must_use]
    pub fn cell(&self) -> Cell {
        self.cell.clone()
    }

    /// Takes no more commands and ends all subscriptions; what was taken is still answered.
    pub fn close(&self) {
        self.cell.shared().queue.close();
        self.cell.shared().feed.stop();
    }

    /// Closes, finishes what was taken, takes a last checkpoint and lets go of the log.
    pub async fn stop(self) {
        self.close();
        let Self { cell, threads, checkpointer, planner, quoter, forecasts, log } = self;
        let asks = cell.shared().asks.clone();
        let shared = cell.share();
        let joined = tokio::task::spawn_blocking(move || {
            // A thread that panicked has been reported by its guard.
            for thread in threads {
                let _ = thread.join();
            }
            let _ = asks.send(Ask::Last);
            let _ = checkpointer.join();
            shared.forecaster.close();
            let _ = forecasts.join();
            // They may have had something to finish, which nothing had to wait for.
            let _ = planner.map(JoinHandle::join);
            let _ = quoter.map(JoinHandle::join);
        });
        let _ = joined.await;
        cell.shared().feed.release_log().await;
        // Closing a store takes its time.
        let _ = tokio::task::spawn_blocking(move || drop(log)).await;
    }
}

impl fmt::Debug for Driver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Driver").field("cell", &self.cell).finish_non_exhaustive()
    }
}

impl fmt::Debug for Setup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Setup").field("clock", &self.clock).finish_non_exhaustive()
    }
}

fn feed_limits(config: &Config) -> FeedLimits {
    FeedLimits {
        ring_records: config.feed_limit_records,
        ring_bytes: config.feed_limit_bytes,
        read_bytes: config.feed_read_bytes,
        readers: config.feed_limit_readers,
    }
}

fn spawn(
    name: &str,
    guard: Guard,
    body: impl FnOnce(&Guard) + Send + 'static,
) -> io::Result<JoinHandle<()>> {
    Builder::new().name(name.to_owned()).spawn(move || body(&guard))
}

/// As [`spawn`], a thread that takes what all others leave of the cores: nobody waits for it.
fn spawn_beside(
    name: &str,
    guard: Guard,
    body: impl FnOnce(&Guard) + Send + 'static,
) -> io::Result<JoinHandle<()>> {
    spawn(name, guard, |guard| {
        #[cfg(target_os = "linux")]
        go_last();
        body(guard);
    })
}

/// Lets this thread run only while a core has nothing else to do. A nice one does not do: who wakes up beside it waits until
/// its slice of a few milliseconds is over.
#[cfg(target_os = "linux")]
fn go_last() {
    use thread_priority::{
        NormalThreadSchedulePolicy::Idle, ThreadPriority, ThreadSchedulePolicy::Normal,
        set_thread_priority_and_policy, thread_native_id,
    };
    let thread = thread_native_id();
    if let Err(error) = set_thread_priority_and_policy(thread, ThreadPriority::Min, Normal(Idle)) {
        tracing::warn!(%error, "cannot lower the priority of a thread: it may delay commits");
    }
}
