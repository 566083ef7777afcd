//! How long tasks ran: a sketch for the like of each job, folded from the ends of tasks.

use std::sync::Arc;

use imbl::OrdMap;

use crate::model::{
    Job, JobSpec, Millis, Part, Resources, Sketch, TaskEnd, TaskIndex, TenantId, Time, remaining,
};

/// Kinds of jobs that are kept at most; of those that ended tasks longest ago a quarter goes at once.
const KINDS: usize = 2_048;

/// Ended tasks of which it takes so many to believe what they tell.
const ENOUGH: u64 = 5;

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
        Self { kinds: kinds.into_iter().map(|(kind, known)| (kind, Arc::new(known))).collect() }
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
        let known = Arc::make_mut(self.kinds.entry(kind).or_default());
        known.sketch.add(now.since(placed).0);
        known.last = now;
    }

    fn drop_oldest(&mut self) {
        let mut all: Vec<(Time, Alike)> =
            self.kinds.iter().map(|(kind, known)| (known.last, kind.clone())).collect();
        all.sort_unstable();
        for (_, kind) in &all[..KINDS / 4] {
            self.kinds.remove(kind);
        }
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

/// What is known of all jobs of a tenant, and of all there are: worked out when it is first asked for.
#[derive(Clone, Debug, Default)]
pub struct Known {
    tenants: std::collections::BTreeMap<TenantId, Sketch>,
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
