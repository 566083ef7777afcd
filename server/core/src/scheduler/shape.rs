//! Tasks that are alike to the scheduler.

use std::{
    cmp::Reverse,
    collections::BinaryHeap,
    hash::{Hash, Hasher},
};

use hashbrown::{Equivalent, HashMap};
use rustc_hash::FxBuildHasher;

use super::{
    amounts::Want,
    changes::Cursor,
    classes::{Followed, Score},
    kind::{Allowed, ZoneId},
};
use crate::model::{
    Constraints, Horizon, Job, JobId, JobSpec, Name, NodeId, NodeSpec, Resources, Topology,
};
use crate::state::DemandKey;

/// A shape's place in the index. Never used again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ShapeId(pub(super) u32);

/// What makes tasks alike: they fit the same nodes and rank them alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ShapeKey {
    pub(super) request: Resources,
    pub(super) horizon: Horizon,
    pub(super) constraints: Constraints,
    /// Set where it matters what else the job has placed: spreads and gangs are shapes of their own.
    pub(super) job: Option<JobId>,
}

/// Classes that may have room, best first; those that have none any more are dropped when they surface.
pub(super) type Ranking = BinaryHeap<Reverse<(Score, u32)>>;

/// One shape and where there is room for it.
#[derive(Clone, Debug)]
pub(super) struct Shape {
    pub(super) key: ShapeKey,
    pub(super) want: Want,
    pub(super) allowed: Allowed,
    /// By zone for shapes that spread over zones, else one.
    pub(super) rankings: Vec<(ZoneId, Ranking)>,
    pub(super) followed: Option<Followed>,
    /// Nodes that promised room, the next to use last; some may have broken it.
    pub(super) promised: Vec<NodeId>,
    /// Promises that hold.
    pub(super) promises: usize,
    /// What a promise to it is worth beside those to others.
    pub(super) worth: u64,
    /// Shapes whose tasks ask for at least as much of everything, the cheapest first, as of a number of shapes.
    pub(super) larger: (u32, Vec<ShapeId>),
    /// Set while no node can take a task: node growth seen since.
    pub(super) parked: Option<Cursor>,
    /// Whether any job of it waits.
    pub(super) waits: bool,
    /// When it was last planned, to know which shape to drop.
    pub(super) used: u64,
}

/// A key without a copy of what makes it, to look for.
#[derive(Clone, Copy, Debug)]
pub(super) struct KeyRef<'a> {
    request: &'a Resources,
    horizon: Horizon,
    constraints: &'a Constraints,
    job: Option<JobId>,
}

impl<'a> KeyRef<'a> {
    pub(super) fn of(job: &'a Job) -> Self {
        let solo = job.spec.gang || !job.spec.constraints.spreads.is_empty();
        Self {
            request: &job.spec.request,
            horizon: job.spec.horizon(),
            constraints: &job.spec.constraints,
            job: solo.then_some(job.id),
        }
    }

    /// Of all jobs whose tasks ask for the same, also those that are shapes of their own.
    pub(super) fn alike(job: &'a Job) -> Self {
        let JobSpec { request, constraints, .. } = &*job.spec;
        Self { request, horizon: job.spec.horizon(), constraints, job: None }
    }

    /// Of one job only: nothing of its kind will come.
    pub(super) fn is_solo(self) -> bool {
        self.job.is_some()
    }

    /// Of tasks to come.
    pub(super) fn expected(key: &'a DemandKey) -> Self {
        let DemandKey { request, horizon, constraints } = key;
        Self { request, horizon: *horizon, constraints, job: None }
    }
}

impl Hash for KeyRef<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.request.hash(state);
        self.horizon.hash(state);
        self.constraints.hash_briefly(state);
        self.job.hash(state);
    }
}

impl Hash for ShapeKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let Self { request, horizon, constraints, job } = self;
        KeyRef { request, horizon: *horizon, constraints, job: *job }.hash(state);
    }
}

impl Equivalent<ShapeKey> for KeyRef<'_> {
    fn equivalent(&self, key: &ShapeKey) -> bool {
        self.job == key.job
            && self.horizon == key.horizon
            && *self.request == key.request
            && *self.constraints == key.constraints
    }
}

impl From<KeyRef<'_>> for ShapeKey {
    fn from(key: KeyRef<'_>) -> Self {
        let KeyRef { request, horizon, constraints, job } = key;
        Self { request: request.clone(), horizon, constraints: constraints.clone(), job }
    }
}

impl ShapeKey {
    /// Whether it matters where the job's other tasks lie.
    pub(super) fn spreads(&self) -> bool {
        !self.constraints.spreads.is_empty()
    }

    pub(super) fn spreads_over_zones(&self) -> bool {
        spreads_over_zones(&self.constraints)
    }
}

impl Shape {
    pub(super) fn new(key: ShapeKey, want: Want) -> Self {
        Self {
            worth: u64::from(want.gpus.millis()),
            key,
            want,
            allowed: Allowed::default(),
            rankings: Vec::new(),
            followed: None,
            promised: Vec::new(),
            promises: 0,
            larger: (0, Vec::new()),
            parked: None,
            waits: false,
            used: 0,
        }
    }

    /// The ranking of the zone.
    pub(super) fn ranking(&mut self, zone: ZoneId) -> &mut Ranking {
        let at = self.rankings.iter().position(|(known, _)| *known == zone);
        let at = at.unwrap_or_else(|| {
            self.rankings.push((zone, Ranking::new()));
            self.rankings.len() - 1
        });
        &mut self.rankings[at].1
    }

    /// Drops the nodes of promises that are broken, given how many of a node hold. What was promised last stays last.
    pub(super) fn forget_broken(&mut self, hold: impl Fn(NodeId) -> usize) {
        let mut left: HashMap<NodeId, usize, FxBuildHasher> = HashMap::default();
        let mut next = self.promised.len();
        for at in (0..self.promised.len()).rev() {
            let node = self.promised[at];
            let left = left.entry(node).or_insert_with(|| hold(node));
            if let Some(others) = left.checked_sub(1) {
                *left = others;
                next -= 1;
                self.promised[next] = node;
            }
        }
        self.promised.drain(..next);
    }

    /// Forgets where there is room; it is gathered anew when it is next asked for.
    pub(super) fn reset(&mut self) {
        self.rankings.clear();
        self.followed = None;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_of_broken_promises_are_dropped_one_for_each_that_is_broken() {
        let key = ShapeKey {
            request: Resources::default(),
            horizon: Horizon::default(),
            constraints: Constraints::default(),
            job: None,
        };
        let mut shape = Shape::new(key, Want::default());
        shape.promised = [1, 2, 1, 3, 2, 1].map(NodeId).into();
        shape.forget_broken(|node| [0, 2, 1, 0][node.0 as usize]);
        assert_eq!(shape.promised, [1, 2, 1].map(NodeId));
    }
}
