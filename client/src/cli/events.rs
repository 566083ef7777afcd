//! `offpeak events`: every committed fact, in order.

use std::time::Duration;

use clap::Args;
use offpeak::v1::{Event, GetStatusRequest, WatchFilter, event::Kind};
use offpeak_client::{Watch, WatchMessage, WatchOptions, WatchStart};

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
    if show.follow {
        return print(client.watch(options), None, session).await;
    }
    let status = client.call(GetStatusRequest::default()).await?;
    let since = show.since.unwrap_or(status.compacted_revision);
    if since >= status.revision && show.since.is_none() {
        return Ok(());
    }
    options.start = WatchStart::After(since);
    options.progress_interval = Some(PROGRESS_INTERVAL);
    print(client.watch(options), Some(status.revision), session).await
}

/// Prints until everything up to `last` has been printed, or for good.
async fn print(mut watch: Watch, last: Option<u64>, session: &Session) -> Result<(), Failure> {
    let out = session.out;
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
        match message {
            WatchMessage::Events(batch) => {
                let mut text = String::new();
                for event in &batch.events {
                    if last.is_some_and(|last| event.revision > last) {
                        break;
                    }
                    text.push_str(&line(event, out)?);
                }
                out.print(&text)?;
            }
            WatchMessage::Progress(_)
            | WatchMessage::Snapshot { .. }
            | WatchMessage::Interrupted(_) => {}
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
