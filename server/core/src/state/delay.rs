//! Tasks that do not wait for a place although they are not placed: they wait out a back-off, or for other jobs.

use super::{
    State,
    apply::job_mut,
    hold::{become_pending, leave_pending},
};
use crate::model::{
    AllocationRef, EvictionReason, Job, JobId, TaskEnd, TaskIndex, TaskPhase, Time, Tries,
};

impl State {
    /// What an unfinished task of a job with a retry policy has been through.
    #[must_use]
    pub fn tries(&self, job: JobId, task: TaskIndex) -> Tries {
        self.tries.get(&(job, task)).copied().unwrap_or_default()
    }

    /// All tasks with a retry policy that have been through anything.
    pub fn all_tries(&self) -> impl ExactSizeIterator<Item = (JobId, TaskIndex, Tries)> {
        self.tries.iter().map(|((job, task), tries)| (*job, *task, *tries))
    }

    /// When the next of a job's tasks has waited out its back-off.
    #[must_use]
    pub fn next_retry(&self, job: JobId) -> Option<Time> {
        let tries = self.tries.range((job, TaskIndex(0))..=(job, TaskIndex(u32::MAX)));
        tries.filter_map(|(_, tries)| tries.until).min()
    }

    /// The jobs that wait for the end of this one, oldest first.
    pub(crate) fn dependents(&self, job: JobId) -> impl Iterator<Item = JobId> {
        let pairs = self.dependents.range((job, JobId(0))..=(job, JobId(u64::MAX)));
        pairs.map(|(_, dependent)| *dependent)
    }

    /// Whether any job waits for another one.
    pub(crate) fn has_dependents(&self) -> bool {
        !self.dependents.is_empty()
    }

    /// The jobs that a job still waits for: they are there and have not ended.
    pub fn awaited<'a>(&'a self, job: &'a Job) -> impl Iterator<Item = &'a Job> {
        let dependencies = job.spec.dependencies().iter().filter(|_| job.waits_for_jobs());
        let found = dependencies.filter_map(|dependency| self.job(dependency.job));
        found.filter(|found| found.ended.is_none())
    }

    /// The jobs that had to succeed before this one and did not, as far as they are still kept.
    pub fn failed_dependencies<'a>(&'a self, job: &'a Job) -> impl Iterator<Item = &'a Job> {
        job.spec.dependencies().iter().filter_map(|dependency| {
            let found = self.job(dependency.job)?;
            let (_, state) = found.ended?;
            (!dependency.condition.is_met(state)).then_some(found)
        })
    }

    pub(super) fn delay_tasks(&mut self, id: JobId, first: TaskIndex, count: u32) {
        let job = job_mut(&mut self.jobs, id);
        leave_pending(job, count, &mut self.waiting);
        job.tasks.shift((first, count), TaskPhase::Pending, TaskPhase::Delayed);
        job.counts.delayed += count;
        self.await_jobs(id);
    }

    /// Also for recovery: those that a job waits for know of it.
    pub(super) fn await_jobs(&mut self, id: JobId) {
        let job = self.job(id).expect("invariant: the event's job exists");
        let pairs: Vec<(JobId, JobId)> = self.awaited(job).map(|found| (found.id, id)).collect();
        self.dependents.extend(pairs);
    }

    pub(super) fn resume_tasks(&mut self, id: JobId, first: TaskIndex, count: u32) {
        self.stop_waiting(id);
        let job = job_mut(&mut self.jobs, id);
        job.tasks.shift((first, count), TaskPhase::Delayed, TaskPhase::Pending);
        job.counts.delayed -= count;
        become_pending(job, first, count, &mut self.waiting);
        for key in self.tried(id, first, count) {
            if let Some(tries) = self.tries.get_mut(&key) {
                tries.until = None;
            }
        }
    }

    /// The job does not wait for others any more, if it did.
    fn stop_waiting(&mut self, id: JobId) {
        if self.dependents.is_empty() {
            return;
        }
        let job = self.job(id).expect("invariant: the event's job exists");
        let ids: Vec<JobId> = job.spec.dependencies().iter().map(|found| found.job).collect();
        for dependency in ids {
            self.dependents.remove(&(dependency, id));
        }
    }

    pub(super) fn delay_task(&mut self, at: &AllocationRef, end: TaskEnd, until: Time) {
        let job = self.release(at).job;
        job.tasks.set(at.task, TaskPhase::Delayed);
        job.counts.delayed += 1;
        let tries = self.tries.entry((at.job, at.task)).or_default();
        match end {
            TaskEnd::TimedOut => tries.timeouts += 1,
            _ => tries.failures += 1,
        }
        tries.until = Some(until);
    }

    /// Counts an eviction of a task whose job has a retry policy.
    pub(super) fn count_eviction(&mut self, at: &AllocationRef, reason: EvictionReason) {
        let tries = self.tries.entry((at.job, at.task)).or_default();
        match reason {
            EvictionReason::NodeLost => tries.node_losses = tries.node_losses.saturating_add(1),
            _ => tries.evictions = tries.evictions.saturating_add(1),
        }
    }

    /// What tasks that have ended have been through is of no interest any more.
    pub(super) fn forget_tries(&mut self, id: JobId, first: TaskIndex, count: u32) {
        for key in self.tried(id, first, count) {
            self.tries.remove(&key);
        }
    }

    /// The job has ended: nobody waits for it, and it waits for nobody.
    pub(super) fn end_waits(&mut self, id: JobId) {
        self.stop_waiting(id);
        let dependents: Vec<JobId> = self.dependents(id).collect();
        for dependent in dependents {
            self.dependents.remove(&(id, dependent));
        }
    }

    fn tried(&self, id: JobId, first: TaskIndex, count: u32) -> Vec<(JobId, TaskIndex)> {
        if self.tries.is_empty() || count == 0 {
            return Vec::new();
        }
        let last = TaskIndex(first.0.saturating_add(count - 1));
        self.tries.range((id, first)..=(id, last)).map(|(key, _)| *key).collect()
    }
}
