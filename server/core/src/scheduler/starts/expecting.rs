//! How often starts are planned, and where what is only expected to end is looked for.
//!
//! What is known to come is few and seldom changes, so rounds follow it at once. What is expected is nearly all that runs, and
//! no list of it is kept: ends and placements, of which there are the most, would have to pay for it. So a round that may
//! plan by it goes over a stretch of the nodes, the next one each time, and comes once a minute at most. In between, rounds
//! come where only planned starts are at stake: when one is due, or when anything ends on its node.

use std::collections::BTreeSet;

use super::{Profile, Scheduler, Sight, Starts};
use crate::{
    event::Event,
    model::{Millis, NodeId, Time},
    state::State,
};

/// Starts are planned by what is expected at most so often.
const EXPECT_EVERY: Millis = Millis::MINUTE;

/// The part of the nodes for which starts are planned by what is expected, one at least. All others stay with the queue, which
/// fills them at once and at little cost.
const EXPECTING_PART: usize = 8;

/// When what is expected is looked at.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Pace {
    /// Something ended on a node with a planned start.
    on_held: Option<Time>,
    /// Nothing is planned anew by what is expected before.
    expect_from: Time,
}

impl Pace {
    pub(super) fn is_due_on_held(&self) -> bool {
        self.on_held.is_some()
    }
}

impl Starts {
    /// A round is due at that time where the event makes room on a node with a planned start.
    pub(super) fn follow_held(&mut self, event: &Event, due: Time) {
        let (Event::TaskEnded { at, .. }
        | Event::TaskEvicted { at, .. }
        | Event::TaskDelayed { at, .. }) = event
        else {
            return;
        };
        if self.held.priority_on(at.node).is_some() {
            self.pace.on_held.get_or_insert(due);
        }
    }

    /// What happened so far has been looked at.
    pub(super) fn forget_due(&mut self) {
        self.due = None;
        self.pace.on_held = None;
    }
}

impl Scheduler {
    /// When starts are to be planned next. `comes` says whether owners give room back at times that are known.
    #[must_use]
    pub fn next_round(&self, state: &State, comes: bool) -> Option<Time> {
        let starts = &self.starts;
        let is_known = self.bounded > 0 || self.leaving > 0 || comes;
        let waits = !self.queue.parked().is_empty();
        let has_planned = state.planned_count() > 0;
        let foresees = state.run_times().foresee_ends();
        let next = if !starts.timed.is_empty() || (waits && is_known) || (has_planned && !foresees)
        {
            starts.due
        } else if foresees && (waits || has_planned) {
            let due = starts.due.map(|due| due.max(starts.pace.expect_from));
            starts.pace.on_held.into_iter().chain(due).min()
        } else {
            None
        };
        let planned = state.planned_starts().map(|(_, planned)| planned.start);
        next.into_iter().chain(planned).min()
    }

    /// How many starts this round may plan by what is expected. If any, the next one that may is a while off.
    pub(super) fn expecting(&mut self, state: &State, now: Time) -> usize {
        if !state.run_times().foresee_ends() || now < self.starts.pace.expect_from {
            return 0;
        }
        self.starts.pace.expect_from = now.after(self.starts.pause(now, EXPECT_EVERY));
        let most = (self.index.rooms.len() / EXPECTING_PART).max(1);
        most.saturating_sub(state.planned_count())
    }

    /// Adds nodes on which it is expected that something ends, as far as the effort of a round goes. Where it begins follows
    /// from the time, so that a scheduler that takes over goes on as the one before.
    pub(super) fn add_expecting(&mut self, sight: &mut Sight<'_>, profiles: &mut Vec<Profile>) {
        let known: BTreeSet<NodeId> = profiles.iter().map(|profile| profile.node).collect();
        let (count, most) = (self.index.rooms.len(), self.starts.effort.nodes);
        let Ok(turn) = usize::try_from(sight.now.0 / EXPECT_EVERY.0) else { return };
        let first = turn.saturating_mul(most).checked_rem(count).unwrap_or(0);
        for at in 0..count.min(most.saturating_sub(known.len())) {
            let id = u32::try_from((first + at) % count).map(NodeId);
            let Some(id) = id.ok().filter(|id| !known.contains(id)) else { continue };
            let Some(node) = self.usable(sight.state, id) else { continue };
            let profile = Profile::of(sight, node, &mut self.index.names, true);
            if profile.expects() {
                profiles.push(profile);
            }
        }
        profiles.sort_unstable_by_key(|profile| profile.node);
    }
}
