//! Nodes on which starts are planned take nothing else: they are kept out of the index as long as that is so.

use std::{collections::BTreeMap, mem};

use super::{super::Scheduler, Starts};
use crate::{
    event::Event,
    model::{NodeId, Priority},
    state::State,
};

impl Starts {
    /// Nodes on which starts are planned, with the highest priority of their jobs.
    pub(in crate::scheduler) fn held(&self) -> &BTreeMap<NodeId, Priority> {
        &self.held
    }
}

impl Scheduler {
    /// Keeps the nodes on which starts are planned out of the index, and no others, after an event that may have changed
    /// what is planned: it plans a start or changes a job, or fewer starts are planned than before.
    pub(in crate::scheduler) fn hold_planned(&mut self, state: &State, event: &Event) {
        let may_matter = match event {
            Event::StartPlanned { .. } => true,
            Event::JobUpdated { id, .. } => state.planned_start(*id).is_some(),
            _ => state.planned_count() != self.starts.planned,
        };
        if may_matter {
            self.hold_all_planned(state);
        }
    }

    pub(in crate::scheduler) fn hold_all_planned(&mut self, state: &State) {
        self.starts.planned = state.planned_count();
        let mut planned: BTreeMap<NodeId, Priority> = BTreeMap::new();
        for (job, start) in state.planned_starts() {
            let job = state.job(job).expect("invariant: what is planned is of a job that waits");
            let priority = planned.entry(start.node).or_insert(job.spec.priority);
            *priority = (*priority).max(job.spec.priority);
        }
        let held = mem::replace(&mut self.starts.held, planned.clone());
        for node in planned.keys().filter(|node| !held.contains_key(node)) {
            self.index.hold(state, *node);
        }
        for (node, before) in held {
            match planned.get(&node) {
                Some(now) => self.promises_void |= *now < before,
                None => {
                    self.index.let_go(state, node);
                    self.let_go = true;
                    // A gang that counts on the node, too, could not go there until now.
                    self.promises_void |= self.index.is_held(node);
                }
            }
        }
    }
}
