//! Requests that change jobs and tasks.

use std::sync::Arc;

use offpeak::v1;
use offpeak_core::{
    command::{Command, JobPatch, TaskOutcome, TaskReport},
    model::{AllocationId, JobSpec, Millis, OnNotice, Priority, Resources, Time},
};

use super::{
    constraints::constraints,
    extras::{annotations, extras, wait},
    mutation,
    node::MAX_BATCH,
    resources::request,
    scalars::{
        at_most, duration, enumeration, label_map, mask, name, optional_name, require, target,
        time, within,
    },
    violations::{At, Violations},
};

pub(super) const MIN_PRIORITY: i32 = -1_000;
pub(super) const MAX_PRIORITY: i32 = 1_000;
/// The most tasks of a job.
const MAX_COUNT: u32 = 1_000_000;
/// The longest notice.
const MAX_NOTICE: Millis = Millis(10 * Millis::MINUTE.0);
/// The longest message of a report in bytes.
const MAX_MESSAGE_BYTES: usize = 1_024;
/// What may be changed of a job.
const JOB_PATHS: [&str; 6] = [
    "spec.count",
    "spec.priority",
    "spec.max_runtime",
    "spec.on_notice",
    "spec.labels",
    "spec.annotations",
];

mutation!(SubmitJobRequest, "SubmitJob", submit);
mutation!(UpdateJobRequest, "UpdateJob", update);
mutation!(CancelJobRequest, "CancelJob", cancel);
mutation!(ReportTasksRequest, "ReportTasks", report);

fn submit(message: &v1::SubmitJobRequest, violations: &mut Violations) -> Command {
    let root = At::Root;
    let at = root.field("job");
    let absent = v1::Job::default();
    let job = require(violations, &at, message.job.as_ref()).unwrap_or(&absent);
    let spec_at = at.field("spec");
    let absent = v1::JobSpec::default();
    let description = require(violations, &spec_at, job.spec.as_ref()).unwrap_or(&absent);
    Command::SubmitJob {
        tenant: name(violations, &at.field("tenant"), &job.tenant),
        name: optional_name(violations, &at.field("name"), &job.name),
        spec: Arc::new(spec(violations, &spec_at, description)),
    }
}

fn spec(violations: &mut Violations, at: &At<'_>, message: &v1::JobSpec) -> JobSpec {
    let request_at = at.field("request");
    let request = request(violations, &request_at, message.request.as_ref());
    let count = count(violations, &at.field("count"), message.count);
    check_whole(violations, &request_at, &request, count);
    let priority = message.priority;
    within(violations, &at.field("priority"), priority, (MIN_PRIORITY, MAX_PRIORITY));
    let (min_runtime, max_runtime) = runtimes(violations, at, message);
    JobSpec {
        count,
        request,
        constraints: constraints(
            violations,
            &at.field("constraints"),
            message.constraints.as_ref(),
        ),
        priority: Priority(priority),
        min_runtime,
        max_runtime,
        deadline: message.deadline.map(|by| time(violations, &at.field("deadline"), by)),
        complete_by: complete_by(violations, at, message),
        gang: message.gang,
        labels: label_map(violations, &at.field("labels"), &message.labels),
        notice: notice(violations, &at.field("notice"), message.notice),
        on_notice: on_notice(violations, at, message, true),
        extras: extras(violations, at, message),
    }
}

fn complete_by(violations: &mut Violations, at: &At<'_>, message: &v1::JobSpec) -> Option<Time> {
    let at = at.field("complete_by");
    let by = time(violations, &at, message.complete_by?);
    let min = message.min_runtime.unwrap_or_default();
    if message.max_runtime.is_none() && min == prost_types::Duration::default() {
        let what = "says nothing as long as it is not known how long a task runs";
        violations.refuse(&at, format_args!("{what}; give max_runtime or min_runtime"));
    }
    Some(by)
}

fn count(violations: &mut Violations, at: &At<'_>, count: u32) -> u32 {
    if count > MAX_COUNT {
        violations.refuse(at, format_args!("is {count}, more than the {MAX_COUNT} allowed"));
        return 1;
    }
    count.max(1)
}

fn check_whole(violations: &mut Violations, at: &At<'_>, request: &Resources, count: u32) {
    if request.checked_mul(u64::from(count)).is_none() {
        violations.refuse(
            at,
            format_args!("times {count} tasks is more than can be counted; ask for less or fewer"),
        );
    }
}

fn runtimes(
    violations: &mut Violations,
    at: &At<'_>,
    message: &v1::JobSpec,
) -> (Millis, Option<Millis>) {
    let max_at = at.field("max_runtime");
    let min = message
        .min_runtime
        .map_or(Millis(0), |span| duration(violations, &at.field("min_runtime"), span));
    let max = max_runtime(violations, &max_at, message);
    if max.is_some_and(|max| max.0 > 0 && max < min) {
        violations.refuse(&max_at, "must not be less than min_runtime");
    }
    (min, max)
}

fn max_runtime(violations: &mut Violations, at: &At<'_>, message: &v1::JobSpec) -> Option<Millis> {
    let max = message.max_runtime.map(|span| duration(violations, at, span));
    if message.max_runtime == Some(prost_types::Duration::default()) {
        violations.refuse(at, "must be positive; leave it out for no limit");
    }
    max
}

fn notice(
    violations: &mut Violations,
    at: &At<'_>,
    span: Option<prost_types::Duration>,
) -> Option<Millis> {
    let notice = duration(violations, at, span?);
    if notice > MAX_NOTICE {
        violations.refuse(at, "must be at most 10 minutes");
    }
    Some(notice)
}

/// What becomes of tasks under notice; `whole` says that the rest of the description stands beside it.
fn on_notice(
    violations: &mut Violations,
    at: &At<'_>,
    message: &v1::JobSpec,
    whole: bool,
) -> OnNotice {
    let field = at.field("on_notice");
    let given = Some(message.on_notice).filter(|number| *number != 0);
    let found = given.and_then(|number| enumeration(violations, &field, number));
    if found != Some(v1::OnNotice::Move) {
        return OnNotice::Stay;
    }
    if whole && message.gang {
        violations.refuse(
            &field,
            "cannot be MOVE for a gang, which goes as a whole; leave one of the two out",
        );
    }
    if whole && message.complete_by.is_some() {
        let why = "such work is laid out anew when it is evicted";
        violations.refuse(&field, format_args!("cannot be MOVE beside complete_by: {why}"));
    }
    OnNotice::Move
}

fn update(message: &v1::UpdateJobRequest, violations: &mut Violations) -> Command {
    let root = At::Root;
    let at = root.field("job");
    let paths = mask(violations, message.update_mask.as_ref(), &JOB_PATHS);
    let absent = v1::Job::default();
    let job = require(violations, &at, message.job.as_ref()).unwrap_or(&absent);
    let spec_at = at.field("spec");
    let absent = v1::JobSpec { count: 1, ..v1::JobSpec::default() };
    let spec = require(violations, &spec_at, job.spec.as_ref()).unwrap_or(&absent);
    let mut patch = JobPatch::default();
    for path in paths {
        patch_job(violations, &spec_at, spec, path, &mut patch);
    }
    Command::UpdateJob {
        tenant: name(violations, &at.field("tenant"), &job.tenant),
        target: target(violations, &at.field("name"), &job.name, message.expected_revision),
        patch: Box::new(patch),
    }
}

fn patch_job(
    violations: &mut Violations,
    at: &At<'_>,
    spec: &v1::JobSpec,
    path: &str,
    patch: &mut JobPatch,
) {
    match path {
        "spec.count" => {
            let at = at.field("count");
            if spec.count == 0 {
                // On submission no count means 1; here it would end all tasks but one of somebody who meant all.
                violations.refuse(&at, "must be at least 1; to end all tasks, cancel the job");
            }
            patch.count = Some(count(violations, &at, spec.count));
        }
        "spec.priority" => {
            let range = (MIN_PRIORITY, MAX_PRIORITY);
            within(violations, &at.field("priority"), spec.priority, range);
            patch.priority = Some(Priority(spec.priority));
        }
        "spec.max_runtime" => {
            patch.max_runtime = Some(max_runtime(violations, &at.field("max_runtime"), spec));
        }
        "spec.on_notice" => patch.on_notice = Some(on_notice(violations, at, spec, false)),
        "spec.labels" => {
            patch.labels = Some(label_map(violations, &at.field("labels"), &spec.labels));
        }
        "spec.annotations" => {
            let at = at.field("annotations");
            patch.annotations = Some(annotations(violations, &at, &spec.annotations));
        }
        _ => unreachable!("invariant: the mask was checked"),
    }
}

fn cancel(message: &v1::CancelJobRequest, violations: &mut Violations) -> Command {
    let at = At::Root;
    Command::CancelJob {
        tenant: name(violations, &at.field("tenant"), &message.tenant),
        target: target(violations, &at.field("name"), &message.name, message.expected_revision),
        grace: message.grace.map(|grace| wait(violations, &at.field("grace"), grace)),
    }
}

fn report(message: &v1::ReportTasksRequest, violations: &mut Violations) -> Command {
    let root = At::Root;
    let at = root.field("reports");
    if !at_most(violations, &at, message.reports.len(), MAX_BATCH) {
        return Command::ReportTasks(Vec::new());
    }
    let mut reports = Vec::with_capacity(message.reports.len());
    for (index, report) in message.reports.iter().enumerate() {
        reports.push(task_report(violations, &at.index(index), report));
    }
    Command::ReportTasks(reports)
}

fn task_report(violations: &mut Violations, at: &At<'_>, report: &v1::TaskReport) -> TaskReport {
    let found = report.message.len();
    if found > MAX_MESSAGE_BYTES {
        violations.refuse(
            &at.field("message"),
            format_args!("has {found} bytes, more than the {MAX_MESSAGE_BYTES} allowed"),
        );
    }
    let outcome = match enumeration(violations, &at.field("outcome"), report.outcome) {
        Some(v1::TaskOutcome::Succeeded) => TaskOutcome::Succeeded,
        Some(v1::TaskOutcome::Failed) => TaskOutcome::Failed,
        Some(v1::TaskOutcome::Released) => TaskOutcome::Released,
        Some(v1::TaskOutcome::Started | v1::TaskOutcome::Unspecified) | None => {
            TaskOutcome::Started
        }
    };
    TaskReport {
        allocation: AllocationId(report.allocation_id),
        outcome,
        message: if report.message.is_empty() {
            Arc::default()
        } else {
            report.message.as_str().into()
        },
    }
}
