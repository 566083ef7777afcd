use std::collections::BTreeMap;

use offpeak_core::{
    model::{
        Constraints, GPU_MILLIS_PER_DEVICE, GpuDevices, Horizon, Name, Node, NodeSpec, Resources,
    },
    state::State,
};

use super::{
    dimensions::{Dimensions, GPU},
    input::JobRow,
};

/// The most requests that fragmentation is measured by; of more, the commonest.
const LIMIT_SHAPES: usize = 256;

/// The distinct requests of a run.
pub(super) struct Mix {
    pub(super) shapes: Vec<Shape>,
    /// The shape of each row.
    pub(super) of_row: Vec<usize>,
}

/// Rows that ask alike.
pub(super) struct Shape {
    /// What a task asks for.
    pub(super) amounts: Vec<u64>,
    constraints: Constraints,
    /// How many tasks.
    tasks: u64,
}

/// What is free on a node.
struct Free {
    amounts: Vec<u64>,
    devices: GpuDevices,
    lendable: usize,
}

impl Mix {
    pub(super) fn of(rows: &[JobRow], dimensions: &Dimensions) -> Self {
        let mut known: BTreeMap<(&Resources, &Constraints, bool), usize> = BTreeMap::new();
        let mut shapes: Vec<Shape> = Vec::new();
        let mut of_row = Vec::with_capacity(rows.len());
        for row in rows {
            let (request, constraints) = (&row.spec.request, &row.spec.constraints);
            // A gang waits for other reasons than single tasks that ask alike.
            let shape = *known.entry((request, constraints, row.spec.gang)).or_insert_with(|| {
                let amounts = dimensions.vector(request);
                shapes.push(Shape { amounts, constraints: constraints.clone(), tasks: 0 });
                shapes.len() - 1
            });
            shapes[shape].tasks += u64::from(row.spec.count);
            of_row.push(shape);
        }
        Self { shapes, of_row }
    }

    /// For each resource, the share of what is free, in millionths, that a task is expected not to be able to use:
    /// one drawn from all tasks that ask for the resource. Free is useless to a task on every node where it does not
    /// fit, and on a node where it fits, on GPU devices that are too full for it. `None` where nothing is free or
    /// nothing asks for it.
    pub(super) fn fragmentation(&self, state: &State, dimensions: &Dimensions) -> Vec<Option<u64>> {
        let shapes = self.commonest();
        let mut useless = vec![0_u128; dimensions.len()];
        let mut all = vec![0_u128; dimensions.len()];
        for node in state.nodes() {
            let free = Free::of(node, dimensions);
            for (sum, amount) in all.iter_mut().zip(&free.amounts) {
                *sum += u128::from(*amount);
            }
            for shape in &shapes {
                shape.add_useless(&node.spec, &free, &mut useless);
            }
        }
        let mut shares = Vec::with_capacity(dimensions.len());
        for (at, (useless, all)) in useless.into_iter().zip(all).enumerate() {
            let asking = shapes.iter().filter(|shape| shape.amounts[at] > 0);
            let tasks: u64 = asking.map(|shape| shape.tasks).sum();
            let share = (useless * 1_000_000).checked_div(all * u128::from(tasks));
            shares.push(share.and_then(|share| u64::try_from(share).ok()));
        }
        shares
    }

    fn commonest(&self) -> Vec<&Shape> {
        let mut shapes: Vec<&Shape> = self.shapes.iter().collect();
        // The sort is stable, so that the first seen goes first among equals.
        shapes.sort_by_key(|shape| std::cmp::Reverse(shape.tasks));
        shapes.truncate(LIMIT_SHAPES);
        shapes
    }
}

impl Free {
    fn of(node: &Node, dimensions: &Dimensions) -> Self {
        Self {
            amounts: dimensions.vector(&node.headroom(Horizon::FiveMinutes)),
            devices: node.all_devices(),
            lendable: node.lendable_devices(Horizon::FiveMinutes),
        }
    }

    /// What is left on devices that a task fitting here could not use.
    fn stranded(&self, gpu_millis: u64) -> u64 {
        let each = gpu_millis.min(GPU_MILLIS_PER_DEVICE);
        let left = (0..).zip(&self.devices.0).filter(|(_, used)| **used > 0);
        let left = left.map(|(index, _)| self.devices.left_on(index));
        left.filter(|left| *left < each).sum()
    }
}

impl Shape {
    fn add_useless(&self, node: &NodeSpec, free: &Free, useless: &mut [u128]) {
        let gpu_millis = self.amounts[GPU];
        let fits = self.allows(node)
            && self.amounts.iter().zip(&free.amounts).all(|(asked, free)| asked <= free)
            && (gpu_millis == 0 || free.devices.choose(gpu_millis, free.lendable).is_some());
        if fits {
            useless[GPU] += u128::from(free.stranded(gpu_millis)) * u128::from(self.tasks);
            return;
        }
        for ((asked, free), useless) in self.amounts.iter().zip(&free.amounts).zip(useless) {
            if *asked > 0 {
                *useless += u128::from(*free) * u128::from(self.tasks);
            }
        }
    }

    /// Whether the constraints that a file can state allow the node.
    fn allows(&self, node: &NodeSpec) -> bool {
        let among = |allowed: &[Name], found| allowed.is_empty() || allowed.contains(found);
        among(&self.constraints.regions, &node.region)
            && among(&self.constraints.gpu_models, &node.gpu_model)
    }
}
