//! `offpeak job wait`: follows a job to its end.

use std::{
    io::{self, IsTerminal as _},
    time::Duration,
};

use clap::{Args, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};
use offpeak::v1::{Job, JobState, WatchFilter};
use offpeak_client::{Client, DEFAULT_TIMEOUT, Error, WatchMessage, WatchOptions, WatchStart};
use tokio::time::{Instant, timeout_at};

use super::{
    failure::{Failure, exit},
    human, job, job_show,
    output::{Out, Show as _},
    session::Session,
};

/// No wait is longer; a deadline beyond it could not be computed with.
const FOREVER: Duration = Duration::from_secs(100 * 365 * 86_400);

/// What to wait for.
#[derive(Args, Debug)]
#[command(after_help = "\
Exit codes:
  0  the job got there; it succeeded, if it has ended
  6  it had not when --timeout was over; what its tasks wait for is printed
  8  it failed or was cancelled

Examples:
  offpeak job wait acme/train --timeout 2h
  offpeak job wait acme/train --for placed")]
pub(crate) struct Wait {
    /// The job
    name: String,
    /// Until when
    #[arg(long = "for", value_enum, default_value_t, value_name = "GOAL")]
    goal: Goal,
}

/// How far a job has to get.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Goal {
    /// Every task has a place or has ended
    Placed,
    /// Every task has started or has ended
    Started,
    /// Every task has ended
    #[default]
    Ended,
}

/// How far it got.
enum Progress {
    Waiting(u32),
    Reached,
    Failed,
}

pub(crate) async fn run(wait: &Wait, session: &Session) -> Result<(), Failure> {
    let (tenant, name) = session.job(&wait.name)?;
    // Each call has the usual deadline; --timeout is for the job.
    let client = session.connect_for(DEFAULT_TIMEOUT).await?;
    until(&tenant, &name, wait.goal, &client, session).await
}

/// Waits for one job and prints how it stands in the end.
pub(crate) async fn until(
    tenant: &str,
    name: &str,
    goal: Goal,
    client: &Client,
    session: &Session,
) -> Result<(), Failure> {
    let client = &client.with_timeout(DEFAULT_TIMEOUT);
    let deadline = Instant::now() + session.timeout.unwrap_or(FOREVER).min(FOREVER);
    let mut display = Display::new(session.out);
    let mut job = job::get(client, tenant, name, 0).await?;
    let followed =
        timeout_at(deadline, follow(&mut job, goal, client, session.out, &mut display)).await;
    display.end();
    match followed {
        Ok(Ok(Progress::Failed)) => {
            let state = job_show::state_word(job.state());
            let counts = job_show::summary(&job.tasks.unwrap_or_default());
            let message = format!("{} {state}: {counts}", job.reference());
            Err(Failure::new(exit::JOB_FAILED, message))
        }
        Ok(Ok(_)) => {
            let state = job_show::state_word(job.state());
            if session.out.is_for_people() {
                let counts = job_show::summary(&job.tasks.unwrap_or_default());
                session.out.remark(&format!("{} {state}: {counts}", job.reference()));
                return Ok(());
            }
            session.out.some(&[job])
        }
        Ok(Err(failure)) => Err(failure),
        Err(_) => Err(out_of_time(client, tenant, name, &job).await),
    }
}

/// Looks at the job whenever something happened to it, until it has got there.
async fn follow(
    job: &mut Job,
    goal: Goal,
    client: &Client,
    out: Out,
    display: &mut Display,
) -> Result<Progress, Failure> {
    let (tenant, name) = (job.tenant.clone(), job.name.clone());
    loop {
        let (current, revision) = look(client, &tenant, &name, 0).await?;
        *job = current;
        let mut options = WatchOptions::new(WatchStart::After(revision));
        options.filter =
            WatchFilter { tenant: tenant.clone(), job: name.clone(), ..WatchFilter::default() };
        let mut watch = client.watch(options);
        let mut is_interrupted = false;
        loop {
            let progress = assess(job, goal);
            display.show(job, &progress);
            if !matches!(progress, Progress::Waiting(_)) {
                return Ok(progress);
            }
            match watch.next().await {
                Ok(WatchMessage::Events(batch)) => {
                    is_interrupted = false;
                    let through = batch.through_revision;
                    *job = look(client, &tenant, &name, through).await?.0;
                }
                Ok(WatchMessage::Interrupted(error)) => {
                    // Once an outage, not once an attempt.
                    if !is_interrupted {
                        out.remark(&format!("{error}; resuming"));
                    }
                    is_interrupted = true;
                }
                Ok(WatchMessage::Progress(_) | WatchMessage::Snapshot { .. }) => {
                    is_interrupted = false;
                }
                // The log moved on while the connection was lost: look at the job afresh.
                Err(Error::Compacted { .. }) => break,
                Err(error) => return Err(error.into()),
            }
        }
    }
}

async fn look(
    client: &Client,
    tenant: &str,
    name: &str,
    min_revision: u64,
) -> Result<(Job, u64), Failure> {
    let request = offpeak::v1::GetJobRequest {
        tenant: tenant.to_owned(),
        name: name.to_owned(),
        min_revision,
    };
    let response = client.call(request).await?;
    Ok((response.job.unwrap_or_default(), response.revision))
}

fn assess(job: &Job, goal: Goal) -> Progress {
    match job.state() {
        JobState::Failed | JobState::Cancelled => return Progress::Failed,
        JobState::Succeeded => return Progress::Reached,
        _ => {}
    }
    let tasks = job.tasks.unwrap_or_default();
    let ended = job_show::ended(&tasks);
    let there = match goal {
        Goal::Placed => ended.saturating_add(tasks.placed),
        Goal::Started => ended.saturating_add(tasks.running),
        Goal::Ended => ended,
    };
    if goal != Goal::Ended && there >= total(job) {
        return Progress::Reached;
    }
    Progress::Waiting(there)
}

fn total(job: &Job) -> u32 {
    job.spec.as_ref().map_or(1, |spec| spec.count.max(1))
}

async fn out_of_time(client: &Client, tenant: &str, name: &str, last: &Job) -> Failure {
    // The reasons are worth one more look, but not worth failing for.
    let short = client.with_timeout(Duration::from_secs(5));
    let job = match job::get(&short, tenant, name, 0).await {
        Ok(job) => job,
        Err(_) => last.clone(),
    };
    let counts = job_show::summary(&job.tasks.unwrap_or_default());
    let message = format!("{} is not there yet: {counts}", job.reference());
    let mut failure = Failure::new(exit::PENDING, message);
    for reason in job_show::reasons(&job) {
        failure = failure.note(reason);
    }
    failure.hint(format!("the job goes on; see `offpeak job get {tenant}/{name}`"))
}

/// A bar on a terminal, plain lines elsewhere, nothing when quiet.
enum Display {
    Bar(ProgressBar),
    Lines { out: Out, last: String },
}

impl Display {
    fn new(out: Out) -> Self {
        if out.quiet || !io::stderr().is_terminal() {
            return Self::Lines { out, last: String::new() };
        }
        let bar = ProgressBar::new(1);
        if let Ok(style) =
            ProgressStyle::with_template("{prefix}  [{bar:32}] {pos}/{len}  {msg}  {elapsed}")
        {
            bar.set_style(style.progress_chars("=> "));
        }
        bar.enable_steady_tick(Duration::from_millis(500));
        Self::Bar(bar)
    }

    fn show(&mut self, job: &Job, progress: &Progress) {
        let counts = job_show::summary(&job.tasks.unwrap_or_default());
        match self {
            Self::Bar(bar) => {
                let position = match progress {
                    Progress::Waiting(there) => *there,
                    Progress::Reached | Progress::Failed => total(job),
                };
                bar.set_length(u64::from(total(job)));
                bar.set_position(u64::from(position));
                bar.set_prefix(job.reference());
                bar.set_message(counts);
            }
            Self::Lines { out, last } => {
                // The last line is printed by the caller, with how the job ended.
                if *last != counts && matches!(progress, Progress::Waiting(_)) {
                    let state = human::enum_word(job.state().as_str_name(), "JOB_STATE_");
                    out.remark(&format!("{} {state}: {counts}", job.reference()));
                    *last = counts;
                }
            }
        }
    }

    fn end(&self) {
        if let Self::Bar(bar) = self {
            bar.finish_and_clear();
        }
    }
}
