//! Commands about tenants.

use std::sync::Arc;

use super::{check_revision, done};
use crate::{
    command::{Target, TenantPatch},
    engine::Decision,
    event::Event,
    model::{Job, JobId, MAX_TENANT_DEPTH, Name, QuotaExcess, Resources, Tenant, TenantSpec},
    rejection::Rejection,
    state::State,
};

pub(super) fn create(state: &State, spec: TenantSpec) -> Result<Decision, Rejection> {
    if state.tenant_named(spec.name.as_str()).is_some() {
        return Err(Rejection::TenantExists(spec.name));
    }
    check_place(state, &spec, None)?;
    check_guarantee(state, &spec, None)?;
    let (_, id, ..) = state.next_ids();
    Ok(done(vec![Event::TenantCreated { id, spec: Arc::new(spec) }]))
}

pub(super) fn update(
    state: &State,
    target: &Target,
    patch: TenantPatch,
) -> Result<Decision, Rejection> {
    let tenant = find(state, target)?;
    let old = TenantSpec::clone(&tenant.spec);
    let spec = TenantSpec {
        name: old.name,
        parent: patch.parent.unwrap_or(old.parent),
        quota: patch.quota.unwrap_or(old.quota),
        guarantee: patch.guarantee.unwrap_or(old.guarantee),
        weight: patch.weight.unwrap_or(old.weight),
        priority_ceiling: patch.priority_ceiling.unwrap_or(old.priority_ceiling),
        labels: patch.labels.unwrap_or(old.labels),
        budget: patch.budget.unwrap_or(old.budget),
        annotations: patch.annotations.unwrap_or(old.annotations),
    };
    if spec == *tenant.spec {
        return Ok(done(Vec::new()));
    }
    let (requested, tasks) = tenant.requested();
    if let Some(excess) = spec.quota.excess(&requested, tasks) {
        return Err(Rejection::QuotaBelowUse { tenant: spec.name, excess });
    }
    check_place(state, &spec, Some(tenant))?;
    check_guarantee(state, &spec, Some(tenant))?;
    Ok(done(vec![Event::TenantUpdated { id: tenant.id, spec: Arc::new(spec) }]))
}

pub(super) fn delete(state: &State, target: &Target) -> Result<Decision, Rejection> {
    let tenant = find(state, target)?;
    let name = tenant.spec.name.clone();
    if tenant.unfinished_jobs > 0 {
        return Err(Rejection::TenantInUse { tenant: name, jobs: tenant.unfinished_jobs });
    }
    if !tenant.children.is_empty() {
        return Err(Rejection::TenantHasChildren { tenant: name, children: tenant.children.len() });
    }
    let forget = |job: &Job| Event::JobForgotten {
        id: job.id,
        tenant: name.clone(),
        name: job.name.clone(),
    };
    let mut events: Vec<Event> = state.jobs_of(tenant, JobId(0)).map(forget).collect();
    events.push(Event::TenantDeleted { id: tenant.id, name });
    Ok(done(events))
}

/// Whether a tenant may stand where it says: below an existing one that is not below it, at most so deep, and within the
/// limits of those that are newly above it.
fn check_place(state: &State, spec: &TenantSpec, tenant: Option<&Tenant>) -> Result<(), Rejection> {
    if spec.parent.is_empty() || tenant.is_some_and(|tenant| tenant.spec.parent == spec.parent) {
        return Ok(());
    }
    let (name, above) = (|| spec.name.clone(), spec.parent.clone());
    if above == spec.name {
        return Err(Rejection::TenantCycle { tenant: name(), parent: above });
    }
    let Some(parent) = state.tenant_named(above.as_str()) else {
        return Err(Rejection::ParentNotFound { tenant: name(), parent: above });
    };
    if state.lineage(parent.id).any(|found| Some(found.id) == tenant.map(|tenant| tenant.id)) {
        return Err(Rejection::TenantCycle { tenant: name(), parent: above });
    }
    let depth = state.lineage(parent.id).count() + tenant.map_or(1, |tenant| height(state, tenant));
    if depth > MAX_TENANT_DEPTH {
        return Err(Rejection::TenantsTooDeep { tenant: name(), parent: above, depth });
    }
    let Some(tenant) = tenant else { return Ok(()) };
    let (moved, tasks) = tenant.requested();
    for found in state.lineage(parent.id) {
        if state.lineage(tenant.id).any(|old| old.id == found.id) {
            break;
        }
        let (asked, of_tasks) = found.requested();
        let wanted = asked.saturating_add(&moved);
        if let Some(excess) = found.spec.quota.excess(&wanted, of_tasks.saturating_add(tasks)) {
            return Err(Rejection::QuotaExceeded { tenant: found.spec.name.clone(), excess });
        }
    }
    Ok(())
}

/// How many levels of tenants it is the top of.
fn height(state: &State, tenant: &Tenant) -> usize {
    let children = tenant.children.iter().filter_map(|id| state.tenant(*id));
    1 + children.map(|child| height(state, child)).max().unwrap_or(0)
}

/// Whether what a tenant is promised is covered by its parent and covers its children, and is no more than it may use.
fn check_guarantee(
    state: &State,
    spec: &TenantSpec,
    tenant: Option<&Tenant>,
) -> Result<(), Rejection> {
    let promised = |above: &Tenant| {
        let others = above.children.iter().filter(|id| tenant.is_none_or(|own| own.id != **id));
        let others = others.filter_map(|id| state.tenant(*id)).map(|child| &child.spec.guarantee);
        others.fold(Resources::default(), |sum, more| sum.saturating_add(more))
    };
    for (dimension, wanted) in spec.guarantee.amounts() {
        if let Some(limit) = spec.quota.limit(&dimension).filter(|limit| wanted > *limit) {
            let excess = QuotaExcess { dimension: dimension.to_string(), limit, wanted };
            return Err(Rejection::GuaranteeAboveQuota { tenant: spec.name.clone(), excess });
        }
    }
    if let Some(tenant) = tenant {
        check_cover(&spec.name, &spec.guarantee, &promised(tenant))?;
    }
    match state.tenant_named(spec.parent.as_str()) {
        Some(parent) => {
            let wanted = promised(parent).saturating_add(&spec.guarantee);
            check_cover(&parent.spec.name, &parent.spec.guarantee, &wanted)
        }
        None => Ok(()),
    }
}

fn check_cover(name: &Name, guarantee: &Resources, wanted: &Resources) -> Result<(), Rejection> {
    let Some((dimension, _)) = wanted.shortfalls(guarantee).into_iter().next() else {
        return Ok(());
    };
    let (limit, wanted) = (guarantee.amount(&dimension), wanted.amount(&dimension));
    let excess = QuotaExcess { dimension: dimension.to_string(), limit, wanted };
    Err(Rejection::GuaranteeExceeded { tenant: name.clone(), excess })
}

fn find<'a>(state: &'a State, target: &Target) -> Result<&'a Tenant, Rejection> {
    let name = target.name.as_str();
    let tenant =
        state.tenant_named(name).ok_or_else(|| Rejection::TenantNotFound(name.to_owned()))?;
    check_revision("tenant", target, tenant.revision)?;
    Ok(tenant)
}
