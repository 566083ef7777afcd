use super::{AllocationId, JobId, NodeId, TaskIndex, Time};

/// The committed fact that a task holds part of a node. What it holds is the request of its job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allocation {
    /// Who holds what where.
    pub at: AllocationRef,
    /// 1 for the first placement of the task.
    pub attempt: u32,
    /// The devices it holds, or the one device it holds a share of.
    pub devices: DeviceSet,
    /// When it was placed.
    pub placed: Time,
    /// When it was reported as started.
    pub started: Option<Time>,
    /// The eviction it is under notice for.
    pub notice: Option<Notice>,
    /// Its position in the node's list, so that it leaves the list without a search.
    pub(crate) slot: u32,
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

/// Why an allocation is taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum EvictionReason {
    /// The owner needs the room.
    OwnerReturned,
    /// Work of higher priority takes the room.
    Preempted,
    /// The node is drained.
    NodeDrained,
    /// The node has not reported in time.
    NodeLost,
    /// The node was removed.
    NodeRemoved,
    /// The node's description changed: less capacity or more reserved.
    NodeChanged,
}

/// A set of a node's GPU devices by index, 0 to 63.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DeviceSet(pub u64);

impl DeviceSet {
    /// The indices, ascending.
    pub fn iter(self) -> impl Iterator<Item = u32> {
        (0..u64::BITS).filter(move |index| self.0 >> index & 1 == 1)
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
