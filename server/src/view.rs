//! The committed state, for everybody but the engine.

use std::sync::{Mutex, PoisonError, RwLock};

use offpeak_core::{event::Batch, model::Revision, scheduler::Reasons, state::State};
use tokio::sync::watch;

/// A second state that folds only what is durable. One thread writes it, a batch at a time.
#[derive(Debug)]
pub(crate) struct View {
    state: RwLock<State>,
    /// Why tasks wait, as far as anybody has asked. Never locked while the state is.
    reasons: Mutex<Reasons>,
}

/// How far the view and the feed have come; whoever waits for either waits here.
#[derive(Clone, Debug)]
pub(crate) struct Progress {
    reached: watch::Sender<Reached>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Reached {
    /// The newest revision that is visible and published.
    pub(crate) revision: Revision,
    /// Nobody should wait any longer.
    pub(crate) stopping: bool,
}

impl View {
    pub(crate) fn new(state: State) -> Self {
        Self { state: RwLock::new(state), reasons: Mutex::default() }
    }

    pub(crate) fn read<R>(&self, read: impl FnOnce(&State) -> R) -> R {
        // A reader's panic cannot have left anything half done.
        read(&self.state.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Asks why tasks of a state wait. Who else asks that waits meanwhile; commits and other reads do not.
    pub(crate) fn explain<R>(&self, ask: impl FnOnce(&mut Reasons) -> R) -> R {
        // What a panic left half counted is counted again.
        ask(&mut self.reasons.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn fold(&self, batch: &Batch) {
        self.state.write().expect("invariant: folding does not panic").fold(batch);
    }
}

impl Progress {
    pub(crate) fn new(revision: Revision) -> Self {
        Self { reached: watch::Sender::new(Reached { revision, stopping: false }) }
    }

    pub(crate) fn reached(&self) -> Reached {
        *self.reached.borrow()
    }

    pub(crate) fn subscribe(&self) -> watch::Receiver<Reached> {
        self.reached.subscribe()
    }

    pub(crate) fn reach(&self, revision: Revision) {
        self.reached.send_modify(|reached| reached.revision = revision);
    }

    pub(crate) fn stop(&self) {
        self.reached.send_modify(|reached| reached.stopping = true);
    }
}
