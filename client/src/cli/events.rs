//! `offpeak events`: every committed fact, in order.

use std::time::Duration;

use clap::Args;
use offpeak::v1::{Event, GetStatusRequest, WatchFilter, event::Kind};
use offpeak_client::{Client, Watch, WatchMessage, WatchOptions, WatchStart};

use super::{
    event_text,
    failure::Failure,
    human, json, node,
    output::{Format, Out},
    session::Session,
    table::{Tone, paint},
};

/// The shortest interval that servers accept: without --follow, the last mark of progress ends the command.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(100);

/// Print events: every committed fact, in order.
///
/// Without --follow, prints what is in the log and ends. The watch survives a restart of the server without gap or
/// repeat.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  offpeak events --follow
  offpeak events --since 1200 --kinds tasks_placed,task_evicted --tenant acme
  offpeak events --follow -o jsonl | jq .tasksPlaced")]
pub(crate) struct Show {
    /// Begin after this revision [default: the oldest in the log; with --follow, now]
    #[arg(long, value_name = "REVISION")]
    since: Option<u64>,
    /// Go on with what happens
    #[arg(long, short)]
    follow: bool,
    /// Only these kinds, such as tasks_placed,task_evicted
    #[arg(long, value_delimiter = ',', value_name = "KIND")]
    kinds: Vec<String>,
    /// Of all tenants, whatever the context says
    #[arg(long, short = 'A')]
    all_tenants: bool,
    /// Only of this job
    #[arg(long)]
    job: Option<String>,
    /// Only of this node
    #[arg(long)]
    node: Option<String>,
    /// Only of nodes in this region
    #[arg(long)]
    region: Option<String>,
}

pub(crate) async fn run(show: Show, session: &Session) -> Result<(), Failure> {
    let client = session.connect().await?;
    let mut options = WatchOptions::new(WatchStart::Now);
    options.filter = show.filter(session)?;
    if let Some(revision) = show.since {
        options.start = WatchStart::After(revision);
    }
    let out = session.out;
    let print = |events: &[Event]| {
        let lines = events.iter().map(|event| line(event, out));
        out.print(&lines.collect::<Result<Vec<String>, Failure>>()?.concat())
    };
    if show.follow {
        return each(client.watch(options), None, out, print).await;
    }
    let status = client.call(GetStatusRequest::default()).await?;
    let since = show.since.unwrap_or(status.compacted_revision);
    if since >= status.revision && show.since.is_none() {
        return Ok(());
    }
    read(&client, options.filter, (since, status.revision), out, print).await
}

/// Has each batch of what passes the filter told: of revisions after the first of these, up to the last.
pub(crate) async fn read(
    client: &Client,
    filter: WatchFilter,
    (since, last): (u64, u64),
    out: Out,
    tell: impl FnMut(&[Event]) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut options = WatchOptions::new(WatchStart::After(since));
    options.filter = filter;
    options.progress_interval = Some(PROGRESS_INTERVAL);
    each(client.watch(options), Some(last), out, tell).await
}

/// Until everything up to `last` has been told, or for good.
async fn each(
    mut watch: Watch,
    last: Option<u64>,
    out: Out,
    mut tell: impl FnMut(&[Event]) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut is_interrupted = false;
    loop {
        let message = watch.next().await?;
        if let WatchMessage::Interrupted(error) = &message {
            // Once an outage, not once an attempt.
            if !is_interrupted {
                out.remark(&format!("{error}; resuming"));
            }
            is_interrupted = true;
            continue;
        }
        is_interrupted = false;
        if let WatchMessage::Events(batch) = message {
            let within = |event: &Event| last.is_none_or(|last| event.revision <= last);
            let end = batch.events.partition_point(within);
            tell(&batch.events[..end])?;
        }
        if let (Some(last), Some(through)) = (last, watch.revision())
            && through >= last
        {
            return Ok(());
        }
    }
}

fn line(event: &Event, out: Out) -> Result<String, Failure> {
    let encoded = |error: &dyn std::fmt::Display| Failure::new(1, error.to_string());
    Ok(match out.format {
        Format::Table | Format::Wide => {
            let (kind, detail) = event_text::describe(event, out.is_wide());
            let kind = paint(&format!("{kind:<18}"), tone(event), out.color);
            let time = paint(&human::moment(event.time.as_ref()), Tone::Faint, out.color);
            format!("{:<8}  {time}  {kind}  {detail}\n", event.revision)
        }
        Format::Name => format!("{} {}\n", event.revision, event_text::kind(event)),
        Format::Json | Format::Jsonl | Format::Csv => {
            serde_json::to_string(&json::dynamic(event)).map_err(|error| encoded(&error))? + "\n"
        }
        Format::Yaml => {
            let text = serde_saphyr::to_string(&json::dynamic(event));
            format!("---\n{}\n", text.map_err(|error| encoded(&error))?.trim_end())
        }
    })
}

fn tone(event: &Event) -> Tone {
    match &event.kind {
        Some(Kind::TasksPlaced(_) | Kind::TaskStarted(_)) => Tone::Good,
        Some(Kind::NoticeGiven(_) | Kind::AdvisoryGiven(_) | Kind::NodeStateChanged(_)) => {
            Tone::Warning
        }
        Some(Kind::TaskEvicted(_) | Kind::NodeRemoved(_)) => Tone::Bad,
        Some(Kind::LoadReported(_)) => Tone::Faint,
        _ => Tone::Plain,
    }
}

impl Show {
    fn filter(&self, session: &Session) -> Result<WatchFilter, Failure> {
        let mut filter = WatchFilter {
            node: self.node.as_deref().map(node::plain).unwrap_or_default(),
            region: self.region.clone().unwrap_or_default(),
            kinds: self.kinds.clone(),
            ..WatchFilter::default()
        };
        if let Some(job) = &self.job {
            (filter.tenant, filter.job) = session.job(job)?;
        } else if !self.all_tenants && session.tenant_is_explicit {
            // The context's tenant is for jobs. Without being asked, events of nodes are not kept back.
            filter.tenant = session.tenant.clone().unwrap_or_default();
        }
        Ok(filter)
    }
}
