//! `offpeak job`: what tenants want to have run.

use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};
use offpeak::v1::{
    AllocationFilter, CancelJobRequest, GetJobRequest, Job, JobFilter, JobState,
    ListAllocationsRequest, ListJobsRequest,
};
use offpeak_client::Client;

use super::{
    failure::Failure,
    human,
    job_status::{self, Status},
    job_submit::{self, Submit},
    job_update::{self, Update},
    job_wait::{self, Wait},
    page::{self, Limit},
    session::Session,
};

/// What `job init` prints.
const EXAMPLE: &str = include_str!("job_example.yaml");

/// Jobs of tenants; a job is named NAME or TENANT/NAME.
#[derive(Debug, Subcommand)]
#[command(after_help = "\
Examples:
  offpeak job submit acme/train --count 8 --cpu 4 --memory 16GiB --gpus 1 --min-runtime 1h
  offpeak job init > job.yaml
  offpeak job get acme/train
  offpeak job status acme/train
  offpeak job wait acme/train
  offpeak job list --tenant acme --state running
  offpeak job allocs acme/train
  offpeak job cancel acme/train --grace 2m")]
pub(crate) enum Command {
    /// List jobs, oldest first; PLACED are tasks that hold room on a node, whether they were reported to run or not
    #[command(visible_alias = "ls")]
    List(List),
    /// Show all that is known of jobs, and what keeps their tasks waiting
    Get {
        /// Their names
        #[arg(required = true)]
        names: Vec<String>,
    },
    Status(Status),
    /// Submit a job
    Submit(Box<Submit>),
    /// Print an example of a template for `submit -f`
    Init,
    /// Change a job's count, priority, longest run time, labels or annotations
    Update(Update),
    /// End every unfinished task of jobs
    Cancel {
        /// Their names
        #[arg(required = true)]
        names: Vec<String>,
        /// Give placed tasks notice, and end them this much later
        #[arg(long, value_parser = human::parse_duration, value_name = "DURATION")]
        grace: Option<Duration>,
    },
    /// Wait until a job has ended
    Wait(Wait),
    /// List a job's allocations
    Allocs {
        /// Its name
        name: String,
        #[command(flatten)]
        limit: Limit,
    },
}

/// Which jobs to list.
#[derive(Args, Debug)]
pub(crate) struct List {
    /// Of all tenants, whatever the context says
    #[arg(long, short = 'A')]
    all_tenants: bool,
    /// Only in these states
    #[arg(long, value_enum, value_delimiter = ',')]
    state: Vec<State>,
    /// Only with this label; may be repeated
    #[arg(long = "label", short = 'l', value_parser = human::parse_pair, value_name = "KEY=VALUE")]
    labels: Vec<(String, String)>,
    #[command(flatten)]
    limit: Limit,
}

/// States to filter by.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum State {
    Pending,
    Running,
    Succeeded,
    Failed,
    Cancelled,
}

pub(crate) async fn run(command: Command, session: &Session) -> Result<(), Failure> {
    if let Command::Init = command {
        return session.out.print(EXAMPLE);
    }
    if let Command::Wait(wait) = command {
        return job_wait::run(&wait, session).await;
    }
    let client = session.connect().await?;
    let out = session.out;
    match command {
        Command::List(list) => {
            let request = list.request(session);
            out.list(&page::fetch(&client, &request, list.limit).await?)
        }
        Command::Get { names } => {
            let mut jobs = Vec::new();
            for name in names {
                let (tenant, name) = session.job(&name)?;
                jobs.push(get(&client, &tenant, &name, 0).await?);
            }
            out.some(&jobs)
        }
        Command::Status(status) => job_status::run(status, &client, session).await,
        Command::Submit(submit) => job_submit::run(&submit, &client, session).await,
        Command::Update(update) => job_update::run(&update, &client, session).await,
        Command::Cancel { names, grace } => {
            for name in names {
                let (tenant, name) = session.job(&name)?;
                let reference = format!("job/{tenant}/{name}");
                let grace = grace.map(human::to_wire);
                let request = CancelJobRequest { tenant, name, grace, ..Default::default() };
                let answer = client.call(request).await?;
                let what = if grace.is_some() { "cancelled with grace" } else { "cancelled" };
                out.done(&reference, what, &answer)?;
            }
            Ok(())
        }
        Command::Wait(_) | Command::Init => Ok(()),
        Command::Allocs { name, limit } => {
            let (tenant, job) = session.job(&name)?;
            let request = ListAllocationsRequest {
                filter: Some(AllocationFilter { tenant, job, node: String::new() }),
                ..ListAllocationsRequest::default()
            };
            out.list(&page::fetch(&client, &request, limit).await?)
        }
    }
}

/// The job as of this revision or a later one.
pub(crate) async fn get(
    client: &Client,
    tenant: &str,
    name: &str,
    min_revision: u64,
) -> Result<Job, Failure> {
    let request = GetJobRequest { tenant: tenant.to_owned(), name: name.to_owned(), min_revision };
    Ok(client.call(request).await?.job.unwrap_or_default())
}

impl List {
    fn request(&self, session: &Session) -> ListJobsRequest {
        let tenant = match (self.all_tenants, &session.tenant) {
            (false, Some(tenant)) => tenant.clone(),
            _ => String::new(),
        };
        ListJobsRequest {
            filter: Some(JobFilter {
                tenant,
                states: self.state.iter().map(|state| state.wire().into()).collect(),
                labels: self.labels.iter().cloned().collect(),
            }),
            ..ListJobsRequest::default()
        }
    }
}

impl State {
    fn wire(self) -> JobState {
        match self {
            Self::Pending => JobState::Pending,
            Self::Running => JobState::Running,
            Self::Succeeded => JobState::Succeeded,
            Self::Failed => JobState::Failed,
            Self::Cancelled => JobState::Cancelled,
        }
    }
}
