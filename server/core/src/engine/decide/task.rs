//! Reports on tasks.

use std::{collections::BTreeSet, sync::Arc};

use crate::{
    command::{Detail, TaskOutcome, TaskReport},
    engine::Decision,
    event::Event,
    model::{Allocation, Early, TaskEnd, Time},
    rejection::Rejection,
    state::State,
};

/// Reports on allocations that are not live are named and otherwise ignored: the executor is late, not wrong.
pub(super) fn report(
    state: &State,
    now: Time,
    reports: Vec<TaskReport>,
    mut events: Vec<Event>,
) -> Result<Decision, Rejection> {
    let several = reports.len() > 1;
    let mut ignored = Vec::new();
    let mut started = BTreeSet::new();
    let mut ended = BTreeSet::new();
    for report in reports {
        let id = report.allocation;
        let Some(allocation) = state.allocation(id).filter(|_| !ended.contains(&id)) else {
            ignored.push(id);
            continue;
        };
        let at = allocation.at;
        let event = match report.outcome {
            TaskOutcome::Started => {
                if allocation.started().is_none() && (!several || started.insert(id)) {
                    events.push(Event::TaskStarted { at });
                }
                continue;
            }
            TaskOutcome::Succeeded => {
                Event::TaskEnded { at, end: TaskEnd::Succeeded, message: report.message }
            }
            TaskOutcome::Failed => failed(state, now, allocation, TaskEnd::Failed, report.message),
            TaskOutcome::Released => {
                let notice = allocation.notice.ok_or(Rejection::NotUnderNotice(id))?;
                Event::taken_back(allocation, notice.reason, Some(Early::Released))
            }
        };
        if several {
            ended.insert(id);
        }
        events.push(event);
    }
    Ok(Decision { events, detail: Detail::Ignored(ignored) })
}

/// What becomes of a placed task that failed in this way: it is tried again later, or it ends. Where its job was
/// cancelled with grace it just ends: that is how most programs obey.
pub(in crate::engine) fn failed(
    state: &State,
    now: Time,
    allocation: &Allocation,
    end: TaskEnd,
    message: Arc<str>,
) -> Event {
    let at = allocation.at;
    if allocation.is_cancelled() {
        return Event::TaskEnded { at, end: TaskEnd::Cancelled, message };
    }
    let spec = &state.job(at.job).expect("invariant: a live allocation has a job").spec;
    let retry = spec.retry();
    let until = retry.and_then(|retry| retry.again(state.tries(at.job, at.task), end, now));
    match until.filter(|until| spec.latest_start().is_none_or(|last| *until < last)) {
        Some(until) => Event::TaskDelayed { at, end, message, until },
        None => Event::TaskEnded { at, end, message },
    }
}
