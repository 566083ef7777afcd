//! Gives room back to an owner: which allocations get notice.
//!
//! Whoever is under notice goes first, at once counted as gone if the notice ends soon enough. A task inside its
//! `min_runtime` is the last to go; before that the lowest priority goes first, then the least work lost. No more than needed: an allocation that does not help, or no longer does, stays.

use std::cmp::Reverse;

use super::Engine;
use crate::{
    model::{
        Allocation, AllocationId, EvictionReason, GpuDevices, Node, NodeId, Priority, Resources,
        Time,
    },
    state::State,
};

/// First to go is least.
type Turn = (bool, bool, Priority, Reverse<Time>, Reverse<AllocationId>);

/// What stays on a node.
#[derive(Clone)]
struct Kept {
    held: Resources,
    devices: GpuDevices,
}

impl Engine {
    /// Gives notice to as much as the owner of the node lacks.
    pub(super) fn reclaim(&mut self, id: NodeId) {
        let Some(node) = self.state.node(id) else { return };
        if !node.is_overcommitted() {
            return;
        }
        let reason = if node.history.newest.is_some() && reservation_fits(node) {
            EvictionReason::OwnerReturned
        } else {
            EvictionReason::NodeChanged
        };
        for victim in victims(&self.state, node) {
            let deadline = owed(&self.state, &victim);
            self.give_notice(victim.at.id, reason, deadline);
        }
    }
}

/// Whether what is lent would fit if only the reservation counted: then it is the owner's load that does not.
fn reservation_fits(node: &Node) -> bool {
    let room = node.spec.capacity.saturating_sub(&node.spec.reservation);
    node.lent.fits_in(&room)
}

/// The allocations whose leaving lets the rest fit beside the owner.
fn victims(state: &State, node: &Node) -> Vec<Allocation> {
    let mut kept = Kept { held: node.lent.clone(), devices: node.devices.clone() };
    let mut candidates: Vec<(Turn, Allocation)> = Vec::new();
    for id in &node.allocations {
        let allocation = state.allocation(*id).expect("invariant: it is live");
        if allocation.notice.is_some_and(|notice| notice.deadline <= owed(state, allocation)) {
            kept.release(state, allocation);
        } else {
            candidates.push((turn(state, allocation), *allocation));
        }
    }
    candidates.sort_unstable_by_key(|(turn, _)| *turn);
    let mut victims: Vec<Allocation> = Vec::new();
    for (_, candidate) in candidates {
        if kept.fits(node) {
            break;
        }
        kept.release(state, &candidate);
        victims.push(candidate);
    }
    let mut needed = Vec::with_capacity(victims.len());
    for victim in victims.into_iter().rev() {
        let mut with = kept.clone();
        with.hold(state, &victim);
        if with.fits(node) {
            kept = with;
        } else {
            needed.push(victim);
        }
    }
    needed
}

/// When an allocation has gone that gets notice now.
fn owed(state: &State, allocation: &Allocation) -> Time {
    let spec = &state.job(allocation.at.job).expect("invariant: it is live").spec;
    state.now().after(spec.notice.unwrap_or(state.policy().notice))
}

fn turn(state: &State, allocation: &Allocation) -> Turn {
    let spec = &state.job(allocation.at.job).expect("invariant: it is live").spec;
    let promised = state.now().since(allocation.placed) < spec.min_runtime;
    (
        allocation.notice.is_none(),
        promised,
        spec.priority,
        Reverse(allocation.placed),
        Reverse(allocation.at.id),
    )
}

impl Kept {
    fn fits(&self, node: &Node) -> bool {
        !node.exceeds(&self.held, &self.devices)
    }

    fn release(&mut self, state: &State, allocation: &Allocation) {
        let request = state.request_of(allocation);
        self.held = self.held.saturating_sub(request);
        self.devices.release(allocation.devices, request.gpu_millis);
    }

    fn hold(&mut self, state: &State, allocation: &Allocation) {
        let request = state.request_of(allocation);
        self.held = self.held.saturating_add(request);
        self.devices.hold(allocation.devices, request.gpu_millis);
    }
}
