//! `offpeak alloc`: which task holds part of which node.

use clap::{Args, Subcommand, ValueEnum};
use offpeak::v1::{
    Allocation, AllocationFilter, AllocationState, GetAllocationRequest, GetTaskPayloadRequest,
    ListAllocationsRequest, ReportTasksRequest, TaskOutcome, TaskReport,
};
use offpeak_client::Client;

use super::{
    failure::Failure,
    human, json,
    output::Show,
    page::{self, Limit},
    session::Session,
    table::{Cell, Column, Tone, left, right},
};

/// Which task holds part of which node.
#[derive(Debug, Subcommand)]
#[command(after_help = "\
Examples:
  offpeak alloc list --node a1
  offpeak alloc get 4711
  offpeak alloc payload 4711
  offpeak alloc report started 4711
  offpeak alloc report failed 4711 --message 'out of memory'
  offpeak alloc report released 4711")]
pub(crate) enum Command {
    /// List live allocations, oldest first
    #[command(visible_alias = "ls")]
    List(List),
    /// Show all that is known of allocations
    Get {
        /// Their ids
        #[arg(required = true, value_parser = parse_id)]
        ids: Vec<u64>,
    },
    /// Print what the task of an allocation runs, as JSON: its job's payload with the placeholders filled in
    Payload {
        /// Its id
        #[arg(value_parser = parse_id)]
        id: u64,
    },
    /// Say that tasks started, succeeded or failed, or that they may go before their notice ends
    Report(Report),
}

/// Which allocations to list.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  offpeak alloc list --job acme/train
  offpeak ps --node a1 -o wide")]
pub(crate) struct List {
    /// Of all tenants, whatever the context says
    #[arg(long, short = 'A')]
    all_tenants: bool,
    /// Only of this job
    #[arg(long)]
    job: Option<String>,
    /// Only on this node
    #[arg(long)]
    node: Option<String>,
    #[command(flatten)]
    limit: Limit,
}

/// What became of tasks.
#[derive(Args, Debug)]
pub(crate) struct Report {
    /// What happened
    #[arg(value_enum)]
    outcome: Outcome,
    /// The allocations
    #[arg(required = true, value_parser = parse_id)]
    ids: Vec<u64>,
    /// Why it failed, for people
    #[arg(long, short)]
    message: Option<String>,
}

/// What a task can have done.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Outcome {
    Started,
    Succeeded,
    Failed,
    /// It is under notice, has saved its work and may go now
    Released,
}

fn parse_id(text: &str) -> Result<u64, String> {
    let text = text.strip_prefix("alloc/").unwrap_or(text);
    text.parse().map_err(|_| "expected a number".to_owned())
}

pub(crate) async fn run(command: Command, session: &Session) -> Result<(), Failure> {
    let client = session.connect().await?;
    match command {
        Command::List(list) => self::list(&list, &client, session).await,
        Command::Get { ids } => {
            let mut allocations = Vec::new();
            for id in ids {
                let request = GetAllocationRequest { id, min_revision: 0 };
                allocations.push(client.call(request).await?.allocation.unwrap_or_default());
            }
            session.out.some(&allocations)
        }
        Command::Payload { id } => {
            let request = GetTaskPayloadRequest { allocation_id: id, min_revision: 0 };
            let answer = client.call(request).await?;
            session.out.object(&json::dynamic(&answer))
        }
        Command::Report(report) => self::report(&report, &client, session).await,
    }
}

/// Also as `offpeak ps`.
pub(crate) async fn list(list: &List, client: &Client, session: &Session) -> Result<(), Failure> {
    let mut filter = AllocationFilter {
        node: list.node.as_deref().map(super::node::plain).unwrap_or_default(),
        ..AllocationFilter::default()
    };
    if let Some(job) = &list.job {
        (filter.tenant, filter.job) = session.job(job)?;
    } else if let (false, Some(tenant)) = (list.all_tenants, &session.tenant) {
        filter.tenant.clone_from(tenant);
    }
    let request =
        ListAllocationsRequest { filter: Some(filter), ..ListAllocationsRequest::default() };
    session.out.list(&page::fetch(client, &request, list.limit).await?)
}

async fn report(report: &Report, client: &Client, session: &Session) -> Result<(), Failure> {
    let (outcome, word) = match report.outcome {
        Outcome::Started => (TaskOutcome::Started, "started"),
        Outcome::Succeeded => (TaskOutcome::Succeeded, "succeeded"),
        Outcome::Failed => (TaskOutcome::Failed, "failed"),
        Outcome::Released => (TaskOutcome::Released, "released"),
    };
    let reports = report
        .ids
        .iter()
        .map(|&allocation_id| TaskReport {
            allocation_id,
            outcome: outcome.into(),
            message: report.message.clone().unwrap_or_default(),
        })
        .collect();
    let request = ReportTasksRequest { reports, ..ReportTasksRequest::default() };
    let answer = client.call(request).await?;
    if !session.out.is_for_people() && session.out.format != super::output::Format::Name {
        return session.out.object(&json::dynamic(&answer));
    }
    for id in &report.ids {
        let what = if answer.ignored_allocation_ids.contains(id) {
            "is not live any more, ignored"
        } else {
            word
        };
        session.out.done(&format!("alloc/{id}"), what, &answer)?;
    }
    Ok(())
}

impl Show for Allocation {
    fn reference(&self) -> String {
        format!("alloc/{}", self.id)
    }

    fn columns(wide: bool) -> Vec<Column> {
        let mut columns = vec![
            right("ID"),
            left("TENANT"),
            left("JOB"),
            right("TASK"),
            left("NODE"),
            left("STATE"),
            left("HOLDS"),
            right("AGE"),
        ];
        if wide {
            columns.extend([right("ATTEMPT"), left("GPU DEVICES"), left("NOTICE")]);
        }
        columns
    }

    fn row(&self, wide: bool) -> Vec<Cell> {
        let mut row: Vec<Cell> = vec![
            self.id.to_string().into(),
            self.tenant.as_str().into(),
            self.job.as_str().into(),
            self.task.to_string().into(),
            self.node.as_str().into(),
            state_cell(self),
            human::resources(self.resources.as_ref()).into(),
            human::age(self.place_time.as_ref()).into(),
        ];
        if wide {
            row.extend([
                self.attempt.to_string().into(),
                devices(self).into(),
                notice(self).into(),
            ]);
        }
        row
    }

    fn details(&self) -> Vec<(&'static str, Cell)> {
        vec![
            ("Id", self.id.to_string().into()),
            ("Tenant", self.tenant.as_str().into()),
            ("Job", self.job.as_str().into()),
            ("Task", self.task.to_string().into()),
            ("Attempt", self.attempt.to_string().into()),
            ("Node", self.node.as_str().into()),
            ("State", state_cell(self)),
            ("Holds", human::resources(self.resources.as_ref()).into()),
            ("GPU devices", devices(self).into()),
            ("Placed", human::time(self.place_time.as_ref()).into()),
            ("Started", human::time(self.start_time.as_ref()).into()),
            ("Notice", notice(self).into()),
        ]
    }
}

fn state_cell(allocation: &Allocation) -> Cell {
    let word = human::enum_word(allocation.state().as_str_name(), "ALLOCATION_STATE_");
    if allocation.notice.is_some() {
        return Cell::toned(format!("{word},notice"), Tone::Warning);
    }
    match allocation.state() {
        AllocationState::Running => Cell::toned(word, Tone::Good),
        _ => word.into(),
    }
}

fn devices(allocation: &Allocation) -> String {
    let devices: Vec<String> = allocation.gpu_devices.iter().map(u32::to_string).collect();
    human::dash(devices.join(","))
}

fn notice(allocation: &Allocation) -> String {
    let Some(notice) = &allocation.notice else {
        return "-".to_owned();
    };
    let reason = human::enum_word(notice.reason().as_str_name(), "EVICTION_REASON_");
    format!("{reason}, evicted at {}", human::time(notice.deadline.as_ref()))
}
