//! `offpeak eta`: when a job would start, and how likely it is to be left alone then.

use std::time::Duration;

use clap::Args;
use offpeak::v1::{
    GetQuoteRecordRequest, GetQuoteRecordResponse, JobName, Quote, QuoteJobRequest,
    QuoteJobResponse, quote_job_request::Subject,
};
use offpeak_client::Client;

use super::{
    failure::Failure,
    human,
    job_submit::{DESCRIPTION, Described},
    json,
    output::{Format, Out},
    owner::percent,
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
            let jobs = eta.described.asked("name a job, or ", session).await?;
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
        subject: Some(subject),
        undisturbed: undisturbed.map(human::to_wire),
        min_revision: 0,
    };
    let answer = client.call(request).await?;
    match out.format {
        Format::Table | Format::Wide => {
            out.print(&table::render_details(&page(&tenant, &answer), out.color))
        }
        Format::Name => out.print(&format!("job/{tenant}/{}\n", answer.name)),
        _ => out.object(&json::dynamic(&answer)),
    }
}

fn page(tenant: &str, answer: &QuoteJobResponse) -> Vec<(&'static str, Cell)> {
    let quote = answer.quote.unwrap_or_default();
    let mut lines: Vec<(&'static str, Cell)> =
        vec![("Job", format!("{tenant}/{}", answer.name).into()), ("Starts", starts(&quote))];
    if let Some(kept) = &answer.kept {
        let when = human::time(kept.quote_time.as_ref());
        lines.push(("Was told", format!("{}, at {when}", promise(kept)).into()));
    }
    if let Some(ppm) = answer.undisturbed_ppm {
        let span = human::wire_span(answer.undisturbed.as_ref());
        lines.push(("Left alone", format!("{} likely for {span}", percent(ppm, 4)).into()));
    }
    if let Some(micros) = answer.cost_micros {
        let (whole, part) = (micros / 1_000_000, micros % 1_000_000);
        lines.push(("Costs", format!("{}.{part:06}", human::count(whole)).into()));
    }
    lines.push(("As of", format!("revision {}", answer.revision).into()));
    lines
}

fn starts(quote: &Quote) -> Cell {
    match quote.p50_start_time {
        Some(_) if quote.p95_start_time == quote.quote_time => Cell::toned("now", Tone::Good),
        Some(_) => promise(quote).into(),
        None => Cell::toned(promise(quote), Tone::Warning),
    }
}

/// What was quoted, in a few words.
pub(crate) fn promise(quote: &Quote) -> String {
    match (&quote.p50_start_time, &quote.p95_start_time) {
        (Some(p50), Some(p95)) => {
            let (p50, p95) = (human::time(Some(p50)), human::time(Some(p95)));
            format!("half by {p50}, 95% by {p95}")
        }
        _ => "not within a week, or not known".to_owned(),
    }
}

/// `offpeak cell scorecard`.
pub(crate) async fn scorecard(session: &Session) -> Result<(), Failure> {
    let client = session.connect().await?;
    let answer = client.call(GetQuoteRecordRequest::default()).await?;
    let out = session.out;
    match out.format {
        Format::Table | Format::Wide => {
            out.print(&table::render_details(&record(&answer), out.color))
        }
        Format::Name => out.print("cell/scorecard\n"),
        _ => out.object(&json::dynamic(&answer)),
    }
}

fn record(answer: &GetQuoteRecordResponse) -> Vec<(&'static str, Cell)> {
    let GetQuoteRecordResponse { quotes, open, started, withdrawn, unknown, .. } = *answer;
    let told = started - unknown;
    let share = |part: u64| match (part * 1_000).checked_div(told) {
        Some(permille) => format!("{} of {told}, {}", human::count(part), permilles(permille)),
        None => "-".to_owned(),
    };
    let kept = (answer.started_by_p95 * 100).checked_div(told).is_none_or(|percent| percent >= 90);
    let tone = if kept { Tone::Good } else { Tone::Warning };
    let mut lines: Vec<(&'static str, Cell)> = vec![
        ("Quotes", format!("{}, {open} open, {withdrawn} withdrawn", human::count(quotes)).into()),
        ("Started", format!("{started}, {unknown} of them without a time").into()),
        ("By p50", share(answer.started_by_p50).into()),
        ("By p95", Cell::toned(share(answer.started_by_p95), tone)),
    ];
    let median = answer.median_error_permille.map_or_else(|| "-".to_owned(), permilles);
    lines.push(("Error", format!("{median} of the wait, the median of late").into()));
    for (at, errors) in answer.errors.iter().enumerate() {
        let bound = errors
            .up_to_permille
            .map_or_else(|| "more".to_owned(), |bound| format!("up to {}", permilles(bound)));
        let name = if at == 0 { "p50 was off by" } else { "" };
        lines.push((name, format!("{bound}: {}", human::count(errors.quotes)).into()));
    }
    lines.push(("As of", format!("revision {}", answer.revision).into()));
    lines
}

fn permilles(permille: u64) -> String {
    percent(u32::try_from(permille).unwrap_or(u32::MAX), 1)
}
