//! Windows of owners' calendars: turning owners when their time comes, and until when a node must be cleared.

use super::Engine;
use crate::{
    event::Event,
    model::{Horizon, Node, Time, Window},
    state::State,
};

impl Engine {
    /// Turns every owner of whom a window begins or ends to count.
    pub(super) fn turn_owners(&mut self) {
        while let Some(owner) = self.timers.pop_turn(self.now) {
            let turns = self.state.owner(&owner).and_then(|owner| owner.next_turn());
            if turns.is_some_and(|turn| turn <= self.now) {
                self.emit(Event::OwnerTurned { owner });
            }
        }
    }
}

/// By when an overcommitted node must have what its owner lacks: now, unless it lacks only what a window that has not
/// begun will hold back.
pub(super) fn needed_by(state: &State, node: &Node) -> Time {
    let now = state.now();
    let owner = state.owner(&node.spec.owner);
    let Some(start) = owner.and_then(|owner| owner.next_start(&node.spec, now)) else { return now };
    let held = state.held_back_now(node);
    if node.exceeds(&node.lent, &node.devices, held.over(Horizon::FiveMinutes)) {
        return now;
    }
    Time(start.0.saturating_sub(Window::CLEARED.0))
}

/// Whether a window holds anything of the node back now or soon.
pub(super) fn is_wanted(state: &State, node: &Node) -> bool {
    let owner = state.owner(&node.spec.owner);
    owner.is_some_and(|owner| owner.held_back(&node.spec).is_some())
}
