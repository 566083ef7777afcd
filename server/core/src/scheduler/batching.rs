//! Much work that comes at once is packed as one batch: before the queue is asked one by one, what waits at the highest
//! priority is laid out together on as few nodes as possible (`batch/`).
//!
//! Only a batch that fits as a whole is placed this way: then nobody loses by the order. It leaves alone what is promised,
//! and work that numbers alone do not describe, GPUs and spreads, or that looks differently far ahead. The search is paid
//! for in counted effort and may take a stated part of the time, so that commits wait for it no longer than that.

use std::collections::VecDeque;

use hashbrown::HashMap;
use rustc_hash::FxBuildHasher;

use super::{
    Plan, Scheduler,
    amounts::Amounts,
    batch::{self, Class, Kind, Problem},
    find::Spot,
    gpus::GpuWant,
    index::Index,
    kind::KindId,
    place,
    promise::Dimensions,
    shape::ShapeId,
};
use crate::{
    event::PlacementReason,
    model::{JobId, Millis, NodeId, Time},
    state::State,
};

/// Tasks that make a batch, and the most that do.
const FEWEST_TASKS: u32 = 16;
const MOST_TASKS: u32 = 20_000;
/// Nodes that differ in what they have left, beyond which they are not compared.
const MOST_CLASSES: usize = 2_000;
/// Units of effort in a millisecond, and the part of the time that batches may take.
const EFFORT_PER_MS: u64 = 700_000;
const REST: u64 = 20;
/// What a step may take for a batch unless said otherwise.
const DEFAULT_BUDGET: Millis = Millis(5);

/// Work packed and not yet handed out, and what packing may cost.
#[derive(Clone, Debug)]
pub(super) struct Batching {
    budget: Millis,
    /// Not before this time again.
    rests_until: Time,
    dealt: VecDeque<(JobId, Vec<Spot>)>,
}

impl Default for Batching {
    fn default() -> Self {
        Self { budget: DEFAULT_BUDGET, rests_until: Time(0), dealt: VecDeque::new() }
    }
}

/// Shapes with how many tasks of each, and jobs with their shapes and how many tasks.
type Batch = (Vec<(ShapeId, u32)>, Vec<(JobId, ShapeId, u32)>);

/// What nodes must have in common to be alike to a batch: their kind, what is left, and whether they are in use.
type Alike = (KindId, Amounts, bool);

impl Scheduler {
    /// Lets a step take about so long for a batch; zero packs none.
    pub(crate) fn set_batch_budget(&mut self, budget: Millis) {
        self.batching.budget = budget;
    }

    /// The next job of a batch that was packed.
    pub(super) fn next_dealt(&mut self, state: &State) -> Option<Plan> {
        let (id, spots) = self.batching.dealt.pop_front()?;
        let job = state.job(id).expect("invariant: a waiting job exists");
        Some(Plan::Place {
            job: id,
            placements: place::placements(job, &spots, state.next_ids().3),
        })
    }

    /// Packs what waits at the highest priority, if it is a batch and there is room for all of it.
    pub(super) fn pack_batch(&mut self, state: &State, now: Time) {
        if self.batching.budget.0 == 0 || now < self.batching.rests_until {
            return;
        }
        let Some(jobs) = self.queue.front_jobs(MOST_TASKS as usize) else { return };
        let Some((shapes, jobs)) = self.batch_of(state, &jobs) else { return };
        let items: u32 = shapes.iter().map(|(_, count)| *count).sum();
        let Some((problem, nodes)) = stated(&mut self.index, state, &shapes) else { return };
        let most = self.batching.budget.0.saturating_mul(EFFORT_PER_MS);
        let effort = batch::default_effort(u64::from(items)).min(most);
        self.batching.rests_until = now.after(Millis(effort / EFFORT_PER_MS * REST));
        let Some(packing) = batch::pack(&problem, effort) else { return };
        let mut spots: Vec<VecDeque<Spot>> = shapes.iter().map(|_| VecDeque::new()).collect();
        let mut taken = vec![0; nodes.len()];
        for bin in packing.bins {
            let node = nodes[bin.class][taken[bin.class]];
            taken[bin.class] += 1;
            for (kind, count) in bin.held {
                let spot = self.index.take(shapes[kind].0, node, count, PlacementReason::Batch);
                assert_eq!(spot.count, count, "invariant: the packing keeps to the room");
                spots[kind].push_back(spot);
            }
        }
        let positions: HashMap<ShapeId, usize, FxBuildHasher> =
            shapes.iter().enumerate().map(|(at, (shape, _))| (*shape, at)).collect();
        for (job, shape, count) in jobs {
            self.batching.dealt.push_back((job, deal(&mut spots[positions[&shape]], count)));
        }
    }

    /// The shapes of a batch with their tasks, and its jobs; nothing if not all that waits can be packed together.
    fn batch_of(&self, state: &State, jobs: &[(JobId, ShapeId)]) -> Option<Batch> {
        let mut counts: HashMap<ShapeId, usize, FxBuildHasher> = HashMap::default();
        let mut shapes: Vec<(ShapeId, u32)> = Vec::new();
        let mut batch = Vec::with_capacity(jobs.len());
        let mut tasks = 0_u32;
        for (id, shape_id) in jobs {
            let shape = self.index.shape(*shape_id);
            let job = state.job(*id)?;
            if shape.want.gpus != GpuWant::None || shape.key.spreads() || job.counts.placed > 0 {
                return None;
            }
            tasks = tasks.checked_add(job.counts.pending).filter(|tasks| *tasks <= MOST_TASKS)?;
            let at = *counts.entry(*shape_id).or_insert_with(|| {
                shapes.push((*shape_id, 0));
                shapes.len() - 1
            });
            shapes[at].1 += job.counts.pending;
            batch.push((*id, *shape_id, job.counts.pending));
        }
        let first = self.index.shape(shapes.first()?.0).want.horizon;
        let packable = shapes.iter().all(|(shape, _)| {
            let shape = self.index.shape(*shape);
            shape.promises == 0 && shape.want.horizon == first
        });
        (tasks >= FEWEST_TASKS && shapes.len() > 1 && packable).then_some((shapes, batch))
    }
}

/// The batch as numbers, and the nodes of each class.
fn stated(
    index: &mut Index,
    state: &State,
    shapes: &[(ShapeId, u32)],
) -> Option<(Problem, Vec<Vec<NodeId>>)> {
    let horizon = index.shape(shapes.first()?.0).want.horizon;
    let mut by_likeness: HashMap<Alike, usize, FxBuildHasher> = HashMap::default();
    let mut nodes: Vec<Vec<NodeId>> = Vec::new();
    let mut alike: Vec<Alike> = Vec::new();
    for (id, room) in (0..).map(NodeId).zip(index.rooms.iter()) {
        let Some(room) = room.as_ref().filter(|room| room.open) else { continue };
        let used = state.node(id).is_some_and(|node| !node.allocations.is_empty());
        let key = (room.kind, room.slack_over(horizon).0, used);
        let at = *by_likeness.entry(key.clone()).or_insert_with(|| {
            alike.push(key);
            nodes.push(Vec::new());
            nodes.len() - 1
        });
        nodes[at].push(id);
        if nodes.len() > MOST_CLASSES {
            return None;
        }
    }
    let dimensions = Dimensions::of(index, shapes.iter().map(|(shape, _)| *shape));
    let unsigned = |amounts: &mut dyn Iterator<Item = i64>| -> Vec<u64> {
        amounts.map(|amount| amount.max(0).unsigned_abs()).collect()
    };
    let kinds = shapes.iter().map(|(shape, count)| {
        let mut wanted = dimensions.of_want(&index.shape(*shape).want);
        Kind { demand: unsigned(&mut wanted), count: *count }
    });
    let kinds = kinds.collect();
    let class = |((_, slack, used), nodes): (&Alike, &Vec<NodeId>)| {
        let bins = u32::try_from(nodes.len()).unwrap_or(u32::MAX);
        Class { room: unsigned(&mut dimensions.of_amounts(slack)), bins, used: *used }
    };
    let classes = alike.iter().zip(&nodes).map(class).collect();
    let mut allowed = Vec::with_capacity(shapes.len() * alike.len());
    for (shape, _) in shapes {
        let Index { shapes, kinds, .. } = &mut *index;
        let shape = shapes.used_mut(*shape);
        let asked =
            alike.iter().map(|(kind, ..)| shape.allowed.ask(kinds, *kind, &shape.key.constraints));
        allowed.extend(asked);
    }
    Some((Problem { kinds, classes, allowed }, nodes))
}

/// Room for so many tasks, from the front.
fn deal(spots: &mut VecDeque<Spot>, mut count: u32) -> Vec<Spot> {
    let mut dealt = Vec::new();
    while count > 0 {
        let spot = spots.front_mut().expect("invariant: there is room for every task");
        let taken = spot.count.min(count);
        dealt.push(Spot { count: taken, ..*spot });
        spot.count -= taken;
        count -= taken;
        if spot.count == 0 {
            spots.pop_front();
        }
    }
    dealt
}
