//! Decides. One thread calls [`Engine::step`] with the time and the commands that have come; what comes out is
//! already applied to the engine's own state, must be made durable, and only then may be shown or answered.

use crate::{
    command::{Outcome, Request},
    event::Batch,
    model::Time,
    rejection::Rejection,
    state::State,
};

/// What a step decided.
#[derive(Debug)]
pub struct Step {
    /// One a request, in order.
    pub replies: Vec<Result<Outcome, Rejection>>,
    /// What happened; empty if nothing did.
    pub batch: Batch,
}

/// The writer of a cell's state.
#[derive(Debug)]
pub struct Engine {
    state: State,
}

impl Engine {
    /// An engine that goes on from `state`.
    #[must_use]
    pub fn new(state: State) -> Self {
        Self { state }
    }

    /// The state with all decided events, durable or not.
    #[must_use]
    pub fn state(&self) -> &State {
        &self.state
    }

    /// Decides on `requests`, on whatever has become due, and on what can be placed.
    pub fn step(&mut self, now: Time, requests: Vec<Request>) -> Step {
        let _ = (now, requests);
        Step { replies: Vec::new(), batch: Batch::default() }
    }

    /// When the next step is due even if no command comes.
    #[must_use]
    pub fn next_wakeup(&self) -> Option<Time> {
        None
    }
}
