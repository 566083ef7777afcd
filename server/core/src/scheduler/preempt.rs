//! Makes room for work of higher priority: which allocations get notice.
//!
//! Least priority goes first, then least work lost, never a task inside its `min_runtime`, no more than needed.

use std::{cmp::Reverse, collections::BTreeMap};

use super::filter;
use crate::{
    model::{
        Allocation, AllocationRef, EvictionReason, GpuDevices, Job, Millis, Node, NodeId, Notice,
        Policy, Resources, Time,
    },
    state::State,
};

/// Tasks of one job that one plan makes room for; the rest follow when these evictions are done.
const TASKS_PER_PLAN: u32 = 16;

/// Room on a node once everything under notice is gone and earlier tasks of the plan are in.
#[derive(Clone)]
struct Future {
    room: Resources,
    devices: GpuDevices,
    lendable: usize,
}

/// What making room on a node costs: the worst victim's priority, then the work lost, then how many.
type Cost = (i32, u64, usize, NodeId);

/// The notices that would let pending tasks of `job` in; empty if none would, or if enough are out already.
pub(super) fn preempt(state: &State, job: &Job) -> Vec<(AllocationRef, Notice)> {
    let mut futures: BTreeMap<NodeId, Future> = BTreeMap::new();
    let mut chosen: Vec<Allocation> = Vec::new();
    for _ in 0..job.counts.pending.min(TASKS_PER_PLAN) {
        let mut best: Option<(Cost, Vec<Allocation>)> = None;
        for node in state.nodes() {
            if !node.is_open() || !filter::allows(&node.spec, &job.spec.constraints) {
                continue;
            }
            let future = futures.get(&node.id).cloned().unwrap_or_else(|| Future::of(state, node));
            let Some(victims) = victims(state, node, future, job, &chosen) else { continue };
            let worst = victims.iter().map(|v| priority(state, v)).max().unwrap_or(i32::MIN);
            let lost = victims.iter().map(|v| state.now().since(v.placed).0).sum();
            let cost = (worst, lost, victims.len(), node.id);
            if best.as_ref().is_none_or(|(least, _)| cost < *least) {
                best = Some((cost, victims));
            }
        }
        let Some(((.., node), victims)) = best else { break };
        let node = state.node(node).expect("invariant: it was just seen");
        let future = futures.entry(node.id).or_insert_with(|| Future::of(state, node));
        victims.iter().for_each(|victim| future.release(state, victim));
        future.take(&job.spec.request);
        chosen.extend(victims);
    }
    let policy = state.policy();
    chosen.iter().map(|victim| (victim.at, notice(state, victim, policy, state.now()))).collect()
}

fn notice(state: &State, victim: &Allocation, policy: &Policy, now: Time) -> Notice {
    let spec = &state.job(victim.at.job).expect("invariant: it is live").spec;
    let deadline = now.after(spec.notice.unwrap_or(policy.notice));
    Notice { reason: EvictionReason::Preempted, deadline }
}

fn priority(state: &State, allocation: &Allocation) -> i32 {
    state.job(allocation.at.job).expect("invariant: it is live").spec.priority.0
}

/// The fewest allocations that must go from the node so that one task fits; `None` if it never does.
fn victims(
    state: &State,
    node: &Node,
    mut future: Future,
    job: &Job,
    chosen: &[Allocation],
) -> Option<Vec<Allocation>> {
    let request = &job.spec.request;
    if future.fits(request) {
        return Some(Vec::new());
    }
    let mut candidates: Vec<(i32, Reverse<Time>, Allocation)> = Vec::new();
    for id in &node.allocations {
        let allocation = state.allocation(*id).expect("invariant: it is live");
        let other = state.job(allocation.at.job).expect("invariant: it is live");
        let young = state.now().since(allocation.placed) < other.spec.min_runtime
            && other.spec.min_runtime > Millis(0);
        let lower = other.spec.priority < job.spec.priority;
        let taken = allocation.notice.is_some() || chosen.iter().any(|c| c.at.id == *id);
        if lower && !young && !taken {
            candidates.push((other.spec.priority.0, Reverse(allocation.placed), *allocation));
        }
    }
    candidates.sort_unstable_by_key(|(priority, placed, c)| (*priority, *placed, Reverse(c.at.id)));
    let mut victims: Vec<Allocation> = Vec::new();
    for (.., candidate) in candidates {
        future.release(state, &candidate);
        victims.push(candidate);
        if future.fits(request) {
            return Some(spare(state, future, request, victims));
        }
    }
    None
}

/// Drops those victims, the costliest first, that the task does not need.
fn spare(
    state: &State,
    mut future: Future,
    request: &Resources,
    victims: Vec<Allocation>,
) -> Vec<Allocation> {
    let mut needed = Vec::with_capacity(victims.len());
    for victim in victims.into_iter().rev() {
        let mut without = future.clone();
        without.hold(state, &victim);
        if without.fits(request) {
            future = without;
        } else {
            needed.push(victim);
        }
    }
    needed
}

impl Future {
    fn of(state: &State, node: &Node) -> Self {
        let kept = node.lent.saturating_sub(&node.noticed);
        let mut devices = node.all_devices();
        for id in &node.allocations {
            let allocation = state.allocation(*id).expect("invariant: it is live");
            if allocation.notice.is_some() {
                devices.release(allocation.devices, state.request_of(allocation).gpu_millis);
            }
        }
        let room = node.spec.capacity.saturating_sub(&node.held_back).saturating_sub(&kept);
        Self { room, devices, lendable: node.lendable_devices() }
    }

    fn release(&mut self, state: &State, victim: &Allocation) {
        let request = state.request_of(victim);
        self.room = self.room.saturating_add(request);
        self.devices.release(victim.devices, request.gpu_millis);
    }

    fn hold(&mut self, state: &State, victim: &Allocation) {
        let request = state.request_of(victim);
        self.room = self.room.saturating_sub(request);
        self.devices.hold(victim.devices, request.gpu_millis);
    }

    fn fits(&self, request: &Resources) -> bool {
        let mut room = self.room.clone();
        room.gpu_millis = u64::MAX;
        request.fits_in(&room) && self.devices.choose(request.gpu_millis, self.lendable).is_some()
    }

    fn take(&mut self, request: &Resources) {
        self.room = self.room.saturating_sub(request);
        if let Some(devices) = self.devices.choose(request.gpu_millis, self.lendable) {
            self.devices.hold(devices, request.gpu_millis);
        }
    }
}
