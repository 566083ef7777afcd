//! Whether what is kept beside the state is what follows from it.

use super::Scheduler;
use crate::{model::NodeId, state::State};

impl Scheduler {
    /// Compares what is kept with the state and with a scheduler that takes over.
    ///
    /// # Panics
    /// When they differ: an event was not followed.
    pub(crate) fn check_invariants(&mut self, state: &State) {
        for node in (0..state.next_ids().0.0).map(NodeId) {
            assert!(
                self.index.is_true(state, node),
                "the room of node {node} is as the state has it"
            );
        }
        assert!(self.index.lists_promises(), "each promise that holds is listed");
        let fresh = Self::new(state, state.now());
        assert_eq!(self.running, fresh.running, "what runs is counted");
        assert_eq!(self.leaving, fresh.leaving, "what is under notice is counted");
        assert_eq!(self.bounded, fresh.bounded, "what is bounded is counted");
        assert_eq!(self.owed.leaving, fresh.owed.leaving, "what is owed follows from notices");
        self.yielding.check(&fresh.yielding);
        self.moving.check(&fresh.moving);
        self.starts.check(&fresh.starts);
        for job in state.jobs_from(crate::model::JobId(0)).map(|job| job.id) {
            let (kept, found) = (self.queue.lane_of(job), fresh.queue.lane_of(job));
            let lane = |lane: super::Lane| (lane.priority, lane.tenant);
            assert_eq!(kept.map(lane), found.map(lane), "job {job} waits where it should");
        }
    }
}
