//! Where a job's tasks lie, for jobs whose tasks keep apart.

use std::collections::BTreeMap;

use super::shape::{place_limit, zone_skew};
use crate::{
    model::{Job, JobSpec, Name, NodeId, TaskPhase, Topology},
    state::State,
};

/// Where the job's tasks lie, those of the plan included.
#[derive(Clone)]
pub(super) struct Spread {
    node_limit: Option<u32>,
    zone_limit: Option<u32>,
    zone_skew: Option<u32>,
    nodes: BTreeMap<NodeId, u32>,
    zones: BTreeMap<(Name, Name), u32>,
}

impl Spread {
    pub(super) fn of(state: &State, job: &Job) -> Self {
        let spec: &JobSpec = &job.spec;
        let mut spread = Self {
            node_limit: place_limit(spec, Topology::Node),
            zone_limit: place_limit(spec, Topology::Zone),
            zone_skew: zone_skew(spec),
            nodes: BTreeMap::new(),
            zones: BTreeMap::new(),
        };
        if spec.constraints.spreads.is_empty() {
            return spread;
        }
        for task in &job.tasks {
            if let TaskPhase::Placed(id) = task.phase {
                let allocation = state.allocation(id).expect("invariant: a placed task is live");
                spread.add_in(state, allocation.at.node);
            }
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

    /// Takes one task away that is on a node of the state.
    pub(super) fn remove_in(&mut self, state: &State, node: NodeId) {
        let spec = &state.node(node).expect("invariant: a node with tasks is there").spec;
        let zone = (spec.region.clone(), spec.zone.clone());
        let counts = [self.nodes.get_mut(&node), self.zones.get_mut(&zone)];
        for count in counts.into_iter().flatten() {
            *count = count.saturating_sub(1);
        }
    }

    pub(super) fn in_zone(&self, zone: &(Name, Name)) -> u32 {
        self.zones.get(zone).copied().unwrap_or(0)
    }

    pub(super) fn node_room(&self, node: NodeId) -> u32 {
        let taken = self.nodes.get(&node).copied().unwrap_or(0);
        self.node_limit.map_or(u32::MAX, |limit| limit.saturating_sub(taken))
    }

    /// Nodes that may take no more.
    pub(super) fn full_nodes(&self) -> impl Iterator<Item = NodeId> {
        self.nodes.keys().copied().filter(|node| self.node_room(*node) == 0)
    }

    pub(super) fn zone_room(&self, zone: &(Name, Name)) -> u32 {
        self.zone_limit.map_or(u32::MAX, |limit| limit.saturating_sub(self.in_zone(zone)))
    }

    /// How many more tasks the node may take when the emptiest zone with room has `emptiest`.
    pub(super) fn room(&self, node: NodeId, zone: &(Name, Name), emptiest: u32) -> u32 {
        let most = self.zone_skew.map_or(u32::MAX, |skew| emptiest.saturating_add(skew));
        let even = most.saturating_sub(self.in_zone(zone));
        self.node_room(node).min(self.zone_room(zone)).min(even)
    }
}
