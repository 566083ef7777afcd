//! What is planned for pending tasks. A plan ends when any task of the job is placed, when none is pending any more and
//! when its node leaves.

use super::State;
use crate::model::{JobId, NodeId, PlannedStart};

impl State {
    /// When and where pending tasks of a job are to start, if that is planned.
    #[must_use]
    pub fn planned_start(&self, job: JobId) -> Option<PlannedStart> {
        self.planned.get(&job).copied()
    }

    /// All planned starts, in the order of their jobs' ids.
    pub fn planned_starts(&self) -> impl Iterator<Item = (JobId, PlannedStart)> {
        self.planned.iter().map(|(job, planned)| (*job, *planned))
    }

    /// How many starts are planned.
    #[must_use]
    pub fn planned_count(&self) -> usize {
        self.planned.len()
    }

    pub(super) fn plan_start(&mut self, job: JobId, planned: PlannedStart) {
        self.planned.insert(job, planned);
    }

    pub(super) fn unplan_start(&mut self, job: JobId) {
        if !self.planned.is_empty() {
            self.planned.remove(&job);
        }
    }

    /// Pending tasks of a job have ended: no more are planned than are left.
    pub(super) fn unplan_ended(&mut self, job: JobId) {
        let Some(mut planned) = self.planned_start(job) else { return };
        let pending = self.job(job).map_or(0, |job| job.counts.pending);
        planned.tasks = planned.tasks.min(pending);
        if pending == 0 {
            self.planned.remove(&job);
        } else {
            self.planned.insert(job, planned);
        }
    }

    pub(super) fn unplan_node(&mut self, node: NodeId) {
        if !self.planned.is_empty() {
            let there = self.planned_starts().filter(|(_, planned)| planned.node == node);
            let there: Vec<JobId> = there.map(|(job, _)| job).collect();
            for job in there {
                self.planned.remove(&job);
            }
        }
    }

    pub(super) fn check_planned_starts(&self) {
        for (job, planned) in self.planned_starts() {
            let pending = self.job(job).map_or(0, |job| job.counts.pending);
            assert!(planned.tasks > 0 && planned.tasks <= pending, "job {job} waits for its start");
            assert!(self.node(planned.node).is_some(), "the node of the start of {job} is there");
        }
    }
}
