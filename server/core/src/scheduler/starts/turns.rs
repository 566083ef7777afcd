//! Whose work is laid out next of what waits in the queue: by priority, then the tenant with the smallest share, then the
//! oldest job, as the queue itself has it. What a round has laid out counts as held, so that tenants take turns in it.

use std::collections::{BTreeMap, BTreeSet};

use super::super::{
    Scheduler,
    order::{Order, Place},
};
use crate::{
    model::{Job, JobId, Priority, Tenant, TenantId, Time, Usage},
    state::State,
};

/// The order of a round.
pub(super) struct Turns {
    order: Order,
    waiting: BTreeMap<(TenantId, Priority), BTreeSet<JobId>>,
    /// As they stand when what was laid out is held, with those above them.
    tenants: BTreeMap<TenantId, Tenant>,
    as_of: Time,
}

impl Turns {
    /// Shares are as of the time given.
    pub(super) fn new<'j>(
        scheduler: &Scheduler,
        state: &State,
        as_of: Time,
        jobs: impl Iterator<Item = &'j Job>,
    ) -> Self {
        let mut waiting: BTreeMap<(TenantId, Priority), BTreeSet<JobId>> = BTreeMap::new();
        for job in jobs {
            waiting.entry((job.tenant, job.spec.priority)).or_default().insert(job.id);
        }
        let (order, tenants) = (Order::default(), BTreeMap::new());
        let mut turns = Self { order, waiting, tenants, as_of };
        let groups: Vec<(TenantId, Priority)> = turns.waiting.keys().copied().collect();
        for (tenant, _) in &groups {
            turns.know(scheduler, state, *tenant);
        }
        for (tenant, priority) in groups {
            turns.order.list(tenant, priority);
        }
        turns
    }

    /// Learns of a tenant and those above it.
    fn know(&mut self, scheduler: &Scheduler, state: &State, id: TenantId) {
        for tenant in state.lineage(id) {
            if self.tenants.contains_key(&tenant.id) {
                return;
            }
            let half_life = state.policy().share_half_life;
            let bring = |usage: &mut Usage| {
                let as_of = self.as_of.max(usage.decayed.as_of());
                usage.decayed.bring(as_of, &usage.held, half_life);
            };
            let mut tenant = tenant.clone();
            bring(&mut tenant.usage);
            bring(&mut tenant.below);
            let place = Place::of(&tenant);
            self.order.set_place(tenant.id, place);
            for (party, share) in scheduler.shares_of(state, &tenant, self.as_of) {
                self.order.set_share(party, share);
            }
            self.tenants.insert(tenant.id, tenant);
        }
    }

    /// Whether tenants compete.
    pub(super) fn is_contested(&self) -> bool {
        self.order.is_contested()
    }

    /// The job whose turn it is.
    pub(super) fn next(&mut self) -> Option<JobId> {
        let group = self.order.first()?;
        self.waiting.get(&group)?.first().copied()
    }

    /// The job has had its last turn.
    pub(super) fn done(&mut self, job: &Job) {
        let group = (job.tenant, job.spec.priority);
        let Some(jobs) = self.waiting.get_mut(&group) else { return };
        jobs.remove(&job.id);
        if jobs.is_empty() {
            self.waiting.remove(&group);
            self.order.unlist(group.0, group.1);
        }
    }

    /// So many tasks of the job were laid out.
    pub(super) fn laid(&mut self, scheduler: &Scheduler, state: &State, job: &Job, tasks: u32) {
        let mut next = Some(job.tenant);
        while let Some(tenant) = next.and_then(|id| self.tenants.get_mut(&id)) {
            let is_own = tenant.id == job.tenant;
            let usage = if is_own { &mut tenant.usage } else { &mut tenant.below };
            usage.held.add(&job.spec.request, u64::from(tasks));
            for (party, share) in scheduler.shares_of(state, tenant, self.as_of) {
                self.order.set_share(party, share);
            }
            next = tenant.parent;
        }
    }
}
