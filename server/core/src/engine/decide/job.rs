//! Taking jobs on.

use std::{collections::BTreeMap, sync::Arc};

use super::done;
use crate::{
    command::Detail,
    engine::Decision,
    event::Event,
    model::{
        BudgetLevel, Dependency, Job, JobId, JobSpec, Name, OnNotice, Priority, Quote, Resources,
        TaskIndex, Tenant, TenantId, Time,
    },
    rejection::Rejection,
    state::{OPEN, State},
};

/// Keeps quotes of jobs that wait for their first place and have none yet.
pub(super) fn quote(state: &State, quotes: Vec<(JobId, Quote)>) -> Decision {
    let known: BTreeMap<JobId, Quote> = quotes
        .into_iter()
        .filter(|(id, _)| state.quotes().get(*id).is_none())
        .filter(|(id, _)| state.job(*id).is_some_and(Job::waits_for_its_first_place))
        .take(OPEN.saturating_sub(state.quotes().open().len()))
        .collect();
    let quotes: Vec<(JobId, Quote)> = known.into_iter().collect();
    done(if quotes.is_empty() { Vec::new() } else { vec![Event::JobsQuoted { quotes }] })
}

pub(super) fn submit(
    state: &State,
    now: Time,
    tenant: &Name,
    name: Name,
    mut spec: Arc<JobSpec>,
    mut events: Vec<Event>,
) -> Result<Decision, Rejection> {
    let tenant = find_tenant(state, tenant)?;
    let (_, _, id, _) = state.next_ids();
    let is_chosen = !name.is_empty();
    let name = if is_chosen { name } else { free_name(state, tenant.id, id) };
    if is_chosen && state.job_named(tenant.id, &name).is_some() {
        return Err(Rejection::JobExists { tenant: tenant.spec.name.clone(), job: name });
    }
    check_priority(state, tenant, spec.priority)?;
    if spec.deadline.is_some_and(|deadline| deadline <= now) {
        return Err(Rejection::DeadlinePassed);
    }
    if spec.latest_start().is_some_and(|latest| latest <= now) {
        return Err(Rejection::CannotComplete);
    }
    check_moves(&spec)?;
    check_quota(state, tenant, &spec.request, spec.count)?;
    check_budget(tenant, now)?;
    let waits = if spec.dependencies().is_empty() {
        false
    } else {
        let dependencies = resolved(state, tenant, spec.dependencies())?;
        let waits = dependencies.iter().any(|dependency| !is_met(state, dependency));
        Arc::make_mut(&mut spec).change_extras(|extras| extras.dependencies = dependencies);
        waits
    };
    let count = spec.count;
    let detail = Detail::Job { id, name: name.clone() };
    events.push(Event::JobSubmitted { id, tenant: tenant.id, name, spec });
    if waits {
        events.push(Event::TasksDelayed { job: id, first: TaskIndex(0), count });
    }
    Ok(Decision { events, detail })
}

/// The jobs that are meant. All are there before the one that waits for them, so that there are no circles.
fn resolved(
    state: &State,
    tenant: &Tenant,
    named: &[Dependency],
) -> Result<Vec<Dependency>, Rejection> {
    let mut resolved = named.to_vec();
    for dependency in &mut resolved {
        let found = state.job_named(tenant.id, &dependency.name);
        let missing = || Rejection::DependencyNotFound {
            tenant: tenant.spec.name.clone(),
            dependency: dependency.name.clone(),
        };
        dependency.job = found.ok_or_else(missing)?.id;
    }
    Ok(resolved)
}

/// Whether it has ended as is waited for. What is not kept any more has: the job that waits would have ended otherwise.
pub(in crate::engine) fn is_met(state: &State, dependency: &Dependency) -> bool {
    let Some(job) = state.job(dependency.job) else { return true };
    job.ended.is_some_and(|(_, state)| dependency.condition.is_met(state))
}

/// A name for the next job, which came without one: only a name that was chosen can be in its way.
fn free_name(state: &State, tenant: TenantId, id: JobId) -> Name {
    let mut candidate = id;
    loop {
        let name = Name::of_job(candidate);
        if state.job_by_chosen_name(tenant, &name).is_none() {
            return name;
        }
        candidate = candidate.next();
    }
}

/// Whether its tasks may do on notice what they are to do: only what is placed one by one, whenever there is room, moves.
pub(super) fn check_moves(spec: &JobSpec) -> Result<(), Rejection> {
    let can_move = !spec.gang && spec.complete_by.is_none();
    if spec.on_notice == OnNotice::Move && !can_move {
        return Err(Rejection::CannotMove { gang: spec.gang });
    }
    Ok(())
}

/// Whether work of the tenant may be of this priority, by its ceiling and those above it.
pub(super) fn check_priority(
    state: &State,
    tenant: &Tenant,
    wanted: Priority,
) -> Result<(), Rejection> {
    let mut lineage = state.lineage(tenant.id);
    let Some(above) = lineage.find(|above| wanted > above.spec.priority_ceiling) else {
        return Ok(());
    };
    let (tenant, ceiling) = (above.spec.name.clone(), above.spec.priority_ceiling);
    Err(Rejection::PriorityAboveCeiling { tenant, wanted, ceiling })
}

/// Whether the tenant, and all above it, may ask for `count` more tasks. What all tenants ask for must stay countable.
pub(super) fn check_quota(
    state: &State,
    tenant: &Tenant,
    request: &Resources,
    count: u32,
) -> Result<(), Rejection> {
    let overflow = Rejection::RequestOverflow { count };
    let Some(more) = request.checked_mul(u64::from(count)) else { return Err(overflow) };
    if state.requested().checked_add(&more).is_none() {
        return Err(overflow);
    }
    for above in state.lineage(tenant.id) {
        let (asked, tasks) = above.requested();
        let wanted = asked.saturating_add(&more);
        if let Some(excess) = above.spec.quota.excess(&wanted, tasks + u64::from(count)) {
            return Err(Rejection::QuotaExceeded { tenant: above.spec.name.clone(), excess });
        }
    }
    Ok(())
}

/// Whether the tenant may ask for more.
pub(super) fn check_budget(tenant: &Tenant, now: Time) -> Result<(), Rejection> {
    if !tenant.budget_level.stops_new() {
        return Ok(());
    }
    let budget = &tenant.spec.budget;
    let limit = budget.limit_of(BudgetLevel::NewStopped);
    let limit = limit.or_else(|| budget.limit_of(BudgetLevel::AllStopped)).unwrap_or(0);
    let spent = tenant.spending.map_or(0, |spending| spending.micros_at(budget.period, now));
    let (tenant, period) = (tenant.spec.name.clone(), budget.period);
    Err(Rejection::BudgetUsedUp { tenant, spent, limit, period })
}

pub(super) fn find_tenant<'a>(state: &'a State, name: &Name) -> Result<&'a Tenant, Rejection> {
    let name = name.as_str();
    state.tenant_named(name).ok_or_else(|| Rejection::TenantNotFound(name.to_owned()))
}
