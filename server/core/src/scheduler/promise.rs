//! Rooms promised to shapes: what a planner is asked, and what becomes of its answer.

use std::{hash::BuildHasher, mem};

use hashbrown::HashMap;
use rustc_hash::FxBuildHasher;

use super::{
    Scheduler,
    amounts::{Amounts, Want},
    gpus::GpuWant,
    index::Index,
    kind::KindId,
    room::{Promise, Room},
    shape::{KeyRef, ShapeId},
};
use crate::{
    model::{DeviceSet, Horizon, NodeId},
    planner::{Demand, Problem, Promises, Site},
    state::State,
};

/// Tasks that must have arrived since the last plan: a part of all that were seen, so that the first tasks of a new cell
/// are learned from at once; a part of those that have a place promised, so that the last places are dealt out with
/// care; at most; at least, and on larger fleets at least one for some nodes.
const PART_OF_SEEN: u64 = 4;
const PART_OF_PROMISED: u64 = 10;
const MOST_ARRIVALS: u64 = 500;
const FEWEST_ARRIVALS: u64 = 8;
const NODES_PER_ARRIVAL: u64 = 40;
/// Sites in one problem. Of a larger fleet a site stands for several nodes that are alike, or comes another time.
const SITES: usize = 1_500;

/// Promises for one site, in the mean. Of what so much more would fit, some is for slack to take.
const SLOTS_PER_SITE: u64 = 32;

/// What a promise is worth at most, so that sums of them stay countable.
const MOST_WORTH: u64 = 1 << 40;

/// How far plans have come.
#[derive(Clone, Debug, Default)]
pub(super) struct Planned {
    /// Tasks that arrived since the last problem was stated.
    pub(super) arrived: u64,
    /// Tasks that had arrived before, those known from before the scheduler began included.
    seen: u64,
    problems: u64,
    /// The node at which the sites of the next problem begin.
    next: usize,
}

impl Planned {
    /// Tasks that must arrive before it is worth planning anew.
    fn due(&self, state: &State, promised: u64) -> u64 {
        if self.problems == 0 && state.profile().tasks() >= FEWEST_ARRIVALS {
            return 0;
        }
        let fewest = FEWEST_ARRIVALS.max(state.node_count() as u64 / NODES_PER_ARRIVAL);
        let most = MOST_ARRIVALS.min(promised / PART_OF_PROMISED).max(fewest);
        (self.seen / PART_OF_SEEN).clamp(fewest, most)
    }
}

impl Scheduler {
    /// States what is expected and where there is room, if enough has changed since it was last stated.
    pub(crate) fn problem(&mut self, state: &State) -> Option<Problem> {
        if state.node_count() == 0
            || self.planned.arrived < self.planned.due(state, self.index.promised())
        {
            return None;
        }
        self.planned.seen += mem::take(&mut self.planned.arrived);
        self.planned.problems += 1;
        let sites = self.sites();
        Some(self.stated(state, sites))
    }

    /// Open nodes, those that are alike together.
    fn sites(&mut self) -> Vec<Vec<NodeId>> {
        let index = &self.index;
        let open = (0..).map(NodeId).zip(index.rooms.iter());
        let open: Vec<(NodeId, &Room)> = open
            .filter_map(|(node, room)| Some((node, room.as_ref().filter(|r| r.open)?)))
            .collect();
        if open.len() <= SITES {
            return open.into_iter().map(|(node, _)| vec![node]).collect();
        }
        let mut groups: Vec<Vec<NodeId>> = Vec::new();
        let mut by_likeness: HashMap<u64, usize, FxBuildHasher> = HashMap::default();
        for (node, room) in &open {
            let at = *by_likeness.entry(likeness(room)).or_insert_with(|| {
                groups.push(Vec::new());
                groups.len() - 1
            });
            groups[at].push(*node);
        }
        let mut sites = Vec::new();
        let mut singles = Vec::new();
        for group in groups {
            let count = group.len() * SITES / open.len();
            if count == 0 {
                singles.extend(group);
                continue;
            }
            let mut dealt = vec![Vec::new(); count];
            for (at, node) in group.into_iter().enumerate() {
                dealt[at % count].push(node);
            }
            sites.extend(dealt);
        }
        singles.sort_unstable();
        let count = SITES.saturating_sub(sites.len()).min(singles.len());
        let begin = self.planned.next;
        sites.extend((begin..begin + count).map(|at| vec![singles[at % singles.len()]]));
        self.planned.next = if singles.is_empty() { 0 } else { (begin + count) % singles.len() };
        sites
    }

    fn stated(&mut self, state: &State, rooms: Vec<Vec<NodeId>>) -> Problem {
        let shapes: Vec<(ShapeId, u64)> = state
            .profile()
            .entries()
            .map(|(key, weight)| (self.index.shape_of(KeyRef::expected(key)), *weight))
            .collect();
        let horizon = commonest_horizon(state);
        let dimensions = Dimensions::of(&self.index, shapes.iter().map(|(shape, _)| *shape));
        let positions: HashMap<ShapeId, u32, FxBuildHasher> =
            (0..).zip(&shapes).map(|(at, (shape, _))| (*shape, at)).collect();
        let site = |nodes: Vec<NodeId>| {
            let room = self.index.room(nodes[0]).expect("invariant: it was just seen");
            let promised = room.promises.iter();
            let promised = promised.filter_map(|p| Some((*positions.get(&p.shape)?, p.devices)));
            let (free, lendable) = room.free_over(horizon);
            Site {
                kind: room.kind.0,
                free: dimensions.of_amounts(&free).collect(),
                devices: room.gpus.left().into(),
                lendable,
                promised: promised.collect(),
                nodes,
            }
        };
        let sites: Vec<Site> = rooms.into_iter().map(site).collect();
        let demands = dimensions.demands(&mut self.index, &shapes, &sites);
        for demand in &demands {
            self.index.shape_mut(demand.shape).worth = demand.worth;
        }
        self.index.shapes_version += 1;
        Problem {
            demands,
            sites,
            dropped_shapes: self.index.dropped_shapes,
            number: self.planned.problems,
        }
    }

    /// Promises what a planner found best, as far as it still fits.
    pub(crate) fn adopt(&mut self, promises: &Promises) {
        if promises.dropped_shapes != self.index.dropped_shapes {
            return;
        }
        self.index.promising = true;
        for (node, wanted) in &promises.nodes {
            self.index.promise_anew(*node, wanted);
        }
    }
}

/// The horizon that most of what is asked for looks ahead: rooms are laid out as they are over that one, and what does
/// not fit over another is not promised.
fn commonest_horizon(state: &State) -> Horizon {
    let mut weights = [0; Horizon::COUNT];
    for (key, weight) in state.profile().entries() {
        weights[key.horizon.index()] += weight;
    }
    Horizon::ALL.into_iter().max_by_key(|horizon| weights[horizon.index()]).unwrap_or_default()
}

/// The same for nodes that are alike to the planner. Should others share it, what does not fit is not promised.
fn likeness(room: &Room) -> u64 {
    // In whatever order they were made. Plain hashes are too nearly linear to be added up.
    let promises = room.promises.iter().map(|promise| {
        let hash = FxBuildHasher.hash_one(promise);
        hash.wrapping_mul(hash >> 32 | 1)
    });
    let promised = promises.fold(0, u64::wrapping_add);
    FxBuildHasher.hash_one((room.kind, &room.free, &room.gpus, promised))
}

impl Index {
    /// How many promises hold.
    fn promised(&self) -> u64 {
        self.shapes.iter().map(|(_, shape)| shape.promises as u64).sum()
    }

    /// Whether each promise that holds has its node listed with the shape.
    pub(super) fn lists_promises(&self) -> bool {
        self.shapes.iter().all(|(id, shape)| {
            let mut shape = shape.clone();
            shape.forget_broken(|node| promises_to(id, self.room(node)));
            shape.promised.len() == shape.promises
        })
    }

    /// Breaks what the node promises and promises this instead.
    fn promise_anew(&mut self, node: NodeId, wanted: &[(ShapeId, DeviceSet)]) {
        if !self.room(node).is_some_and(|room| room.open) {
            return;
        }
        while let Some(last) = self.room(node).and_then(|room| room.promises.len().checked_sub(1)) {
            self.break_promise(node, last);
        }
        for (shape_id, devices) in wanted {
            let Some(shape) = self.shapes.get_mut(*shape_id) else { continue };
            let room = self.rooms[node.0 as usize].as_mut().expect("invariant: it is open");
            let promise = Promise { shape: *shape_id, devices: *devices };
            if shape.allowed.ask(&self.kinds, room.kind, &shape.key.constraints)
                && room.promise(promise, &shape.want)
            {
                shape.promises += 1;
                shape.promised.push(node);
            }
            if shape.promised.len() > 2 * shape.promises + 64 {
                let rooms = &self.rooms;
                shape.forget_broken(|node| promises_to(*shape_id, rooms[node.0 as usize].as_ref()));
            }
        }
        self.reclassify(node);
    }
}

fn promises_to(shape: ShapeId, room: Option<&Room>) -> usize {
    let promises = room.iter().flat_map(|room| &room.promises);
    promises.filter(|promise| promise.shape == shape).count()
}

/// The columns and countables that tasks of some shapes ask for.
pub(super) struct Dimensions {
    columns: Vec<usize>,
    counts: Vec<usize>,
}

impl Dimensions {
    pub(super) fn of(index: &Index, shapes: impl Iterator<Item = ShapeId> + Clone) -> Self {
        let wants = || shapes.clone().map(|shape| &index.shape(shape).want);
        let columns = (0..4).filter(|at| wants().any(|want| want.columns[*at] > 0)).collect();
        let counts = wants().flat_map(|want| want.counts.iter().map(|(column, _)| *column));
        let mut counts: Vec<usize> = counts.collect();
        counts.sort_unstable();
        counts.dedup();
        Self { columns, counts }
    }

    /// What there is of each.
    pub(super) fn of_amounts(&self, free: &Amounts) -> impl Iterator<Item = i64> {
        let columns = self.columns.iter().map(|at| free.columns[*at]);
        columns.chain(self.counts.iter().map(|at| free.count(*at)))
    }

    /// What is asked for of each.
    pub(super) fn of_want(&self, want: &Want) -> impl Iterator<Item = i64> {
        let columns = self.columns.iter().map(|at| want.columns[*at]);
        columns.chain(self.counts.iter().map(|at| want.count(*at)))
    }

    /// How many tasks of each shape fill the sites, in the mix in which they were submitted.
    fn demands(&self, index: &mut Index, shapes: &[(ShapeId, u64)], sites: &[Site]) -> Vec<Demand> {
        let kinds = index.kinds.len();
        let mut demands: Vec<Demand> = Vec::with_capacity(shapes.len());
        for (id, _) in shapes {
            let Index { shapes, kinds: known, .. } = &mut *index;
            let shape = shapes.used_mut(*id);
            let want = &shape.want;
            let kinds = (0..kinds).map(|kind| KindId(u32::try_from(kind).unwrap_or(u32::MAX)));
            let (allowed, constraints) = (&mut shape.allowed, &shape.key.constraints);
            demands.push(Demand {
                shape: *id,
                amounts: self.of_want(want).collect(),
                gpu_share: if let GpuWant::Share(millis) = want.gpus { millis } else { 0 },
                gpu_devices: if let GpuWant::Whole(count) = want.gpus { count } else { 0 },
                wanted: 0,
                worth: 0,
                allowed: kinds.map(|kind| allowed.ask(known, kind, constraints)).collect(),
            });
        }
        let weights: Vec<u64> = shapes.iter().map(|(_, weight)| *weight).collect();
        let pressures = pressures(&demands, &weights, sites);
        let Some(most) = pressures.iter().map(|(_, pressure)| *pressure).max().filter(|m| *m > 0)
        else {
            return demands;
        };
        fill(&mut demands, &weights, most);
        cut(&mut demands, SLOTS_PER_SITE * sites.len() as u64);
        weigh(&mut demands, &pressures, most);
        demands
    }
}

/// What a task asks for in each dimension, the GPUs last.
fn amounts(demand: &Demand) -> impl Iterator<Item = u64> {
    let gpus = u64::from(demand.gpu_share) + u64::from(demand.gpu_devices) * 1000;
    demand.amounts.iter().map(|amount| amount.unsigned_abs()).chain([gpus])
}

/// One as a fraction.
const ONE: u128 = 1 << 64;

/// Of each dimension what is free in all, and which part of it all weights' tasks ask for.
fn pressures(demands: &[Demand], weights: &[u64], sites: &[Site]) -> Vec<(u64, u128)> {
    let dimensions = sites.first().map_or(0, |site| site.free.len());
    let mut free = vec![0_u64; dimensions + 1];
    for site in sites {
        for (sum, free) in free.iter_mut().zip(&site.free) {
            *sum += free.max(&0).unsigned_abs();
        }
        free[dimensions] += usable_gpus(site);
    }
    let mut asked = vec![0_u128; dimensions + 1];
    for (demand, weight) in demands.iter().zip(weights) {
        for (sum, amount) in asked.iter_mut().zip(amounts(demand)) {
            *sum += u128::from(amount) * u128::from(*weight);
        }
    }
    let pressure = |(free, asked): (u64, u128)| {
        (free, if asked == 0 { 0 } else { (asked << 20) / u128::from(free.max(1)) })
    };
    free.into_iter().zip(asked).map(pressure).collect()
}

fn usable_gpus(site: &Site) -> u64 {
    let touched = site.devices.iter().filter(|left| **left < 1000);
    let whole = usize::from(site.lendable).saturating_sub(touched.clone().count());
    let shared: u64 = touched.map(|left| u64::from(*left)).sum();
    whole as u64 * 1000 + shared
}

/// Scales the mix so that what is free in the tightest dimension is asked for exactly.
fn fill(demands: &mut [Demand], weights: &[u64], most: u128) {
    let mut parts: Vec<(u128, usize)> = Vec::with_capacity(demands.len());
    let (mut whole, mut all) = (0, 0_u128);
    for (at, weight) in weights.iter().enumerate() {
        let exact = (u128::from(*weight) << 52) / most;
        all += exact;
        let count = u32::try_from(exact >> 32).unwrap_or(u32::MAX);
        demands[at].wanted = count;
        whole += u128::from(count);
        parts.push((exact & 0xffff_ffff, at));
    }
    let missing = usize::try_from((all >> 32) - whole).unwrap_or(0);
    parts.sort_unstable_by(|a, b| b.cmp(a));
    for (_, at) in parts.into_iter().take(missing) {
        demands[at].wanted += 1;
    }
}

/// Leaves at most so many tasks expected: of none more than of another that has lost any, and of each one.
fn cut(demands: &mut [Demand], limit: u64) {
    let mut ascending: Vec<u32> = demands.iter().map(|demand| demand.wanted).collect();
    ascending.sort_unstable();
    let mut left = limit;
    for (others, wanted) in (1..=ascending.len() as u64).rev().zip(ascending) {
        let level = (left / others).max(1);
        if u64::from(wanted) > level {
            let level = u32::try_from(level).unwrap_or(u32::MAX);
            demands.iter_mut().for_each(|demand| demand.wanted = demand.wanted.min(level));
            return;
        }
        left = left.saturating_sub(wanted.into());
    }
}

/// What tasks are worth: the parts of the fleet that they take, each counting by how scarce it is beside the
/// scarcest. A thousandth of a device is about a thousand where GPUs are the scarcest.
fn weigh(demands: &mut [Demand], pressures: &[(u64, u128)], most: u128) {
    let scarcity = |pressure: u128| {
        let mut scarcity = ONE >> 32;
        for _ in 0..16 {
            scarcity = scarcity * (pressure >> 16) / (most >> 16).max(1);
        }
        scarcity
    };
    let (gpus, _) = pressures[pressures.len() - 1];
    let unit = u128::from(gpus.max(1_000_000)) * 1000;
    for demand in demands {
        let mut worth = 0;
        for (amount, (free, pressure)) in amounts(demand).zip(pressures) {
            let part = u128::from(amount) * unit / u128::from((*free).max(1));
            worth += part.min(u128::from(MOST_WORTH)) * scarcity(*pressure);
        }
        let worth = u64::try_from(worth >> 32).unwrap_or(MOST_WORTH);
        demand.worth = worth.clamp(1, MOST_WORTH);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_too_many_expected_tasks_the_most_frequent_are_cut() {
        let left_of = |limit| {
            let demand = |wanted| Demand {
                shape: ShapeId::default(),
                amounts: [].into(),
                gpu_share: 0,
                gpu_devices: 0,
                wanted,
                worth: 0,
                allowed: [].into(),
            };
            let mut demands = [1_000, 3, 40, 200].map(demand);
            cut(&mut demands, limit);
            demands.map(|demand| demand.wanted)
        };
        assert_eq!(left_of(1_243), [1_000, 3, 40, 200]);
        assert_eq!(left_of(1_242), [999, 3, 40, 200]);
        assert_eq!(left_of(100), [32, 3, 32, 32]);
        assert_eq!(left_of(143), [50, 3, 40, 50]);
        assert_eq!(left_of(2), [1, 1, 1, 1]);
    }
}
