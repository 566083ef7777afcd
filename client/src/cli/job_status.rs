//! `offpeak job status`: how a job stands, and how it came to that.

use clap::Args;
use offpeak::v1::{
    Event, GetCostRequest, GetStatusRequest, Job, JobState, WatchFilter, event::Kind,
};
use offpeak_client::Client;

use super::{
    events,
    failure::Failure,
    human, job,
    job_show::{self, reason_lines, summary},
    job_story::Story,
    money,
    output::Out,
    session::Session,
    table::{self, Cell, Tone, paint},
};

/// Tell what became of jobs: what happened to them, and what they wait for.
///
/// The story is told from the server's log, which keeps what happened lately. With -o json and the like it is what `job
/// get` prints.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  offpeak job status acme/train
  offpeak job status -t acme train eval")]
pub(crate) struct Status {
    /// Their names: NAME or TENANT/NAME
    #[arg(required = true)]
    names: Vec<String>,
}

pub(crate) async fn run(status: Status, client: &Client, session: &Session) -> Result<(), Failure> {
    let out = session.out;
    let mut jobs = Vec::new();
    for name in &status.names {
        let (tenant, name) = session.job(name)?;
        jobs.push(job::get(client, &tenant, &name, 0).await?);
    }
    if !out.is_for_people() {
        return out.some(&jobs);
    }
    for (at, job) in jobs.iter().enumerate() {
        let gap = if at > 0 { "\n" } else { "" };
        let past = past(job, client, session).await?;
        let present = table::render_details(&present(job, client).await?, out.color);
        out.print(&format!("{gap}{}{past}{present}", headline(job, out)))?;
        if job.tasks.is_some_and(|tasks| tasks.pending > 0) {
            let name = name(job);
            out.remark(&format!("`offpeak why {name}` tells what would let it start now"));
        }
    }
    Ok(())
}

fn name(job: &Job) -> String {
    format!("{}/{}", job.tenant, job.name)
}

fn headline(job: &Job, out: Out) -> String {
    let (stands, tone) = match job.state() {
        JobState::Pending => ("waits".to_owned(), Tone::Warning),
        JobState::Running => ("runs".to_owned(), Tone::Good),
        JobState::Failed => ("failed".to_owned(), Tone::Bad),
        JobState::Cancelled => ("was cancelled".to_owned(), Tone::Plain),
        state => (job_show::state_word(state), Tone::Good),
    };
    let stands = paint(&stands, tone, out.color);
    let tasks = summary(&job.tasks.unwrap_or_default());
    let why = match job.end_reason.as_str() {
        "" => String::new(),
        reason => format!("; {reason}"),
    };
    format!("{} {stands}: {tasks}{why}\n", name(job))
}

/// What happened, as far as the log goes back.
async fn past(job: &Job, client: &Client, session: &Session) -> Result<String, Failure> {
    let status = client.call(GetStatusRequest::default()).await?;
    let oldest = status.compacted_revision;
    // A job that was never changed was submitted then, and nothing needs to be read of what was before.
    let submitted = job.revision.saturating_sub(1).max(oldest);
    let mut found = read(job, (submitted, status.revision), client, session.out).await?;
    if !found.1 && submitted > oldest {
        found = read(job, (oldest, status.revision), client, session.out).await?;
    }
    let (story, is_whole) = found;
    let lines = story.lines(&name(job), session.out.color);
    if is_whole {
        return Ok(lines);
    }
    Ok(format!("  what was before is not in the server's log any more\n{lines}"))
}

/// What happened in these revisions, and whether it begins with the job's submission.
async fn read(
    job: &Job,
    revisions: (u64, u64),
    client: &Client,
    out: Out,
) -> Result<(Story, bool), Failure> {
    let (tenant, name) = (job.tenant.clone(), job.name.clone());
    let filter = WatchFilter { tenant, job: name, ..WatchFilter::default() };
    let (mut story, mut is_whole) = (Story::default(), false);
    let tell = |events: &[Event]| {
        for event in events {
            if matches!(event.kind, Some(Kind::JobSubmitted(_))) {
                // What was before is of another job of this name.
                (story, is_whole) = (Story::default(), true);
            }
            story.tell(event);
        }
        Ok(())
    };
    events::read(client, filter, revisions, out, tell).await?;
    Ok((story, is_whole))
}

/// What it waits for, what is planned for it and what it has cost.
async fn present(job: &Job, client: &Client) -> Result<Vec<(&'static str, Cell)>, Failure> {
    let mut lines = Vec::new();
    for reason in reason_lines(&job.pending_reasons, Tone::Warning) {
        lines.push((if lines.is_empty() { "Waits for" } else { "" }, reason));
    }
    if let Some(start) = &job.planned_start {
        lines.push(("Planned start", job_show::planned(start, human::time).into()));
    }
    lines.extend(cost(job, client).await?.map(|cost| ("Cost", cost.into())));
    Ok(lines)
}

/// What it has cost, where anything has a price.
async fn cost(job: &Job, client: &Client) -> Result<Option<String>, Failure> {
    let (tenant, job) = (job.tenant.clone(), job.name.clone());
    let cost = client.call(GetCostRequest { tenant, job, min_revision: 0 }).await?.cost;
    Ok(cost.filter(|cost| !cost.currency.is_empty()).map(|cost| {
        let charge = money::with_currency(cost.charge_micros, &cost.currency);
        match cost.hourly_micros {
            0 => charge,
            hourly => format!("{charge} so far, {} an hour now", money::text(hourly)),
        }
    }))
}
