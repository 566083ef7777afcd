//! Places the pending tasks of one job: as many as fit, or all or nothing for a gang.

use super::{find::Spot, index::Index, shape::ShapeId, spreading::Spreading};
use crate::{
    event::Placement,
    model::{AllocationId, Job, NodeId, TaskIndex},
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
    if job.tasks.len() == 1 && job.spec.constraints.spreads.is_empty() {
        return place_single(index, state, shape);
    }
    let gang = job.spec.gang;
    let wanted = if gang { job.counts.pending } else { limit.min(job.counts.pending) };
    let mut spots = Vec::new();
    let placed = if job.spec.constraints.spreads.is_empty() {
        take_anywhere(index, shape, wanted, &mut spots)
    } else {
        Spreading::new(index, state, shape, job).take(wanted, &mut spots)
    };
    if gang && placed < wanted {
        spots.iter().rev().for_each(|spot| index.untake(shape, spot));
        return Vec::new();
    }
    placements(job, &spots, state.next_ids().3)
}

/// Places the only task of a job, which is what most placements are.
fn place_single(index: &mut Index, state: &State, shape: ShapeId) -> Vec<Placement> {
    let Some(spot) = index.take_best(shape, 1) else { return Vec::new() };
    if let Some(next) = index.read_ahead(shape) {
        state.read_node_ahead(next);
    }
    let Spot { node, devices, reason, .. } = spot;
    let (task, allocation) = (TaskIndex(0), state.next_ids().3);
    vec![Placement { task, count: 1, node, allocation, devices, reason }]
}

fn take_anywhere(index: &mut Index, shape: ShapeId, wanted: u32, spots: &mut Vec<Spot>) -> u32 {
    let mut placed = 0;
    while placed < wanted {
        let Some(spot) = index.take_best(shape, wanted - placed) else { break };
        placed += spot.count;
        spots.push(spot);
    }
    placed
}

/// Deals the room taken out to the job's pending tasks.
pub(super) fn placements(job: &Job, spots: &[Spot], mut next: AllocationId) -> Vec<Placement> {
    let placed = spots.iter().map(|spot| spot.count).sum();
    let mut placements = Vec::with_capacity(spots.len());
    let mut runs = job.pending_runs(placed).into_iter();
    let (mut first, mut left) = (TaskIndex(0), 0);
    for spot in spots {
        let mut count = spot.count;
        while count > 0 {
            if left == 0 {
                (first, left) = runs.next().expect("invariant: so many are pending");
            }
            let run = count.min(left);
            let Spot { node, devices, reason, .. } = *spot;
            let (task, allocation) = (first, next);
            placements.push(Placement { task, count: run, node, allocation, devices, reason });
            next = AllocationId(next.0 + u64::from(run));
            first = TaskIndex(first.0 + run);
            (left, count) = (left - run, count - run);
        }
    }
    placements
}

/// Takes room for one placed task of the job as if it had left its node already. It may be room on that very node.
pub(super) fn take_elsewhere(
    index: &mut Index,
    state: &State,
    shape: ShapeId,
    job: &Job,
    from: NodeId,
) -> Option<Spot> {
    if job.spec.constraints.spreads.is_empty() {
        return index.take_best(shape, 1);
    }
    let mut spots = Vec::new();
    Spreading::leaving(index, state, shape, job, from).take(1, &mut spots);
    spots.pop()
}
