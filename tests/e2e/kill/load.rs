//! Clients that change the cell all the time and remember what they were told.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
    time::{Duration, SystemTime},
};

use offpeak::v1::{
    CancelJobRequest, DrainNodeRequest, Job, JobSpec, ListAllocationsRequest, LoadSample,
    RegisterNodesRequest, RemoveNodeRequest, ReportLoadRequest, ReportTasksRequest,
    SubmitJobRequest, SubmitJobsRequest, TaskOutcome, TaskReport, UncordonNodeRequest,
    UpdateJobRequest, submit_result,
};
use offpeak_client::Client;
use tokio::{
    sync::{RwLock, RwLockWriteGuard, mpsc},
    task::JoinHandle,
    time::sleep,
};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Streaming};

use super::Chance;
use crate::house::{cpu, job_with, node, tokio_stream_of};

pub(super) const NODES: u64 = 5;

/// What a job is refused with whose time was over when the cell came to it.
const LATE: &str = "the deadline has passed already";

/// Clients that submit jobs one by one.
const SUBMITTERS: u64 = 3;
/// Jobs that a submitter lets live.
const KEPT_JOBS: usize = 12;
/// Jobs of one batch of the stream.
const BATCH: u64 = 5;

/// A job that the cell said it has taken.
#[derive(Clone, Debug)]
pub(super) struct Acknowledged {
    pub(super) revision: u64,
    pub(super) name: String,
}

pub(super) struct Load {
    shared: Arc<Shared>,
    tasks: Vec<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    /// Held for reading while something is changed.
    gate: RwLock<()>,
    acknowledged: Mutex<Vec<Acknowledged>>,
}

pub(super) fn node_name(index: u64) -> String {
    format!("node-{index}")
}

impl Load {
    pub(super) fn start(client: impl Fn() -> Client, chance: &mut Chance) -> Self {
        let shared = Arc::<Shared>::default();
        let mut tasks = Vec::new();
        for index in 0..SUBMITTERS {
            let (shared, chance) = (Arc::clone(&shared), Chance(chance.next()));
            tasks.push(tokio::spawn(submit(client(), shared, format!("s{index}"), chance)));
        }
        tasks.push(tokio::spawn(stream(client(), Arc::clone(&shared), Chance(chance.next()))));
        tasks.push(tokio::spawn(own(client(), Arc::clone(&shared), Chance(chance.next()))));
        Self { shared, tasks }
    }

    /// Waits until nothing is on its way, and lets nothing begin until the guard is dropped.
    pub(super) async fn pause(&self) -> RwLockWriteGuard<'_, ()> {
        let guard = self.shared.gate.write().await;
        assert!(!self.tasks.iter().any(JoinHandle::is_finished), "a client of the load failed");
        guard
    }

    /// What was acknowledged since the last call.
    pub(super) fn take_acknowledged(&self) -> Vec<Acknowledged> {
        std::mem::take(&mut self.shared.acknowledged.lock().expect("no panic"))
    }
}

impl Shared {
    fn acknowledge(&self, revision: u64, name: String) {
        let acknowledged = Acknowledged { revision, name };
        self.acknowledged.lock().expect("no panic").push(acknowledged);
    }
}

fn random_job(name: &str, chance: &mut Chance) -> Job {
    let count = 1 + u32::try_from(chance.below(4)).expect("it fits");
    let request = Some(cpu(100 + chance.below(900)));
    let soon = SystemTime::now() + Duration::from_millis(300);
    let short = prost_types::Duration { seconds: 0, nanos: 40_000_000 };
    job_with(
        name,
        JobSpec {
            count,
            request,
            priority: i32::try_from(chance.below(3)).expect("it fits"),
            gang: chance.below(4) == 0,
            max_runtime: (chance.below(2) == 0).then_some(short),
            deadline: (chance.below(2) == 0).then(|| soon.into()),
            ..JobSpec::default()
        },
    )
}

/// Submits one job after another, and changes and cancels some. However often a request had to be sent again, it has
/// its effect once: the cell never says that the job is there already.
async fn submit(client: Client, shared: Arc<Shared>, prefix: String, mut chance: Chance) {
    let mut kept = VecDeque::new();
    for number in 0_u64.. {
        let _gate = shared.gate.read().await;
        let name = format!("{prefix}-{number}");
        let job = Some(random_job(&name, &mut chance));
        let request = SubmitJobRequest { job, ..SubmitJobRequest::default() };
        let submitted = match client.call(request).await {
            Ok(submitted) => submitted,
            // Sent again after a kill that took longer than the job had time.
            Err(error) if error.to_string().contains(LATE) => continue,
            Err(error) => panic!("{error}"),
        };
        assert_eq!(submitted.name, name);
        shared.acknowledge(submitted.revision, name.clone());
        if chance.below(3) == 0 {
            let spec = JobSpec {
                count: 1 + u32::try_from(number % 6).expect("it fits"),
                ..JobSpec::default()
            };
            let update = UpdateJobRequest {
                job: Some(job_with(&name, spec)),
                update_mask: Some(prost_types::FieldMask { paths: vec!["spec.count".to_owned()] }),
                ..UpdateJobRequest::default()
            };
            allow(client.call(update).await, &[Code::FailedPrecondition, Code::NotFound]);
        }
        kept.push_back(name);
        if kept.len() > KEPT_JOBS
            && let Some(name) = kept.pop_front()
        {
            let request =
                CancelJobRequest { tenant: "acme".to_owned(), name, ..CancelJobRequest::default() };
            allow(client.call(request).await, &[Code::FailedPrecondition, Code::NotFound]);
        }
    }
}

/// Submits batches over a stream, which is opened again when it breaks; what was not answered then is given up.
async fn stream(client: Client, shared: Arc<Shared>, mut chance: Chance) {
    let mut number = 0;
    loop {
        let (batches, receiver) = mpsc::channel(1);
        let opening = client.jobs().submit_jobs(ReceiverStream::new(receiver)).await;
        let Ok(answers) = opening else {
            sleep(Duration::from_millis(2)).await;
            continue;
        };
        let mut answers = answers.into_inner();
        loop {
            let _gate = shared.gate.read().await;
            let names: Vec<_> = (number..number + BATCH).map(|n| format!("b-{n}")).collect();
            number += BATCH;
            let jobs = names.iter().map(|name| {
                let spec =
                    JobSpec { priority: -1, ..random_job(name, &mut chance).spec.expect("a spec") };
                let soon = SystemTime::now() + Duration::from_millis(300);
                let spec = JobSpec {
                    deadline: Some(soon.into()),
                    max_runtime: Some(prost_types::Duration { seconds: 0, nanos: 50_000_000 }),
                    ..spec
                };
                SubmitJobRequest { job: Some(job_with(name, spec)), ..SubmitJobRequest::default() }
            });
            let batch = SubmitJobsRequest { jobs: jobs.collect() };
            if batches.send(batch).await.is_err() || !take_answer(&mut answers, &shared).await {
                break;
            }
        }
    }
}

async fn take_answer(
    answers: &mut Streaming<offpeak::v1::SubmitJobsResponse>,
    shared: &Shared,
) -> bool {
    let Ok(Some(answer)) = answers.message().await else {
        return false;
    };
    for result in answer.results {
        match result.result {
            Some(submit_result::Result::Accepted(accepted)) => {
                shared.acknowledge(accepted.revision, accepted.name);
            }
            // It waited for longer than the job had time.
            Some(submit_result::Result::Refused(refusal)) if refusal.message.contains(LATE) => {}
            other => panic!("{other:?}"),
        }
    }
    true
}

/// What owners and agents do: report load and tasks, drain nodes and take them back, add nodes and remove them.
async fn own(client: Client, shared: Arc<Shared>, mut chance: Chance) {
    let mut extra = None;
    for number in 0_u64.. {
        let _gate = shared.gate.read().await;
        let name = node_name(chance.below(NODES));
        match chance.below(6) {
            0 => {
                let load = Some(cpu(chance.below(5_000)));
                let samples = vec![LoadSample { node: name, time: None, load }];
                let batches = tokio_stream_of(ReportLoadRequest { samples });
                // Whether it arrived is not known when the stream broke, and does not matter.
                drop(client.nodes().report_load(batches).await);
            }
            1 => {
                let grace = Some(prost_types::Duration { seconds: 0, nanos: 5_000_000 });
                let request = DrainNodeRequest { name, grace, ..DrainNodeRequest::default() };
                client.call(request).await.expect("draining");
            }
            2 => {
                let request = UncordonNodeRequest { name, ..UncordonNodeRequest::default() };
                client.call(request).await.expect("back");
            }
            3 => extra = Some(replace(&client, extra.take(), number).await),
            _ => report_tasks(&client, &mut chance).await,
        }
    }
}

async fn replace(client: &Client, old: Option<String>, number: u64) -> String {
    if let Some(name) = old {
        let request = RemoveNodeRequest { name, force: true, ..RemoveNodeRequest::default() };
        client.call(request).await.expect("removed");
    }
    let name = format!("extra-{number}");
    let nodes = vec![node(&name)];
    let request = RegisterNodesRequest { nodes, ..RegisterNodesRequest::default() };
    client.call(request).await.expect("registered");
    name
}

async fn report_tasks(client: &Client, chance: &mut Chance) {
    let request = ListAllocationsRequest { page_size: 10, ..ListAllocationsRequest::default() };
    let listed = client.call(request).await.expect("listed").allocations;
    let outcomes = [TaskOutcome::Started, TaskOutcome::Succeeded, TaskOutcome::Failed];
    let reports = listed.iter().map(|allocation| TaskReport {
        allocation_id: allocation.id,
        outcome: outcomes[usize::try_from(chance.below(3)).expect("it fits")].into(),
        message: "as it happens".to_owned(),
    });
    let reports = reports.collect();
    let request = ReportTasksRequest { reports, ..ReportTasksRequest::default() };
    client.call(request).await.expect("reported");
}

fn allow<T>(answer: Result<T, offpeak_client::Error>, codes: &[Code]) {
    if let Err(error) = answer {
        assert!(codes.contains(&error.code()), "{error}");
    }
}
