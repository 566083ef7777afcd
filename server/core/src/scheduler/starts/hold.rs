//! Nodes on which starts are planned take nothing else: they are kept out of the index as long as that is so.

use std::collections::{BTreeMap, BTreeSet};

use super::super::Scheduler;
use crate::{
    event::Event,
    model::{JobId, NodeId, Priority},
    state::State,
};

/// Nodes that are held, and for which jobs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::scheduler) struct Held {
    jobs: BTreeMap<JobId, (NodeId, Priority)>,
    by_node: BTreeSet<(NodeId, Priority, JobId)>,
}

impl Held {
    /// The highest priority of the jobs with starts planned on a node, if there are any.
    pub(super) fn priority_on(&self, node: NodeId) -> Option<Priority> {
        let first = (node, Priority(i32::MIN), JobId(0));
        let last = (node, Priority(i32::MAX), JobId(u64::MAX));
        Some(self.by_node.range(first..=last).next_back()?.1)
    }

    /// The nodes, each with the highest priority of its jobs.
    pub(in crate::scheduler) fn nodes(&self) -> BTreeMap<NodeId, Priority> {
        // Of one node the highest comes last and stays.
        self.by_node.iter().map(|(node, priority, _)| (*node, *priority)).collect()
    }
}

impl Scheduler {
    /// Keeps the nodes on which starts are planned out of the index, and no others, after an event that may have changed
    /// what is planned: it plans a start or changes a job, or fewer starts are planned than before.
    pub(in crate::scheduler) fn hold_planned(&mut self, state: &State, event: &Event) {
        match event {
            Event::StartPlanned { job, .. } | Event::JobUpdated { id: job, .. } => {
                self.hold_for(state, *job);
            }
            _ if state.planned_count() == self.starts.held.jobs.len() => {}
            Event::StartUnplanned { job } | Event::TasksPlaced { job, .. } => {
                self.hold_for(state, *job);
            }
            _ => self.hold_all_planned(state),
        }
    }

    pub(in crate::scheduler) fn hold_all_planned(&mut self, state: &State) {
        let planned = state.planned_starts().map(|(job, _)| job);
        let jobs: BTreeSet<JobId> = planned.chain(self.starts.held.jobs.keys().copied()).collect();
        for job in jobs {
            self.hold_for(state, job);
        }
    }

    /// Holds the node on which a start of the job is planned, and no other.
    fn hold_for(&mut self, state: &State, id: JobId) {
        let planned = state.planned_start(id).map(|planned| {
            let job = state.job(id).expect("invariant: what is planned is of a job that waits");
            (planned.node, job.spec.priority)
        });
        let held = &mut self.starts.held;
        let before = held.jobs.get(&id).copied();
        if before == planned {
            return;
        }
        if let Some((node, priority)) = planned {
            let is_new = held.priority_on(node).is_none();
            held.jobs.insert(id, (node, priority));
            held.by_node.insert((node, priority, id));
            if is_new {
                self.index.hold(state, node);
            }
        } else {
            held.jobs.remove(&id);
        }
        let Some((node, priority)) = before else { return };
        held.by_node.remove(&(node, priority, id));
        match held.priority_on(node) {
            Some(now) => self.promises_void |= now < priority,
            None => {
                self.index.let_go(state, node);
                self.let_go = true;
                // A gang that counts on the node, too, could not go there until now.
                self.promises_void |= self.index.is_held(node);
            }
        }
    }
}
