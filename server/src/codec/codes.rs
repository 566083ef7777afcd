//! The numbers that stand for the values of enums. Zero stands for none of them, so that an absent field shows.

use offpeak_core::{
    event::PlacementReason,
    model::{
        DependencyCondition, EvictionReason, JobState, NodeMode, Period, TaskEnd, Time, Topology,
    },
};

use super::CodecError;

macro_rules! codes {
    ($to:ident, $from:ident, $type:ident, $what:literal: $($value:ident = $code:literal),+) => {
        pub(super) fn $to(value: $type) -> u32 {
            match value {
                $($type::$value => $code,)+
            }
        }

        pub(super) fn $from(code: u32) -> Result<$type, CodecError> {
            match code {
                $($code => Ok($type::$value),)+
                value => Err(CodecError::Unknown { what: $what, value }),
            }
        }
    };
}

codes!(end_code, end, TaskEnd, "end of a task":
    Succeeded = 1, Failed = 2, Cancelled = 3, TimedOut = 4, MissedDeadline = 5, Evicted = 8,
    DependencyFailed = 9);

codes!(condition_code, condition, DependencyCondition, "condition of a dependency":
    Success = 1, End = 2);

codes!(state_code, state, JobState, "state of a job":
    Pending = 1, Running = 2, Succeeded = 3, Failed = 4, Cancelled = 5);

codes!(reason_code, reason, EvictionReason, "reason of an eviction":
    OwnerReturned = 1, Preempted = 2, NodeDrained = 3, NodeLost = 4, NodeRemoved = 5, NodeChanged = 6,
    OwnerExpected = 7, OverBudget = 8, Cancelled = 9);
codes!(placement_reason_code, placement_reason, PlacementReason, "reason of a placement":
    Unknown = 0, Kept = 1, Tightest = 2, LastRoom = 3, Spread = 4, Batch = 5, Planned = 6);
codes!(period_code, period, Period, "period": Day = 1, Month = 2);

codes!(topology_code, topology, Topology, "topology": Node = 1, Zone = 2);

/// A node's mode and the deadline that goes with it.
pub(super) fn mode_code(mode: NodeMode) -> (u32, u64) {
    match mode {
        NodeMode::Open => (1, 0),
        NodeMode::Cordoned => (2, 0),
        NodeMode::Draining { deadline } => (3, deadline.0),
    }
}

pub(super) fn mode(code: u32, deadline: u64) -> Result<NodeMode, CodecError> {
    match code {
        1 => Ok(NodeMode::Open),
        2 => Ok(NodeMode::Cordoned),
        3 => Ok(NodeMode::Draining { deadline: Time(deadline) }),
        value => Err(CodecError::Unknown { what: "mode of a node", value }),
    }
}
