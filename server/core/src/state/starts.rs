//! What is planned for pending tasks. A plan ends when any task of the job is placed, when none is pending any more and
//! when a node of it leaves.

use super::State;
use crate::model::{JobId, NodeId, PlannedStart};

impl State {
    /// When and where pending tasks of a job are to start, if that is planned.
    #[must_use]
    pub fn planned_start(&self, job: JobId) -> Option<&PlannedStart> {
        self.planned.get(&job)
    }

    /// All planned starts, in the order of their jobs' ids.
    pub fn planned_starts(&self) -> impl Iterator<Item = (JobId, &PlannedStart)> {
        self.planned.iter().map(|(job, planned)| (*job, planned))
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
        let pending = self.job(job).map_or(0, |job| job.counts.pending);
        let Some(planned) = self.planned.get_mut(&job) else { return };
        planned.truncate(pending);
        if pending == 0 {
            self.planned.remove(&job);
        }
    }

    pub(super) fn unplan_node(&mut self, node: NodeId) {
        if !self.planned.is_empty() {
            let is_there = |planned: &PlannedStart| planned.nodes().any(|other| other == node);
            let there = self.planned_starts().filter(|(_, planned)| is_there(planned));
            let there: Vec<JobId> = there.map(|(job, _)| job).collect();
            for job in there {
                self.planned.remove(&job);
            }
        }
    }

    pub(super) fn check_planned_starts(&self) {
        for (job, planned) in self.planned_starts() {
            let pending = self.job(job).map_or(0, |job| job.counts.pending);
            assert!((1..=pending).contains(&planned.tasks()), "job {job} waits for its start");
            for place in &planned.places {
                assert!(place.tasks > 0, "the start of {job} is where it is said to be");
                assert!(self.node(place.node).is_some(), "the node of the start of {job} is there");
            }
        }
    }
}
