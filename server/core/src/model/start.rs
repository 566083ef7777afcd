use super::{NodeId, Time};

/// When and where pending tasks of a job are to start. A plan and no promise: it moves when what it counts on does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedStart {
    /// When.
    pub start: Time,
    /// Where, at least one, each on a node of its own: several where tasks start together.
    pub places: Vec<StartPlace>,
}

/// Tasks that are to start on a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct StartPlace {
    /// Which node.
    pub node: NodeId,
    /// How many tasks, at least 1.
    pub tasks: u32,
}

impl PlannedStart {
    /// How many tasks start, on all nodes together.
    #[must_use]
    pub fn tasks(&self) -> u32 {
        self.places.iter().map(|place| place.tasks).sum()
    }

    /// Tasks that start on one node.
    #[must_use]
    pub fn on(node: NodeId, start: Time, tasks: u32) -> Self {
        Self { start, places: vec![StartPlace { node, tasks }] }
    }

    /// The nodes.
    pub fn nodes(&self) -> impl Iterator<Item = NodeId> {
        self.places.iter().map(|place| place.node)
    }

    /// Leaves out the last of its tasks but so many.
    pub fn truncate(&mut self, tasks: u32) {
        let mut left = tasks;
        for place in &mut self.places {
            place.tasks = place.tasks.min(left);
            left -= place.tasks;
        }
        self.places.retain(|place| place.tasks > 0);
    }
}
