//! Decides which pending tasks go where.
//!
//! The engine applies events to the state and tells [`Scheduler::before`] and [`Scheduler::after`] of each;
//! [`Scheduler::plan`] then answers with the next [`Plan`], until there is none. The phases: order (`queue.rs`),
//! filter (`filter.rs`, asked once a kind of node in `kind.rs`), rank (`classes.rs`: nodes with equal slack are ranked
//! as one), place (`find.rs` for one task, `place.rs` for a job, `batching.rs` for all that came at once), preempt
//! (`preempt.rs`). `index.rs` keeps a room for each node (`room.rs`) in step with the state, `promise.rs` keeps parts of
//! rooms for tasks to come, and `wake.rs` lets parked work back in. All of it is derived from the state and can be built
//! anew from it.

mod advice;
mod amounts;
mod batch;
mod batching;
mod changes;
mod classes;
mod explain;
mod filter;
mod find;
mod gpus;
mod index;
mod kind;
mod place;
mod preempt;
mod promise;
mod queue;
mod reason;
mod room;
mod shape;
mod spread;
mod wake;
mod yielding;

use std::{
    collections::{BTreeMap, BTreeSet},
    mem,
};

pub use advice::{Advice, Change};
pub use explain::{Explanation, Reasons, blockers_on};
use index::{Ended, Index};
use queue::{Lane, Queue};
pub use reason::{Blocker, PendingReason};
use shape::KeyRef;
pub use shape::ShapeId;
use wake::gang_waits;

use crate::{
    event::{Event, Placement},
    model::{AllocationRef, JobId, NodeId, Notice, Priority, Resources, TenantId, Time},
    state::State,
};

/// Tasks that one plan places at most, unless a gang is larger: between two plans the order is asked again.
const TASKS_PER_PLAN: u32 = 256;

/// As many of a job whose tasks keep apart: each plan begins with a look at all that it has placed.
const SPREAD_TASKS_PER_PLAN: u32 = 4_096;

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
    /// Give notice to make room for a job of higher priority.
    Preempt {
        /// The job.
        job: JobId,
        /// To whom.
        notices: Vec<(AllocationRef, Notice)>,
    },
}

/// Who waits, and where there is room.
#[derive(Clone, Debug, Default)]
pub struct Scheduler {
    index: Index,
    queue: Queue,
    /// Capacities summed over all nodes, the measure of dominant shares.
    fleet: Resources,
    /// Shapes to plan again at a time because a task in their way may be preempted from then on.
    retries: BTreeSet<(Time, ShapeId)>,
    /// Nodes whose free room a gang counts on until the rest of its room is made.
    counted_on: BTreeMap<ShapeId, BTreeSet<NodeId>>,
    /// Parked shapes for which all the room was made that could be, down to a priority.
    asked: BTreeMap<ShapeId, Priority>,
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
    /// Live allocations by priority, those under notice aside: below whose priority nothing can be preempted.
    running: BTreeMap<Priority, u64>,
    /// Live allocations under notice.
    leaving: u64,
    /// Tasks seen by the demand profile when rooms were last promised, and how many times they were.
    planned: promise::Planned,
    batching: batching::Batching,
    /// What the task held whose end is being applied.
    ended: Option<Ended>,
    yielding: yielding::Yielding,
}

impl Scheduler {
    /// A scheduler for a state that it has not followed.
    #[must_use]
    pub fn new(state: &State) -> Self {
        let mut scheduler = Self::default();
        for node in state.nodes() {
            scheduler.fleet = scheduler.fleet.saturating_add(&node.spec.capacity);
            scheduler.index.refresh(state, node.id);
        }
        for tenant in state.tenants() {
            scheduler.unmeasured.insert(tenant.id);
        }
        for job in state.jobs_from(JobId(0)) {
            scheduler.enqueue(state, job.id);
        }
        for allocation in state.allocations_from(crate::model::AllocationId(0)) {
            if allocation.notice.is_none() {
                scheduler.count_running(state, allocation.at.job, true);
            } else {
                scheduler.leaving += 1;
            }
            scheduler.yielding.follow(allocation.at.id, allocation.notice);
        }
        scheduler
    }

    /// What must be known before an event is applied.
    pub fn before(&mut self, state: &State, event: &Event) {
        match event {
            Event::NodeUpdated { id, .. } | Event::NodeRemoved { id, .. } => {
                let node = state.node(*id).expect("invariant: the event's node exists");
                self.fleet = self.fleet.saturating_sub(&node.spec.capacity);
            }
            Event::TaskEnded { at, .. }
            | Event::TaskEvicted { at, .. }
            | Event::TaskDelayed { at, .. } => {
                self.yielding.follow(at.id, None);
                let allocation = state.allocation(at.id).expect("invariant: it is live");
                let devices = allocation.devices;
                if allocation.notice.is_none() {
                    self.count_running(state, at.job, false);
                } else {
                    self.leaving -= 1;
                }
                let job = state.job(at.job).expect("invariant: a live allocation has a job");
                let key = Some(KeyRef::of(job)).filter(|key| !key.is_solo());
                let shape = key.and_then(|key| self.index.known_shape(key));
                let want = self.index.want_of(&job.spec);
                self.ended = Some(Ended { shape, want, devices });
            }
            Event::JobUpdated { id, spec } => self.before_update(state, *id, spec.priority),
            Event::NoticeGiven { at, notice } => {
                self.yielding.follow(at.id, Some(*notice));
                let allocation = state.allocation(at.id).expect("invariant: it is live");
                if allocation.notice.is_none() {
                    self.count_running(state, at.job, false);
                    self.leaving += 1;
                }
            }
            _ => {}
        }
    }

    /// Follows an event that has been applied to the state.
    pub fn after(&mut self, state: &State, event: &Event) {
        match event {
            Event::NodeRegistered { id, spec } => {
                self.fleet = self.fleet.saturating_add(&spec.capacity);
                self.fleet_changed = true;
                self.index.refresh(state, *id);
            }
            Event::NodeUpdated { id, spec } => {
                self.fleet = self.fleet.saturating_add(&spec.capacity);
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
            }
            Event::OwnerUpdated { .. }
            | Event::WindowsRenewed { .. }
            | Event::OwnerTurned { .. } => self.owner_changed(state, event),
            Event::TenantUpdated { id, .. } => {
                self.unmeasured.insert(*id);
            }
            Event::JobSubmitted { id, spec, .. } => {
                self.planned.arrived += u64::from(spec.count);
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
                self.count_running(state, at.job, true);
                self.leaving -= 1;
                self.promises_void = true;
                self.index.refresh(state, at.node);
                self.job_changed(state, at.job);
            }
            Event::BudgetTurned { tenant, level, .. } => self.budget_turned(state, *tenant, *level),
            Event::PriceBookChanged { .. }
            | Event::TenantCreated { .. }
            | Event::TenantDeleted { .. }
            | Event::TaskStarted { .. }
            | Event::RiskCurbed { .. }
            | Event::AdvisoryGiven { .. }
            | Event::JobsQuoted { .. }
            | Event::JobEnded { .. }
            | Event::JobForgotten { .. }
            | Event::RequestRemembered { .. }
            | Event::RequestsForgotten { .. } => {}
        }
    }

    /// Compares what is kept of the nodes with the state.
    ///
    /// # Panics
    /// When they differ: an event was not followed.
    pub(crate) fn check_invariants(&mut self, state: &State) {
        for node in (0..state.next_ids().0.0).map(NodeId) {
            assert!(
                self.index.is_true(state, node),
                "the room of node {node} is as the state has it"
            );
        }
    }

    /// The next thing to do; `None` when nothing more can be placed now.
    pub fn plan(&mut self, state: &State, now: Time) -> Option<Plan> {
        if let Some(plan) = self.next_dealt(state) {
            return Some(plan);
        }
        while let Some((lane, id)) = self.next(state) {
            let job = state.job(id).expect("invariant: a waiting job exists");
            let waits = gang_waits(state, job);
            if !waits {
                let spreads = !job.spec.constraints.spreads.is_empty();
                let limit = if spreads { SPREAD_TASKS_PER_PLAN } else { TASKS_PER_PLAN };
                let placements = place::place(&mut self.index, state, lane.shape, job, limit);
                if !placements.is_empty() {
                    return Some(Plan::Place { job: id, placements });
                }
            }
            self.index.park(lane.shape);
            self.queue.park(lane.shape);
            if !waits && let Some(notices) = self.make_room(state, now, lane.shape) {
                return Some(Plan::Preempt { job: id, notices });
            }
        }
        None
    }

    /// Who is next. Shares are measured only where they matter.
    fn next(&mut self, state: &State) -> Option<(Lane, JobId)> {
        if self.queue.is_contested() {
            for tenant in mem::take(&mut self.unmeasured) {
                self.refresh_share(state, tenant);
            }
        }
        self.queue.next()
    }

    fn placed(&mut self, state: &State, id: JobId, placements: &[Placement]) {
        if self.leaving > 0 || self.index.holds_any() {
            let promised = |placement: &Placement| self.is_promised(state, placement.node);
            self.promises_void |= placements.iter().any(promised);
        }
        let job = state.job(id).expect("invariant: the event's job exists");
        let tasks: u32 = placements.iter().map(|placement| placement.count).sum();
        *self.running.entry(job.spec.priority).or_default() += u64::from(tasks);
        self.unmeasured.insert(job.tenant);
        if job.counts.pending == 0 {
            self.dequeue(state, id);
        }
    }

    /// A job's tasks ended or became pending again: what the shape knew of the job is void.
    fn job_changed(&mut self, state: &State, id: JobId) {
        let Some(job) = state.job(id) else { return };
        self.unmeasured.insert(job.tenant);
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
        if let Some(lane) = self.queue.lane_of(id) {
            self.ask_for_more(state, lane);
            return;
        }
        let shape = self.index.shape_of(KeyRef::of(job));
        let lane = Lane { shape, priority: job.spec.priority, tenant: job.tenant };
        self.queue.push(lane, id);
        self.index.shape_mut(shape).waits = true;
        self.ask_for_more(state, lane);
        let lower = self.counted_on.keys().copied().filter(|gang| {
            self.queue.top_priority(*gang).is_some_and(|priority| priority < lane.priority)
        });
        let lower: Vec<ShapeId> = lower.collect();
        lower.into_iter().for_each(|gang| self.wake_shape(state, gang));
    }

    fn dequeue(&mut self, state: &State, id: JobId) {
        let Some((lane, last)) = self.queue.remove(id) else { return };
        if last {
            let shape = self.index.shape_mut(lane.shape);
            shape.waits = false;
            shape.parked = None;
            self.asked.remove(&lane.shape);
            self.postponed.remove(&lane.shape);
            self.let_go(state, lane.shape);
            self.index.release_shape(lane.shape);
        }
    }

    /// The greatest part of the fleet that the tenant holds of any one resource, in billionths, by its weight.
    fn refresh_share(&mut self, state: &State, id: TenantId) {
        let Some(tenant) = state.tenant(id) else { return };
        let held = &tenant.usage.held;
        let share = [
            part(held.cpu_millis, self.fleet.cpu_millis),
            part(held.memory_bytes, self.fleet.memory_bytes),
            part(held.disk_bytes, self.fleet.disk_bytes),
            part(held.network_bps, self.fleet.network_bps),
            part(held.gpu_millis, self.fleet.gpu_millis),
        ];
        let share = share.into_iter().max().unwrap_or(0);
        self.queue.set_share(id, share / u64::from(tenant.spec.weight.max(1)));
    }
}

/// Billionths of the whole.
fn part(held: u64, all: u64) -> u64 {
    if held == 0 || all == 0 {
        return 0;
    }
    let part = u128::from(held) * 1_000_000_000 / u128::from(all);
    u64::try_from(part).unwrap_or(u64::MAX)
}
