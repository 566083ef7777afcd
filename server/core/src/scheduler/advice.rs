//! What a job could ask for instead, so that all of its tasks would be placed now.
//!
//! Candidates come of one look at all rooms (`less.rs`) and kinds of nodes; each is then tried on the index itself, and
//! only one that places every task is told. One thing is changed at a time, and each thing by no more than it takes.

mod less;

use std::{collections::BTreeSet, sync::Arc};

use super::{Scheduler, filter, kind::KindId, place, shape::KeyRef};
use crate::{
    event::Event,
    model::{
        Constraints, Dimension, Horizon, JobSpec, LabelSelector, Millis, Name, NodeSpec, Resources,
        Taint, TenantId, Toleration,
    },
    state::State,
};

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
        let candidates = less::amounts(&mut self.index, spec)
            .into_iter()
            .chain(shorter(spec))
            .chain(self.elsewhere(&spec.constraints))
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

    /// The other values of each constraint that some node has that takes tasks and meets all others.
    fn elsewhere(&mut self, constraints: &Constraints) -> Vec<Change> {
        self.index.classify();
        let mut changes = Vec::new();
        let mut is_there = vec![false; self.index.kinds.len()];
        self.index.classes.kinds().for_each(|kind| is_there[kind.0 as usize] = true);
        let kinds = (0..).map(KindId).zip(&is_there).filter(|(_, there)| **there);
        let kinds: Vec<KindId> = kinds.map(|(kind, _)| kind).collect();
        let specs = || kinds.iter().map(|kind| self.index.kinds.spec(*kind));
        let without = |lift: fn(&mut Constraints)| {
            let mut lifted = constraints.clone();
            lift(&mut lifted);
            lifted
        };
        let values = |lifted: &Constraints, of: fn(&NodeSpec) -> &Name| -> BTreeSet<Name> {
            let allowed = specs().filter(|spec| filter::allows(spec, lifted));
            allowed.map(|spec| of(spec).clone()).filter(|value| !value.is_empty()).collect()
        };
        if !constraints.regions.is_empty() {
            let lifted = without(|lifted| {
                lifted.regions.clear();
                lifted.zones.clear();
            });
            let regions = values(&lifted, |spec| &spec.region);
            changes.extend(regions.into_iter().map(Change::Region).take(TRIES));
        }
        if !constraints.zones.is_empty() {
            let zones = values(&without(|lifted| lifted.zones.clear()), |spec| &spec.zone);
            changes.extend(zones.into_iter().map(Change::Zone).take(TRIES));
        }
        if !constraints.gpu_models.is_empty() {
            let lifted = without(|lifted| lifted.gpu_models.clear());
            let models = values(&lifted, |spec| &spec.gpu_model);
            changes.extend(models.into_iter().map(Change::GpuModel).take(TRIES));
        }
        changes.extend(constraints.labels.iter().cloned().map(Change::WithoutLabel).take(TRIES));
        let tolerant =
            without(|lifted| lifted.tolerations = vec![Toleration { key: None, value: None }]);
        let tainted = specs().filter(|spec| {
            spec.taints.len() == 1
                && filter::allows(spec, &tolerant)
                && !filter::allows(spec, constraints)
        });
        let taints: BTreeSet<&Taint> = tainted.map(|spec| &spec.taints[0]).collect();
        changes.extend(taints.into_iter().cloned().map(Change::Tolerate).take(TRIES));
        changes
    }
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
