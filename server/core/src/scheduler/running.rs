//! How much runs, those under notice aside: by priority, and by who holds it where somebody may take something back.

use std::collections::BTreeMap;

use crate::{
    model::{Job, JobId, Priority, Resources, TenantId},
    state::State,
};

/// Live allocations that nobody gave notice.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Running {
    by_priority: BTreeMap<Priority, u64>,
    /// Counted while somebody is guaranteed something.
    by_holder: Option<BTreeMap<Holder, u64>>,
}

/// Tasks among which rights do not tell apart: of one tenant, of one priority, and of the same kinds of resources.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Holder {
    pub(super) priority: Priority,
    pub(super) tenant: TenantId,
    /// 1 of each.
    pub(super) kinds: Resources,
}

impl Holder {
    pub(super) fn of(job: &Job) -> Self {
        let (priority, kinds) = (job.spec.priority, job.spec.request.kinds());
        Self { priority, tenant: job.tenant, kinds }
    }
}

impl Running {
    /// The lowest priority: below it nothing can be preempted.
    pub(super) fn least(&self) -> Option<Priority> {
        self.by_priority.first_key_value().map(|(least, _)| *least)
    }

    /// Everybody who holds something at a priority.
    pub(super) fn holders_at(&self, priority: Priority) -> impl Iterator<Item = &Holder> {
        let first = Holder { priority, tenant: TenantId(0), kinds: Resources::NOTHING };
        let holders = self.by_holder.iter().flat_map(move |holders| holders.range(first.clone()..));
        holders.map(|(holder, _)| holder).take_while(move |holder| holder.priority == priority)
    }

    /// Counts who holds what from when somebody is guaranteed something, until nobody is any more.
    pub(super) fn count_holders(&mut self, state: &State) {
        if state.guaranteed_tenants() == 0 {
            self.by_holder = None;
        } else if self.by_holder.is_none() {
            let mut holders = BTreeMap::new();
            for job in state.jobs_from(JobId(0)) {
                let live = state.allocations_of(job).filter(|live| live.notice.is_none()).count();
                if live > 0 {
                    *holders.entry(Holder::of(job)).or_default() += live as u64;
                }
            }
            self.by_holder = Some(holders);
        }
    }

    pub(super) fn add(&mut self, job: &Job, tasks: u64) {
        self.add_at(job.spec.priority, job, tasks);
    }

    fn add_at(&mut self, priority: Priority, job: &Job, tasks: u64) {
        *self.by_priority.entry(priority).or_default() += tasks;
        if let Some(holders) = &mut self.by_holder {
            *holders.entry(Holder { priority, ..Holder::of(job) }).or_default() += tasks;
        }
    }

    pub(super) fn remove(&mut self, job: &Job, tasks: u64) {
        less(&mut self.by_priority, job.spec.priority, tasks);
        if let Some(holders) = &mut self.by_holder {
            less(holders, Holder::of(job), tasks);
        }
    }

    /// So many tasks of the job are of another priority from now on.
    pub(super) fn change(&mut self, job: &Job, priority: Priority, tasks: u64) {
        if tasks > 0 {
            self.remove(job, tasks);
            self.add_at(priority, job, tasks);
        }
    }
}

fn less<K: Ord>(counts: &mut BTreeMap<K, u64>, key: K, by: u64) {
    let count = counts.get_mut(&key).expect("invariant: it was counted");
    *count -= by;
    if *count == 0 {
        counts.remove(&key);
    }
}
