//! Commands about tenants.

use std::sync::Arc;

use super::{check_revision, done};
use crate::{
    command::{Target, TenantPatch},
    engine::Decision,
    event::Event,
    model::{Job, JobId, Tenant, TenantSpec},
    rejection::Rejection,
    state::State,
};

pub(super) fn create(state: &State, spec: TenantSpec) -> Result<Decision, Rejection> {
    if state.tenant_named(spec.name.as_str()).is_some() {
        return Err(Rejection::TenantExists(spec.name));
    }
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
        quota: patch.quota.unwrap_or(old.quota),
        weight: patch.weight.unwrap_or(old.weight),
        priority_ceiling: patch.priority_ceiling.unwrap_or(old.priority_ceiling),
        labels: patch.labels.unwrap_or(old.labels),
        budget: patch.budget.unwrap_or(old.budget),
        annotations: patch.annotations.unwrap_or(old.annotations),
    };
    if spec == *tenant.spec {
        return Ok(done(Vec::new()));
    }
    let usage = &tenant.usage;
    if let Some(excess) = spec.quota.excess(&usage.requested, usage.requested_tasks) {
        return Err(Rejection::QuotaBelowUse { tenant: spec.name, excess });
    }
    Ok(done(vec![Event::TenantUpdated { id: tenant.id, spec: Arc::new(spec) }]))
}

pub(super) fn delete(state: &State, target: &Target) -> Result<Decision, Rejection> {
    let tenant = find(state, target)?;
    let name = tenant.spec.name.clone();
    if tenant.unfinished_jobs > 0 {
        return Err(Rejection::TenantInUse { tenant: name, jobs: tenant.unfinished_jobs });
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

fn find<'a>(state: &'a State, target: &Target) -> Result<&'a Tenant, Rejection> {
    let name = target.name.as_str();
    let tenant =
        state.tenant_named(name).ok_or_else(|| Rejection::TenantNotFound(name.to_owned()))?;
    check_revision("tenant", target, tenant.revision)?;
    Ok(tenant)
}
