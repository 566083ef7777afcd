//! Who is under notice for work of higher priority or that is guaranteed the room, and what changes when a job's own priority does.

use std::{collections::BTreeSet, mem};

use super::Scheduler;
use crate::{
    model::{AllocationId, EvictionReason, JobId, Notice, PreemptedFor, Priority},
    state::State,
};

/// Allocations that make way for other work.
#[derive(Clone, Debug, Default)]
pub(super) struct Yielding {
    allocations: BTreeSet<AllocationId>,
    /// Work for which they make way may be gone.
    may_be_needless: bool,
}

impl Yielding {
    /// Compares it with one that has just been made.
    pub(super) fn check(&self, fresh: &Self) {
        assert_eq!(self.allocations, fresh.allocations, "those who make way are known");
    }

    /// Learns of the notice that an allocation is under from now on, if it is there at all.
    pub(super) fn follow(&mut self, id: AllocationId, notice: Option<Notice>) {
        if notice.is_some_and(|notice| notice.reason == EvictionReason::Preempted) {
            self.allocations.insert(id);
        } else if !self.allocations.is_empty() {
            self.allocations.remove(&id);
        }
    }
}

impl Scheduler {
    /// Learns that some work does not wait any more although it was not placed, or waits at another priority.
    pub(crate) fn note_withdrawal(&mut self) {
        self.yielding.may_be_needless |= !self.yielding.allocations.is_empty();
    }

    /// Whether preemptions may be needless since they were last asked about.
    pub(crate) fn notes_withdrawal(&self) -> bool {
        self.yielding.may_be_needless
    }

    /// Allocations that make way although no work of higher priority than theirs waits any more, nor the job that is
    /// guaranteed their room. For which job of higher priority each of them was to go does not matter: while any waits,
    /// they go.
    pub(crate) fn needless_preemptions(&mut self, state: &State) -> Vec<AllocationId> {
        if !mem::take(&mut self.yielding.may_be_needless) {
            return Vec::new();
        }
        let top = self.queue.highest_waiting();
        let is_needless = |id: &&AllocationId| {
            let allocation = state.allocation(**id).expect("invariant: it is live");
            let job = state.job(allocation.at.job).expect("invariant: a live allocation has a job");
            top.is_none_or(|top| top <= job.spec.priority)
                && !self.is_claimed(state, **id, job.spec.priority)
        };
        self.yielding.allocations.iter().filter(is_needless).copied().collect()
    }

    /// Whether the room of an allocation of that priority is taken back for a job that still waits for it.
    fn is_claimed(&self, state: &State, id: AllocationId, priority: Priority) -> bool {
        let taker = state.preemptor(id).filter(|by| by.right == PreemptedFor::Guarantee);
        let lane = taker.and_then(|by| self.queue.lane_of(by.job));
        lane.is_some_and(|lane| lane.priority >= priority)
    }

    /// The job's placed tasks are of another priority from now on.
    pub(super) fn before_update(&mut self, state: &State, id: JobId, priority: Priority) {
        let job = state.job(id).expect("invariant: the event's job exists");
        if job.spec.priority == priority {
            return;
        }
        let live = state.allocations_of(job).filter(|allocation| allocation.notice.is_none());
        self.running.change(job, priority, live.count() as u64);
        self.promises_void = true;
    }

    /// The job waits at its new priority, if it does.
    pub(super) fn after_update(&mut self, state: &State, id: JobId) {
        let job = state.job(id).expect("invariant: the event's job exists");
        if self.queue.lane_of(id).is_some_and(|lane| lane.priority != job.spec.priority) {
            self.dequeue(state, id);
            self.enqueue(state, id);
        }
        if self.starts.has(id) {
            self.starts.add(job);
        }
    }
}
