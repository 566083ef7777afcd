//! What may come: a fork's engine on a clock of its own, until jobs that wait have begun.
//!
//! Running tasks end when a draw says so, which follows how long like tasks ran (`state/run_times.rs`) and how long each
//! has run already. What is drawn for them counts as known of their like from then on, so that a kind of which only what
//! is short has ended so far is not taken to be short. Tasks that are placed on the way get draws of their own. The
//! engine does the rest as it always does: the order of the queue, fairness, packing, preemption, notices, deadlines and
//! windows of owners. One look ahead tells of all jobs that wait. Drawing tells more than letting every task run for its
//! median: many tasks end before it, and the first gap counts.
//!
//! Budgets are foreseen as far as prices stay, and so are planned starts: the same rounds plan them, the more rarely the
//! further the look has come.
//!
//! Not foreseen: work that comes later, loads that owners report later (what they hold back stays, calendars aside), nodes
//! that come, go or fall silent. What these do to quotes is learned from how they come out (`state/quotes.rs`).

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, BinaryHeap},
};

use super::{Engine, Fork, timers::Timers};
use crate::{
    command::{Command, Request, TaskOutcome, TaskReport},
    event::{Event, Placement},
    model::{Allocation, AllocationId, Job, JobId, Millis, NodeId, Part, TaskIndex, Time},
    state::{Alike, Known, State},
};

/// How far a look ahead goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ahead {
    /// So much of the virtual clock.
    pub span: Millis,
    /// So many steps of the engine.
    pub steps: u32,
}

/// When a job began, and where its first task went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Began {
    /// When its first task was placed; of a gang, all of them.
    pub time: Time,
    /// The first task's node.
    pub node: NodeId,
}

impl Default for Ahead {
    /// A week and 20,000 steps.
    fn default() -> Self {
        Self { span: Millis(7 * Millis::DAY.0), steps: 20_000 }
    }
}

/// A look ahead under way.
struct Look {
    fork: Fork,
    ends: BinaryHeap<Reverse<(Time, AllocationId)>>,
    known: Known,
    draw: u64,
    wanted: BTreeSet<JobId>,
    began: BTreeMap<JobId, Began>,
}

impl Fork {
    /// When those of these jobs would begin that begin within the limits, if tasks run as this draw has it. The same draw
    /// of the same fork tells the same.
    #[must_use]
    pub fn look_ahead(
        &self,
        wanted: &BTreeSet<JobId>,
        limits: Ahead,
        draw: u64,
    ) -> BTreeMap<JobId, Began> {
        let mut fork = self.clone();
        // What waits has been packed together already, or could not be.
        fork.engine.scheduler.set_batch_budget(Millis(0));
        fork.engine.scheduler.look_ahead_from(fork.engine.now);
        fork.engine.timers = Timers::foreseen(&fork.engine.state);
        let mut look = Look {
            fork,
            ends: BinaryHeap::new(),
            known: Known::default(),
            draw,
            wanted: wanted.clone(),
            began: BTreeMap::new(),
        };
        look.expect_ends();
        look.run(limits);
        look.began
    }
}

impl Look {
    fn run(&mut self, limits: Ahead) {
        let until = self.fork.engine.now.after(limits.span);
        for _ in 0..limits.steps {
            let end = self.ends.peek().map(|Reverse((time, _))| *time);
            let next = [self.fork.engine.next_wakeup(), end].into_iter().flatten().min();
            let Some(next) = next.filter(|next| *next <= until) else { return };
            let requests = self.ended(next);
            let step = self.fork.engine.step(next, requests);
            for event in &step.batch.events {
                if let Event::TasksPlaced { job, placements } = event {
                    self.placed(*job, placements);
                }
            }
            if self.wanted.is_empty() {
                return;
            }
        }
    }

    /// Reports on all tasks that have ended by then. One that was taken back meanwhile is passed over.
    fn ended(&mut self, now: Time) -> Vec<Request> {
        let mut reports = Vec::new();
        while let Some(Reverse((time, id))) = self.ends.peek().copied()
            && time <= now
        {
            self.ends.pop();
            if self.fork.engine.state.allocation(id).is_some() {
                let outcome = TaskOutcome::Succeeded;
                reports.push(TaskReport { allocation: id, outcome, message: "".into() });
            }
        }
        if reports.is_empty() {
            return Vec::new();
        }
        let command = Command::ReportTasks(reports);
        vec![Request { command, request_id: None, validate_only: false }]
    }

    fn placed(&mut self, id: JobId, placements: &[Placement]) {
        let now = self.fork.engine.now;
        if let Some(first) = placements.first()
            && self.wanted.remove(&id)
        {
            self.began.insert(id, Began { time: now, node: first.node });
        }
        // It may have ended and be forgotten within the very step.
        let Some(job) = self.fork.engine.state.job(id) else { return };
        for placement in placements {
            for at in 0..placement.count {
                let task = TaskIndex(placement.task.0 + at);
                let part = part(self.draw, job, task);
                let run_times = self.fork.engine.state.run_times();
                let of = (job.tenant, job.spec.as_ref());
                if let Some(left) = run_times.remaining(&mut self.known, of, Millis(0), part) {
                    let allocation = AllocationId(placement.allocation.0 + u64::from(at));
                    self.ends.push(Reverse((now.after(left), allocation)));
                }
            }
        }
    }

    /// Draws when each running task ends. Those of which too few have ended come last: then more is known of their tenants.
    fn expect_ends(&mut self) {
        let state = &self.fork.engine.state;
        let mut running: BTreeMap<Alike, Vec<&Allocation>> = BTreeMap::new();
        for allocation in state.allocations_from(AllocationId(0)) {
            let job = job_of(state, allocation);
            running.entry(Alike::of(job.tenant, &job.spec)).or_default().push(allocation);
        }
        let mut ends = Vec::new();
        let mut others = Vec::new();
        for (kind, allocations) in running {
            // The tasks of a gang end together, and count once.
            let together =
                |a: &&Allocation, b: &&Allocation| kind.gang_size > 0 && a.at.job == b.at.job;
            let units = allocations.chunk_by(together).count();
            let Some(mut like) = self.known.like(state.run_times(), &kind, units) else {
                others.extend(allocations);
                continue;
            };
            // Ids ascend as tasks are placed, so the oldest comes first.
            for unit in allocations.chunk_by(together) {
                let (age, part) = self.drawn(unit[0]);
                let end = self.fork.engine.now.after(like.remaining(age, part));
                ends.extend(unit.iter().map(|allocation| Reverse((end, allocation.at.id))));
            }
            self.known.keep(kind, like);
        }
        for allocation in others {
            let job = job_of(state, allocation);
            let (age, part) = self.drawn(allocation);
            let of = (job.tenant, job.spec.as_ref());
            if let Some(left) = state.run_times().remaining(&mut self.known, of, age, part) {
                ends.push(Reverse((self.fork.engine.now.after(left), allocation.at.id)));
            }
        }
        self.ends = ends.into();
    }

    /// How long it has run, and where among its like it ends.
    fn drawn(&self, allocation: &Allocation) -> (Millis, Part) {
        let Engine { state, now, .. } = &self.fork.engine;
        let job = job_of(state, allocation);
        (now.since(allocation.placed), part(self.draw, job, allocation.at.task))
    }
}

fn job_of<'s>(state: &'s State, allocation: &Allocation) -> &'s Job {
    state.job(allocation.at.job).expect("invariant: it is live")
}

/// Where among its like a task ends. The tasks of a gang end together. Mixed as splitmix64 does (Steele, Lea, Flood, 2014).
fn part(draw: u64, job: &Job, task: TaskIndex) -> Part {
    let task = if job.spec.gang { 0 } else { u64::from(task.0) };
    let mut mixed = draw.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    for number in [job.id.0, task] {
        mixed = (mixed ^ number).wrapping_add(0x9e37_79b9_7f4a_7c15);
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
    }
    Part(u16::try_from(mixed >> 48).expect("invariant: sixteen bits are left"))
}
