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
    jobs: BTreeMap<JobId, (BTreeSet<NodeId>, Priority)>,
    by_node: BTreeSet<(NodeId, Priority, JobId)>,
}

impl Held {
    /// The highest priority of the jobs with starts planned on a node, if there are any.
    pub(super) fn priority_on(&self, node: NodeId) -> Option<Priority> {
        Some(self.on(node).next_back()?.1)
    }

    /// Whether the node is held for the job at this priority.
    fn holds(&self, job: JobId, (node, priority): (NodeId, Priority)) -> bool {
        let held = self.jobs.get(&job);
        held.is_some_and(|(nodes, at)| *at == priority && nodes.contains(&node))
    }

    /// Whether nodes are held for the job.
    pub(in crate::scheduler) fn has(&self, job: JobId) -> bool {
        self.jobs.contains_key(&job)
    }

    /// The highest priority of others than the job with starts planned on a node, if there are any.
    pub(in crate::scheduler) fn priority_but_of(
        &self,
        job: JobId,
        node: NodeId,
    ) -> Option<Priority> {
        Some(self.on(node).rfind(|(.., other)| *other != job)?.1)
    }

    /// The jobs with starts planned on any of these nodes.
    pub(in crate::scheduler) fn jobs_on(&self, nodes: &BTreeSet<NodeId>) -> Vec<JobId> {
        let jobs: BTreeSet<JobId> =
            nodes.iter().flat_map(|node| self.on(*node)).map(|(.., job)| *job).collect();
        jobs.into_iter().collect()
    }

    /// The nodes, some more than once.
    pub(super) fn nodes(&self) -> impl Iterator<Item = NodeId> {
        self.by_node.iter().map(|(node, ..)| *node)
    }

    /// Who has starts planned on a node, the highest priority last.
    fn on(&self, node: NodeId) -> impl DoubleEndedIterator<Item = &(NodeId, Priority, JobId)> {
        let first = (node, Priority(i32::MIN), JobId(0));
        let last = (node, Priority(i32::MAX), JobId(u64::MAX));
        self.by_node.range(first..=last)
    }
}

impl Scheduler {
    /// Keeps the nodes on which starts are planned out of the index, and no others, after an event that may have changed
    /// what is planned: it plans a start, changes a job or drops tasks, or fewer starts are planned than before.
    pub(in crate::scheduler) fn hold_planned(&mut self, state: &State, event: &Event) {
        match event {
            Event::StartPlanned { job, .. }
            | Event::JobUpdated { id: job, .. }
            | Event::TasksDropped { job, .. } => self.hold_for(state, *job),
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

    /// Holds the nodes on which a start of the job is planned, and no others.
    fn hold_for(&mut self, state: &State, id: JobId) {
        let planned = state.planned_start(id).map(|planned| {
            let job = state.job(id).expect("invariant: what is planned is of a job that waits");
            (planned.nodes().collect::<BTreeSet<NodeId>>(), job.spec.priority)
        });
        if self.starts.held.jobs.get(&id) == planned.as_ref() {
            return;
        }
        if let Some((nodes, priority)) = &planned {
            // Who counts on room that is being made there may have less of it.
            let mut anew =
                nodes.iter().filter(|node| !self.starts.held.holds(id, (**node, *priority)));
            self.promises_void |= anew.any(|node| self.is_promised(state, *node));
        }
        let held = &mut self.starts.held;
        let before = held.jobs.remove(&id);
        if let Some((nodes, priority)) = planned {
            for node in &nodes {
                let is_new = held.priority_on(*node).is_none();
                held.by_node.insert((*node, priority, id));
                if is_new {
                    self.index.hold(state, *node);
                }
            }
            held.jobs.insert(id, (nodes, priority));
        }
        let Some((nodes, priority)) = before else { return };
        for node in nodes {
            if !held.holds(id, (node, priority)) {
                held.by_node.remove(&(node, priority, id));
            }
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
}
