//! What events demand of jobs that wait for others, of tasks that were evicted too often, and of those that were to make
//! way for work that is gone.

use std::mem;

use super::{Engine, decide::job::is_met};
use crate::{
    event::Event,
    model::{AllocationRef, TaskEnd, TaskIndex, TaskPhase},
};

impl Engine {
    /// Remembers an evicted task whose job may limit how often that may be.
    pub(super) fn note_tried(&mut self, at: &AllocationRef) {
        let job = self.state.job(at.job).expect("invariant: the event's job exists");
        if job.spec.retry().is_some() {
            self.tried.push((at.job, at.task));
        }
    }

    /// Ends the tasks that were evicted more often than their jobs allow.
    pub(super) fn give_up(&mut self) {
        for (id, first) in mem::take(&mut self.tried) {
            let Some(job) = self.state.job(id) else { continue };
            let exhausted = job
                .spec
                .retry()
                .is_some_and(|retry| retry.is_exhausted(self.state.tries(id, first)));
            if exhausted && job.task(first).phase == TaskPhase::Pending {
                let end = TaskEnd::Evicted;
                let (count, delayed) = (1, false);
                self.emit(Event::TasksDropped { job: id, first, count, delayed, end });
            }
        }
    }

    /// Lets those jobs go on, or ends them, that wait for jobs that have ended.
    pub(super) fn free_dependents(&mut self) {
        let mut freed = mem::take(&mut self.freed);
        freed.sort_unstable();
        freed.dedup();
        for id in freed {
            let Some(job) = self.state.job(id).filter(|job| job.waits_for_jobs()) else { continue };
            if self.state.failed_dependencies(job).next().is_some() {
                self.drop_waiting(id, TaskEnd::DependencyFailed);
            } else if job.spec.dependencies().iter().all(|found| is_met(&self.state, found)) {
                let (first, count) = (TaskIndex(0), job.spec.count);
                self.emit(Event::TasksResumed { job: id, first, count });
            }
        }
    }

    /// Calls off the notices of those that were to make way for work of higher priority, when no such work waits any more.
    pub(super) fn withdraw_preemptions(&mut self) {
        for id in self.scheduler.needless_preemptions(&self.state) {
            let at = self.state.allocation(id).expect("invariant: it is live").at;
            self.emit(Event::NoticeWithdrawn { at });
        }
    }
}
