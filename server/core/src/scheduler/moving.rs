//! Tasks under notice that go to another node before it ends, because their jobs say that they would begin anew there
//! anyway (`OnNotice::Move`).
//!
//! Whoever waits goes first: movers are looked at when a pass is over, and no more of them once one has left room behind
//! for work that waits. So they get what nobody else can use. A mover is looked at in the pass that follows its notice,
//! and again at most once a second while things happen; in the order of priority, then of the time that is left. One whose
//! notice is newer does not overtake one that stands before it and has not seen yet what grew. What is kept for planned
//! starts and gangs is out of the index. Which tasks are movers follows from the state. Deliberately absent: preemption
//! for movers.

use std::{cmp::Reverse, collections::BTreeSet};

use super::{
    Scheduler,
    changes::Cursor,
    find::Spot,
    place::take_elsewhere,
    shape::{KeyRef, ShapeId},
    starts,
};
use crate::{
    event::{Event, PlacementReason},
    model::{
        Allocation, AllocationId, AllocationRef, DeviceSet, EvictionReason, Job, JobId, Millis,
        NodeId, OnNotice, Priority, Time, Tries,
    },
    state::State,
};

/// Movers that found no room are looked at again after so long.
const EVERY: Millis = Millis::SECOND;

/// What one pass looks at: movers, with the parked shapes that are asked about what a mover left behind, and misses, which
/// cost a look over the fleet.
const LOOKS_PER_PASS: usize = 4_096;
const MISSES_PER_PASS: usize = 64;

/// Who moves first is least.
type Turn = (Reverse<Priority>, Time, AllocationId);

/// A task that goes to another node, where its room is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Move {
    /// Its allocation until then.
    pub at: AllocationRef,
    /// Why it is under notice.
    pub reason: EvictionReason,
    /// Where it goes.
    pub node: NodeId,
    /// What it holds there.
    pub devices: DeviceSet,
    /// Why there.
    pub found: PlacementReason,
}

/// Allocations under notice that may move.
#[derive(Clone, Debug, Default)]
pub(super) struct Moving {
    /// To be looked at in the next pass.
    fresh: BTreeSet<Turn>,
    /// Those that found no room.
    tried: BTreeSet<Turn>,
    /// When those are looked at again: a while after the first thing that happened since.
    due: Option<Time>,
    /// Growth of nodes that all of those have seen.
    seen: Cursor,
    pass: Pass,
}

/// What the pass under way has come to.
#[derive(Clone, Debug, Default)]
struct Pass {
    looks: usize,
    /// Shapes for which there is no room.
    missed: BTreeSet<ShapeId>,
    misses: usize,
    /// Where the last mover left.
    left: Option<NodeId>,
}

impl Moving {
    /// Compares it with one that has just been made.
    pub(super) fn check(&self, fresh: &Self) {
        let all: BTreeSet<Turn> = self.fresh.union(&self.tried).copied().collect();
        assert_eq!(all, fresh.tried, "movers are known");
        assert!(self.fresh.is_disjoint(&self.tried), "and stand in one place");
    }

    /// Adds an allocation of which nothing is known yet, if it may move.
    pub(super) fn add(&mut self, state: &State, allocation: &Allocation, now: Time) {
        self.tried.extend(turn(state, allocation));
        self.due.get_or_insert(now.after(EVERY));
    }

    fn is_empty(&self) -> bool {
        self.fresh.is_empty() && self.tried.is_empty()
    }

    fn remove(&mut self, state: &State, allocation: &Allocation) {
        if let Some(turn) = turn(state, allocation)
            && !self.fresh.remove(&turn)
        {
            self.tried.remove(&turn);
        }
    }

    /// What must be forgotten before an event is applied.
    pub(super) fn before(&mut self, state: &State, event: &Event) {
        if self.is_empty() {
            return;
        }
        match event {
            Event::TaskEnded { at, .. }
            | Event::TaskEvicted { at, .. }
            | Event::TaskDelayed { at, .. }
            | Event::NoticeGiven { at, .. }
            | Event::NoticeWithdrawn { at } => {
                let allocation = state.allocation(at.id).expect("invariant: it is live");
                self.remove(state, allocation);
            }
            Event::JobUpdated { id, .. } => {
                let placed = of_mover(state, *id);
                placed.for_each(|allocation| self.remove(state, allocation));
            }
            _ => {}
        }
    }

    /// When movers are looked at next.
    pub(super) fn next_wakeup(&self) -> Option<Time> {
        if self.fresh.is_empty() {
            self.due.filter(|_| !self.tried.is_empty())
        } else {
            Some(Time(0))
        }
    }
}

impl Scheduler {
    /// Learns what an applied event means for movers.
    pub(super) fn follow_movers(&mut self, state: &State, event: &Event) {
        match event {
            Event::NoticeGiven { at, .. } => {
                let allocation = state.allocation(at.id).expect("invariant: it is live");
                self.add_mover(state, allocation);
            }
            Event::JobUpdated { id, .. } => {
                of_mover(state, *id).for_each(|allocation| self.add_mover(state, allocation));
            }
            _ => {}
        }
        let moving = &mut self.moving;
        if moving.due.is_none() && !moving.tried.is_empty() && !starts::says_nothing(event) {
            moving.due = Some(state.now().after(EVERY));
        }
    }

    /// Somebody who stands before it and has not seen what grew since is looked at together with it.
    fn add_mover(&mut self, state: &State, allocation: &Allocation) {
        let Some(turn) = turn(state, allocation) else { return };
        let moving = &mut self.moving;
        let grew = moving.seen != self.index.growth();
        if grew && moving.tried.first().is_some_and(|first| *first < turn) {
            moving.tried.insert(turn);
        } else {
            moving.fresh.insert(turn);
        }
    }

    /// Lets movers be looked at again, if it is time. Called before a pass.
    pub(super) fn wake_movers(&mut self, now: Time) {
        let moving = &mut self.moving;
        moving.pass = Pass::default();
        if moving.due.is_some_and(|due| due <= now) {
            moving.due = None;
            moving.fresh.append(&mut moving.tried);
        }
        if moving.tried.is_empty() {
            moving.seen = self.index.growth();
        }
    }

    /// The next task that moves, once a pass is over; `None` when none can, or when others have to be asked first.
    pub fn next_move(&mut self, state: &State, now: Time) -> Option<Move> {
        if self.moving.fresh.is_empty() || self.others_come_first() {
            return None;
        }
        while let Some(turn) = self.moving.fresh.first().copied() {
            if self.moving.pass.looks >= LOOKS_PER_PASS
                || self.moving.pass.misses >= MISSES_PER_PASS
            {
                return None;
            }
            self.moving.pass.looks += 1;
            let allocation = *state.allocation(turn.2).expect("invariant: it is live");
            if let Some(found) = self.room_elsewhere(state, now, &allocation) {
                self.moving.pass.left = Some(allocation.at.node);
                return Some(found);
            }
            self.moving.fresh.remove(&turn);
            self.moving.tried.insert(turn);
        }
        None
    }

    /// Whether anybody who waits may find room that was not there in this pass: then it is theirs first.
    fn others_come_first(&mut self) -> bool {
        if self.let_go || self.queue.next().is_some() {
            return true;
        }
        let Some(left) = self.moving.pass.left else { return !self.index.has_woken() };
        self.moving.pass.looks += self.queue.parked().len();
        self.queue.parked().iter().any(|shape| self.index.could_take(*shape, left))
    }

    fn room_elsewhere(
        &mut self,
        state: &State,
        now: Time,
        allocation: &Allocation,
    ) -> Option<Move> {
        let at = allocation.at;
        let job = state.job(at.job).expect("invariant: a live allocation has a job");
        if stays(state, now, allocation, job) {
            return None;
        }
        let key = KeyRef::of(job);
        let shape = self.index.shape_of(key);
        let waits = self.index.shape(shape).waits;
        // Where its like waits there is no room for it; of those that keep apart it may be the mover that is in the way.
        if !key.is_solo() && (waits || self.moving.pass.missed.contains(&shape)) {
            return None;
        }
        let spot = take_elsewhere(&mut self.index, state, shape, job, at.node);
        if spot.is_none() {
            self.moving.pass.missed.insert(shape);
        }
        let found = spot.filter(|spot| {
            let is_elsewhere = spot.node != at.node;
            if !is_elsewhere {
                self.index.untake(shape, spot);
            }
            is_elsewhere
        });
        self.moving.pass.misses += usize::from(found.is_none());
        if key.is_solo() && !waits {
            self.index.release_shape(shape);
        }
        let reason = allocation.notice?.reason;
        found.map(|spot| {
            let Spot { node, devices, reason: found, .. } = spot;
            Move { at, reason, node, devices, found }
        })
    }
}

/// When it is an allocation's turn to move, if it may.
fn turn(state: &State, allocation: &Allocation) -> Option<Turn> {
    let notice = allocation.notice?;
    let spec = &state.job(allocation.at.job).expect("invariant: it is live").spec;
    let moves = spec.on_notice == OnNotice::Move
        && matches!(
            notice.reason,
            EvictionReason::OwnerExpected
                | EvictionReason::NodeDrained
                | EvictionReason::NodeChanged
                | EvictionReason::Preempted
        );
    moves.then_some((Reverse(spec.priority), notice.deadline, allocation.at.id))
}

/// The allocations of a job whose tasks move.
fn of_mover(state: &State, id: JobId) -> impl Iterator<Item = &Allocation> {
    let job = state.job(id).filter(|job| job.spec.on_notice == OnNotice::Move);
    job.into_iter().flat_map(|job| state.allocations_of(job))
}

/// Whether a task is better off where it is: it will have ended by itself, or would not be placed again.
fn stays(state: &State, now: Time, allocation: &Allocation, job: &Job) -> bool {
    let spec = &job.spec;
    let from = allocation.started().unwrap_or(allocation.placed);
    let ends = spec.max_runtime.map(|max| from.after(max));
    let deadline = allocation.notice.map(|notice| notice.deadline);
    let tenant = state.tenant(job.tenant).expect("invariant: a job has a tenant");
    let is_last = spec.retry().is_some_and(|retry| {
        let tries = state.tries(job.id, allocation.at.task);
        let evictions = tries.evictions.saturating_add(1);
        retry.is_exhausted(Tries { evictions, ..tries })
    });
    ends.is_some_and(|ends| Some(ends) <= deadline)
        || tenant.budget_level.stops_new()
        || spec.latest_start().is_some_and(|last| last <= now)
        || is_last
}
