//! What keeps tasks from being placed, as it is told.

use crate::model::Dimension;

/// What keeps a task from being placed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Blocker {
    /// The cell has no nodes.
    NoNodes,
    /// A gang does not fit as a whole.
    Gang,
    /// The job's spreads leave no place.
    Spread,
    /// The job waits for others.
    Dependency,
    /// Tasks that failed wait before they are tried again.
    Backoff,
    /// Evictions that make room are under notice.
    Preemption,
    /// Others are ahead.
    Queue,
    /// The tenant has used up its budget.
    Budget,
    /// The node takes no new tasks.
    NodeState,
    /// The node is in another region.
    Region,
    /// The node is in another zone.
    Zone,
    /// The node has other labels.
    Labels,
    /// The node has a taint that is not tolerated.
    Taints,
    /// The node has another GPU model, or none.
    GpuModel,
    /// More than the node's whole capacity.
    Capacity,
    /// More than the node's headroom now.
    Headroom,
}

/// One blocker and how much it blocks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PendingReason {
    /// The blocker.
    pub blocker: Blocker,
    /// What there is too little of.
    pub dimension: Option<Dimension>,
    /// How many nodes it rules out.
    pub nodes: u32,
    /// The least that any of these nodes lacks, in the unit of the request; of GPUs, how much less one task could get.
    pub smallest_shortfall: u64,
}

impl PendingReason {
    pub(super) fn of(blocker: Blocker) -> Self {
        Self { blocker, dimension: None, nodes: 0, smallest_shortfall: 0 }
    }
}
