use std::{collections::BTreeMap, path::Path, sync::Arc};

use offpeak_core::model::{
    Constraints, GPU_MILLIS_PER_DEVICE, JobSpec, Labels, Millis, Name, OnNotice, Priority, Time,
};

use super::{
    fields::{amounts, boolean, name, names, positive_seconds, seconds, signed, whole},
    nodes::{MAX_DEVICES, check_unique, expect_main},
};
use crate::tables::{InputError, Row, Table};

const COLUMNS: [&str; 20] = [
    "name",
    "submit_s",
    "cpu_millis",
    "memory_bytes",
    "disk_bytes",
    "network_bps",
    "tenant",
    "gpus",
    "gpu_millis",
    "gpu_models",
    "count",
    "priority",
    "gang",
    "min_runtime_s",
    "max_runtime_s",
    "runtime_s",
    "deadline_s",
    "preemptible",
    "regions",
    "on_notice",
];

/// The tenant of yesterday's tasks.
pub(in crate::simulate) const HISTORY: &str = "history";

/// The tenant of a row that names none.
const DEFAULT_TENANT: &str = "default";

/// The most tasks of a row, and the extremes of a priority, as in the API.
const MAX_COUNT: u64 = 1_000_000;
const MAX_PRIORITY: i32 = 1_000;

/// The `min_runtime` of a task that must not be preempted: the longest of the API, 10,000 years.
pub(in crate::simulate) const FOR_GOOD: Millis = Millis(315_576_000_000 * Millis::SECOND.0);

/// How much longer the engine lets a task run than it does, so that the task's own end comes first.
pub(in crate::simulate) const END_SLACK: Millis = Millis(1);

/// A row of tasks: a job that arrives at a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::simulate) struct JobRow {
    pub(in crate::simulate) name: Name,
    pub(in crate::simulate) tenant: Name,
    /// After the beginning.
    pub(in crate::simulate) submit: Millis,
    /// After the beginning.
    deadline: Option<Millis>,
    /// How long each task really runs, if it ends.
    pub(in crate::simulate) runtime: Option<Millis>,
    /// Without the deadline, which depends on when the beginning is.
    pub(in crate::simulate) spec: JobSpec,
}

impl JobRow {
    /// The job, for a simulation that begins at `origin`.
    pub(in crate::simulate) fn job(&self, origin: Time) -> Arc<JobSpec> {
        let deadline = self.deadline.map(|deadline| origin.after(deadline));
        Arc::new(JobSpec { deadline, ..self.spec.clone() })
    }
}

/// Reads what is asked for, in the order of the file.
pub(in crate::simulate) fn tasks(path: &Path) -> Result<Vec<JobRow>, InputError> {
    read(Table::open(path)?)
}

pub(super) fn read(mut table: Table) -> Result<Vec<JobRow>, InputError> {
    let rows = rows(&mut table, |row, job| {
        if job.tenant.as_str() == HISTORY {
            row.refuse("tenant", "is the tenant of the history; choose another name");
        }
    })?;
    table.need_rows(rows.len());
    table.finish(rows)
}

/// Reads what was asked for yesterday, in the order of arrival.
pub(in crate::simulate) fn history(path: &Path) -> Result<Vec<JobRow>, InputError> {
    let mut table = Table::open(path)?;
    let mut rows = rows(&mut table, |_, _| {})?;
    rows.sort_by_key(|row| row.submit);
    table.finish(rows)
}

fn rows(
    table: &mut Table,
    mut check: impl FnMut(&mut Row<'_>, &JobRow),
) -> Result<Vec<JobRow>, InputError> {
    table.expect_with_counts(&COLUMNS, &["name", "submit_s"]);
    expect_main(table);
    let mut rows = Vec::new();
    let mut lines = BTreeMap::new();
    table.each_row(|row| {
        let job = job(row);
        check_unique(row, &mut lines, &job.name);
        check(row, &job);
        rows.push(job);
    })?;
    Ok(rows)
}

fn job(row: &mut Row<'_>) -> JobRow {
    let mut request = amounts(row);
    request.gpu_millis = gpu_millis(row);
    let nothing = request.is_zero();
    let count = row.optional("count", whole(1..=MAX_COUNT)).unwrap_or(1);
    let priority = row.optional("priority", signed(-MAX_PRIORITY..=MAX_PRIORITY)).unwrap_or(0);
    let Runtimes { min: min_runtime, max: max_runtime, real: runtime } = runtimes(row);
    let submit = row.required("submit_s", seconds);
    let gang = row.optional("gang", boolean).unwrap_or(false);
    let on_notice = row.optional("on_notice", on_notice).unwrap_or_default();
    if gang && on_notice == OnNotice::Move {
        row.refuse("on_notice", "cannot be move for a gang, which goes as a whole");
    }
    let constraints = Constraints {
        regions: row.optional("regions", names).unwrap_or_default(),
        gpu_models: row.optional("gpu_models", names).unwrap_or_default(),
        ..Constraints::default()
    };
    let job = JobRow {
        name: row.required("name", name),
        tenant: row.optional("tenant", name).unwrap_or_else(default_tenant),
        submit,
        deadline: deadline(row, submit),
        runtime,
        spec: JobSpec {
            count: u32::try_from(count).expect("invariant: at most a million"),
            request,
            constraints,
            priority: Priority(priority),
            min_runtime,
            max_runtime,
            deadline: None,
            complete_by: None,
            gang,
            labels: Labels::new(),
            notice: None,
            on_notice,
            extras: None,
        },
    };
    if nothing {
        row.refuse_row("asks for nothing; some amount must be more than 0");
    }
    job
}

fn on_notice(text: &str) -> Result<OnNotice, String> {
    match text {
        "stay" => Ok(OnNotice::Stay),
        "move" => Ok(OnNotice::Move),
        _ => Err("is neither stay nor move".to_owned()),
    }
}

fn default_tenant() -> Name {
    Name::parse(DEFAULT_TENANT).expect("invariant: it is a name")
}

/// What is asked of all devices together: whole ones, or a share of one.
fn gpu_millis(row: &mut Row<'_>) -> u64 {
    let devices = row.optional("gpus", whole(0..=MAX_DEVICES)).unwrap_or(0);
    let each = row.optional("gpu_millis", whole(0..=GPU_MILLIS_PER_DEVICE));
    match (devices, each) {
        (0, None | Some(0)) => 0,
        (devices, None | Some(GPU_MILLIS_PER_DEVICE)) if devices > 0 => {
            devices * GPU_MILLIS_PER_DEVICE
        }
        (1, Some(share)) if share > 0 => share,
        (0, _) => {
            row.refuse("gpu_millis", "is asked of no device: gpus is 0 or empty");
            0
        }
        (1, _) => {
            row.refuse("gpu_millis", "is no part of a device: from 1 to 1000 are");
            0
        }
        _ => {
            row.refuse("gpu_millis", "is not 1000; only one device can be shared, with gpus = 1");
            0
        }
    }
}

/// How long a task must be left alone, how long the engine lets it run, and how long it really does.
struct Runtimes {
    min: Millis,
    max: Option<Millis>,
    real: Option<Millis>,
}

fn runtimes(row: &mut Row<'_>) -> Runtimes {
    let min = row.optional("min_runtime_s", seconds).unwrap_or_default();
    let max = row.optional("max_runtime_s", positive_seconds);
    if max.is_some_and(|max| max < min) {
        row.refuse("max_runtime_s", "is less than min_runtime_s");
    }
    let real = row.optional("runtime_s", positive_seconds);
    if let (Some(real), Some(max)) = (real, max)
        && real > max
    {
        row.refuse("runtime_s", "is more than max_runtime_s");
    }
    let preemptible = row.optional("preemptible", boolean).unwrap_or(true);
    let min = if preemptible { min } else { max.unwrap_or(FOR_GOOD) };
    Runtimes { min, max: max.map(|max| Millis(max.0 + END_SLACK.0)), real: real.or(max) }
}

fn deadline(row: &mut Row<'_>, submit: Millis) -> Option<Millis> {
    let deadline = row.optional("deadline_s", seconds)?;
    if deadline <= submit {
        row.refuse("deadline_s", "is not later than submit_s");
    }
    Some(deadline)
}
