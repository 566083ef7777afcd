//! Where a job's tasks lie, for jobs whose tasks keep apart.

use std::collections::BTreeMap;

use super::shape::{place_limit, zone_skew};
use crate::{
    model::{Job, JobSpec, Name, NodeId, Topology},
    state::State,
};

/// How far a job's tasks keep apart.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// How many may lie on one node.
    pub(super) node: Option<u32>,
    zone: Option<u32>,
    zone_skew: Option<u32>,
}

/// Where the job's tasks lie, those of the plan included.
#[derive(Clone)]
pub(super) struct Spread {
    limits: Limits,
    nodes: BTreeMap<NodeId, u32>,
    zones: BTreeMap<(Name, Name), u32>,
}

impl Limits {
    pub(super) fn of(spec: &JobSpec) -> Self {
        Self {
            node: place_limit(spec, Topology::Node),
            zone: place_limit(spec, Topology::Zone),
            zone_skew: zone_skew(spec),
        }
    }

    /// How many more tasks a node may take that has so many.
    pub(super) fn node_room(&self, on_node: u32) -> u32 {
        self.node.map_or(u32::MAX, |limit| limit.saturating_sub(on_node))
    }

    /// How many more tasks a zone may take that has so many.
    pub(super) fn zone_room(&self, in_zone: u32) -> u32 {
        self.zone.map_or(u32::MAX, |limit| limit.saturating_sub(in_zone))
    }

    /// How many more tasks a zone may take when the emptiest zone with room has `emptiest`.
    pub(super) fn even_room(&self, in_zone: u32, emptiest: u32) -> u32 {
        let most = self.zone_skew.map_or(u32::MAX, |skew| emptiest.saturating_add(skew));
        most.saturating_sub(in_zone).min(self.zone_room(in_zone))
    }
}

impl Spread {
    pub(super) fn of(state: &State, job: &Job) -> Self {
        let limits = Limits::of(&job.spec);
        let mut spread = Self { limits, nodes: BTreeMap::new(), zones: BTreeMap::new() };
        if !job.spec.constraints.spreads.is_empty() {
            state.allocations_of(job).for_each(|it| spread.add_in(state, it.at.node));
        }
        spread
    }

    /// Adds one task on a node of the state.
    pub(super) fn add_in(&mut self, state: &State, node: NodeId) {
        let spec = &state.node(node).expect("invariant: a node with tasks is there").spec;
        self.add(node, (spec.region.clone(), spec.zone.clone()), 1);
    }

    pub(super) fn add(&mut self, node: NodeId, zone: (Name, Name), count: u32) {
        *self.nodes.entry(node).or_default() += count;
        *self.zones.entry(zone).or_default() += count;
    }

    pub(super) fn in_zone(&self, zone: &(Name, Name)) -> u32 {
        self.zones.get(zone).copied().unwrap_or(0)
    }

    pub(super) fn node_room(&self, node: NodeId) -> u32 {
        self.limits.node_room(self.nodes.get(&node).copied().unwrap_or(0))
    }

    pub(super) fn zone_room(&self, zone: &(Name, Name)) -> u32 {
        self.limits.zone_room(self.in_zone(zone))
    }

    /// How many more tasks the node may take when the emptiest zone with room has `emptiest`.
    pub(super) fn room(&self, node: NodeId, zone: &(Name, Name), emptiest: u32) -> u32 {
        self.node_room(node).min(self.limits.even_room(self.in_zone(zone), emptiest))
    }
}
