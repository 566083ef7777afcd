use super::{NodeId, Time};

/// When and where pending tasks of a job are to start. A plan and no promise: it moves when what it counts on does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlannedStart {
    /// When.
    pub start: Time,
    /// Where.
    pub node: NodeId,
    /// How many tasks, at least 1.
    pub tasks: u32,
}
