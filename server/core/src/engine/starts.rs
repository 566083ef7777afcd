//! Planned starts: when to look for them, and what comes of it.

use std::collections::BTreeSet;

use super::Engine;
use crate::{
    event::Event,
    model::{JobId, NodeId, StartPlace, Time},
    scheduler::{Round, started},
};

/// What is known to come of which one round looks at most: ends of tasks and turns of owners, and the nodes of an owner.
const ENDS: usize = 4_096;
const TURNS: usize = 256;
const NODES_OF_OWNER: usize = 64;

impl Engine {
    /// When starts are planned next.
    pub(super) fn next_round(&self) -> Option<Time> {
        self.scheduler.next_round(&self.state, self.timers.has_turns())
    }

    /// Plans starts if it is time to, and starts what can start now, as one commit.
    pub(super) fn plan_starts(&mut self) {
        let Some(next) = self.next_round() else {
            self.scheduler.rest();
            return;
        };
        if next > self.now {
            return;
        }
        let coming = self.coming();
        let Round { starts, planned, unplanned } =
            self.scheduler.plan_starts(&self.state, self.now, coming);
        for (job, places) in starts {
            self.start_tasks(job, &places);
        }
        for job in unplanned {
            self.emit(Event::StartUnplanned { job });
        }
        for (job, planned) in planned {
            self.emit(Event::StartPlanned { job, planned });
        }
        self.follow_up();
        self.commit();
    }

    /// Nodes of which it is known when room comes, the soonest first.
    fn coming(&self) -> Vec<NodeId> {
        let mut seen = BTreeSet::new();
        let mut nodes = Vec::new();
        let turning = self.timers.owners_turning(TURNS).filter_map(|name| self.state.owner(name));
        let owned = turning.flat_map(|owner| owner.nodes().take(NODES_OF_OWNER));
        let ending = self.timers.allocations_ending(ENDS);
        let ending = ending.filter_map(|id| Some(self.state.allocation(id)?.at.node));
        nodes.extend(ending.chain(owned).filter(|node| seen.insert(*node)));
        nodes
    }

    /// Places pending tasks of a job.
    fn start_tasks(&mut self, job: JobId, places: &[StartPlace]) {
        let placements = started(&self.state, job, places);
        if placements.is_empty() {
            if self.state.planned_start(job).is_some() {
                self.emit(Event::StartUnplanned { job });
            }
            return;
        }
        self.emit(Event::TasksPlaced { job, placements });
        for place in places {
            self.scheduler.started(&self.state, place.node);
        }
    }
}
