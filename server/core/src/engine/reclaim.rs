//! Gives room back to an owner: which allocations get notice, and which must go at once.
//!
//! What the owner is expected to need goes with notice; what it uses already goes at once, for the owner always wins.
//! Whoever is under notice goes first; with notice it counts as gone if that ends soon enough. A task inside its
//! `min_runtime` is the last to go; before that the lowest priority goes first, then the least work lost. No more than
//! needed: an allocation that does not help, or no longer does, stays. When the owner is no longer expected, notices
//! that were given for it are withdrawn. Before all that, when the forecast turns so that the owner is expected within an
//! hour, those who would have to go are told.

use std::cmp::Reverse;

use super::{
    Engine,
    follow::Touched,
    windows::{is_wanted, needed_by},
};
use crate::{
    event::Event,
    model::{
        Allocation, AllocationId, AllocationRef, EvictionReason, GpuDevices, Horizon, Job, Node,
        NodeId, Notice, Priority, Resources, Time,
    },
    state::State,
};

/// First to go is least.
type Turn = (bool, bool, Priority, Reverse<Time>, Reverse<AllocationId>);

/// What stays on a node when its owner has a part of it.
struct Kept<'a> {
    node: &'a Node,
    owned: &'a Resources,
    /// Whether the owner is there already: whoever holds a device that is gone is in nobody's way then.
    is_there: bool,
    held: Resources,
    devices: GpuDevices,
}

impl Engine {
    /// Gives the owner of a node what it lacks, and tells who is next when the forecast has turned.
    pub(super) fn reclaim(&mut self, id: NodeId, touched: Touched) {
        if touched.reported {
            self.make_way(id);
        }
        self.announce_reclaim(id);
        if touched.had_room {
            self.advise(id);
        }
    }

    /// Tells those who would have to go if the owner came within an hour, as is expected now and was not before.
    fn advise(&mut self, id: NodeId) {
        let Some(node) = self.state.node(id) else { return };
        let mut kept = Kept::of(node, node.held_back.over(Horizon::Hour));
        if kept.fits() {
            return;
        }
        let staying = kept.without(&self.state, |allocation| allocation.notice.is_some());
        let expected_by = self.now.after(Horizon::Hour.length());
        for victim in victims(&self.state, kept, staying) {
            self.emit(Event::AdvisoryGiven { at: victim.at, expected_by });
        }
    }

    /// Gives notice to those who stand where the owner is expected.
    fn announce_reclaim(&mut self, id: NodeId) {
        let Some(node) = self.state.node(id) else { return };
        if !node.is_overcommitted() {
            self.withdraw_notices(id);
            return;
        }
        let by_owner = node.history.newest.is_some() || is_wanted(&self.state, node);
        let reason = if by_owner && reservation_fits(node) {
            EvictionReason::OwnerExpected
        } else {
            EvictionReason::NodeChanged
        };
        let needed_by = needed_by(&self.state, node);
        let mut kept = Kept::of(node, node.held_back.over(Horizon::FiveMinutes));
        let leaves = |allocation: &Allocation| {
            let notice = allocation.notice;
            notice.is_some_and(|notice| notice.deadline <= owed(&self.state, allocation, needed_by))
        };
        let staying = kept.without(&self.state, leaves);
        for victim in victims(&self.state, kept, staying) {
            let deadline = owed(&self.state, &victim, needed_by);
            self.give_notice(victim.at.id, Notice { reason, deadline }, None);
        }
    }

    /// Evicts at once what stands where the owner's load is already.
    fn make_way(&mut self, id: NodeId) {
        let Some(node) = self.state.node(id) else { return };
        let Some((_, load)) = &node.history.newest else { return };
        let mut kept = Kept { is_there: true, ..Kept::of(node, load) };
        if kept.fits() {
            return;
        }
        let staying = kept.without(&self.state, |_| false);
        for victim in victims(&self.state, kept, staying) {
            let reason = EvictionReason::OwnerReturned;
            self.emit(Event::taken_back(&victim, reason, None));
        }
    }

    /// Takes back the notices of a node whose owner leaves room for all again.
    fn withdraw_notices(&mut self, id: NodeId) {
        let Some(node) = self.state.node(id).filter(|node| node.noticed > 0) else { return };
        let expected = |at: &AllocationRef| {
            let notice = self.state.allocation(at.id).and_then(|allocation| allocation.notice);
            notice.is_some_and(|notice| notice.reason == EvictionReason::OwnerExpected)
        };
        let mut withdrawn: Vec<AllocationRef> = Vec::new();
        for allocation in &node.allocations {
            let at = self.state.allocation(*allocation).expect("invariant: it is live").at;
            if !expected(&at) {
                continue;
            }
            let job = self.state.job(at.job).expect("invariant: it is live");
            if !job.spec.gang {
                withdrawn.push(at);
            } else if gang(&self.state, job).all(|member| has_room(&self.state, &member)) {
                withdrawn.extend(gang(&self.state, job).filter(expected));
            }
        }
        withdrawn.sort_unstable_by_key(|at| at.id);
        withdrawn.dedup();
        for at in withdrawn {
            self.emit(Event::NoticeWithdrawn { at });
        }
    }
}

/// What is placed of a gang.
fn gang<'a>(state: &'a State, job: &'a Job) -> impl Iterator<Item = AllocationRef> + 'a {
    state.allocations_of(job).map(|allocation| allocation.at)
}

fn has_room(state: &State, at: &AllocationRef) -> bool {
    state.node(at.node).is_some_and(|node| !node.is_overcommitted())
}

/// Whether what is lent would fit if only the reservation counted: then it is the owner's load that does not.
fn reservation_fits(node: &Node) -> bool {
    let room = node.spec.capacity.saturating_sub(&node.spec.reservation);
    node.lent.fits_in(&room)
}

/// The allocations, of those that stay otherwise, whose leaving lets the rest fit beside the owner.
fn victims(state: &State, mut kept: Kept<'_>, staying: Vec<Allocation>) -> Vec<Allocation> {
    let mut candidates: Vec<(Turn, Allocation)> =
        staying.into_iter().map(|allocation| (turn(state, &allocation), allocation)).collect();
    candidates.sort_unstable_by_key(|(turn, _)| *turn);
    let mut victims: Vec<Allocation> = Vec::new();
    for (_, candidate) in candidates {
        if kept.fits() {
            break;
        }
        kept.release(state, &candidate);
        victims.push(candidate);
    }
    let mut needed = Vec::with_capacity(victims.len());
    for victim in victims.into_iter().rev() {
        kept.hold(state, &victim);
        if !kept.fits() {
            kept.release(state, &victim);
            needed.push(victim);
        }
    }
    needed
}

/// When an allocation has gone that gets notice now; no sooner than its room is needed.
fn owed(state: &State, allocation: &Allocation, needed_by: Time) -> Time {
    let spec = &state.job(allocation.at.job).expect("invariant: it is live").spec;
    state.now().after(spec.notice.unwrap_or(state.policy().notice)).max(needed_by)
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

impl<'a> Kept<'a> {
    fn of(node: &'a Node, owned: &'a Resources) -> Self {
        let (held, devices) = (node.lent.clone(), node.devices.clone());
        Self { node, owned, is_there: false, held, devices }
    }

    fn fits(&self) -> bool {
        let exceeds = if self.is_there { Node::is_crowded } else { Node::exceeds };
        !exceeds(self.node, &self.held, &self.devices, self.owned)
    }

    /// Lets those go that leave anyway; the others are returned.
    fn without(&mut self, state: &State, leaves: impl Fn(&Allocation) -> bool) -> Vec<Allocation> {
        let mut staying = Vec::with_capacity(self.node.allocations.len());
        for id in &self.node.allocations {
            let allocation = state.allocation(*id).expect("invariant: it is live");
            if leaves(allocation) {
                self.release(state, allocation);
            } else {
                staying.push(*allocation);
            }
        }
        staying
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
