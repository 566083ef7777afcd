use super::{AllocationId, JobId, Name, NodeId, TaskIndex, Time};

/// The committed fact that a task holds part of a node. What it holds is the request of its job, and which attempt it is
/// its task tells. There are millions: it is 64 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allocation {
    /// Who holds what where.
    pub at: AllocationRef,
    /// The devices it holds, or the one device it holds a share of.
    pub devices: DeviceSet,
    /// When it was placed.
    pub placed: Time,
    /// When it was reported as started; the end of time until then.
    started: Time,
    /// The eviction it is under notice for.
    pub notice: Option<Notice>,
}

/// Enough to say which allocation is meant when it is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AllocationRef {
    /// The allocation.
    pub id: AllocationId,
    /// Its job.
    pub job: JobId,
    /// Its task.
    pub task: TaskIndex,
    /// Its node.
    pub node: NodeId,
}

/// An announced eviction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Notice {
    /// Why.
    pub reason: EvictionReason,
    /// When.
    pub deadline: Time,
}

/// For whom an allocation is taken back, as it was called when the notice was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preemptor {
    /// The job that needs the room.
    pub job: JobId,
    /// Its tenant.
    pub tenant: Name,
    /// Its name.
    pub name: Name,
    /// By what right.
    pub right: PreemptedFor,
}

/// By what right one job takes the room of another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PreemptedFor {
    /// It has the higher priority.
    Priority,
    /// It is within its tenant's guarantee, and what it takes was borrowed.
    Guarantee,
}

/// Why an allocation is taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum EvictionReason {
    /// The owner's load is there already and needs the room.
    OwnerReturned,
    /// The owner is expected to need the room.
    OwnerExpected,
    /// Work of higher priority takes the room, or work that the room is guaranteed to.
    Preempted,
    /// The node is drained.
    NodeDrained,
    /// The node has not reported in time.
    NodeLost,
    /// The node was removed.
    NodeRemoved,
    /// The node's description changed: less capacity or more reserved.
    NodeChanged,
    /// The tenant has used up its budget.
    OverBudget,
    /// Its job was cancelled with grace: the task does not become pending again.
    Cancelled,
}

/// How a task came to go before its notice ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Early {
    /// Its executor released it.
    Released,
    /// Another node had room for it, on which it is placed in the same commit.
    Moved(NodeId),
}

impl Notice {
    /// What becomes of a notice when another one is given: the earlier deadline counts, and what is cancelled stays so.
    #[must_use]
    pub fn beside(self, old: Option<Self>) -> Self {
        let Some(old) = old else { return self };
        let is_cancelled = |notice: &Self| notice.reason == EvictionReason::Cancelled;
        let first = if self.deadline < old.deadline { self } else { old };
        let cancelled = is_cancelled(&self) || is_cancelled(&old);
        let reason = if cancelled { EvictionReason::Cancelled } else { first.reason };
        Self { reason, ..first }
    }
}

/// A set of a node's GPU devices by index, 0 to 63.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DeviceSet(pub u64);

/// Nothing starts at the end of time.
const NEVER: Time = Time(u64::MAX);

impl Allocation {
    /// One of a task that has not started yet.
    #[must_use]
    #[inline]
    pub fn new(at: AllocationRef, devices: DeviceSet, placed: Time) -> Self {
        Self { at, devices, placed, started: NEVER, notice: None }
    }

    /// When it was reported as started.
    #[must_use]
    #[inline]
    pub fn started(&self) -> Option<Time> {
        (self.started != NEVER).then_some(self.started)
    }

    /// Whether its job was cancelled with grace.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.notice.is_some_and(|notice| notice.reason == EvictionReason::Cancelled)
    }

    /// Has it started at `time`.
    pub(crate) fn start(&mut self, time: Time) {
        self.started = time;
    }
}

impl DeviceSet {
    /// The indices, ascending.
    #[inline]
    pub fn iter(self) -> impl Iterator<Item = u32> {
        let mut left = self.0;
        std::iter::from_fn(move || {
            let index = left.trailing_zeros();
            left &= left.wrapping_sub(1);
            (index < u64::BITS).then_some(index)
        })
    }

    /// With one more device.
    #[must_use]
    pub fn with(self, index: u32) -> Self {
        Self(self.0 | 1 << index)
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }
}
