//! Decides which pending tasks go where.
//!
//! The engine applies events to the state and tells [`Scheduler::before`] and [`Scheduler::after`] of each;
//! [`Scheduler::plan`] then answers with the next [`Plan`], until there is none. The phases: order (`queue.rs`, and
//! `order.rs` by shares that `shares.rs` measures), filter (`filter.rs`, asked once a kind of node in `kind.rs`), rank
//! (`classes.rs`: nodes with equal slack are ranked as one), place (`find.rs` for one task, `place.rs` for a job,
//! `spreading.rs` for one whose tasks keep apart, `batching.rs` for all that came at once), preempt (`preempt.rs`;
//! `claims.rs` and `take_back.rs` for what is guaranteed).
//! `moving.rs` lets tasks under notice go to what room is left then. `index.rs` keeps a room for each node (`room.rs`) in
//! step with the state, `promise.rs` keeps parts of rooms for tasks to come, `starts/` plans what begins later, and
//! `wake.rs` lets parked work back in. All of it is derived from the state and can be built anew from it. `explain.rs` and
//! `advice.rs` answer questions.

mod advice;
mod amounts;
mod batch;
mod batching;
mod before;
mod briefs;
mod changes;
mod check;
mod claims;
mod classes;
mod explain;
mod filter;
mod find;
mod future;
mod gpus;
mod index;
mod kind;
mod membership;
mod most;
mod moving;
mod offers;
mod order;
mod owed;
mod place;
mod preempt;
mod promise;
mod queue;
mod reason;
mod room;
mod running;
mod shape;
mod shapes;
mod shares;
mod spread;
mod spreading;
mod starts;
mod take_back;
mod wake;
mod yielding;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

pub use advice::{Advice, Change};
use before::is_bounded;
pub use explain::{Explanation, Reasons, blockers_on};
use index::{Ended, Index};
pub use moving::Move;
use queue::{Lane, Queue};
pub use reason::{Blocker, PendingReason};
use shape::KeyRef;
pub use shape::ShapeId;
pub use starts::{Round, started};
use wake::gang_waits;

use crate::{
    event::{Event, Placement},
    model::{AllocationRef, JobId, NodeId, Notice, Preemptor, Priority, TenantId, Time},
    state::State,
};

/// Tasks that one plan places at most, unless a gang is larger: between two plans the order is asked again.
const TASKS_PER_PLAN: u32 = 256;

/// As many of a job whose tasks keep apart: each plan begins with a look at all that it has placed.
const SPREAD_TASKS_PER_PLAN: u32 = 16_384;

/// Shapes for which one pass looks over the fleet for room to make, gangs and spreads aside: the look is long.
const ATTEMPTS_PER_PASS: u32 = 4;

/// The next thing to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Plan {
    /// Place tasks of a job.
    Place {
        /// The job.
        job: JobId,
        /// Ascending by task.
        placements: Vec<Placement>,
    },
    /// Make room for jobs of higher priority, or that are guaranteed it.
    Preempt {
        /// Who is given notice.
        notices: Vec<Eviction>,
        /// Whose planned start gives way to a gang at once, so that it is not in the way when the last room is made.
        unplanned: Vec<JobId>,
    },
}

/// An eviction that makes room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Eviction {
    /// Who goes.
    pub at: AllocationRef,
    /// When.
    pub notice: Notice,
    /// For whom.
    pub by: Arc<Preemptor>,
}

/// Who waits, and where there is room.
#[derive(Clone, Debug, Default)]
pub struct Scheduler {
    index: Index,
    queue: Queue,
    /// Shapes to plan again at a time because a task in their way may be preempted from then on.
    retries: BTreeSet<(Time, ShapeId)>,
    /// Nodes whose free room a gang counts on until the rest of its room is made.
    counted_on: BTreeMap<ShapeId, BTreeSet<NodeId>>,
    /// Parked shapes for which all the room was made that could be, down to a priority.
    asked: BTreeMap<ShapeId, Priority>,
    /// Lanes of parked shapes for which all was taken back that could be.
    asked_back: BTreeSet<Lane>,
    /// For whom room is being made within a guarantee.
    owed: owed::Owed,
    /// Who may be able to take back more within its guarantee than when it was last asked.
    claims: claims::Grown,
    /// The last pass came to its end, so that all that waits and is parked is in its lane.
    pass_is_over: bool,
    /// Parked shapes that ask for room in the next pass: this one has asked for enough.
    postponed: BTreeSet<ShapeId>,
    attempts_left: u32,
    /// Room that was being made somewhere may have become too little.
    promises_void: bool,
    /// Nodes were let go after those that wait were asked.
    let_go: bool,
    /// The fleet changed since shares were last measured by it.
    fleet_changed: bool,
    /// Tenants whose shares are to be measured before they matter.
    unmeasured: BTreeSet<TenantId>,
    /// As of when those that compete were last measured.
    measured: Time,
    running: running::Running,
    /// Live allocations under notice.
    leaving: u64,
    /// Tasks seen by the demand profile when rooms were last promised, and how many times they were.
    planned: promise::Planned,
    batching: batching::Batching,
    /// What the task held whose end is being applied.
    ended: Option<Ended>,
    yielding: yielding::Yielding,
    moving: moving::Moving,
    starts: starts::Starts,
    /// Live allocations of jobs with a `max_runtime`: when they are gone is known.
    bounded: u64,
}

impl Scheduler {
    /// A scheduler for a state that it has not followed.
    #[must_use]
    pub fn new(state: &State, now: Time) -> Self {
        let mut scheduler = Self { starts: starts::Starts::new(now), ..Self::default() };
        for node in state.nodes() {
            scheduler.index.refresh(state, node.id);
        }
        scheduler.tenants_changed(state);
        for job in state.jobs_from(JobId(0)) {
            scheduler.enqueue(state, job.id);
        }
        for allocation in state.allocations_from(crate::model::AllocationId(0)) {
            if allocation.notice.is_none() {
                let job = state.job(allocation.at.job).expect("invariant: it is live");
                scheduler.running.add(job, 1);
            } else {
                scheduler.leaving += 1;
                scheduler.moving.add(state, allocation, now);
            }
            scheduler.yielding.follow(allocation.at.id, allocation.notice);
            scheduler.bounded += u64::from(is_bounded(state, allocation.at.job));
        }
        scheduler.owed = owed::Owed::of(state);
        scheduler.hold_all_planned(state);
        scheduler.settle(state);
        scheduler
    }

    /// How many pages of its index are not those of an earlier copy.
    pub(crate) fn pages_changed(&self, earlier: &Self) -> usize {
        self.index.pages_changed(&earlier.index)
    }

    /// Follows an event that has been applied to the state.
    pub fn after(&mut self, state: &State, event: &Event) {
        self.starts.follow(event, state.now());
        self.follow(state, event);
        self.follow_movers(state, event);
        self.hold_planned(state, event);
    }

    fn follow(&mut self, state: &State, event: &Event) {
        match event {
            Event::NodeRegistered { id, .. } => {
                self.fleet_changed = true;
                self.index.refresh(state, *id);
            }
            Event::NodeUpdated { id, .. } => {
                self.fleet_changed = true;
                self.node_redescribed(state, *id);
            }
            Event::NodeRemoved { id, .. } => {
                self.fleet_changed = true;
                self.promises_void = true;
                self.index.refresh(state, *id);
            }
            Event::NodeLost { id } => {
                self.promises_void = true;
                self.index.refresh(state, *id);
            }
            Event::NodeModeChanged { id, .. } | Event::NodeFound { id, .. } => {
                self.node_changed(state, *id);
            }
            Event::LoadReported { samples } => {
                samples.iter().for_each(|sample| self.node_changed(state, sample.node));
            }
            Event::ForecastMade { bounds } => {
                bounds.iter().for_each(|found| self.node_changed(state, found.node));
            }
            Event::PolicyChanged(_) => {
                let nodes: Vec<NodeId> = state.nodes().map(|node| node.id).collect();
                nodes.into_iter().for_each(|node| self.node_changed(state, node));
                self.fleet_changed = true;
            }
            Event::OwnerUpdated { .. }
            | Event::WindowsRenewed { .. }
            | Event::OwnerTurned { .. } => self.owner_changed(state, event),
            Event::TenantCreated { id, spec } if spec.parent.is_empty() => {
                self.unmeasured.insert(*id);
            }
            Event::TenantCreated { .. }
            | Event::TenantUpdated { .. }
            | Event::TenantDeleted { .. } => {
                self.tenants_changed(state);
                self.claims = claims::Grown::All;
            }
            Event::JobSubmitted { id, spec, .. } => {
                self.planned.arrived += if spec.is_timed() { 0 } else { u64::from(spec.count) };
                self.enqueue(state, *id);
            }
            Event::JobResized { id, .. } => {
                self.enqueue(state, *id);
            }
            Event::TasksPlaced { job, placements } => self.placed(state, *job, placements),
            Event::TaskEnded { at, .. }
            | Event::TaskEvicted { at, .. }
            | Event::TaskDelayed { at, .. } => {
                self.promises_void |= self.is_promised(state, at.node);
                let ended = self.ended.take().expect("invariant: seen before it ended");
                self.index.give(state, at.node, &ended);
                self.job_changed(state, at.job);
            }
            Event::TasksDropped { job, .. }
            | Event::TasksDelayed { job, .. }
            | Event::TasksResumed { job, .. } => self.job_changed(state, *job),
            Event::JobUpdated { id, .. } => self.after_update(state, *id),
            Event::NoticeGiven { at, .. } => self.node_changed(state, at.node),
            Event::NoticeWithdrawn { at } => {
                self.yielding.follow(at.id, None);
                let job = state.job(at.job).expect("invariant: a live allocation has a job");
                self.running.add(job, 1);
                self.leaving -= 1;
                self.promises_void = true;
                self.index.refresh(state, at.node);
                self.job_changed(state, at.job);
            }
            Event::BudgetTurned { tenant, level, .. } => self.budget_turned(state, *tenant, *level),
            Event::PriceBookChanged { .. }
            | Event::DemandPriced { .. }
            | Event::QuotaTurned { .. }
            | Event::TaskStarted { .. }
            | Event::RiskCurbed { .. }
            | Event::AdvisoryGiven { .. }
            | Event::StartPlanned { .. }
            | Event::StartUnplanned { .. }
            | Event::JobsQuoted { .. }
            | Event::JobEnded { .. }
            | Event::JobForgotten { .. }
            | Event::RequestRemembered { .. }
            | Event::RequestsForgotten { .. } => {}
        }
    }

    /// The next thing to do; `None` when nothing more can be placed now.
    pub fn plan(&mut self, state: &State, now: Time) -> Option<Plan> {
        if let Some(plan) = self.next_dealt(state) {
            return Some(plan);
        }
        while let Some((lane, id)) = self.next(state, now) {
            let job = state.job(id).expect("invariant: a waiting job exists");
            let waits = gang_waits(state, job);
            if !waits {
                let spreads = !job.spec.constraints.spreads.is_empty();
                let limit = if spreads { SPREAD_TASKS_PER_PLAN } else { TASKS_PER_PLAN };
                let limit = limit.min(self.turn(state, job));
                let placements = place::place(&mut self.index, state, lane.shape, job, limit);
                if !placements.is_empty() {
                    return Some(Plan::Place { job: id, placements });
                }
            }
            self.index.park(lane.shape);
            self.queue.park(lane.shape);
            if !waits && let Some(plan) = self.make_room(state, now, lane.shape) {
                return Some(plan);
            }
        }
        self.owed.pass_is_over(state);
        self.pass_is_over = true;
        None
    }

    /// Who is next. Shares are measured only where they matter.
    fn next(&mut self, state: &State, now: Time) -> Option<(Lane, JobId)> {
        if self.queue.is_contested() {
            self.measure(state, now);
        }
        self.queue.next()
    }

    /// Leaves nothing to do for whoever looks for room first, which would be each copy.
    pub(crate) fn settle(&mut self, state: &State) {
        self.index.classify();
        self.running.count_holders(state);
    }

    fn placed(&mut self, state: &State, id: JobId, placements: &[Placement]) {
        if self.leaving > 0 || self.index.holds_any() {
            let promised = |placement: &Placement| self.is_promised(state, placement.node);
            self.promises_void |= placements.iter().any(promised);
        }
        let job = state.job(id).expect("invariant: the event's job exists");
        let tasks: u32 = placements.iter().map(|placement| placement.count).sum();
        self.running.add(job, u64::from(tasks));
        if job.spec.max_runtime.is_some() {
            self.bounded += u64::from(tasks);
        }
        self.unmeasured.insert(job.tenant);
        if job.counts.pending == 0 {
            self.dequeue(state, id);
        }
        self.owed.placed(id, placements);
        self.holds_more(state, id, tasks);
    }

    /// A job's tasks ended or became pending again: what the shape knew of the job is void.
    fn job_changed(&mut self, state: &State, id: JobId) {
        let Some(job) = state.job(id) else { return };
        self.unmeasured.insert(job.tenant);
        self.holds_less(state, job.tenant);
        if !job.is_ready() {
            self.dequeue(state, id);
            return;
        }
        self.enqueue(state, id);
        let Some(lane) = self.queue.lane_of(id) else { return };
        if self.index.shape(lane.shape).key.job.is_some() {
            self.index.shape_mut(lane.shape).reset();
            self.wake_shape(state, lane.shape);
        }
    }

    fn enqueue(&mut self, state: &State, id: JobId) {
        let job = state.job(id).expect("invariant: the event's job exists");
        let tenant = state.tenant(job.tenant).expect("invariant: a job has a tenant");
        if !job.is_ready() || tenant.budget_level.stops_new() {
            return;
        }
        if job.spec.is_timed() {
            self.starts.add(job);
            return;
        }
        if let Some(lane) = self.queue.lane_of(id) {
            self.ask_for_more(state, lane);
            return;
        }
        let shape = self.index.shape_of(KeyRef::of(job));
        let lane = Lane { shape, priority: job.spec.priority, tenant: job.tenant };
        self.queue.push(lane, id);
        self.unmeasured.insert(job.tenant);
        self.index.shape_mut(shape).waits = true;
        self.ask_for_more(state, lane);
        let lower = self.counted_on.keys().copied().filter(|gang| {
            self.queue.top_priority(*gang).is_some_and(|priority| priority < lane.priority)
        });
        let lower: Vec<ShapeId> = lower.collect();
        lower.into_iter().for_each(|gang| self.wake_shape(state, gang));
    }

    fn dequeue(&mut self, state: &State, id: JobId) {
        self.starts.remove(id);
        let Some((lane, last)) = self.queue.remove(id) else { return };
        if last {
            let shape = self.index.shape_mut(lane.shape);
            shape.waits = false;
            shape.parked = None;
            self.forget_asked(lane.shape);
            self.let_go(state, lane.shape);
            self.index.release_shape(lane.shape);
        }
    }
}
