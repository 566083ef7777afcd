//! What becomes due when. Derived from the state; an entry that no longer holds is found out when it is due.

use std::collections::BTreeSet;

use crate::{
    event::Event,
    model::{Allocation, AllocationId, Job, JobId, Node, NodeId, Time},
    state::State,
};

/// Something that becomes due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Due {
    /// A notice ends.
    Eviction(AllocationId),
    /// A task has run for its `max_runtime`.
    Timeout(AllocationId),
    /// A job's deadline.
    Deadline(JobId),
    /// A node should have reported.
    Report(NodeId),
    /// An ended job need not be kept.
    Forget(JobId),
    /// The oldest remembered answer need not be kept.
    ForgetRequests,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Timers(BTreeSet<(Time, Due)>);

impl Timers {
    pub(super) fn new(state: &State, now: Time) -> Self {
        let mut timers = Self::default();
        for node in state.nodes() {
            timers.expect_report(node, now);
        }
        for job in state.jobs_from(JobId(0)) {
            timers.note_job(state, job);
        }
        for allocation in state.allocations_from(AllocationId(0)) {
            timers.set(timeout(state, allocation));
            timers.set(eviction(allocation));
        }
        if let Some((_, oldest)) = state.remembered_by_age().next() {
            timers.forget_requests_at(oldest.time.after(state.policy().request_retention));
        }
        timers
    }

    pub(super) fn next(&self) -> Option<Time> {
        self.0.first().map(|(time, _)| *time)
    }

    /// The next entry that is due, taken out.
    pub(super) fn pop(&mut self, now: Time) -> Option<Due> {
        let (time, due) = *self.0.first()?;
        if time > now {
            return None;
        }
        self.0.pop_first();
        Some(due)
    }

    pub(super) fn expect_report(&mut self, node: &Node, since: Time) {
        if let Some(ttl) = node.spec.report_ttl.filter(|_| !node.lost) {
            self.0.insert((node.last_report.max(since).after(ttl), Due::Report(node.id)));
        }
    }

    pub(super) fn forget_requests_at(&mut self, time: Time) {
        self.0.insert((time, Due::ForgetRequests));
    }

    /// Takes out what an allocation that is about to end was waiting for.
    pub(super) fn before(&mut self, state: &State, event: &Event) {
        let (Event::TaskEnded { at, .. } | Event::TaskEvicted { at, .. }) = event else { return };
        let allocation = state.allocation(at.id).expect("invariant: it is live");
        for (time, due) in [timeout(state, allocation), eviction(allocation)].into_iter().flatten()
        {
            self.0.remove(&(time, due));
        }
    }

    /// Sets what an applied event makes due later.
    pub(super) fn after(&mut self, state: &State, event: &Event) {
        match event {
            Event::NodeRegistered { id, .. }
            | Event::NodeUpdated { id, .. }
            | Event::NodeFound { id, .. } => {
                let node = state.node(*id).expect("invariant: the event's node exists");
                self.expect_report(node, Time(0));
            }
            Event::JobSubmitted { id, .. } | Event::JobEnded { id, .. } => {
                self.note_job(state, state.job(*id).expect("invariant: the event's job exists"));
            }
            Event::TasksPlaced { job, placements } => {
                let job = state.job(*job).expect("invariant: the event's job exists");
                if job.spec.max_runtime.is_none() {
                    return;
                }
                for placement in placements {
                    let first = placement.allocation.0;
                    for id in first..first + u64::from(placement.count) {
                        self.set_timeout(state, AllocationId(id));
                    }
                }
            }
            Event::TaskStarted { at } => self.set_timeout(state, at.id),
            Event::NoticeGiven { at, .. } => {
                let allocation = state.allocation(at.id).expect("invariant: it is live");
                self.set(eviction(allocation));
            }
            Event::RequestRemembered { .. } if state.remembered_count() == 1 => {
                self.forget_requests_at(state.now().after(state.policy().request_retention));
            }
            Event::RequestRemembered { .. } if too_many_requests(state) => {
                self.forget_requests_at(state.now());
            }
            _ => {}
        }
    }

    fn note_job(&mut self, state: &State, job: &Job) {
        match (job.ended, job.spec.deadline) {
            (Some((ended, _)), _) => {
                self.0.insert((ended.after(state.policy().job_retention), Due::Forget(job.id)));
            }
            (None, Some(deadline)) => {
                self.0.insert((deadline, Due::Deadline(job.id)));
            }
            (None, None) => {}
        }
    }

    /// Whether an ended job is to be kept longer than was thought when it ended.
    pub(super) fn forget_later(&mut self, state: &State, job: &Job, now: Time) -> bool {
        let Some((ended, _)) = job.ended else { return true };
        let until = ended.after(state.policy().job_retention);
        if until > now {
            self.0.insert((until, Due::Forget(job.id)));
        }
        until > now
    }

    fn set_timeout(&mut self, state: &State, id: AllocationId) {
        self.set(timeout(state, state.allocation(id).expect("invariant: it is live")));
    }

    fn set(&mut self, entry: Option<(Time, Due)>) {
        self.0.extend(entry);
    }
}

/// Some are let go at once when there are a sixteenth too many, so that it is not one for each that comes.
fn too_many_requests(state: &State) -> bool {
    let limit = state.policy().request_limit;
    state.remembered_count() as u64 > limit.saturating_add(limit / 16)
}

/// When the task has run for its `max_runtime`, counted from its start, or its placement until it starts.
fn timeout(state: &State, allocation: &Allocation) -> Option<(Time, Due)> {
    let job = state.job(allocation.at.job).expect("invariant: a live allocation has a job");
    let from = allocation.started().unwrap_or(allocation.placed);
    Some((from.after(job.spec.max_runtime?), Due::Timeout(allocation.at.id)))
}

fn eviction(allocation: &Allocation) -> Option<(Time, Due)> {
    Some((allocation.notice?.deadline, Due::Eviction(allocation.at.id)))
}
