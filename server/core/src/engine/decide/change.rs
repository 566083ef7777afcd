//! Commands that change jobs or end them.

use std::sync::Arc;

use super::{
    check_revision, done,
    job::{check_budget, check_moves, check_priority, check_quota},
};
use crate::{
    command::{JobPatch, Target},
    engine::Decision,
    event::Event,
    model::{
        Allocation, AllocationId, EvictionReason, Job, JobSpec, Millis, Name, Notice, TaskEnd,
        TaskIndex, TaskPhase, Tenant, Time,
    },
    rejection::Rejection,
    state::State,
};

pub(super) fn update(
    state: &State,
    now: Time,
    tenant: &Name,
    target: &Target,
    patch: JobPatch,
) -> Result<Decision, Rejection> {
    let (tenant, job) = find(state, tenant, target)?;
    let count = patch.count.unwrap_or(job.spec.count);
    let spec = JobSpec { count, ..patched(&job.spec, patch) };
    if spec.priority != job.spec.priority {
        check_priority(state, tenant, spec.priority)?;
    }
    check_moves(&spec)?;
    check_runtime(job, &spec)?;
    check_time(now, job, &spec)?;
    let mut events = Vec::new();
    if count != job.spec.count {
        if count > job.spec.count {
            check_budget(tenant, now)?;
        }
        resize(state, tenant, job, count, &mut events)?;
    }
    if spec != (JobSpec { count, ..JobSpec::clone(&job.spec) }) {
        events.push(Event::JobUpdated { id: job.id, spec: Arc::new(spec) });
    }
    Ok(done(events))
}

/// The description with what is to change, the count aside.
fn patched(old: &JobSpec, patch: JobPatch) -> JobSpec {
    let mut spec = old.clone();
    spec.priority = patch.priority.unwrap_or(spec.priority);
    spec.max_runtime = patch.max_runtime.unwrap_or(spec.max_runtime);
    spec.on_notice = patch.on_notice.unwrap_or(spec.on_notice);
    spec.labels = patch.labels.unwrap_or(spec.labels);
    if let Some(annotations) = patch.annotations {
        spec.change_extras(|extras| extras.annotations = annotations);
    }
    spec
}

fn check_runtime(job: &Job, spec: &JobSpec) -> Result<(), Rejection> {
    let is_new = spec.max_runtime != job.spec.max_runtime;
    if is_new && spec.complete_by.is_some() && spec.runtime().0 == 0 {
        return Err(Rejection::RuntimeUnknown);
    }
    if spec.max_runtime.is_some_and(|max| max < spec.min_runtime) {
        return Err(Rejection::RuntimeBelowMinimum { min_runtime: spec.min_runtime });
    }
    Ok(())
}

/// What still waits must have a chance.
fn check_time(now: Time, job: &Job, spec: &JobSpec) -> Result<(), Rejection> {
    let is_too_late = |spec: &JobSpec| spec.latest_start().is_some_and(|latest| latest <= now);
    if job.waits() && is_too_late(spec) && !is_too_late(&job.spec) {
        return Err(Rejection::CannotComplete);
    }
    Ok(())
}

fn resize(
    state: &State,
    tenant: &Tenant,
    job: &Job,
    count: u32,
    events: &mut Vec<Event>,
) -> Result<(), Rejection> {
    // The tenant's use leaves out what has ended, but the job as a whole is counted too.
    if job.spec.request.checked_mul(u64::from(count)).is_none() {
        return Err(Rejection::RequestOverflow { count });
    }
    let more = count.saturating_sub(job.spec.count);
    check_quota(state, tenant, &job.spec.request, more)?;
    if more > 0 && is_cancelled(state, job) {
        let tenant = tenant.spec.name.clone();
        return Err(Rejection::JobCancelled { tenant, job: job.name.clone() });
    }
    end(state, job, TaskIndex(count), None, events);
    events.push(Event::JobResized { id: job.id, count });
    if more > 0 && job.waits_for_jobs() {
        let first = TaskIndex(job.spec.count);
        events.push(Event::TasksDelayed { job: job.id, first, count: more });
    }
    Ok(())
}

/// Whether what is left of the job is under notice because it was cancelled.
fn is_cancelled(state: &State, job: &Job) -> bool {
    state.allocations_of(job).next().is_some_and(Allocation::is_cancelled)
}

pub(super) fn cancel(
    state: &State,
    now: Time,
    tenant: &Name,
    target: &Target,
    grace: Option<Millis>,
) -> Result<Decision, Rejection> {
    let (_, job) = find(state, tenant, target)?;
    let mut events = Vec::new();
    let deadline = grace.filter(|grace| grace.0 > 0).map(|grace| now.after(grace));
    end(state, job, TaskIndex(0), deadline, &mut events);
    Ok(done(events))
}

/// The end of all unfinished tasks from `first` on: of those that are placed at the deadline, if there is one.
fn end(
    state: &State,
    job: &Job,
    first: TaskIndex,
    deadline: Option<Time>,
    events: &mut Vec<Event>,
) {
    let end = TaskEnd::Cancelled;
    for (index, task) in (first.0..).zip(job.tasks.iter().skip(first.0 as usize)) {
        let is_delayed = match task.phase {
            TaskPhase::Pending => false,
            TaskPhase::Delayed => true,
            TaskPhase::Placed(id) => {
                events.extend(end_placed(state, id, deadline));
                continue;
            }
            TaskPhase::Ended(_) => continue,
        };
        match events.last_mut() {
            Some(Event::TasksDropped { first, count, delayed, .. })
                if first.0 + *count == index && *delayed == is_delayed =>
            {
                *count += 1;
            }
            _ => {
                let (first, delayed) = (TaskIndex(index), is_delayed);
                events.push(Event::TasksDropped { job: job.id, first, count: 1, delayed, end });
            }
        }
    }
}

/// What ends a placed task at once or announces its end, unless an earlier one is announced already.
fn end_placed(state: &State, id: AllocationId, deadline: Option<Time>) -> Option<Event> {
    let allocation = state.allocation(id).expect("invariant: a placed task is live");
    let at = allocation.at;
    let Some(deadline) = deadline else {
        let end = TaskEnd::Cancelled;
        return Some(Event::TaskEnded { at, end, message: Arc::default() });
    };
    let notice = Notice { reason: EvictionReason::Cancelled, deadline }.beside(allocation.notice);
    (allocation.notice != Some(notice)).then_some(Event::NoticeGiven { at, notice, by: None })
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
