//! How long tasks ran: a sketch for the like of each job, folded from the ends of tasks.

use std::{collections::BTreeMap, sync::Arc};

use imbl::OrdMap;

use crate::model::{
    Job, JobSpec, Millis, Part, Resources, Sketch, TaskEnd, TaskIndex, TenantId, Time,
    expectations, expected, remaining,
};

/// Kinds of jobs that are kept at most; of those that ended tasks longest ago a quarter goes at once.
const KINDS: usize = 2_048;

/// Ended tasks of which it takes so many to believe what they tell.
const ENOUGH: u64 = 5;

/// As many of one kind to plan starts by them: of fewer the last tenth says nothing.
const ENOUGH_TO_PLAN: u64 = 10;

/// The part of like tasks that are gone when a start is planned for it: with more of them it would slip less often and lie
/// further ahead.
const GONE: u8 = 90;

/// What like jobs have in common: tenant, shape and the limit that the tenant set.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Alike {
    /// Whose.
    pub tenant: TenantId,
    /// What each task asks for.
    pub request: Resources,
    /// What no task may exceed.
    pub max_runtime: Option<Millis>,
    /// Of a gang, how many tasks to the nearest power of two below, as its exponent, and one more; otherwise 0.
    pub gang_size: u32,
}

/// What is known of like jobs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ran {
    /// How long tasks ran from their placement to their end, in milliseconds.
    pub sketch: Sketch,
    /// When the last of them ended.
    pub last: Time,
}

/// How long tasks ran, by kind of job.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunTimes {
    /// Shared one by one: a copy of the map's page is no copy of the sketches.
    kinds: OrdMap<Alike, Arc<Ran>>,
    /// How many kinds there are by which starts can be planned.
    foreseen: usize,
}

impl Ran {
    /// Whether starts can be planned by what is known of this kind. A limit that the tenant set needs no guess beside it.
    fn foresees(&self, kind: &Alike) -> bool {
        kind.max_runtime.is_none() && self.sketch.count() >= ENOUGH_TO_PLAN
    }
}

impl Alike {
    /// A job's kind.
    #[must_use]
    pub fn of(tenant: TenantId, spec: &JobSpec) -> Self {
        let gang_size = if spec.gang { spec.count.max(1).ilog2() + 1 } else { 0 };
        Self { tenant, request: spec.request.clone(), max_runtime: spec.max_runtime, gang_size }
    }
}

impl RunTimes {
    /// As kept in a checkpoint.
    #[must_use]
    pub fn restore(kinds: impl IntoIterator<Item = (Alike, Ran)>) -> Self {
        let kinds = kinds.into_iter().map(|(kind, known)| (kind, Arc::new(known)));
        let mut restored = Self { kinds: kinds.collect(), foreseen: 0 };
        restored.foreseen = restored.count_foreseen();
        restored
    }

    /// What is known of each kind of job.
    pub fn kinds(&self) -> impl ExactSizeIterator<Item = (&Alike, &Ran)> {
        self.kinds.iter().map(|(kind, known)| (kind, &**known))
    }

    /// Takes in that a task ended by itself. The tasks of a gang end together: they count once.
    pub(super) fn observe(&mut self, job: &Job, task: TaskIndex, end: TaskEnd, ran: (Time, Time)) {
        let (placed, now) = ran;
        let counts = match end {
            TaskEnd::Succeeded | TaskEnd::Failed | TaskEnd::TimedOut => true,
            TaskEnd::Cancelled
            | TaskEnd::MissedDeadline
            | TaskEnd::Evicted
            | TaskEnd::DependencyFailed => false,
        };
        if !counts || (job.spec.gang && task.0 > 0) {
            return;
        }
        let kind = Alike::of(job.tenant, &job.spec);
        if self.kinds.len() >= KINDS && !self.kinds.contains_key(&kind) {
            self.drop_oldest();
        }
        let is_unlimited = kind.max_runtime.is_none();
        let known = Arc::make_mut(self.kinds.entry(kind).or_default());
        let was_few = known.sketch.count() < ENOUGH_TO_PLAN;
        known.sketch.add(now.since(placed).0);
        known.last = now;
        let is_enough = known.sketch.count() >= ENOUGH_TO_PLAN;
        self.foreseen += usize::from(is_unlimited && was_few && is_enough);
    }

    fn drop_oldest(&mut self) {
        let mut all: Vec<(Time, Alike)> =
            self.kinds.iter().map(|(kind, known)| (known.last, kind.clone())).collect();
        all.sort_unstable();
        for (_, kind) in &all[..KINDS / 4] {
            self.kinds.remove(kind);
        }
        self.foreseen = self.count_foreseen();
    }

    fn count_foreseen(&self) -> usize {
        self.kinds.iter().filter(|(kind, known)| known.foresees(kind)).count()
    }

    /// Whether it is known of any tasks without a limit when they can be expected to be gone.
    #[must_use]
    pub fn foresee_ends(&self) -> bool {
        self.foreseen > 0
    }

    /// How long a task whose tenant set no limit is expected to run in all, as like jobs of the tenant tell, once it has run
    /// for longer and longer: see [`expectations`]. None if too little is known of them. Nothing is ended by it.
    fn expectations(&self, tenant: TenantId, spec: &JobSpec) -> Option<Vec<Millis>> {
        let kind = Alike::of(tenant, spec);
        let known = self.kinds.get(&kind).filter(|known| known.foresees(&kind))?;
        Some(expectations(&known.sketch, Part::percent(GONE)))
    }

    /// How long a task of a job without a limit is expected to run that has yet to begin.
    #[must_use]
    pub fn expected(&self, tenant: TenantId, spec: &JobSpec) -> Option<Millis> {
        if !self.foresee_ends() || spec.max_runtime.is_some() {
            return None;
        }
        Some(expected(&self.expectations(tenant, spec)?, Millis(0)))
    }

    /// How long a task that has run for `age` goes on, if it ends where this part of its like did: as like jobs of the
    /// tenant tell, or all its jobs, or all jobs; in the end its limit. None if nothing is known.
    #[must_use]
    pub fn remaining(
        &self,
        known: &mut Known,
        job: (TenantId, &JobSpec),
        age: Millis,
        part: Part,
    ) -> Option<Millis> {
        let (tenant, spec) = job;
        let limit = spec.max_runtime.map(|limit| Millis(limit.0.saturating_sub(age.0)));
        let kind = Alike::of(tenant, spec);
        let enough = |sketch: &Sketch| sketch.count() >= ENOUGH;
        let told = match self.kinds.get(&kind).filter(|known| enough(&known.sketch)) {
            Some(like) => remaining(&like.sketch, age, part),
            None if enough(known.of_tenant(self, tenant)) => {
                remaining(known.of_tenant(self, tenant), age, part)
            }
            None if enough(known.of_all(self)) => remaining(known.of_all(self), age, part),
            None => return limit,
        };
        Some(limit.map_or(told, |limit| told.min(limit)))
    }
}

/// How long tasks are expected to run, worked out for a kind of job when it is first asked for.
#[derive(Clone, Debug, Default)]
pub struct Expectations {
    kinds: BTreeMap<Alike, Option<Vec<Millis>>>,
}

impl Expectations {
    /// How long a task that has run for `age` is expected to run in all.
    #[must_use]
    pub fn expected(&mut self, run_times: &RunTimes, job: &Job, age: Millis) -> Option<Millis> {
        if !run_times.foresee_ends() || job.spec.max_runtime.is_some() {
            return None;
        }
        let kind = Alike::of(job.tenant, &job.spec);
        let work_out = || run_times.expectations(job.tenant, &job.spec);
        let known = self.kinds.entry(kind).or_insert_with(work_out);
        known.as_ref().map(|known| expected(known, age))
    }
}

/// What is known of all jobs of a tenant, and of all there are: worked out when it is first asked for.
#[derive(Clone, Debug, Default)]
pub struct Known {
    tenants: BTreeMap<TenantId, Sketch>,
    all: Option<Sketch>,
}

impl Known {
    fn of_tenant(&mut self, run_times: &RunTimes, tenant: TenantId) -> &Sketch {
        self.tenants
            .entry(tenant)
            .or_insert_with(|| merged(run_times.kinds().filter(|(kind, _)| kind.tenant == tenant)))
    }

    fn of_all(&mut self, run_times: &RunTimes) -> &Sketch {
        self.all.get_or_insert_with(|| merged(run_times.kinds()))
    }
}

fn merged<'a>(kinds: impl Iterator<Item = (&'a Alike, &'a Ran)>) -> Sketch {
    let mut all = Sketch::default();
    kinds.for_each(|(_, known)| all.merge(&known.sketch));
    all
}
