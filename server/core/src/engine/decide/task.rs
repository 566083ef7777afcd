//! Reports on tasks.

use std::collections::BTreeSet;

use crate::{
    command::{Detail, TaskOutcome, TaskReport},
    engine::Decision,
    event::Event,
    model::TaskEnd,
    state::State,
};

/// Reports on allocations that are not live are named and otherwise ignored: the executor is late, not wrong.
pub(super) fn report(state: &State, reports: Vec<TaskReport>, mut events: Vec<Event>) -> Decision {
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
        let end = match report.outcome {
            TaskOutcome::Started => {
                if allocation.started().is_none() && (!several || started.insert(id)) {
                    events.push(Event::TaskStarted { at });
                }
                continue;
            }
            TaskOutcome::Succeeded => TaskEnd::Succeeded,
            TaskOutcome::Failed => TaskEnd::Failed,
        };
        if several {
            ended.insert(id);
        }
        events.push(Event::TaskEnded { at, end, message: report.message });
    }
    Decision { events, detail: Detail::Ignored(ignored) }
}
