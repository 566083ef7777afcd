//! Tenants with everything that is known of them.

use offpeak::v1;
use offpeak_core::{
    fairness::{Standing, Standings},
    model::{Amounts, Resources, Tenant, Time, Usage},
    state::State,
};

use super::{
    billing::budget_level,
    objects::{resources, tenant_description, timestamp},
};

/// Billionths in a millionth.
const BILLIONTHS: u64 = 1_000;

/// A tenant at a time, and how it stands if that is known.
pub(crate) fn tenant(
    state: &State,
    tenant: &Tenant,
    standings: Option<&Standings>,
    now: Time,
) -> v1::Tenant {
    let spending = tenant.spending.as_ref();
    let spent = spending.map(|spending| spending.micros_at(tenant.spec.budget.period, now));
    let level = spending.map(|_| budget_level(tenant.budget_level).into());
    let (held, (requested, requested_tasks)) = (tenant.held(), tenant.requested());
    let ceilings = state.lineage(tenant.id).map(|above| above.spec.priority_ceiling);
    v1::Tenant {
        usage: Some(v1::Usage {
            requested: Some(resources(&tenant.usage.requested)),
            requested_tasks: tenant.usage.requested_tasks,
            held: Some(resources(&tenant.usage.held)),
            held_tasks: tenant.usage.held_tasks,
        }),
        create_time: Some(timestamp(tenant.created)),
        revision: tenant.revision.0,
        spent_micros: spent.unwrap_or(0),
        budget_level: level.unwrap_or_default(),
        quota_low: tenant.quota_low,
        total_usage: Some(v1::Usage {
            requested: Some(resources(&requested)),
            requested_tasks,
            held: Some(resources(&held)),
            held_tasks: tenant.usage.held_tasks.saturating_add(tenant.below.held_tasks),
        }),
        share: standings.map(|standings| share(standings.get(tenant.id))),
        borrowed: Some(resources(&tenant.borrowed())),
        decayed_usage: Some(resources(&of_late(state, tenant))),
        effective_priority_ceiling: ceilings.min().unwrap_or_default().0,
        ..tenant_description(&tenant.spec)
    }
}

fn share(standing: Standing) -> v1::TenantShare {
    let millionths = |billionths: u64| u32::try_from(billionths / BILLIONTHS).unwrap_or(u32::MAX);
    v1::TenantShare {
        fair_millionths: millionths(standing.entitled),
        held_millionths: millionths(standing.held),
        decayed_millionths: millionths(standing.of_late),
    }
}

fn of_late(state: &State, tenant: &Tenant) -> Resources {
    let half_life = state.policy().share_half_life;
    let of = |usage: &Usage| usage.decayed.at(state.now(), &usage.held, half_life);
    let (own, below): (Amounts, Amounts) = (of(&tenant.usage), of(&tenant.below));
    let [cpu_millis, memory_bytes, disk_bytes, network_bps, gpu_millis] =
        std::array::from_fn(|at| own[at].saturating_add(below[at]));
    Resources {
        cpu_millis,
        memory_bytes,
        disk_bytes,
        network_bps,
        gpu_millis,
        ..Resources::default()
    }
}
