//! `offpeak eta`: when a job would start, and how likely it is to be left alone then.

use std::time::Duration;

use clap::Args;
use offpeak::v1::{
    GetJobRequest, JobName, PendingReason, PlanJobRequest, Quote, QuoteJobRequest,
    QuoteJobResponse, quote_job_request::Subject,
};
use offpeak_client::Client;
use prost_types::Timestamp;

use super::{
    failure::Failure,
    human,
    job_show::reason_lines,
    job_submit::{DESCRIPTION, Described},
    json, money,
    output::{Format, Out},
    percent,
    session::Session,
    table::{self, Cell, Tone},
};

/// Say when a job would start.
///
/// The server looks ahead on a copy of itself: running tasks end as their like did, and whoever comes next is placed. Of
/// 100 jobs that are told so, 50 start by the first time and 95 by the second, by what earlier quotes came to. Takes the
/// job's name if it was submitted, or else the options of `submit`, a file among them.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  offpeak eta acme/train
  offpeak eta -f job.yaml
  offpeak eta --tenant acme --count 8 --cpu 4 --memory 16GiB --undisturbed 6h")]
pub(crate) struct Eta {
    /// A job that waits: NAME or TENANT/NAME
    #[arg(conflicts_with_all = ["file", "values"], conflicts_with_all = DESCRIPTION)]
    job: Option<String>,
    /// How likely it is to be left alone for so long; by default the job's min-runtime, or 1h
    #[arg(long, value_name = "SPAN", value_parser = human::parse_duration)]
    undisturbed: Option<Duration>,
    #[command(flatten)]
    described: Described,
}

pub(crate) async fn run(eta: &Eta, session: &Session) -> Result<(), Failure> {
    let subjects: Vec<Subject> = match &eta.job {
        Some(job) => {
            let (tenant, name) = session.job(job)?;
            vec![Subject::Name(JobName { tenant, name })]
        }
        None => {
            let jobs = eta.described.asked("name a job, or ", None, session).await?;
            jobs.into_iter().map(Subject::Job).collect()
        }
    };
    let client = session.connect().await?;
    for subject in subjects {
        one(subject, eta.undisturbed, &client, session.out).await?;
    }
    Ok(())
}

async fn one(
    subject: Subject,
    undisturbed: Option<Duration>,
    client: &Client,
    out: Out,
) -> Result<(), Failure> {
    let tenant = match &subject {
        Subject::Job(job) => job.tenant.clone(),
        Subject::Name(of) => of.tenant.clone(),
    };
    let request = QuoteJobRequest {
        subject: Some(subject.clone()),
        undisturbed: undisturbed.map(human::to_wire),
        min_revision: 0,
    };
    let answer = client.call(request).await?;
    match out.format {
        Format::Table | Format::Wide => {
            let quote = answer.quote.unwrap_or_default();
            let is_told = quote.p50_start_time.is_some() && !has_started(&quote);
            let why = if is_told { Vec::new() } else { reasons(subject, client).await? };
            out.print(&table::render_details(&page(&tenant, &answer, &why), out.color))
        }
        Format::Name => out.print(&format!("job/{tenant}/{}\n", answer.name)),
        _ => out.object(&json::dynamic(&answer)),
    }
}

/// Why a job waits that no time can be told for, or the rest of one that has started.
async fn reasons(subject: Subject, client: &Client) -> Result<Vec<PendingReason>, Failure> {
    Ok(match subject {
        Subject::Name(JobName { tenant, name }) => {
            let request = GetJobRequest { tenant, name, min_revision: 0 };
            client.call(request).await?.job.unwrap_or_default().pending_reasons
        }
        Subject::Job(job) => {
            let request = PlanJobRequest { job: Some(job), min_revision: 0 };
            client.call(request).await?.pending_reasons
        }
    })
}

fn page(
    tenant: &str,
    answer: &QuoteJobResponse,
    why: &[PendingReason],
) -> Vec<(&'static str, Cell)> {
    let quote = answer.quote.unwrap_or_default();
    let job = format!("{tenant}/{}", answer.name);
    let mut lines: Vec<(&'static str, Cell)> = vec![("Job", job.into()), start(&quote)];
    for (at, reason) in reason_lines(why, Tone::Warning).into_iter().enumerate() {
        lines.push((if at == 0 { "Waits for" } else { "" }, reason));
    }
    if let Some(kept) = &answer.kept {
        let when = human::time(kept.quote_time.as_ref());
        lines.push(("Was told", format!("{}, at {when}", promise(kept, human::time)).into()));
    }
    if let Some(ppm) = answer.undisturbed_ppm {
        let span = human::wire_span(answer.undisturbed.as_ref());
        lines.push(("Left alone", format!("{} likely for {span}", percent::text(ppm, 4)).into()));
    }
    if let Some(micros) = answer.cost_micros {
        let cost = money::with_currency(micros, &answer.currency);
        let demand = answer.demand_permille.map(|permille| percent::text(permille, 1));
        let demand = demand.map(|paid| format!(", with demand at {paid}")).unwrap_or_default();
        lines.push(("Costs", (cost + &demand).into()));
    }
    lines.push(("As of", format!("revision {}", answer.revision).into()));
    lines
}

/// When it starts, or when it did.
fn start(quote: &Quote) -> (&'static str, Cell) {
    if has_started(quote) {
        return ("Started", human::time(quote.p95_start_time.as_ref()).into());
    }
    match quote.p95_start_time {
        Some(_) if quote.p95_start_time == quote.quote_time => {
            ("Starts", Cell::toned("now", Tone::Good))
        }
        Some(_) => ("Starts", promise(quote, human::time).into()),
        None => ("Starts", Cell::toned(promise(quote, human::time), Tone::Warning)),
    }
}

/// Both times are the same then and have passed.
fn has_started(quote: &Quote) -> bool {
    let at = |time: Option<Timestamp>| time.map(|time| (time.seconds, time.nanos));
    let start = at(quote.p95_start_time);
    start.is_some() && start < at(quote.quote_time)
}

/// What was quoted, in a few words; `time` says how times are written.
pub(crate) fn promise(quote: &Quote, time: fn(Option<&Timestamp>) -> String) -> String {
    match (&quote.p50_start_time, &quote.p95_start_time) {
        (Some(p50), Some(p95)) => {
            format!("half by {}, 95% by {}", time(Some(p50)), time(Some(p95)))
        }
        _ => "not within a week, or not known".to_owned(),
    }
}
