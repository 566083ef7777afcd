//! How jobs are printed.

use offpeak::v1::{
    Constraints, Job, JobState, PendingReason, PlacementReason, PlannedStart, Preemption,
    PreemptionRight, TaskCounts,
};

use prost_types::Timestamp;

use super::{
    human, job_extras, job_notice,
    output::Show,
    table::{Cell, Column, Tone, left, right},
};

/// Nodes of a planned start that are named.
const NODES_SHOWN: usize = 4;

impl Show for Job {
    fn reference(&self) -> String {
        format!("job/{}/{}", self.tenant, self.name)
    }

    fn columns(wide: bool) -> Vec<Column> {
        let mut columns = vec![
            left("TENANT"),
            left("NAME"),
            left("STATE"),
            right("TASKS"),
            right("PENDING"),
            right("PLACED"),
            right("DONE"),
            right("PRIORITY"),
            left("EACH TASK"),
            right("AGE"),
        ];
        if wide {
            columns.extend([
                right("RUNNING"),
                right("FAILED"),
                right("EVICTIONS"),
                right("MIN RUNTIME"),
                left("GANG"),
                left("WHERE"),
                left("LABELS"),
            ]);
        }
        columns
    }

    fn row(&self, wide: bool) -> Vec<Cell> {
        let spec = self.spec.clone().unwrap_or_default();
        let tasks = self.tasks.unwrap_or_default();
        let number = |value: u32| human::count(u64::from(value));
        let mut row: Vec<Cell> = vec![
            self.tenant.as_str().into(),
            self.name.as_str().into(),
            state_cell(self.state()),
            number(spec.count.max(1)).into(),
            number(tasks.pending).into(),
            number(tasks.placed).into(),
            number(ended(&tasks)).into(),
            spec.priority.to_string().into(),
            human::resources(spec.request.as_ref()).into(),
            human::age(self.create_time.as_ref()).into(),
        ];
        if wide {
            row.extend([
                number(tasks.running).into(),
                number(tasks.failed).into(),
                human::count(self.evictions).into(),
                human::wire_span(spec.min_runtime.as_ref()).into(),
                if spec.gang { "yes" } else { "-" }.into(),
                place(spec.constraints.as_ref()).into(),
                human::labels(&spec.labels).into(),
            ]);
        }
        row
    }

    fn details(&self) -> Vec<(&'static str, Cell)> {
        let spec = self.spec.clone().unwrap_or_default();
        let mut details: Vec<(&'static str, Cell)> = vec![
            ("Name", self.name.as_str().into()),
            ("Tenant", self.tenant.as_str().into()),
            ("Id", self.id.to_string().into()),
            ("State", state_cell(self.state())),
            ("Tasks", summary(&self.tasks.unwrap_or_default()).into()),
            ("Evictions", human::count(self.evictions).into()),
            ("Each task", human::resources(spec.request.as_ref()).into()),
            ("Where", place(spec.constraints.as_ref()).into()),
            ("Priority", spec.priority.to_string().into()),
            ("Gang", if spec.gang { "yes" } else { "no" }.into()),
            ("Min runtime", human::wire_span(spec.min_runtime.as_ref()).into()),
            ("Max runtime", human::wire_span(spec.max_runtime.as_ref()).into()),
            ("Notice", human::wire_span(spec.notice.as_ref()).into()),
            ("On notice", job_notice::word(&spec).into()),
            ("Deadline", human::time(spec.deadline.as_ref()).into()),
            ("Complete by", human::time(spec.complete_by.as_ref()).into()),
            ("Labels", human::labels(&spec.labels).into()),
            ("Created", human::time(self.create_time.as_ref()).into()),
            ("Ended", human::time(self.end_time.as_ref()).into()),
            ("Revision", self.revision.to_string().into()),
        ];
        details.extend(job_extras::details(self));
        if let Some(time) = &self.cancel_time {
            let until = format!("the last task ends at {}", human::time(Some(time)));
            details.push(("Cancelled", Cell::toned(until, Tone::Warning)));
        }
        if let Some(last) = &self.last_preemption {
            details.push(("Preempted", preempted(last).into()));
        }
        if let Some(start) = &self.planned_start {
            details.push(("Planned start", planned(start, human::time).into()));
        }
        for (index, line) in reasons(self).into_iter().enumerate() {
            let name = if index == 0 { "Waits for" } else { "" };
            details.push((name, Cell::toned(line, Tone::Warning)));
        }
        if self.reasons_revision > 0 {
            details.push(("", format!("as of revision {}", self.reasons_revision).into()));
        }
        details
    }
}

/// For whom and why: `2026-01-01T10:00:00Z for acme/train, of higher priority`.
fn preempted(last: &Preemption) -> String {
    let time = human::time(last.time.as_ref());
    format!("{time} for {}/{}, {}", last.tenant, last.job, right_words(last.right()))
}

/// By what right a job took the room of another.
pub(crate) fn right_words(right: PreemptionRight) -> &'static str {
    match right {
        PreemptionRight::Guarantee => "which was guaranteed it",
        PreemptionRight::Priority | PreemptionRight::Unspecified => "of higher priority",
    }
}

/// When, where and how many; `time` says how times are written.
pub(crate) fn planned(start: &PlannedStart, time: fn(Option<&Timestamp>) -> String) -> String {
    let time = time(start.start_time.as_ref());
    let tasks = human::counted(u64::from(start.tasks), "task");
    format!("{tasks} on {} at {time}", places(start))
}

/// The nodes, each with its tasks where there are several.
fn places(start: &PlannedStart) -> String {
    let [first, rest @ ..] = start.places.as_slice() else { return start.node.clone() };
    if rest.is_empty() {
        return first.node.clone();
    }
    let shown = start.places.iter().take(NODES_SHOWN);
    let mut shown: Vec<String> = shown
        .map(|place| format!("{} ({})", place.node, human::count(place.tasks.into())))
        .collect();
    let more = start.places.len().saturating_sub(NODES_SHOWN);
    if more > 0 {
        shown.push(human::counted(more as u64, "more node"));
    }
    shown.join(", ")
}

/// One line a blocker, for people.
pub(crate) fn reason_lines(reasons: &[PendingReason], tone: Tone) -> Vec<Cell> {
    reason_texts(reasons).into_iter().map(|line| Cell::toned(line, tone)).collect()
}

/// One line a blocker of a job, for people.
pub(crate) fn reasons(job: &Job) -> Vec<String> {
    reason_texts(&job.pending_reasons)
}

fn reason_texts(reasons: &[PendingReason]) -> Vec<String> {
    reasons
        .iter()
        .map(|reason| {
            let blocker = human::enum_word(reason.blocker().as_str_name(), "BLOCKER_");
            let blocker = if reason.dimension.is_empty() {
                blocker
            } else {
                format!("{blocker} ({})", reason.dimension)
            };
            let line = format!("{blocker}: {}", human::counted(u64::from(reason.nodes), "node"));
            match (reason.message.as_str(), reason.smallest_shortfall) {
                ("", 0) => line,
                ("", least) => {
                    let least = human::amount(&reason.dimension, least);
                    format!("{line}; the least short lacks {least}")
                }
                (message, _) => message.to_owned(),
            }
        })
        .collect()
}

/// Tasks that will not run any more.
pub(crate) fn ended(tasks: &TaskCounts) -> u32 {
    tasks.succeeded.saturating_add(tasks.failed).saturating_add(tasks.cancelled)
}

/// The counts that are not zero: `3 pending, 5 placed (2 running)`.
pub(crate) fn summary(tasks: &TaskCounts) -> String {
    let mut parts = Vec::new();
    let mut part = |count: u32, word: &str| {
        if count > 0 {
            parts.push(format!("{} {word}", human::count(u64::from(count))));
        }
    };
    part(tasks.pending, "pending");
    part(tasks.delayed, "delayed");
    let placed = match tasks.running {
        0 => "placed".to_owned(),
        running => format!("placed ({} running)", human::count(u64::from(running))),
    };
    part(tasks.placed, &placed);
    part(tasks.succeeded, "succeeded");
    part(tasks.failed, "failed");
    part(tasks.cancelled, "cancelled");
    human::dash(parts.join(", "))
}

/// Why tasks were placed just there, in few words; nothing where that is not told.
pub(crate) fn placement_words(reason: PlacementReason) -> Option<&'static str> {
    match reason {
        PlacementReason::Unspecified => None,
        PlacementReason::Kept => Some("room kept for its like"),
        PlacementReason::Tightest => Some("tightest fit"),
        PlacementReason::LastRoom => Some("the only room, kept for others"),
        PlacementReason::Spread => Some("kept apart"),
        PlacementReason::Batch => Some("packed as a batch"),
        PlacementReason::Planned => Some("as planned"),
    }
}

pub(crate) fn state_word(state: JobState) -> String {
    human::enum_word(state.as_str_name(), "JOB_STATE_")
}

fn state_cell(state: JobState) -> Cell {
    let tone = match state {
        JobState::Running | JobState::Succeeded => Tone::Good,
        JobState::Pending => Tone::Warning,
        JobState::Failed => Tone::Bad,
        JobState::Cancelled | JobState::Unspecified => Tone::Faint,
    };
    Cell::toned(state_word(state), tone)
}

fn place(constraints: Option<&Constraints>) -> String {
    let Some(constraints) = constraints else {
        return "anywhere".to_owned();
    };
    let mut parts = Vec::new();
    let mut any_of = |name: &str, values: &[String]| {
        if !values.is_empty() {
            parts.push(format!("{name} {}", values.join("|")));
        }
    };
    any_of("region", &constraints.regions);
    any_of("zone", &constraints.zones);
    any_of("gpu", &constraints.gpu_models);
    for selector in &constraints.labels {
        let word = human::enum_word(selector.operator().as_str_name(), "SELECTOR_OPERATOR_");
        let values = selector.values.join("|");
        parts.push(format!("{} {word} {values}", selector.key).trim_end().to_owned());
    }
    for spread in &constraints.spreads {
        let topology = human::enum_word(spread.topology().as_str_name(), "SPREAD_TOPOLOGY_");
        if spread.max_per_place > 0 {
            parts.push(format!("at most {} a {topology}", spread.max_per_place));
        }
        if spread.max_skew > 0 {
            parts.push(format!("{topology} skew {}", spread.max_skew));
        }
    }
    if parts.is_empty() {
        return "anywhere".to_owned();
    }
    parts.join(", ")
}

#[cfg(test)]
mod tests {
    use offpeak::v1::{PlannedStart, StartPlace};

    use super::planned;

    fn on(nodes: &[(&str, u32)]) -> String {
        let place =
            |(node, tasks): &(&str, u32)| StartPlace { node: (*node).into(), tasks: *tasks };
        let places: Vec<StartPlace> = nodes.iter().map(place).collect();
        let tasks = places.iter().map(|place| place.tasks).sum();
        let node = places[0].node.clone();
        planned(&PlannedStart { start_time: None, node, tasks, places }, |_| "noon".to_owned())
    }

    #[test]
    fn a_planned_start_names_its_first_nodes() {
        assert_eq!(on(&[("a", 2)]), "2 tasks on a at noon");
        assert_eq!(on(&[("a", 2), ("b", 1)]), "3 tasks on a (2), b (1) at noon");
        let many = [("a", 1), ("b", 1), ("c", 1), ("d", 1), ("e", 1), ("f", 1)];
        let told = "6 tasks on a (1), b (1), c (1), d (1), 2 more nodes at noon";
        assert_eq!(on(&many), told);
    }
}
