//! Decides which parts of which nodes to keep for tasks to come: the slow half of packing.
//!
//! The scheduler describes the fleet and the mix of demand as a [`Problem`]; [`Problem::solve`] lays expected tasks out
//! on the nodes by ruin and recreate; the [`Promises`] that come out enter the engine as a command, and the scheduler
//! places an arriving task where room was promised to its like. It takes a second where a placement takes a
//! microsecond, so it runs beside the engine. What comes late is not wrong: a promise that no longer fits is not made.
//!
//! Pure: the same problem gives the same promises. Deliberately absent: names, time, and the tasks that wait now.
//!
//! Ruin and recreate: Schrimpf et al., "Record Breaking Optimization Results Using the Ruin and Recreate Principle",
//! Journal of Computational Physics 159 (2000).

mod improve;
mod layout;
mod random;

use std::sync::Arc;

use crate::{
    model::{DeviceSet, NodeId},
    scheduler::ShapeId,
};
use layout::Layout;

/// Nodes in one command: what adopting promises may delay other commands by.
const NODES_PER_COMMAND: usize = 64;

/// How much more is tried where nothing is promised yet: what comes later only mends the first layout.
const DEPTH_ANEW: u64 = 8;

/// What tasks of one shape ask for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Demand {
    /// The shape.
    pub shape: ShapeId,
    /// GPUs aside, in the problem's dimensions.
    pub amounts: Box<[i64]>,
    /// Thousandths of one device, or 0.
    pub gpu_share: u16,
    /// Whole devices, or 0.
    pub gpu_devices: u16,
    /// How many tasks of it are expected on these sites.
    pub wanted: u32,
    /// What placing one is worth.
    pub worth: u64,
    /// By kind of node: whether it may go there.
    pub allowed: Box<[bool]>,
}

/// A node, or several that are alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Site {
    /// Which.
    pub nodes: Vec<NodeId>,
    /// Its kind.
    pub kind: u32,
    /// What no task holds, in the problem's dimensions.
    pub free: Box<[i64]>,
    /// Thousandths left of each device.
    pub devices: Box<[u16]>,
    /// Devices that tenants may touch.
    pub lendable: u16,
    /// What is promised now: positions among the demands, and devices.
    pub promised: Vec<(u32, DeviceSet)>,
}

/// A fleet and what is expected of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// What is expected.
    pub demands: Vec<Demand>,
    /// Where there is room.
    pub sites: Vec<Site>,
    /// How many shapes had been dropped when it was stated: promises to shapes since dropped are void.
    pub dropped_shapes: u64,
    /// Grows with each problem; the seed of what is tried.
    pub number: u64,
}

/// A node and all that it shall promise. Nodes that are alike share it.
pub(crate) type NodePromises = (NodeId, Arc<[(ShapeId, DeviceSet)]>);

/// Parts of nodes to keep for shapes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Promises {
    pub(crate) nodes: Vec<NodePromises>,
    pub(crate) dropped_shapes: u64,
}

impl Problem {
    /// Lays the expected tasks out, with so many attempts to better the layout for each site.
    #[must_use]
    pub fn solve(&self, attempts_per_site: u32) -> Vec<Promises> {
        let mut layout = Layout::new(self);
        let anew = self.sites.iter().all(|site| site.promised.is_empty());
        let times = if anew { DEPTH_ANEW } else { 1 };
        let attempts = u64::from(attempts_per_site) * times * self.sites.len() as u64;
        improve::improve(&mut layout, attempts, self.number);
        let mut nodes = Vec::new();
        for (at, site) in self.sites.iter().enumerate() {
            let slots = layout.slots(at);
            let slots: Arc<[(ShapeId, DeviceSet)]> = slots
                .map(|(demand, devices)| (self.demands[demand as usize].shape, devices))
                .collect();
            nodes.extend(site.nodes.iter().map(|node| (*node, Arc::clone(&slots))));
        }
        let promises = |nodes: &[NodePromises]| Promises {
            nodes: nodes.to_vec(),
            dropped_shapes: self.dropped_shapes,
        };
        nodes.chunks(NODES_PER_COMMAND).map(promises).collect()
    }
}
