//! What is planned for pending tasks. A plan ends when any task of the job is placed, when none is pending any more and
//! when its node leaves.

use super::State;
use crate::model::{Horizon, JobId, Node, NodeId, PlannedStart, Resources, Time, Window};

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

    /// What the owner keeps of a node at once, its windows aside.
    pub(crate) fn kept_at_once(&self, node: &Node) -> Resources {
        let kept = super::apply::held_back_by(node, &self.policy, None);
        kept.over(Horizon::FiveMinutes).clone()
    }

    /// What the owner keeps of a node from tasks that start later and must be left alone for so long, its windows aside.
    /// Its load of this moment says nothing of that time, where a forecaster has learned what to expect.
    pub(crate) fn kept_later(&self, node: &Node, horizon: Horizon) -> Resources {
        let forecast = match &node.bounds {
            Some(bounds) if node.history.newest.is_some() => {
                let shorter = Horizon::ALL.into_iter().filter(|other| *other <= horizon);
                let bounds = shorter.map(|other| bounds.over(other, &node.spec.capacity));
                bounds.fold(Resources::default(), |most, bound| most.larger_of(&bound))
            }
            _ => node.forecast(&self.policy, horizon).unwrap_or_default(),
        };
        forecast.larger_of(&node.spec.reservation)
    }

    /// The windows of the node's owner that hold there, begin before `until` and have not ended, each with what it holds
    /// back.
    pub(crate) fn windows_of<'a>(
        &'a self,
        node: &'a Node,
        until: Time,
    ) -> impl Iterator<Item = (Window, Resources)> + 'a {
        let owner = self.owner(&node.spec.owner);
        owner.into_iter().flat_map(move |owner| owner.windows_on(&node.spec, self.now, until))
    }

    pub(super) fn check_planned_starts(&self) {
        for (job, planned) in self.planned_starts() {
            let pending = self.job(job).map_or(0, |job| job.counts.pending);
            assert!(planned.tasks > 0 && planned.tasks <= pending, "job {job} waits for its start");
            assert!(self.node(planned.node).is_some(), "the node of the start of {job} is there");
        }
    }
}
