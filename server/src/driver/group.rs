use std::sync::mpsc::Receiver;

use offpeak_core::{
    command::Outcome,
    event::{Commit, Event},
    rejection::Rejection,
};

use super::queue::Waiter;
use crate::{
    record::{Names, Record},
    telemetry::Kind,
};

/// One step of the engine on its way to the log.
#[derive(Debug, Default)]
pub(super) struct Stepped {
    /// What happened.
    pub(super) record: Record,
    /// One a request, as are the kinds.
    pub(super) replies: Vec<Result<Outcome, Rejection>>,
    pub(super) kinds: Vec<Kind>,
    pub(super) waiters: Vec<Waiter>,
}

/// Steps that become durable together.
#[derive(Debug, Default)]
pub(super) struct Group {
    /// What happened in all steps, in order.
    pub(super) record: Record,
    /// The steps without their records.
    pub(super) steps: Vec<Stepped>,
}

impl Stepped {
    /// Whether there is nothing to write and nobody to answer.
    pub(super) fn is_idle(&self) -> bool {
        self.record.batch.commits.is_empty() && self.waiters.iter().all(Waiter::is_nobody)
    }
}

impl Group {
    /// Begins with `first` and adds the steps that wait already, until the group weighs `limit_events`.
    pub(super) fn gather(first: Stepped, waiting: &Receiver<Stepped>, limit_events: usize) -> Self {
        let mut group = Self::default();
        let mut weight = group.add(first);
        while weight < limit_events
            && let Ok(next) = waiting.try_recv()
        {
            weight += group.add(next);
        }
        group
    }

    /// Adds a step and returns its weight.
    fn add(&mut self, mut step: Stepped) -> usize {
        let Record { mut batch, names } = std::mem::take(&mut step.record);
        self.steps.push(step);
        let weight = batch.events.iter().map(weight).sum();
        let joined = &mut self.record.batch;
        if joined.commits.is_empty() {
            self.record = Record { batch, names };
            return weight;
        }
        let begin = joined.events.len();
        let moved =
            batch.commits.iter().map(|commit| Commit { end: begin + commit.end, ..*commit });
        joined.commits.extend(moved);
        joined.events.append(&mut batch.events);
        let Names { nodes, tenants, jobs } = &mut self.record.names;
        join(nodes, names.nodes);
        join(tenants, names.tenants);
        join(jobs, names.jobs);
        weight
    }
}

/// Adds later names to sorted ones; the later one of an object stays.
fn join<Id: Ord + Copy, N>(names: &mut Vec<(Id, N)>, later: Vec<(Id, N)>) {
    if later.is_empty() {
        return;
    }
    let mut reversed = later;
    reversed.append(names);
    // The sort is stable, so the later name stands first among those of one object.
    reversed.sort_by_key(|(id, _)| *id);
    reversed.dedup_by_key(|(id, _)| *id);
    *names = reversed;
}

/// How much an event adds to a record: 1, or what it lists.
fn weight(event: &Event) -> usize {
    match event {
        Event::LoadReported { samples } => samples.len(),
        Event::TasksPlaced { placements, .. } => placements.len(),
        Event::OwnerUpdated { windows, .. } | Event::WindowsRenewed { windows, .. } => {
            windows.list.len().max(1)
        }
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use offpeak_core::{
        event::{Batch, Commit, Event},
        model::{Name, NodeId, Revision, Time},
    };

    use super::{Group, Names, Record, Stepped};
    use crate::record::NodeName;

    fn region(text: &str) -> Name {
        Name::parse(text).expect("a name")
    }

    fn stepped(revision: u64, events: u32) -> Stepped {
        let commit = Commit { revision: Revision(revision), time: Time(0), end: events as usize };
        let events = (0..events).map(|id| Event::NodeLost { id: NodeId(id) }).collect();
        let batch = Batch { commits: vec![commit], events };
        let name = NodeName { name: Name::default(), region: region(&format!("r{revision}")) };
        let names = Names { nodes: vec![(NodeId(0), name)], ..Names::default() };
        Stepped { record: Record { batch, names }, ..Stepped::default() }
    }

    #[test]
    fn joined_steps_keep_their_commits_apart() {
        let (tx, rx) = mpsc::channel();
        tx.send(stepped(8, 1)).expect("open");
        tx.send(Stepped::default()).expect("open");
        tx.send(stepped(9, 3)).expect("open");
        let group = Group::gather(stepped(7, 2), &rx, 100);
        let Record { batch, names } = group.record;
        let events: Vec<_> =
            batch.iter().map(|(commit, events)| (commit.revision.0, events.len())).collect();
        assert_eq!((events, group.steps.len()), (vec![(7, 2), (8, 1), (9, 3)], 4));
        let regions: Vec<_> = names.nodes.iter().map(|(_, node)| node.region.as_str()).collect();
        assert_eq!(regions, ["r9"], "the newest description names the node");
    }

    #[test]
    fn a_group_stops_growing_at_its_limit() {
        let (tx, rx) = mpsc::channel();
        for revision in 8..12 {
            tx.send(stepped(revision, 2)).expect("open");
        }
        assert_eq!(Group::gather(stepped(7, 2), &rx, 5).steps.len(), 3);
    }
}
