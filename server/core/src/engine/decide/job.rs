//! Commands about jobs.

use std::{collections::BTreeMap, sync::Arc};

use super::{check_revision, done};
use crate::{
    command::{Detail, Target},
    engine::Decision,
    event::Event,
    model::{
        Job, JobId, JobSpec, Name, Quote, Resources, TaskEnd, TaskIndex, TaskPhase, Tenant, Time,
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
    spec: Arc<JobSpec>,
    mut events: Vec<Event>,
) -> Result<Decision, Rejection> {
    let tenant = find_tenant(state, tenant)?;
    let (_, _, id, _) = state.next_ids();
    let is_chosen = !name.is_empty();
    let name = if is_chosen { name } else { free_name(tenant, id) };
    if is_chosen && state.job_named(tenant.id, &name).is_some() {
        return Err(Rejection::JobExists { tenant: tenant.spec.name.clone(), job: name });
    }
    let ceiling = tenant.spec.priority_ceiling;
    if spec.priority > ceiling {
        let tenant = tenant.spec.name.clone();
        return Err(Rejection::PriorityAboveCeiling { tenant, wanted: spec.priority, ceiling });
    }
    if spec.deadline.is_some_and(|deadline| deadline <= now) {
        return Err(Rejection::DeadlinePassed);
    }
    check_quota(state, tenant, &spec.request, spec.count)?;
    let detail = Detail::Job { id, name: name.clone() };
    events.push(Event::JobSubmitted { id, tenant: tenant.id, name, spec });
    Ok(Decision { events, detail })
}

/// A name for the next job, which came without one: only a name that was chosen can be in its way.
fn free_name(tenant: &Tenant, id: JobId) -> Name {
    let mut candidate = id;
    loop {
        let name = Name::of_job(candidate);
        if !tenant.job_names.contains_key(&name) {
            return name;
        }
        candidate = candidate.next();
    }
}

/// Whether the tenant may ask for `count` more tasks. What all tenants ask for must stay countable.
fn check_quota(
    state: &State,
    tenant: &Tenant,
    request: &Resources,
    count: u32,
) -> Result<(), Rejection> {
    let usage = &tenant.usage;
    let more = request.checked_mul(u64::from(count));
    let more = more.filter(|more| state.requested().checked_add(more).is_some());
    let wanted = more.and_then(|more| usage.requested.checked_add(&more));
    let wanted = wanted.ok_or(Rejection::RequestOverflow { count })?;
    match tenant.spec.quota.excess(&wanted, usage.requested_tasks + u64::from(count)) {
        Some(excess) => Err(Rejection::QuotaExceeded { tenant: tenant.spec.name.clone(), excess }),
        None => Ok(()),
    }
}

pub(super) fn resize(
    state: &State,
    tenant: &Name,
    target: &Target,
    count: u32,
) -> Result<Decision, Rejection> {
    let (tenant, job) = find(state, tenant, target)?;
    if count == job.spec.count {
        return Ok(done(Vec::new()));
    }
    // The tenant's use leaves out what has ended, but the job as a whole is counted too.
    if job.spec.request.checked_mul(u64::from(count)).is_none() {
        return Err(Rejection::RequestOverflow { count });
    }
    check_quota(state, tenant, &job.spec.request, count.saturating_sub(job.spec.count))?;
    let mut events = ended(state, job, TaskIndex(count));
    events.push(Event::JobResized { id: job.id, count });
    Ok(done(events))
}

pub(super) fn cancel(state: &State, tenant: &Name, target: &Target) -> Result<Decision, Rejection> {
    let (_, job) = find(state, tenant, target)?;
    Ok(done(ended(state, job, TaskIndex(0))))
}

/// The end of all unfinished tasks from `first` on.
fn ended(state: &State, job: &Job, first: TaskIndex) -> Vec<Event> {
    let mut events: Vec<Event> = Vec::new();
    let end = TaskEnd::Cancelled;
    for (index, task) in (first.0..).zip(job.tasks.iter().skip(first.0 as usize)) {
        match task.phase {
            TaskPhase::Pending => match events.last_mut() {
                Some(Event::TasksDropped { first, count, .. }) if first.0 + *count == index => {
                    *count += 1;
                }
                _ => {
                    let first = TaskIndex(index);
                    events.push(Event::TasksDropped { job: job.id, first, count: 1, end });
                }
            },
            TaskPhase::Placed(id) => {
                let at = state.allocation(id).expect("invariant: a placed task is live").at;
                events.push(Event::TaskEnded { at, end, message: Arc::default() });
            }
            TaskPhase::Ended(_) => {}
        }
    }
    events
}

fn find_tenant<'a>(state: &'a State, name: &Name) -> Result<&'a Tenant, Rejection> {
    let name = name.as_str();
    state.tenant_named(name).ok_or_else(|| Rejection::TenantNotFound(name.to_owned()))
}

/// An unfinished job.
fn find<'a>(
    state: &'a State,
    tenant: &Name,
    target: &Target,
) -> Result<(&'a Tenant, &'a Job), Rejection> {
    let missing = || Rejection::JobNotFound {
        tenant: tenant.as_str().to_owned(),
        job: target.name.as_str().to_owned(),
    };
    let owner = state.tenant_named(tenant.as_str()).ok_or_else(missing)?;
    let job = state.job_named(owner.id, &target.name).ok_or_else(missing)?;
    check_revision("job", target, job.revision)?;
    if job.ended.is_some() {
        return Err(Rejection::JobEnded { tenant: owner.spec.name.clone(), job: job.name.clone() });
    }
    Ok((owner, job))
}
