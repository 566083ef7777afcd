//! What a job could ask for instead, so that all of its tasks would be placed now.
//!
//! Candidates come of one look at all nodes; each is then tried on the index itself, and only one that places every task
//! is told. One thing is changed at a time, and each thing by no more than it takes.

use std::{collections::BTreeSet, sync::Arc};

use super::{Scheduler, filter, place, shape::KeyRef};
use crate::{
    event::Event,
    model::{
        Constraints, Dimension, GPU_MILLIS_PER_DEVICE, GpuDevices, Horizon, JobSpec, LabelSelector,
        Millis, Name, Node, Resources, Taint, TenantId, Toleration,
    },
    state::State,
};

/// Less than this part of what was asked for is no answer.
const LEAST_PART: u64 = 10;

/// Values of one constraint that are tried.
const TRIES: usize = 8;

/// One thing that is other than was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Each task asks for only so much of it.
    Amount(Dimension, u64),
    /// Only so many tasks.
    Count(u32),
    /// In this region.
    Region(Name),
    /// In this zone.
    Zone(Name),
    /// On this GPU model.
    GpuModel(Name),
    /// Without this demand on labels.
    WithoutLabel(LabelSelector),
    /// With this taint tolerated.
    Tolerate(Taint),
    /// Wherever the job's other tasks are.
    WithoutSpread,
    /// Each task is to be left alone only for so long.
    MinRuntime(Millis),
}

/// A change that lets all tasks be placed now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Advice {
    /// What to change.
    pub change: Change,
    /// How many tasks are placed then: all that it leaves.
    pub tasks: u32,
}

impl Change {
    /// The job as it would be asked for with this change.
    #[must_use]
    pub fn apply(&self, spec: &JobSpec) -> JobSpec {
        let mut spec = spec.clone();
        let constraints = &mut spec.constraints;
        match self {
            Self::Amount(dimension, amount) => set_amount(&mut spec.request, dimension, *amount),
            Self::Count(count) => spec.count = *count,
            Self::Region(region) => {
                constraints.regions = vec![region.clone()];
                constraints.zones.clear();
            }
            Self::Zone(zone) => constraints.zones = vec![zone.clone()],
            Self::GpuModel(model) => constraints.gpu_models = vec![model.clone()],
            Self::WithoutLabel(selector) => constraints.labels.retain(|other| other != selector),
            Self::Tolerate(taint) => {
                let (key, value) = (Some(taint.key.clone()), Some(taint.value.clone()));
                constraints.tolerations.push(Toleration { key, value });
                constraints.tolerations.sort_unstable();
            }
            Self::WithoutSpread => constraints.spreads.clear(),
            Self::MinRuntime(min_runtime) => spec.min_runtime = *min_runtime,
        }
        spec
    }
}

impl Scheduler {
    /// Changes of which each lets all tasks of a new job be placed now; none if they would be as it is. This scheduler is
    /// good for no more than further questions: promises may be broken.
    pub(crate) fn advise(
        &mut self,
        state: &State,
        tenant: TenantId,
        spec: &JobSpec,
    ) -> Vec<Advice> {
        // Of a tenant that has used up its budget nothing is placed, whatever it asks for.
        let is_stopped = state.tenant(tenant).is_some_and(|t| t.budget_level.stops_new());
        if is_stopped || self.could_place(state, tenant, spec) == spec.count {
            return Vec::new();
        }
        let mut advice = Vec::new();
        let candidates = amounts(state, spec)
            .into_iter()
            .chain(shorter(spec))
            .chain(elsewhere(state, &spec.constraints))
            .chain((!spec.constraints.spreads.is_empty()).then_some(Change::WithoutSpread));
        for change in candidates {
            let changed = change.apply(spec);
            if changed != *spec && self.could_place(state, tenant, &changed) == spec.count {
                advice.push(Advice { change, tasks: spec.count });
            }
        }
        if spec.gang {
            advice.extend(self.smaller_gang(state, tenant, spec));
        }
        advice
    }

    /// How many tasks of a new job could be placed now if nobody else came first. None of what is laid out over time: when
    /// that starts, the index does not say.
    fn could_place(&mut self, state: &State, tenant: TenantId, spec: &JobSpec) -> u32 {
        if spec.is_timed() {
            return 0;
        }
        let mut state = state.clone();
        let (_, _, id, _) = state.next_ids();
        let spec = Arc::new(spec.clone());
        state.begin(state.revision().next(), state.now());
        state.apply(&Event::JobSubmitted { id, tenant, name: Name::of_job(id), spec });
        let job = state.job(id).expect("invariant: it was just submitted");
        let shape = self.index.shape_of(KeyRef::of(job));
        let placements = place::place(&mut self.index, &state, shape, job, u32::MAX);
        for placement in &placements {
            self.index.refresh(&state, placement.node);
        }
        self.index.release_shape(shape);
        placements.iter().map(|placement| placement.count).sum()
    }

    /// The largest gang that would be placed.
    fn smaller_gang(&mut self, state: &State, tenant: TenantId, spec: &JobSpec) -> Option<Advice> {
        let (mut fits, mut too_many) = (0, spec.count);
        while too_many - fits > 1 {
            let count = fits + (too_many - fits) / 2;
            let placed = self.could_place(state, tenant, &Change::Count(count).apply(spec));
            if placed == count { fits = count } else { too_many = count }
        }
        (fits > 0).then_some(Advice { change: Change::Count(fits), tasks: fits })
    }
}

/// For each thing asked for, the most that each task could have of it, where that is less.
fn amounts(state: &State, spec: &JobSpec) -> Vec<Change> {
    let wanted = spec.request.amounts();
    let mut found: Vec<Parts> = vec![Parts::default(); wanted.len()];
    for node in state.nodes().filter(|node| is_allowed(node, &spec.constraints)) {
        let reach = Reach::of(node, spec);
        for (at, parts) in found.iter_mut().enumerate() {
            reach.collect(&wanted, at, parts);
        }
    }
    let least = |((dimension, asked), parts): ((Dimension, u64), Parts)| {
        let amount = rounded(&dimension, parts.least_of(spec.count)?);
        let is_answer = amount < asked && amount >= asked.div_ceil(LEAST_PART);
        is_answer.then_some(Change::Amount(dimension, amount))
    };
    wanted.into_iter().zip(found).filter_map(least).collect()
}

/// What tasks could have of one thing, each at its place.
#[derive(Clone, Debug, Default)]
struct Parts {
    /// How many could have all that was asked for.
    enough: u64,
    /// What others could have.
    less: Vec<u64>,
}

impl Parts {
    /// What the last of so many tasks could have, if those places are taken that offer most.
    fn least_of(mut self, count: u32) -> Option<u64> {
        let short = u64::from(count).checked_sub(self.enough).filter(|short| *short > 0)?;
        let last = usize::try_from(short - 1).ok().filter(|last| *last < self.less.len())?;
        let (_, amount, _) = self.less.select_nth_unstable_by(last, |a, b| b.cmp(a));
        Some(*amount)
    }

    /// Adds what up to `tasks` of them could have if they divide each of `sources` evenly: the first all of it, of two each
    /// a half, and so on. `unit` is what cannot be divided.
    fn add(&mut self, sources: &[u64], unit: u64, asked: u64, tasks: u64) {
        let (wanted, least) = (asked / unit, asked.div_ceil(LEAST_PART).div_ceil(unit));
        let enough = |source: &u64| source / wanted;
        let of_all: u64 = sources.iter().map(enough).sum();
        self.enough += of_all.min(tasks);
        let rest = tasks.saturating_sub(of_all);
        let less = |source: &u64| {
            let (source, first) = (*source, enough(source) + 1);
            (first..=source / least).map(move |count| source / count * unit).take(narrow(rest))
        };
        let begin = self.less.len();
        self.less.extend(sources.iter().flat_map(less));
        if self.less.len() - begin > narrow(rest) {
            self.less[begin..].sort_unstable_by(|a, b| b.cmp(a));
            self.less.truncate(begin + narrow(rest));
        }
    }
}

/// What tasks could have on a node.
struct Reach {
    free: Resources,
    /// What is left on each device that may be lent, if any is asked for.
    devices: Vec<u64>,
    /// Tasks that anybody could want there.
    most: u64,
}

impl Reach {
    fn of(node: &Node, spec: &JobSpec) -> Self {
        let horizon = spec.horizon();
        let free = node.lendable(horizon).saturating_sub(&node.lent);
        let wants_devices = spec.request.gpu_millis > 0;
        let devices = if wants_devices { devices_left(node, horizon) } else { Vec::new() };
        Self { free, devices, most: u64::from(spec.count) }
    }

    /// How often the amount fits.
    fn times(&self, dimension: &Dimension, amount: u64) -> u64 {
        match dimension {
            Dimension::Gpu if amount < GPU_MILLIS_PER_DEVICE => {
                self.devices.iter().map(|left| left / amount).sum()
            }
            Dimension::Gpu => self.untouched() / (amount / GPU_MILLIS_PER_DEVICE),
            _ => self.free.amount(dimension) / amount,
        }
    }

    fn untouched(&self) -> u64 {
        self.devices.iter().map(|left| left / GPU_MILLIS_PER_DEVICE).sum()
    }

    /// Adds what tasks here could have of one thing, if there were as many as what else they ask for allows.
    fn collect(&self, wanted: &[(Dimension, u64)], at: usize, parts: &mut Parts) {
        let others = wanted.iter().enumerate().filter(|(other, _)| *other != at);
        let tasks = others.map(|(_, (other, amount))| self.times(other, *amount)).min();
        let tasks = tasks.unwrap_or(self.most).min(self.most);
        let (dimension, asked) = &wanted[at];
        match dimension {
            Dimension::Gpu if *asked < GPU_MILLIS_PER_DEVICE => {
                parts.add(&self.devices, 1, *asked, tasks);
            }
            Dimension::Gpu => {
                parts.add(&[self.untouched()], GPU_MILLIS_PER_DEVICE, *asked, tasks);
            }
            _ => parts.add(&[self.free.amount(dimension)], 1, *asked, tasks),
        }
    }
}

fn narrow(count: u64) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}

/// What is left on the devices that tenants may touch.
fn devices_left(node: &Node, horizon: Horizon) -> Vec<u64> {
    let untouched = node.untouched_devices(horizon);
    let mut left = vec![GPU_MILLIS_PER_DEVICE; untouched];
    if node.devices.touched() <= node.lendable_devices(horizon) {
        let GpuDevices(used) = &node.devices;
        let touched = used.iter().take(node.device_count()).filter(|used| **used > 0);
        left.extend(touched.map(|used| GPU_MILLIS_PER_DEVICE.saturating_sub(u64::from(*used))));
    }
    left
}

/// As people say it: a large amount in whole cores and GiB, a small one in tenths and MiB.
fn rounded(dimension: &Dimension, amount: u64) -> u64 {
    let (large, small) = match dimension {
        Dimension::Cpu => (1000, 100),
        Dimension::Memory | Dimension::Disk => (1 << 30, 1 << 20),
        Dimension::Network => (1_000_000_000, 1_000_000),
        Dimension::Gpu => (GPU_MILLIS_PER_DEVICE, 10),
        Dimension::Count(_) => (1, 1),
    };
    let steps = [(16 * large, large), (small, small)];
    let step = steps.into_iter().find(|(least, _)| amount >= *least).map_or(1, |(_, step)| step);
    amount - amount % step
}

fn set_amount(request: &mut Resources, dimension: &Dimension, amount: u64) {
    match dimension {
        Dimension::Cpu => request.cpu_millis = amount,
        Dimension::Memory => request.memory_bytes = amount,
        Dimension::Disk => request.disk_bytes = amount,
        Dimension::Network => request.network_bps = amount,
        Dimension::Gpu => request.gpu_millis = amount,
        Dimension::Count(name) => {
            let others = request.counts.iter().filter(|(other, _)| *other != name);
            let all = others.map(|(other, amount)| (other.clone(), amount));
            let all: Vec<(Name, u64)> = all.chain([(name.clone(), amount)]).collect();
            request.counts = crate::model::Counts::new(all);
        }
    }
}

/// The shorter horizons, the longest first.
fn shorter(spec: &JobSpec) -> impl Iterator<Item = Change> {
    let own = spec.horizon();
    let shorter = Horizon::ALL.into_iter().rev().filter(move |horizon| *horizon < own);
    shorter
        .map(|horizon| Change::MinRuntime(horizon.length()))
        .take(usize::from(own > Horizon::FiveMinutes))
}

/// The other values of each constraint that some node has that meets all others.
fn elsewhere(state: &State, constraints: &Constraints) -> Vec<Change> {
    let mut changes = Vec::new();
    let without = |lift: fn(&mut Constraints)| {
        let mut lifted = constraints.clone();
        lift(&mut lifted);
        lifted
    };
    let values = |lifted: &Constraints, of: fn(&Node) -> &Name| -> BTreeSet<Name> {
        let nodes = state.nodes().filter(|node| is_allowed(node, lifted));
        nodes.map(|node| of(node).clone()).filter(|value| !value.is_empty()).collect()
    };
    if !constraints.regions.is_empty() {
        let lifted = without(|lifted| {
            lifted.regions.clear();
            lifted.zones.clear();
        });
        let regions = values(&lifted, |node| &node.spec.region);
        changes.extend(regions.into_iter().map(Change::Region).take(TRIES));
    }
    if !constraints.zones.is_empty() {
        let zones = values(&without(|lifted| lifted.zones.clear()), |node| &node.spec.zone);
        changes.extend(zones.into_iter().map(Change::Zone).take(TRIES));
    }
    if !constraints.gpu_models.is_empty() {
        let lifted = without(|lifted| lifted.gpu_models.clear());
        let models = values(&lifted, |node| &node.spec.gpu_model);
        changes.extend(models.into_iter().map(Change::GpuModel).take(TRIES));
    }
    changes.extend(constraints.labels.iter().cloned().map(Change::WithoutLabel).take(TRIES));
    let tolerant =
        without(|lifted| lifted.tolerations = vec![Toleration { key: None, value: None }]);
    let tainted = state.nodes().filter(|node| {
        node.spec.taints.len() == 1 && is_allowed(node, &tolerant) && !is_allowed(node, constraints)
    });
    let taints: BTreeSet<&Taint> = tainted.map(|node| &node.spec.taints[0]).collect();
    changes.extend(taints.into_iter().cloned().map(Change::Tolerate).take(TRIES));
    changes
}

fn is_allowed(node: &Node, constraints: &Constraints) -> bool {
    filter::blockers(node, constraints).next().is_none()
}
