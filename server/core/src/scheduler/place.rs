//! Places the pending tasks of one job: as many as fit, or all or nothing for a gang.

use std::collections::BTreeMap;

use super::{
    index::Index,
    shape::{ShapeId, place_limit, zone_skew},
};
use crate::{
    event::Placement,
    model::{AllocationId, Job, JobSpec, Name, NodeId, TaskIndex, TaskPhase, Topology},
    state::State,
};

/// Places up to `limit` pending tasks of the job (all of them for a gang); none if it cannot.
///
/// The index has the room taken; the placements' allocation ids follow the state's.
pub(super) fn place(
    index: &mut Index,
    state: &State,
    shape: ShapeId,
    job: &Job,
    limit: u32,
) -> Vec<Placement> {
    let gang = job.spec.gang;
    let wanted = if gang { job.counts.pending } else { limit.min(job.counts.pending) };
    let mut spread = (!job.spec.constraints.spreads.is_empty()).then(|| Spread::of(state, job));
    let mut placing = Placing { placements: Vec::new(), next: state.next_ids().3 };
    let mut placed = 0;
    'runs: for (first, count) in job.pending_runs(wanted) {
        let mut task = first;
        let mut left = count;
        while left > 0 {
            let Some((node, run)) = choose(index, state, shape, spread.as_ref(), left) else {
                break 'runs;
            };
            let devices = index.take(shape, node, run);
            if let Some(spread) = &mut spread {
                spread.add(state, node, run);
            }
            placing.push(task, run, node, devices);
            task = TaskIndex(task.0 + run);
            left -= run;
            placed += run;
        }
    }
    if gang && placed < wanted {
        undo(index, state, shape, &placing.placements);
        return Vec::new();
    }
    placing.placements
}

/// Gives the room back. Nodes that were skipped because of these placements must be candidates again.
fn undo(index: &mut Index, state: &State, shape: ShapeId, placements: &[Placement]) {
    for placement in placements {
        index.untake(state, placement.node);
    }
    if index.shape(shape).key.spreads() {
        index.shape_mut(shape).reset();
    }
}

/// The best node and how many tasks it takes.
fn choose(
    index: &mut Index,
    state: &State,
    shape: ShapeId,
    spread: Option<&Spread>,
    limit: u32,
) -> Option<(NodeId, u32)> {
    loop {
        let best = index.best(state, shape);
        let Some(spread) = spread else {
            let (candidate, _) = best.first()?;
            return Some((candidate.node, index.fits(shape, candidate.node, limit)));
        };
        let emptiest = best.iter().map(|(_, zone)| spread.in_zone(zone)).min()?;
        let mut full = None;
        for (candidate, zone) in &best {
            let room = spread.room(candidate.node, zone, emptiest);
            if room > 0 {
                let run = index.fits(shape, candidate.node, limit.min(room));
                return Some((candidate.node, run));
            }
            if spread.node_room(candidate.node) == 0 || spread.zone_room(zone) == 0 {
                full.get_or_insert_with(|| zone.clone());
            }
        }
        index.skip(shape, &full?);
    }
}

struct Placing {
    placements: Vec<Placement>,
    next: AllocationId,
}

impl Placing {
    fn push(
        &mut self,
        task: TaskIndex,
        count: u32,
        node: NodeId,
        devices: crate::model::DeviceSet,
    ) {
        self.placements.push(Placement { task, count, node, allocation: self.next, devices });
        self.next = AllocationId(self.next.0 + u64::from(count));
    }
}

/// Where the job's tasks lie, those of the plan included.
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
                spread.add(state, allocation.at.node, 1);
            }
        }
        spread
    }

    pub(super) fn add(&mut self, state: &State, node: NodeId, count: u32) {
        *self.nodes.entry(node).or_default() += count;
        let spec = &state.node(node).expect("invariant: a node with tasks is there").spec;
        *self.zones.entry((spec.region.clone(), spec.zone.clone())).or_default() += count;
    }

    pub(super) fn in_zone(&self, zone: &(Name, Name)) -> u32 {
        self.zones.get(zone).copied().unwrap_or(0)
    }

    pub(super) fn node_room(&self, node: NodeId) -> u32 {
        let taken = self.nodes.get(&node).copied().unwrap_or(0);
        self.node_limit.map_or(u32::MAX, |limit| limit.saturating_sub(taken))
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
