//! `offpeak plan`: what submitting a job would come to.

use clap::Args;
use offpeak::v1::{
    EvictionReason, Job, PlanJobRequest, PlanJobResponse, PlannedEviction, PlannedPlacement,
};
use offpeak_client::Client;

use super::{
    failure::Failure,
    human,
    job_show::{placement_words, reason_lines},
    job_submit::Described,
    json,
    output::{Format, Out},
    session::Session,
    table::{self, Cell, Tone},
    why::suggestions,
};

/// Placements that are listed one by one.
const LISTED: usize = 20;

/// Say what submitting a job would come to, without submitting it.
///
/// The server decides on a copy of itself: where the tasks would be placed, who would have to go for them, and what would
/// wait for what. Takes the options of `submit`, a file among them. Of several jobs each is looked at by itself.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  offpeak plan -f job.yaml
  offpeak plan --tenant acme --count 8 --cpu 4 --memory 16GiB")]
pub(crate) struct Plan {
    /// The job's name: NAME or TENANT/NAME, as by --name
    #[arg(value_name = "NAME", conflicts_with_all = ["name", "file", "values"])]
    job: Option<String>,
    #[command(flatten)]
    described: Described,
}

pub(crate) async fn run(plan: &Plan, session: &Session) -> Result<(), Failure> {
    let jobs =
        plan.described.asked("name a file with a job, or ", plan.job.as_deref(), session).await?;
    let client = session.connect().await?;
    for job in jobs {
        one(job, &client, session.out).await?;
    }
    Ok(())
}

async fn one(job: Job, client: &Client, out: Out) -> Result<(), Failure> {
    let tenant = job.tenant.clone();
    let request = PlanJobRequest { job: Some(job), min_revision: 0 };
    let answer = client.call(request).await?;
    match out.format {
        Format::Table | Format::Wide => {
            out.print(&table::render_details(&page(&tenant, &answer), out.color))
        }
        Format::Name => out.print(&format!("job/{tenant}/{}\n", answer.name)),
        _ => out.object(&json::dynamic(&answer)),
    }
}

fn page(tenant: &str, answer: &PlanJobResponse) -> Vec<(&'static str, Cell)> {
    let placed: u32 = answer.placements.iter().map(|placement| placement.tasks).sum();
    let mut lines: Vec<(&'static str, Cell)> = vec![
        ("Job", format!("{tenant}/{}", answer.name).into()),
        ("Tasks", format!("{placed} would be placed, {} would wait", answer.pending).into()),
    ];
    let mut add = |name: &'static str, cells: Vec<Cell>| {
        for (at, cell) in cells.into_iter().enumerate() {
            lines.push((if at == 0 { name } else { "" }, cell));
        }
    };
    add("Placed", listed(&answer.placements, placement));
    add("Must go", listed(&answer.evictions, eviction));
    add("Waits for", reason_lines(&answer.pending_reasons, Tone::Warning));
    add("Starts now", suggestions(&answer.suggestions));
    let usage = answer.usage.clone().unwrap_or_default();
    add("Tenant asks for", vec![human::resources(usage.requested.as_ref()).into()]);
    add("As of", vec![format!("revision {}", answer.revision).into()]);
    lines
}

fn listed<T>(items: &[T], show: fn(&T) -> String) -> Vec<Cell> {
    let mut lines: Vec<Cell> = items.iter().take(LISTED).map(|item| show(item).into()).collect();
    if let Some(more) = items.len().checked_sub(LISTED).filter(|more| *more > 0) {
        lines.push(format!("and {more} more").into());
    }
    lines
}

fn placement(placement: &PlannedPlacement) -> String {
    let PlannedPlacement { node, first_task, tasks, gpu_devices, .. } = placement;
    let which = match tasks {
        1 => format!("task {first_task}"),
        _ => format!("tasks {first_task} to {}", first_task + tasks - 1),
    };
    let devices: Vec<String> = gpu_devices.iter().map(ToString::to_string).collect();
    let why = placement_words(placement.reason());
    let why = why.map(|words| format!(" ({words})")).unwrap_or_default();
    match devices.as_slice() {
        [] => format!("{which} on {node}{why}"),
        devices => format!("{which} on {node}, GPU {}{why}", devices.join(", ")),
    }
}

fn eviction(eviction: &PlannedEviction) -> String {
    let PlannedEviction { tenant, job, task, node, notice, moved_to, .. } = eviction;
    let notice = notice.clone().unwrap_or_default();
    let reason = EvictionReason::try_from(notice.reason).unwrap_or_default();
    let reason = human::enum_word(reason.as_str_name(), "EVICTION_REASON_");
    let by = human::time(notice.deadline.as_ref());
    let what = format!("task {task} of {tenant}/{job} on {node} by {by}: {reason}");
    if moved_to.is_empty() { what } else { format!("{what}, moves to {moved_to} at once") }
}
