//! Tasks that are alike to the scheduler.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap},
};

use super::{changes::Cursor, slot::Score};
use crate::model::{Constraints, Job, JobId, JobSpec, Name, NodeId, NodeSpec, Resources, Topology};

/// A shape's place in the index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ShapeId(pub(super) u32);

/// What makes tasks alike: they fit the same nodes and rank them alike.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ShapeKey {
    pub(super) request: Resources,
    pub(super) constraints: Constraints,
    /// Set where it matters what else the job has placed: spreads and gangs are shapes of their own.
    pub(super) job: Option<JobId>,
}

/// A candidate: valid while the node's version is still this one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Candidate {
    pub(super) score: Score,
    pub(super) node: NodeId,
    pub(super) version: u32,
}

/// One shape with the nodes that can take its tasks, best first.
#[derive(Clone, Debug)]
pub(super) struct Shape {
    pub(super) key: ShapeKey,
    /// By zone for shapes that spread over zones, under one empty name otherwise.
    pub(super) heaps: BTreeMap<(Name, Name), BinaryHeap<Reverse<Candidate>>>,
    /// Candidates in all heaps, the outdated ones included.
    pub(super) candidates: usize,
    /// Node changes seen; `None` until the heaps are built.
    pub(super) seen: Option<Cursor>,
    /// Set while no node can take a task: node growth seen since.
    pub(super) parked: Option<Cursor>,
    /// Whether a node's description allows the shape, as far as it was asked.
    pub(super) allowed: Vec<Option<bool>>,
    /// How many lanes of the queue hold it.
    pub(super) lanes: u32,
    /// When it was last planned, to know which shape to drop.
    pub(super) used: u64,
}

impl ShapeKey {
    pub(super) fn of(job: &Job) -> Self {
        let solo = job.spec.gang || !job.spec.constraints.spreads.is_empty();
        Self {
            request: job.spec.request.clone(),
            constraints: job.spec.constraints.clone(),
            job: solo.then_some(job.id),
        }
    }

    /// Whether it matters where the job's other tasks lie.
    pub(super) fn spreads(&self) -> bool {
        !self.constraints.spreads.is_empty()
    }

    pub(super) fn spreads_over_zones(&self) -> bool {
        spreads_over_zones(&self.constraints)
    }
}

impl Shape {
    pub(super) fn new(key: ShapeKey) -> Self {
        Self {
            key,
            heaps: BTreeMap::new(),
            candidates: 0,
            seen: None,
            parked: None,
            allowed: Vec::new(),
            lanes: 0,
            used: 0,
        }
    }

    /// Forgets its candidates; they are gathered anew when they are next asked for.
    pub(super) fn reset(&mut self) {
        self.heaps.clear();
        self.candidates = 0;
        self.seen = None;
    }

    pub(super) fn forget_allowed(&mut self, node: NodeId) {
        if let Some(allowed) = self.allowed.get_mut(node.0 as usize) {
            *allowed = None;
        }
    }
}

fn spreads_over_zones(constraints: &Constraints) -> bool {
    constraints.spreads.iter().any(|spread| spread.topology == Topology::Zone)
}

/// The zone that a node's tasks count for; one empty name where the zone does not matter.
pub(super) fn place_of(constraints: &Constraints, node: &NodeSpec) -> (Name, Name) {
    if spreads_over_zones(constraints) {
        (node.region.clone(), node.zone.clone())
    } else {
        Default::default()
    }
}

/// What a job may place in one place, where its spreads say so.
pub(super) fn place_limit(spec: &JobSpec, topology: Topology) -> Option<u32> {
    let spreads = spec.constraints.spreads.iter();
    spreads.filter(|spread| spread.topology == topology).filter_map(|s| s.max_per_place).min()
}

/// How unevenly a job may lie over zones.
pub(super) fn zone_skew(spec: &JobSpec) -> Option<u32> {
    let spreads = spec.constraints.spreads.iter();
    spreads.filter(|spread| spread.topology == Topology::Zone).filter_map(|s| s.max_skew).min()
}
