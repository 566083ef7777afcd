//! What must be looked at before an event takes it away, and what is counted of all that runs.

use super::{Scheduler, index::Ended, shape::KeyRef};
use crate::{event::Event, model::JobId, state::State};

impl Scheduler {
    /// What must be known before an event is applied.
    pub fn before(&mut self, state: &State, event: &Event) {
        match event {
            Event::NodeUpdated { id, .. } | Event::NodeRemoved { id, .. } => {
                let node = state.node(*id).expect("invariant: the event's node exists");
                self.fleet = self.fleet.saturating_sub(&node.spec.capacity);
            }
            Event::TaskEnded { at, .. } | Event::TaskEvicted { at, .. } => {
                let allocation = state.allocation(at.id).expect("invariant: it is live");
                let devices = allocation.devices;
                if allocation.notice.is_none() {
                    self.count_running(state, at.job, false);
                } else {
                    self.leaving -= 1;
                }
                let job = state.job(at.job).expect("invariant: a live allocation has a job");
                self.bounded -= u64::from(job.spec.max_runtime.is_some());
                let key = Some(KeyRef::of(job)).filter(|key| !key.is_solo());
                let shape = key.and_then(|key| self.index.known_shape(key));
                let want = self.index.want_of(&job.spec);
                self.ended = Some(Ended { shape, want, devices });
            }
            Event::NoticeGiven { at, .. } => {
                let allocation = state.allocation(at.id).expect("invariant: it is live");
                if allocation.notice.is_none() {
                    self.count_running(state, at.job, false);
                    self.leaving += 1;
                }
            }
            _ => {}
        }
    }

    pub(super) fn count_running(&mut self, state: &State, id: JobId, more: bool) {
        let job = state.job(id).expect("invariant: a live allocation has a job");
        let count = self.running.entry(job.spec.priority).or_default();
        *count = if more { *count + 1 } else { *count - 1 };
        if *count == 0 {
            self.running.remove(&job.spec.priority);
        }
    }
}

/// Whether it is known when tasks of the job are gone at the latest.
pub(super) fn is_bounded(state: &State, id: JobId) -> bool {
    let job = state.job(id).expect("invariant: a live allocation has a job");
    job.spec.max_runtime.is_some()
}
