//! Why a job's pending tasks wait: every blocker at once, counted over the nodes.

use std::collections::BTreeMap;

use super::{Blocker, PendingReason, filter};
use crate::{
    model::{Dimension, Job, JobSpec, Node},
    state::State,
};

/// Why the job's pending tasks wait; empty when none is pending.
///
/// A node counts for every blocker that it has. When some node has none, what is left are the reasons that lie
/// between tasks: the gang, the spread, the evictions under way, the queue.
#[must_use]
pub fn explain(state: &State, job: &Job) -> Vec<PendingReason> {
    if job.counts.pending == 0 {
        return Vec::new();
    }
    if state.node_count() == 0 {
        return vec![PendingReason::of(Blocker::NoNodes)];
    }
    let mut counted: BTreeMap<(Blocker, Option<Dimension>), (u32, u64)> = BTreeMap::new();
    let mut free_node = false;
    let mut room_is_made = false;
    for node in state.nodes() {
        let mut blockers: Vec<(Blocker, Option<Dimension>, u64)> = Vec::new();
        for blocker in filter::blockers(node, &job.spec.constraints) {
            blockers.push((blocker, None, 0));
        }
        let allowed = blockers.is_empty();
        blockers.extend(shortfalls(node, &job.spec));
        free_node |= blockers.is_empty();
        room_is_made |= allowed && !blockers.is_empty() && state.is_preempting(node);
        for (blocker, dimension, shortfall) in blockers {
            let entry = counted.entry((blocker, dimension)).or_insert((0, u64::MAX));
            *entry = (entry.0 + 1, entry.1.min(shortfall));
        }
    }
    let mut reasons = Vec::new();
    if free_node {
        reasons.push(PendingReason::of(match () {
            () if job.spec.gang => Blocker::Gang,
            () if !job.spec.constraints.spreads.is_empty() => Blocker::Spread,
            () => Blocker::Queue,
        }));
    } else if room_is_made {
        reasons.push(PendingReason::of(Blocker::Preemption));
    }
    reasons.extend(counted.into_iter().map(|((blocker, dimension), (nodes, shortfall))| {
        PendingReason { blocker, dimension, nodes, smallest_shortfall: shortfall }
    }));
    reasons
}

/// In what the node is too small, or else in what it is too full.
fn shortfalls(node: &Node, spec: &JobSpec) -> Vec<(Blocker, Option<Dimension>, u64)> {
    let (request, horizon) = (&spec.request, spec.horizon());
    let name = |blocker: Blocker, lacks: Vec<(Dimension, u64)>| {
        lacks.into_iter().map(|(dimension, by)| (blocker, Some(dimension), by)).collect()
    };
    let small = request.shortfalls(&node.spec.capacity);
    if !small.is_empty() {
        return name(Blocker::Capacity, small);
    }
    let mut full = request.shortfalls(&node.headroom(horizon));
    let lendable = node.lendable_devices(horizon);
    let fits = node.all_devices().choose(request.gpu_millis, lendable).is_some();
    if !fits && full.iter().all(|(dimension, _)| *dimension != Dimension::Gpu) {
        full.push((Dimension::Gpu, request.gpu_millis));
    }
    name(Blocker::Headroom, full)
}
