use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use offpeak_core::{
    engine::{Engine, Fork},
    model::Revision,
};
use tokio::sync::{OwnedSemaphorePermit, oneshot};

/// Forks take one part in so many of the engine's time at most, however many are asked for. As long again goes into the
/// pages that the engine has to copy because a fork shares them.
const PART_OF_TIME: u32 = 100;

/// A fork that nobody has asked for in this time is dropped.
const KEPT: Duration = Duration::from_secs(1);

/// Who gets a copy of the engine, of this revision or a later one.
#[derive(Debug)]
pub(crate) struct Waiter {
    pub(super) min_revision: Revision,
    pub(super) answer: oneshot::Sender<Arc<Fork>>,
    /// Is given back when the waiter is dropped.
    pub(super) _room: OwnedSemaphorePermit,
}

/// Copies of the engine, for whoever asks what would come of a command. One serves all who ask until it is time for the
/// next.
#[derive(Debug)]
pub(super) struct Forks {
    waiters: Vec<Waiter>,
    newest: Option<Arc<Fork>>,
    /// The engine has gone on since.
    outdated: bool,
    taken: Instant,
    /// The next one is taken no sooner.
    next: Instant,
}

impl Forks {
    pub(super) fn new() -> Self {
        let now = Instant::now();
        Self { waiters: Vec::new(), newest: None, outdated: false, taken: now, next: now }
    }

    pub(super) fn add(&mut self, waiters: Vec<Waiter>) {
        self.waiters.extend(waiters);
    }

    /// The engine goes on: what was copied is of the past.
    pub(super) fn outdate(&mut self) {
        self.outdated = true;
    }

    /// How long those who wait still have to, if any do.
    pub(super) fn wait(&self) -> Option<Duration> {
        let wait = self.next.saturating_duration_since(Instant::now());
        (!self.waiters.is_empty()).then_some(wait)
    }

    /// Gives those who wait a copy, a new one if it is time for one.
    pub(super) fn give(&mut self, engine: &Engine) {
        if self.waiters.is_empty() {
            if self.newest.is_some() && self.taken.elapsed() > KEPT {
                self.newest = None;
            }
            return;
        }
        let started = Instant::now();
        if (self.newest.is_none() || self.outdated) && started >= self.next {
            self.newest = Some(Arc::new(engine.fork()));
            self.outdated = false;
            self.taken = Instant::now();
            self.next = self.taken + started.elapsed() * PART_OF_TIME;
        }
        let Some(fork) = &self.newest else { return };
        let revision = fork.state().revision();
        for waiter in self.waiters.extract_if(.., |waiter| waiter.min_revision <= revision) {
            // One who has gone away is passed over.
            drop(waiter.answer.send(Arc::clone(fork)));
        }
    }
}
