//! What must be looked at before an event takes it away, and what is counted of all that runs.

use super::{Scheduler, index::Ended, shape::KeyRef};
use crate::{event::Event, model::JobId, state::State};

impl Scheduler {
    /// What must be known before an event is applied.
    pub fn before(&mut self, state: &State, event: &Event) {
        self.owed.before(state, event);
        self.moving.before(state, event);
        match event {
            Event::TaskEnded { at, .. }
            | Event::TaskEvicted { at, .. }
            | Event::TaskDelayed { at, .. } => {
                self.yielding.follow(at.id, None);
                let allocation = state.allocation(at.id).expect("invariant: it is live");
                let devices = allocation.devices;
                let job = state.job(at.job).expect("invariant: a live allocation has a job");
                if allocation.notice.is_none() {
                    self.running.remove(job, 1);
                } else {
                    self.leaving -= 1;
                }
                self.bounded -= u64::from(job.spec.max_runtime.is_some());
                let key = Some(KeyRef::of(job)).filter(|key| !key.is_solo());
                let shape = key.and_then(|key| self.index.known_shape(key));
                let want = self.index.want_of(&job.spec);
                self.ended = Some(Ended { shape, want, devices });
            }
            Event::JobUpdated { id, spec } => {
                let job = state.job(*id).expect("invariant: the event's job exists");
                let placed = u64::from(job.counts.placed);
                self.bounded -= if job.spec.max_runtime.is_some() { placed } else { 0 };
                self.bounded += if spec.max_runtime.is_some() { placed } else { 0 };
                self.before_update(state, *id, spec.priority);
            }
            Event::NoticeGiven { at, notice, .. } => {
                self.yielding.follow(at.id, Some(*notice));
                let allocation = state.allocation(at.id).expect("invariant: it is live");
                if allocation.notice.is_none() {
                    let job = state.job(at.job).expect("invariant: a live allocation has a job");
                    self.running.remove(job, 1);
                    self.leaving += 1;
                }
            }
            _ => {}
        }
    }
}

/// Whether it is known when tasks of the job are gone at the latest.
pub(super) fn is_bounded(state: &State, id: JobId) -> bool {
    let job = state.job(id).expect("invariant: a live allocation has a job");
    job.spec.max_runtime.is_some()
}
