//! Reads what will change soon, so that the processor fetches it from memory while it is still busy with something else.
//!
//! In a large state most of what the end of a task changes was last touched long ago, and one change waits for the other:
//! taken one after the other, ends wait for memory most of the time. Nothing here has an effect on the state.

use std::hint::black_box;

use super::State;
use crate::{
    command::{Command, Request},
    event::Event,
    model::{AllocationId, AllocationRef, NodeId},
};

/// Ends that are read ahead together: enough to keep the memory busy, few enough for the nearest cache.
pub(crate) const AHEAD: usize = 32;

/// Ids in a line of the cache, and lines of a node's list that are read.
const LINE: usize = 8;
const LINES: usize = 16;

impl State {
    /// Reads what changes when these allocations end, of which there are [`AHEAD`] at most. First what each id
    /// leads to, then what that leads to, so that no read waits for one before it.
    pub(crate) fn read_ahead(&self, ids: impl Iterator<Item = AllocationId> + Clone) {
        let places = || ids.clone().filter_map(|id| Some(self.allocation(id)?.at));
        let sum = places().fold(0, |sum, at| sum ^ self.rows(&at));
        black_box(places().fold(sum, |sum, at| sum ^ self.behind(&at)));
    }

    /// Reads what changes when a task is placed on the node.
    pub(crate) fn read_node_ahead(&self, node: NodeId) {
        black_box(self.node_row(node));
    }

    /// Of the node, its list and its devices, and whether it is shared.
    fn node_row(&self, node: NodeId) -> u64 {
        let id = u64::from(node.0);
        let Some(node) = self.nodes.get(id) else { return 0 };
        let last = node.allocations.last().map_or(0, |last| last.0);
        let device = node.devices.0.first().map_or(0, |device| u64::from(*device));
        node.lent.cpu_millis ^ last ^ device ^ self.nodes.sharers(id) as u64
    }

    /// Reads what the first [`AHEAD`] of these requests look up and change, where there are many of their kind.
    pub(crate) fn read_ahead_for(&self, requests: &[Request]) {
        let soon = requests.iter().take(AHEAD);
        self.read_ahead(soon.clone().flat_map(reported).take(AHEAD));
        let read = |request: &Request| {
            let asked = request.request_id.as_ref();
            let asked = asked.map_or(0, |asked| self.requests.read_ahead(&asked.id));
            match &request.command {
                Command::SubmitJob { tenant, name, .. } if !name.is_empty() => {
                    let tenant = self.tenant_named(tenant.as_str());
                    asked ^ tenant.map_or(0, |tenant| self.job_names.read_ahead(&(tenant.id, name)))
                }
                _ => asked,
            }
        };
        black_box(soon.fold(0, |sum, request| sum ^ read(request)));
    }

    /// Reads what the first [`AHEAD`] of these events change, where there are many of their kind.
    pub(super) fn read_ahead_of(&self, events: &[Event]) {
        self.read_ahead(ended(events));
        let read = |event: &Event| match event {
            Event::JobSubmitted { tenant, name, id, .. } => {
                let usage = self.tenant(*tenant).map_or(0, |tenant| {
                    tenant.usage.requested.cpu_millis ^ tenant.usage.held.cpu_millis
                });
                let is_own = name.job_id() == Some(*id);
                usage ^ if is_own { 0 } else { self.job_names.read_ahead(&(*tenant, name)) }
            }
            Event::RequestRemembered { id, .. } => self.requests.read_ahead(id),
            Event::TasksPlaced { placements, .. } => {
                let nodes = placements.iter().take(AHEAD).map(|placement| placement.node);
                nodes.fold(0, |sum, node| sum ^ self.node_row(node))
            }
            _ => 0,
        };
        black_box(events.iter().take(AHEAD).fold(0, |sum, event| sum ^ read(event)));
    }

    /// Of the allocation, its job and its node, and whether they are shared.
    fn rows(&self, at: &AllocationRef) -> u64 {
        let (job, node) = (at.job.0, u64::from(at.node.0));
        let rows = self.jobs.get(job).map_or(0, |job| u64::from(job.counts.placed))
            ^ self.nodes.get(node).map_or(0, |node| node.lent.cpu_millis);
        let shared =
            [self.allocations.sharers(at.id.0), self.jobs.sharers(job), self.nodes.sharers(node)];
        let rows = rows ^ self.accounts.read_ahead(at.job);
        shared.into_iter().fold(rows, |sum, sharers| sum ^ sharers as u64)
    }

    /// What the job asked for, its tenant, and the list of the node.
    fn behind(&self, at: &AllocationRef) -> u64 {
        let (Some(job), Some(node)) = (self.job(at.job), self.node(at.node)) else { return 0 };
        let usage = self.tenant(job.tenant).map_or(0, |tenant| tenant.usage.held.cpu_millis);
        let lines = node.allocations.iter().rev().step_by(LINE).take(LINES);
        lines.fold(usage ^ job.spec.request.cpu_millis, |sum, id| sum ^ id.0)
    }
}

/// The allocations that a request tells of, the first few if there are many.
fn reported(request: &Request) -> impl Iterator<Item = AllocationId> + Clone {
    let reports = match &request.command {
        Command::ReportTasks(reports) => reports.as_slice(),
        _ => &[],
    };
    reports.iter().take(AHEAD).map(|report| report.allocation)
}

/// The allocations that the first [`AHEAD`] of these events end.
pub(crate) fn ended(events: &[Event]) -> impl Iterator<Item = AllocationId> + Clone {
    events.iter().take(AHEAD).filter_map(|event| match event {
        Event::TaskEnded { at, .. }
        | Event::TaskEvicted { at, .. }
        | Event::TaskDelayed { at, .. } => Some(at.id),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::ended;
    use crate::{
        event::Event,
        model::{
            AllocationId, AllocationRef, EvictionReason, JobId, NodeId, TaskEnd, TaskIndex, Time,
        },
    };

    #[test]
    fn whatever_ends_an_allocation_is_read_ahead() {
        let at = |id| AllocationRef {
            id: AllocationId(id),
            job: JobId(1),
            task: TaskIndex(0),
            node: NodeId(0),
        };
        let (end, message) = (TaskEnd::Failed, "".into());
        let events = [
            Event::TaskStarted { at: at(1) },
            Event::TaskEnded { at: at(2), end, message },
            Event::TaskEvicted { at: at(3), reason: EvictionReason::NodeLost, early: None },
            Event::TaskDelayed { at: at(4), end, message: "".into(), until: Time(0) },
        ];
        assert_eq!(ended(&events).map(|id| id.0).collect::<Vec<_>>(), [2, 3, 4]);
    }
}
