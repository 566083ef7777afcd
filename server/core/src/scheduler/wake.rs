//! When those that wait are asked again: when a node grows that could take them, when room for them could be made
//! that could not be before, and when room that they count on may have become less.

use std::{
    collections::{BTreeMap, BTreeSet},
    mem,
};

use super::{
    ATTEMPTS_PER_PASS, Plan, Scheduler,
    claims::Grown,
    preempt::{self, Kept},
    queue::Lane,
    running::Running,
    shape::{ShapeId, ShapeKey},
    take_back,
};
use crate::{
    event::Event,
    fairness,
    model::{BudgetLevel, Job, JobId, NodeId, Owner, Priority, TenantId, Time},
    state::State,
};

impl Scheduler {
    /// Lets shapes back in that a grown node can take, or for which room could be made now. Called once before a pass.
    pub fn wake(&mut self, state: &State, now: Time) {
        if mem::take(&mut self.fleet_changed) {
            self.unmeasured.extend(state.tenants().map(|tenant| tenant.id));
        }
        self.attempts_left = ATTEMPTS_PER_PASS;
        self.wake_movers(now);
        for shape in mem::take(&mut self.postponed) {
            self.wake_shape(state, shape);
        }
        self.wake_where_nodes_grew(state, now);
        self.wake_claims(state);
        let void = mem::take(&mut self.promises_void);
        let matured = self.take_matured(now);
        if void || !matured.is_empty() {
            self.wake_who_asks(state, void, &matured);
        }
        while mem::take(&mut self.let_go) {
            self.wake_where_nodes_grew(state, now);
        }
        self.pack_batch(state, now);
    }

    /// Takes what waits of a tenant out of the order when its budget stops new work, and back in when it no longer does.
    pub(super) fn budget_turned(&mut self, state: &State, tenant: TenantId, level: BudgetLevel) {
        let Some(tenant) = state.tenant(tenant) else { return };
        for job in state.jobs_of(tenant, JobId(0)) {
            if level.stops_new() {
                self.dequeue(state, job.id);
            } else {
                self.enqueue(state, job.id);
            }
        }
    }

    /// Wakes parked shapes for which room could be made that could not be before.
    fn wake_who_asks(&mut self, state: &State, void: bool, matured: &BTreeSet<ShapeId>) {
        let asked = if void { Grown::All } else { Grown::None };
        let mut again = self.claiming_parked(state, &asked);
        again.extend(self.queue.parked().iter().copied().filter(|shape| {
            let top = self.queue.top_priority(*shape);
            let asks = || top.is_some_and(|top| self.may_make_room(*shape, top));
            matured.contains(shape) || void && (asks() || self.counted_on.contains_key(shape))
        }));
        again.into_iter().for_each(|shape| self.wake_shape(state, shape));
    }

    fn wake_where_nodes_grew(&mut self, state: &State, now: Time) {
        let (queue, running, leaving) = (&self.queue, &self.running, self.leaving);
        let guaranteed = state.guaranteed_tenants() > 0;
        let least = running.least().filter(|_| guaranteed);
        let mut going = None;
        let mut claiming: BTreeMap<ShapeId, Vec<Lane>> = BTreeMap::new();
        let makes_room = |shape: ShapeId, key: &ShapeKey, node: NodeId| {
            let Some(node) = state.node(node).filter(|node| node.is_open()) else { return false };
            let leaving = if key.job.is_some() { leaving } else { 0 };
            let top = queue.top_priority(shape).filter(|top| has_below(running, leaving, *top));
            let wanted = (&key.request, key.horizon);
            if top.is_some_and(|top| preempt::could_make_room(state, now, node, wanted, top, None))
            {
                return true;
            }
            let Some(least) = least else { return false };
            let lanes = claiming.entry(shape).or_insert_with(|| {
                let lanes = queue.known_lanes(shape).map(|(lane, _)| lane);
                let lanes = lanes.filter(|lane| least <= lane.priority);
                lanes.filter(|l| fairness::claims(state, l.tenant, &key.request)).collect()
            });
            lanes.iter().any(|lane| {
                let going = going.get_or_insert_with(|| take_back::going(state));
                let taker = Some((lane.tenant, &*going));
                preempt::could_make_room(state, now, node, wanted, lane.priority, taker)
            })
        };
        for shape in self.index.wake_grown(queue.parked(), makes_room) {
            self.unpark(state, shape);
        }
    }

    /// When a pass may find something to do that it could not do before, although nothing will have happened.
    #[must_use]
    pub fn next_wakeup(&self) -> Option<Time> {
        if self.promises_void || self.let_go || !self.postponed.is_empty() {
            return Some(Time(0));
        }
        let retry = self.retries.first().map(|(time, _)| *time);
        retry.into_iter().chain(self.moving.next_wakeup()).min()
    }

    /// Jobs of the shape for which something could be preempted, with as many tasks as one plan makes room for, the
    /// highest priority first.
    fn demands<'a>(&mut self, state: &'a State, shape: ShapeId) -> Vec<(&'a Job, u32)> {
        let mut demands = Vec::new();
        let mut left = preempt::TASKS_PER_PLAN;
        let leaving = if self.index.shape(shape).key.job.is_some() { self.leaving } else { 0 };
        let top = self.queue.top_priority(shape);
        let asks = top.is_some_and(|top| has_below(&self.running, leaving, top));
        if !asks && state.guaranteed_tenants() == 0 {
            return demands;
        }
        self.queue.settle(shape);
        let claiming = self.claiming(state, shape);
        for (lane, jobs) in self.queue.known_lanes(shape) {
            let asks = has_below(&self.running, leaving, lane.priority);
            if left == 0 || !asks && claiming.is_empty() {
                break;
            }
            if !asks && !claiming.contains(&lane) {
                continue;
            }
            for id in jobs {
                if left == 0 {
                    break;
                }
                let job = state.job(*id).expect("invariant: a waiting job exists");
                let pending = job.counts.pending;
                let tasks = if job.spec.gang { pending } else { pending.min(left) };
                left = left.saturating_sub(tasks);
                demands.push((job, tasks));
            }
        }
        demands
    }

    /// Announces what lets a parked shape's tasks in later, if anything does.
    pub(super) fn make_room(&mut self, state: &State, now: Time, shape: ShapeId) -> Option<Plan> {
        let demands = self.demands(state, shape);
        let (last, _) = demands.last()?;
        if self.index.shape(shape).key.job.is_none() {
            let Some(left) = self.attempts_left.checked_sub(1) else {
                self.postponed.insert(shape);
                return None;
            };
            self.attempts_left = left;
        }
        let full = demands.iter().map(|(_, tasks)| tasks).sum::<u32>() >= preempt::TASKS_PER_PLAN;
        let gangs = self.counted_on.values().flatten().copied().collect();
        let kept = Kept { starts: &self.starts.held, gangs: &gangs };
        self.running.count_holders(state);
        let made = preempt::preempt(state, now, &demands, kept, &self.running);
        made.counts_on.iter().for_each(|node| self.index.hold(state, *node));
        let unplanned = self.starts.held.jobs_on(&made.counts_on);
        if !made.counts_on.is_empty() {
            self.counted_on.insert(shape, made.counts_on);
        }
        self.retries.extend(made.retry.map(|time| (time, shape)));
        if let Some(asked) = made.refused.or(full.then_some(last.spec.priority)) {
            self.asked.insert(shape, asked);
        }
        self.asked_back.extend(self.claiming(state, shape));
        let notices = made.notices;
        let changes = !notices.is_empty() || !unplanned.is_empty();
        changes.then_some(Plan::Preempt { notices, unplanned })
    }

    /// More tasks wait in the lane: room may be made for them too, unless there were too many already.
    pub(super) fn ask_for_more(&mut self, state: &State, lane: Lane) {
        let refused = self.asked.get(&lane.shape).is_some_and(|asked| lane.priority <= *asked);
        let asks = !refused && self.may_make_room(lane.shape, lane.priority);
        if asks || self.claims(state, lane) && !self.asked_back.contains(&lane) {
            self.wake_shape(state, lane.shape);
        }
    }

    /// Whether anything could be preempted for tasks of the shape. A gang also counts on room that others make, so
    /// for it it is enough that anything is leaving.
    pub(super) fn may_make_room(&self, shape: ShapeId, priority: Priority) -> bool {
        let leaving = if self.index.shape(shape).key.job.is_some() { self.leaving } else { 0 };
        has_below(&self.running, leaving, priority)
    }

    fn take_matured(&mut self, now: Time) -> BTreeSet<ShapeId> {
        let later = self.retries.split_off(&(Time(now.0.saturating_add(1)), ShapeId(0)));
        mem::replace(&mut self.retries, later).into_iter().map(|(_, shape)| shape).collect()
    }

    pub(super) fn wake_shape(&mut self, state: &State, shape: ShapeId) {
        if self.index.wake(shape) {
            self.unpark(state, shape);
        }
    }

    fn unpark(&mut self, state: &State, shape: ShapeId) {
        self.forget_asked(shape);
        self.queue.wake(shape);
        self.let_go(state, shape);
    }

    pub(super) fn forget_asked(&mut self, shape: ShapeId) {
        self.asked.remove(&shape);
        self.postponed.remove(&shape);
        while let Some(lane) = self.asked_back.range(Lane::all_of(shape)).next().copied() {
            self.asked_back.remove(&lane);
        }
    }

    pub(super) fn let_go(&mut self, state: &State, shape: ShapeId) {
        for node in self.counted_on.remove(&shape).unwrap_or_default() {
            self.index.let_go(state, node);
            self.let_go = true;
        }
    }

    /// What room is being made on the node may be less than it was.
    pub(super) fn node_changed(&mut self, state: &State, id: NodeId) {
        self.promises_void |= self.is_promised(state, id);
        self.index.refresh(state, id);
    }

    /// What is held back of an owner's nodes may be more or less than it was.
    pub(super) fn owner_changed(&mut self, state: &State, event: &Event) {
        let owner = event.owner().and_then(|name| state.owner(name));
        owner.into_iter().flat_map(Owner::nodes).for_each(|node| self.node_changed(state, node));
    }

    /// Whether room on the node may be what somebody waits for.
    pub(super) fn is_promised(&self, state: &State, id: NodeId) -> bool {
        self.index.is_held(id) || state.node(id).is_some_and(|node| node.noticed > 0)
    }

    pub(super) fn node_redescribed(&mut self, state: &State, id: NodeId) {
        let before = self.index.zone_of(id);
        self.promises_void |= self.is_promised(state, id);
        self.index.redescribe(state, id);
        if self.index.zone_of(id) == before {
            return;
        }
        for shape in self.index.spreading_shapes() {
            self.index.shape_mut(shape).reset();
            self.wake_shape(state, shape);
        }
    }
}

/// Whether anything of a lower priority runs, or anything at all is leaving.
fn has_below(running: &Running, leaving: u64, priority: Priority) -> bool {
    leaving > 0 || running.least().is_some_and(|least| least < priority)
}

/// A gang is placed again only when all that is left of it is gone: nothing of it is under notice.
pub(super) fn gang_waits(state: &State, job: &Job) -> bool {
    job.spec.gang && state.allocations_of(job).any(|allocation| allocation.notice.is_some())
}
