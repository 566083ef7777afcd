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
        let told = if let Some(like) = known.of_kind(self, &kind).filter(|like| enough(like)) {
            remaining(like, age, part)
        } else if enough(known.of_tenant(self, tenant)) {
            remaining(known.of_tenant(self, tenant), age, part)
        } else if enough(known.of_all(self)) {
            remaining(known.of_all(self), age, part)
        } else {
            return limit;
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

/// What is known of like jobs, of all jobs of a tenant, and of all there are. The last two are worked out when they are first
/// asked for.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// With those that run; for other kinds what the state has.
    kinds: BTreeMap<Alike, Sketch>,
    tenants: BTreeMap<TenantId, Sketch>,
    all: Option<Sketch>,
}

/// Like tasks of which some have ended, to foresee when those end that run.
///
/// What has ended tells too little of what takes long: where a tenant came yesterday and its tasks run for two days, all that
/// is known are the few that failed at once. So a task that runs counts beside those that have ended, at the time that is
/// foreseen for it, and the oldest comes first: then a younger one that comes to its age is compared with it, too. This is
/// Kaplan's and Meier's estimate (1958) as Efron builds it (1967), with each time drawn.
#[derive(Debug)]
pub struct Like {
    sketch: Sketch,
    limit: Option<Millis>,
    /// The oldest that do not count.
    passed_over: u64,
}

impl Like {
    /// How long a task goes on that has run for `age`, if it ends where this part of its like does. Those that are older have
    /// been asked for before.
    pub fn remaining(&mut self, age: Millis, part: Part) -> Millis {
        let left = remaining(&self.sketch, age, part);
        let limit = self.limit.map(|limit| Millis(limit.0.saturating_sub(age.0)));
        let left = limit.map_or(left, |limit| left.min(limit));
        match self.passed_over.checked_sub(1) {
            Some(rest) => self.passed_over = rest,
            None => self.sketch.put(age.0.saturating_add(left.0)),
        }
        left
    }
}

impl Known {
    /// The like of `running` tasks that run, if some have ended and both together are enough; otherwise they are foreseen as
    /// others of their tenant.
    ///
    /// Ends that are long ago are forgotten, but not what began then and still runs. Would all of it count, most of a kind
    /// would seem to take long. As many are left out that as many count as ends do: where as many begin as end, these began
    /// while those ended.
    #[must_use]
    pub fn like(&self, run_times: &RunTimes, kind: &Alike, running: usize) -> Option<Like> {
        let sketch = &run_times.kinds.get(kind)?.sketch;
        let (ended, running) = (sketch.count(), running as u64);
        if ended == 0 || ended.saturating_add(running) < ENOUGH {
            return None;
        }
        let counting = if sketch.remembers_all() { running } else { ended };
        let passed_over = running.saturating_sub(counting);
        Some(Like { sketch: sketch.clone(), limit: kind.max_runtime, passed_over })
    }

    /// From now on what was foreseen of its tasks counts.
    pub fn keep(&mut self, kind: Alike, like: Like) {
        self.tenants.remove(&kind.tenant);
        self.all = None;
        self.kinds.insert(kind, like.sketch);
    }

    fn of_kind<'k>(&'k self, run_times: &'k RunTimes, kind: &Alike) -> Option<&'k Sketch> {
        self.kinds.get(kind).or_else(|| Some(&run_times.kinds.get(kind)?.sketch))
    }

    fn of_tenant(&mut self, run_times: &RunTimes, tenant: TenantId) -> &Sketch {
        let Self { kinds, tenants, .. } = self;
        let of_tenant = run_times.kinds().filter(|(kind, _)| kind.tenant == tenant);
        tenants.entry(tenant).or_insert_with(|| merged(kinds, of_tenant))
    }

    fn of_all(&mut self, run_times: &RunTimes) -> &Sketch {
        let Self { kinds, all, .. } = self;
        all.get_or_insert_with(|| merged(kinds, run_times.kinds()))
    }
}

fn merged<'a>(
    with_running: &BTreeMap<Alike, Sketch>,
    kinds: impl Iterator<Item = (&'a Alike, &'a Ran)>,
) -> Sketch {
    let mut all = Sketch::default();
    kinds.for_each(|(kind, known)| all.merge(with_running.get(kind).unwrap_or(&known.sketch)));
    all
}

#[cfg(test)]
mod tests {
    use std::iter::repeat_n;

    use super::{Alike, Known, Ran, RunTimes};
    use crate::model::{Millis, Part, Resources, Sketch, TenantId, Time};

    const MINUTE: u64 = 60_000;
    const DAY: Millis = Millis::DAY;

    /// The median of what is known of a kind of which so many ended within a minute, and so many run that began a day, and
    /// half a minute ago.
    fn median(ended: usize, old: usize, young: usize) -> u64 {
        let request = Resources::default();
        let kind = Alike { tenant: TenantId(1), request, max_runtime: None, gang_size: 0 };
        let mut sketch = Sketch::default();
        (0..ended).for_each(|_| sketch.add(MINUTE));
        let run_times = RunTimes::restore([(kind.clone(), Ran { sketch, last: Time(0) })]);
        let mut known = Known::default();
        let mut like = known.like(&run_times, &kind, old + young).expect("they are enough");
        for age in repeat_n(DAY, old).chain(repeat_n(Millis(MINUTE / 2), young)) {
            let left = like.remaining(age, Part::HALF);
            assert!(left > Millis(0));
        }
        known.keep(kind.clone(), like);
        let of_kind = known.of_kind(&run_times, &kind).expect("it is kept");
        of_kind.quantile(Part::HALF).expect("something is known")
    }

    #[test]
    fn what_runs_counts_as_long_as_it_is_foreseen_to_run() {
        assert!(median(10, 5, 0) < 2 * MINUTE);
        assert!(median(10, 30, 0) > DAY.0);
    }

    /// Ten in a thousand take days, and the rest a minute: at any moment nearly all that run are of the ten.
    #[test]
    fn what_began_before_those_that_are_remembered_does_not_count() {
        assert!(median(1_000, 1_000, 250) < 2 * MINUTE);
    }
}
