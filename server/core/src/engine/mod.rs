//! Decides. One thread calls [`Engine::step`] with the time and the commands that have come; what comes out is
//! already applied to the engine's own state, must be made durable, and only then may be shown or answered.
//!
//! A step does, in this order: what has become due (`timers.rs`, `due.rs`), the commands (`decide/`), a scheduling pass, and,
//! now and then, a look at what can start later (`starts.rs`). `decide` only reads: it turns a command into events or
//! refuses it. `emit` is the only way an event gets into the state.
//!
//! What follows from events is added under the same revision (`follow.rs`): room for owners that return (`reclaim.rs`) or
//! whose windows come (`windows.rs`), tenants that reach a limit of their budgets (`budgets.rs`), and the fate of jobs that
//! wait for others and of notices that nobody needs any more (`dependents.rs`).
//!
//! `fork.rs` gives copies away to ask what would be, `ahead.rs` lets one run on a clock of its own. Deliberately absent:
//! clocks, threads and disks, which are for whoever drives the engine.

mod ahead;
mod budgets;
mod decide;
mod demand;
mod dependents;
mod due;
mod follow;
mod fork;
mod quotas;
mod reclaim;
mod starts;
mod timers;
mod windows;

use std::{
    collections::{BTreeMap, BTreeSet},
    mem,
};

pub use ahead::{Ahead, Began};
use demand::Tally;
use follow::Touched;
pub use fork::Fork;
use timers::Timers;

use crate::{
    command::{Command, Outcome, Request},
    event::{Batch, Commit, Event, Placement},
    model::{
        Early, EvictionReason, JobId, Millis, Name, NodeId, Revision, TaskIndex, TenantId, Time,
    },
    planner::Problem,
    rejection::Rejection,
    scheduler::{Eviction, Move, Plan, Scheduler},
    state::{AHEAD, State, ended},
};

/// Tasks that one step places at most, so that a long pass does not keep commands waiting; the next step goes on.
const PLACEMENTS_PER_STEP: usize = 20_000;

/// Events for which there is room between two commands: that of a command with many more is given back.
const EVENTS_KEPT: usize = 4_096;

/// What a step decided.
#[derive(Debug)]
pub struct Step {
    /// One a request, in order.
    pub replies: Vec<Result<Outcome, Rejection>>,
    /// What happened; empty if nothing did.
    pub batch: Batch,
}

/// The writer of a cell's state. A copy shares what it can and goes its own way.
#[derive(Clone, Debug)]
pub struct Engine {
    state: State,
    scheduler: Scheduler,
    timers: Timers,
    /// When this engine took over: nodes could not report before.
    since: Time,
    now: Time,
    batch: Batch,
    /// A revision is open: events have been emitted since the last commit.
    open: bool,
    /// Work was left for the next step.
    unfinished: bool,
    /// Nodes whose owners may lack room.
    touched_nodes: BTreeMap<NodeId, Touched>,
    touched_jobs: Vec<JobId>,
    /// Tenants whose budgets may have another level, or whose tasks may have to go because of it.
    touched_tenants: BTreeSet<TenantId>,
    touched_quotas: BTreeSet<TenantId>,
    /// Owners with a shortfall budget of which more may have been spent, or less may count.
    touched_owners: BTreeSet<Name>,
    /// How much is lent, as far as nodes have been looked at.
    demand: Tally,
    /// Jobs that lost tasks, and why.
    evicted: BTreeMap<JobId, EvictionReason>,
    /// Evicted tasks that may have been so too often.
    tried: Vec<(JobId, TaskIndex)>,
    /// Jobs whose wait for others may be over.
    freed: Vec<JobId>,
    /// Empty: what the next command comes to is put here, so that not every one allocates.
    room: Vec<Event>,
}

/// What a command comes to.
struct Decision {
    events: Vec<Event>,
    detail: crate::command::Detail,
}

impl Engine {
    /// An engine that goes on from `state` at the time `now`.
    #[must_use]
    pub fn new(state: State, now: Time) -> Self {
        let now = now.max(state.now());
        Self {
            scheduler: Scheduler::new(&state, now),
            timers: Timers::new(&state, now),
            state,
            since: now,
            now,
            batch: Batch::default(),
            open: false,
            unfinished: true,
            touched_nodes: BTreeMap::new(),
            touched_jobs: Vec::new(),
            touched_tenants: BTreeSet::new(),
            touched_quotas: BTreeSet::new(),
            touched_owners: BTreeSet::new(),
            demand: Tally::default(),
            evicted: BTreeMap::new(),
            tried: Vec::new(),
            freed: Vec::new(),
            room: Vec::new(),
        }
    }

    /// Lets a step take about so long for packing work that came at once; zero packs none. What it costs is counted, not
    /// timed: the same commands at the same times give the same events.
    #[must_use]
    pub fn with_batch_budget(mut self, budget: Millis) -> Self {
        self.scheduler.set_batch_budget(budget);
        self
    }

    /// Compares what is kept with what follows from the rest, for tests.
    ///
    /// # Panics
    /// When two of them differ.
    pub fn check_invariants(&mut self) {
        self.state.check_invariants();
        self.scheduler.check_invariants(&self.state);
    }

    /// The state with all decided events, durable or not.
    #[must_use]
    pub fn state(&self) -> &State {
        &self.state
    }

    /// Decides on whatever has become due, on `requests`, and on what can be placed. Time never goes back.
    pub fn step(&mut self, now: Time, requests: Vec<Request>) -> Step {
        self.now = self.now.max(now);
        self.unfinished = false;
        self.run_due();
        self.batch.commits.reserve(requests.len() + 2);
        self.batch.events.reserve(2 * requests.len());
        let mut replies = Vec::with_capacity(requests.len());
        let mut requests = requests.into_iter();
        while !requests.as_slice().is_empty() {
            self.state.read_ahead_for(requests.as_slice());
            replies.extend(requests.by_ref().take(AHEAD).map(|request| self.execute(request)));
        }
        self.run_due();
        self.pass();
        self.plan_starts();
        self.scheduler.settle(&self.state);
        Step { replies, batch: mem::take(&mut self.batch) }
    }

    /// When the next step is due even if no command comes.
    #[must_use]
    pub fn next_wakeup(&self) -> Option<Time> {
        if self.unfinished {
            return Some(self.now);
        }
        let next = [self.timers.next(), self.scheduler.next_wakeup(), self.next_round()];
        let next = next.into_iter().flatten().min();
        next.map(|time| time.max(self.now))
    }

    /// What a planner should solve now, if enough has changed since the last time. What it finds comes back as
    /// [`Command::Promise`].
    pub fn problem(&mut self) -> Option<Problem> {
        self.scheduler.problem(&self.state)
    }

    fn execute(&mut self, request: Request) -> Result<Outcome, Rejection> {
        if let Some(asked) = &request.request_id
            && let Some(known) = self.state.remembered(&asked.id)
        {
            return if known.fingerprint == asked.fingerprint {
                Ok(known.outcome.clone())
            } else {
                Err(Rejection::RequestIdReused(asked.id.to_string()))
            };
        }
        if let Command::Promise(promises) = &request.command {
            self.scheduler.adopt(promises);
        }
        let room = mem::take(&mut self.room);
        let decision = decide::decide(&self.state, self.now, request.command, room)?;
        let Decision { mut events, detail } = decision;
        if request.validate_only {
            return Ok(Outcome { revision: self.state.revision(), detail });
        }
        self.emit_all(&mut events);
        if events.capacity() <= EVENTS_KEPT {
            self.room = events;
        }
        self.follow_up();
        let remembers = request.request_id.is_some();
        let outcome = Outcome { revision: self.revision_of_commit(remembers), detail };
        if let Some(asked) = request.request_id {
            self.emit(Event::RequestRemembered {
                id: asked.id,
                fingerprint: asked.fingerprint,
                outcome: outcome.clone(),
            });
        }
        self.commit();
        Ok(outcome)
    }

    /// The revision that the events emitted now are of, or the newest one if there are none.
    fn revision_of_commit(&self, more_to_come: bool) -> Revision {
        let revision = self.state.revision();
        if !self.open && more_to_come { revision.next() } else { revision }
    }

    /// Places what can be placed, as one commit.
    fn pass(&mut self) {
        self.scheduler.wake(&self.state, self.now);
        let mut placed = 0;
        while let Some(plan) = self.scheduler.plan(&self.state, self.now) {
            match plan {
                Plan::Place { job, placements } => {
                    placed += placements.iter().map(|p| p.count as usize).sum::<usize>();
                    self.emit(Event::TasksPlaced { job, placements });
                }
                Plan::Preempt { notices, unplanned } => {
                    for job in unplanned {
                        self.emit(Event::StartUnplanned { job });
                    }
                    for Eviction { at, notice, by } in notices {
                        self.give_notice(at.id, notice, Some(&by));
                    }
                }
            }
            if placed >= PLACEMENTS_PER_STEP {
                self.unfinished = true;
                break;
            }
        }
        if placed < PLACEMENTS_PER_STEP {
            self.move_tasks();
        }
        self.follow_up();
        self.commit();
        self.unfinished |= self.scheduler.has_claims_to_ask(&self.state);
    }

    /// Lets tasks under notice that are to move go where there is room that nobody waits for. What they leave is for the
    /// next pass, at once.
    fn move_tasks(&mut self) {
        while let Some(Move { at, reason, node, devices, found }) =
            self.scheduler.next_move(&self.state, self.now)
        {
            let early = Some(Early::Moved(node));
            self.emit(Event::TaskEvicted { at, reason, early });
            let (task, count, allocation) = (at.task, 1, self.state.next_ids().3);
            let placements =
                vec![Placement { task, count, node, allocation, devices, reason: found }];
            self.emit(Event::TasksPlaced { job: at.job, placements });
            self.unfinished = true;
        }
    }

    /// Lets events happen.
    fn emit_all(&mut self, events: &mut Vec<Event>) {
        let is_long = events.len() > AHEAD;
        let mut events = events.drain(..);
        while !events.as_slice().is_empty() {
            if is_long {
                self.state.read_ahead(ended(events.as_slice()));
            }
            events.by_ref().take(AHEAD).for_each(|event| self.emit(event));
        }
    }

    /// Lets an event happen.
    fn emit(&mut self, event: Event) {
        if !self.open {
            self.state.begin(self.state.revision().next(), self.now);
            self.open = true;
        }
        self.scheduler.before(&self.state, &event);
        self.timers.before(&self.state, &event);
        self.touch(&event);
        self.state.apply(&event);
        self.timers.after(&self.state, &event);
        self.scheduler.after(&self.state, &event);
        self.batch.events.push(event);
    }

    /// Closes the open revision, if one is.
    fn commit(&mut self) {
        if mem::take(&mut self.open) {
            let (revision, end) = (self.state.revision(), self.batch.events.len());
            self.batch.commits.push(Commit { revision, time: self.now, end });
        }
    }
}
