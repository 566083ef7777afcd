//! Keeps the order's shares in step with the state: measured only where several tenants compete, of those whose use has
//! changed, and of all that compete once in a while, because what they held decays.

use std::{collections::BTreeSet, mem};

use super::{
    Scheduler,
    order::{Party, Place},
};
use crate::{
    fairness,
    model::{Job, Millis, TenantId, Time, shared},
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
        if !self.queue.is_contested() {
            return u32::MAX;
        }
        let task = fairness::dominant(&shared(&job.spec.request), &shared(state.fleet()));
        u32::try_from(fairness::WHOLE / TURNS / task.max(1)).unwrap_or(u32::MAX).max(1)
    }

    /// As of when shares are measured: all that are compared are of one time, or of when they last changed if that is
    /// later, so that they follow from the state and the time alone.
    fn moment(&self, state: &State, now: Time) -> Time {
        let Millis(half_life) = state.policy().share_half_life;
        if half_life == 0 {
            return Time(0);
        }
        let step = half_life.div_ceil(MEASURES_PER_HALF_LIFE);
        Time(now.0 - now.0 % step)
    }

    fn measure_one(&mut self, state: &State, id: TenantId, as_of: Time) {
        let Some(tenant) = state.tenant(id) else { return };
        let (own, below) = (&tenant.usage, &tenant.below);
        let key = if self.owed.has(id) {
            0
        } else if let Some(used) = fairness::used_of_guarantee(tenant) {
            used + 1
        } else {
            let share = fairness::share(state, &[own, below], tenant.spec.weight, as_of);
            share.min(BEYOND_GUARANTEE).saturating_add(BEYOND_GUARANTEE)
        };
        self.queue.set_share(Party::Family(id), key);
        if !tenant.children.is_empty() {
            self.queue.set_share(Party::Own(id), fairness::share(state, &[own], 1, as_of));
        }
    }

    /// Follows a change of who stands above whom, or of what anybody is sure to get.
    pub(super) fn tenants_changed(&mut self, state: &State) {
        let place = |id: TenantId| {
            let tenant = state.tenant(id)?;
            Some((id, Place { parent: tenant.parent, has_children: !tenant.children.is_empty() }))
        };
        let places: Vec<(TenantId, Place)> =
            state.tenants().filter_map(|tenant| place(tenant.id)).collect();
        self.queue.set_places(&places);
        self.unmeasured.extend(state.tenants().map(|tenant| tenant.id));
    }
}
