//! Why tasks wait, for programs and for people.

use offpeak::v1;
use offpeak_core::scheduler::{Blocker, PendingReason};

use crate::reason::{sentence, sentence_of_one};

/// One blocker.
pub(crate) fn pending_reason(reason: &PendingReason) -> v1::PendingReason {
    v1::PendingReason {
        blocker: blocker(reason.blocker).into(),
        dimension: reason.dimension.as_ref().map(ToString::to_string).unwrap_or_default(),
        nodes: reason.nodes,
        smallest_shortfall: reason.smallest_shortfall,
        message: sentence(reason),
    }
}

/// One blocker of a single node.
pub(crate) fn node_reason(reason: &PendingReason) -> v1::PendingReason {
    v1::PendingReason { message: sentence_of_one(reason), ..pending_reason(reason) }
}

fn blocker(blocker: Blocker) -> v1::Blocker {
    match blocker {
        Blocker::NoNodes => v1::Blocker::NoNodes,
        Blocker::Budget => v1::Blocker::Budget,
        Blocker::Gang => v1::Blocker::Gang,
        Blocker::Spread => v1::Blocker::Spread,
        Blocker::Dependency => v1::Blocker::Dependency,
        Blocker::Backoff => v1::Blocker::Backoff,
        Blocker::Preemption => v1::Blocker::Preemption,
        Blocker::Queue => v1::Blocker::Queue,
        Blocker::NodeState => v1::Blocker::NodeState,
        Blocker::Region => v1::Blocker::Region,
        Blocker::Zone => v1::Blocker::Zone,
        Blocker::Labels => v1::Blocker::Labels,
        Blocker::Taints => v1::Blocker::Taints,
        Blocker::GpuModel => v1::Blocker::GpuModel,
        Blocker::Capacity => v1::Blocker::Capacity,
        Blocker::Headroom => v1::Blocker::Headroom,
    }
}
