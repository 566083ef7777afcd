//! Keeps the order's shares in step with the state: measured only where several tenants compete, of those whose use has
//! changed, and of all that compete once in a while, because what they held decays.

use std::{collections::BTreeSet, mem};

use super::{
    Scheduler,
    order::{Party, Place},
};
use crate::{
    fairness,
    model::{Job, Millis, Tenant, TenantId, Time, shared},
    state::State,
};

/// How many times in a half-life all that compete are measured anew.
const MEASURES_PER_HALF_LIFE: u64 = 128;

/// The part of the fleet that a job may take before the order is asked again, where several tenants compete.
const TURNS: u64 = 64;

/// Beyond every key of a tenant within its guarantee; shares are less.
const BEYOND_GUARANTEE: u64 = 1 << 62;

impl Scheduler {
    /// Measures the shares that have changed and matter.
    pub(super) fn measure(&mut self, state: &State, now: Time) {
        let as_of = self.moment(state, now);
        if as_of != self.measured {
            self.measured = as_of;
            self.unmeasured.extend(self.queue.contenders());
        }
        let owed = self.owed_anew(state);
        let mut changed = mem::take(&mut self.unmeasured);
        changed.extend(owed);
        let families: BTreeSet<TenantId> =
            changed.iter().flat_map(|id| state.lineage(*id)).map(|tenant| tenant.id).collect();
        for id in families {
            self.measure_one(state, id, as_of);
        }
    }

    /// How many tasks of a job may be placed before the order is asked again.
    pub(super) fn turn(&self, state: &State, job: &Job) -> u32 {
        if self.queue.is_contested() { turn(state, job) } else { u32::MAX }
    }

    /// As of when shares are measured: all that are compared are of one time, or of when they last changed if that is
    /// later, so that they follow from the state and the time alone.
    pub(super) fn moment(&self, state: &State, now: Time) -> Time {
        let Millis(half_life) = state.policy().share_half_life;
        if half_life == 0 {
            return Time(0);
        }
        let step = half_life.div_ceil(MEASURES_PER_HALF_LIFE);
        Time(now.0 - now.0 % step)
    }

    fn measure_one(&mut self, state: &State, id: TenantId, as_of: Time) {
        let Some(tenant) = state.tenant(id) else { return };
        for (party, share) in self.shares_of(state, tenant, as_of) {
            self.queue.set_share(party, share);
        }
    }

    /// Where a tenant comes in an order: with all below it among its siblings, and what it runs itself among its children.
    pub(super) fn shares_of(
        &self,
        state: &State,
        tenant: &Tenant,
        as_of: Time,
    ) -> impl Iterator<Item = (Party, u64)> + use<> {
        let (own, below) = (&tenant.usage, &tenant.below);
        let family = if self.owed.has(tenant.id) {
            0
        } else if let Some(used) = fairness::used_of_guarantee(tenant) {
            used + 1
        } else {
            let share = fairness::share(state, &[own, below], tenant.spec.weight, as_of);
            share.min(BEYOND_GUARANTEE).saturating_add(BEYOND_GUARANTEE)
        };
        let is_parent = !tenant.children.is_empty();
        let own =
            is_parent.then(|| (Party::Own(tenant.id), fairness::share(state, &[own], 1, as_of)));
        [(Party::Family(tenant.id), family)].into_iter().chain(own)
    }

    /// Follows a change of who stands above whom, or of what anybody is sure to get.
    pub(super) fn tenants_changed(&mut self, state: &State) {
        let places: Vec<(TenantId, Place)> =
            state.tenants().map(|tenant| (tenant.id, Place::of(tenant))).collect();
        self.queue.set_places(&places);
        self.unmeasured.extend(state.tenants().map(|tenant| tenant.id));
    }
}

/// How many tasks of a job may be placed before the order is asked again where several tenants compete.
pub(super) fn turn(state: &State, job: &Job) -> u32 {
    let task = fairness::dominant(&shared(&job.spec.request), &shared(state.fleet()));
    u32::try_from(fairness::WHOLE / TURNS / task.max(1)).unwrap_or(u32::MAX).max(1)
}
