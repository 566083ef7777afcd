use std::collections::BTreeMap;

use offpeak_core::{
    command::{Detail, Outcome},
    event::{Event, Placement},
    model::{
        AllocationRef, DeviceSet, Early, EvictionReason, JobId, NodeId, TaskEnd, TaskIndex, Time,
    },
    rejection::Rejection,
};

use super::{input::JobRow, mix::Mix};

/// What became of every task, folded from the engine's events, and what is held meanwhile.
pub(super) struct Ledger {
    /// By row of the tasks file, then by task.
    pub(super) rows: Vec<RowRecord>,
    row_of: BTreeMap<JobId, usize>,
    /// What tasks hold now, and the most that they held.
    pub(super) held: Held,
    pub(super) peak: Held,
    /// Tasks on each node.
    on_node: Vec<u32>,
    /// How often tasks were evicted, by reason.
    pub(super) evictions: BTreeMap<EvictionReason, u64>,
    /// Those of them that moved before their notice ended.
    pub(super) moved: u64,
}

/// What became of one row.
pub(super) struct RowRecord {
    /// Its job, unless it has not been submitted or was refused.
    pub(super) job: Option<JobId>,
    pub(super) refusal: Option<Rejection>,
    pub(super) tasks: Vec<TaskRecord>,
}

/// What became of one task.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct TaskRecord {
    pub(super) standing: Standing,
    /// Where it was placed last, and when.
    pub(super) place: Option<Place>,
}

/// A placement of a task.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) node: NodeId,
    pub(super) devices: DeviceSet,
    pub(super) time: Time,
}

/// Where a task stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Standing {
    /// Waits and was never placed.
    #[default]
    Pending,
    /// Holds its place.
    Placed,
    /// Waits after it lost its place.
    Evicted(EvictionReason),
    /// Ran its time.
    Succeeded,
    /// Was not placed by its deadline.
    MissedDeadline,
    /// Its job was refused.
    Refused,
}

/// What is held at a time.
#[derive(Clone, Debug)]
pub(super) struct Held {
    /// By dimension.
    pub(super) amounts: Vec<u64>,
    /// Nodes with at least one task.
    pub(super) nodes: u64,
}

impl Ledger {
    pub(super) fn new(rows: &[JobRow], dimensions: usize, nodes: usize) -> Self {
        let record = |row: &JobRow| RowRecord {
            job: None,
            refusal: None,
            tasks: vec![TaskRecord::default(); row.spec.count as usize],
        };
        let nothing = Held { amounts: vec![0; dimensions], nodes: 0 };
        Self {
            rows: rows.iter().map(record).collect(),
            row_of: BTreeMap::new(),
            held: nothing.clone(),
            peak: nothing,
            on_node: vec![0; nodes],
            evictions: BTreeMap::new(),
            moved: 0,
        }
    }

    /// Takes the answer to the submission of a row.
    pub(super) fn answered(&mut self, row: usize, reply: Result<Outcome, Rejection>) {
        let record = &mut self.rows[row];
        match reply {
            Ok(Outcome { detail: Detail::Job { id, .. }, .. }) => {
                record.job = Some(id);
                self.row_of.insert(id, row);
            }
            Ok(outcome) => {
                unreachable!("invariant: a submission is answered with a job: {outcome:?}")
            }
            Err(rejection) => {
                record.refusal = Some(rejection);
                record.tasks.iter_mut().for_each(|task| task.standing = Standing::Refused);
            }
        }
    }

    /// Takes what a step did, whose answers have been taken.
    pub(super) fn follow(&mut self, events: &[Event], now: Time, mix: &Mix) {
        for event in events {
            match event {
                Event::TasksPlaced { job, placements } => {
                    for placement in placements {
                        self.placed(*job, placement, now, mix);
                    }
                }
                Event::TaskEnded { at, end, .. } => self.left(at, ended(*end), mix),
                Event::TaskEvicted { at, reason, early } => {
                    self.moved += u64::from(matches!(early, Some(Early::Moved(_))));
                    *self.evictions.entry(*reason).or_default() += 1;
                    self.left(at, Standing::Evicted(*reason), mix);
                }
                Event::TasksDropped { job, first, count, end, .. } => {
                    let Some(row) = self.row_of.get(job) else { continue };
                    let tasks = &mut self.rows[*row].tasks[first.0 as usize..][..*count as usize];
                    tasks.iter_mut().for_each(|task| task.standing = ended(*end));
                }
                _ => {}
            }
        }
        self.peak.nodes = self.peak.nodes.max(self.held.nodes);
        for (peak, held) in self.peak.amounts.iter_mut().zip(&self.held.amounts) {
            *peak = (*peak).max(*held);
        }
    }

    fn placed(&mut self, job: JobId, placement: &Placement, now: Time, mix: &Mix) {
        let row = self.row_of[&job];
        let place = Place { node: placement.node, devices: placement.devices, time: now };
        let first = placement.task.0 as usize;
        for task in &mut self.rows[row].tasks[first..][..placement.count as usize] {
            *task = TaskRecord { standing: Standing::Placed, place: Some(place) };
        }
        let count = u64::from(placement.count);
        let asked = &mix.shapes[mix.of_row[row]].amounts;
        for (held, asked) in self.held.amounts.iter_mut().zip(asked) {
            *held += asked * count;
        }
        let on_node = &mut self.on_node[placement.node.0 as usize];
        self.held.nodes += u64::from(*on_node == 0);
        *on_node += placement.count;
    }

    /// A task has left its node.
    fn left(&mut self, at: &AllocationRef, standing: Standing, mix: &Mix) {
        let row = self.row_of[&at.job];
        let TaskIndex(task) = at.task;
        self.rows[row].tasks[task as usize].standing = standing;
        let asked = &mix.shapes[mix.of_row[row]].amounts;
        for (held, asked) in self.held.amounts.iter_mut().zip(asked) {
            *held -= asked;
        }
        let on_node = &mut self.on_node[at.node.0 as usize];
        *on_node -= 1;
        self.held.nodes -= u64::from(*on_node == 0);
    }

    /// How many tasks stand so.
    pub(super) fn count(&self, wanted: impl Fn(Standing) -> bool) -> u64 {
        let tasks = self.rows.iter().flat_map(|row| &row.tasks);
        tasks.map(|task| u64::from(wanted(task.standing))).sum()
    }
}

impl RowRecord {
    /// How many of its tasks wait.
    pub(super) fn waiting(&self) -> u64 {
        self.tasks.iter().map(|task| u64::from(task.standing.waits())).sum()
    }
}

impl Standing {
    pub(super) fn waits(self) -> bool {
        matches!(self, Self::Pending | Self::Evicted(_))
    }
}

fn ended(end: TaskEnd) -> Standing {
    match end {
        TaskEnd::Succeeded => Standing::Succeeded,
        TaskEnd::MissedDeadline => Standing::MissedDeadline,
        TaskEnd::Failed
        | TaskEnd::Cancelled
        | TaskEnd::TimedOut
        | TaskEnd::Evicted
        | TaskEnd::DependencyFailed => {
            unreachable!("invariant: a simulated task runs its time or waits until its deadline")
        }
    }
}
