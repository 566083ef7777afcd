//! What tenants want, as it arrived in `arrivals.csv`.

use std::{collections::BTreeMap, error::Error, fs, path::Path};

use offpeak::v1::{
    CancelJobRequest, CreateTenantRequest, Job, JobSpec, Resources, SubmitJobRequest,
    SubmitJobsRequest, Tenant, submit_result,
};
use offpeak_client::Client;
use tokio_stream::{StreamExt as _, iter};

use crate::tally::Tally;

/// The trace does not say who asked; batches are shared out among these.
const TENANTS: [&str; 4] = ["genomics", "rendering", "search", "training"];
/// The job that shows how fast the cell decides.
const BURST: &str = "burst";
/// Seconds between two arrivals.
const STEP_S: u64 = 300;
/// Jobs in one message of the stream.
const BATCH: usize = 500;

/// Virtual machines that were asked for together and alike.
pub(crate) struct Arrival {
    pub(crate) tenant: &'static str,
    pub(crate) name: String,
    pub(crate) request: Resources,
    pub(crate) lifetimes_ms: Vec<u64>,
}

/// All arrivals, by step.
pub(crate) struct Arrivals(Vec<Vec<Arrival>>);

impl Arrivals {
    pub(crate) fn read(path: &Path) -> Result<Self, Box<dyn Error>> {
        let text = fs::read_to_string(path)?;
        let mut groups: BTreeMap<[u64; 4], Vec<u64>> = BTreeMap::new();
        for (number, line) in (2..).zip(text.lines().skip(1)) {
            let cells: Option<Vec<u64>> = line.split(',').map(|cell| cell.parse().ok()).collect();
            let Some([submit, batch, cpus, memory, lifetime]) = cells.as_deref() else {
                return Err(format!("arrivals.csv:{number} is no arrival").into());
            };
            let lifetimes = groups.entry([*submit, *batch, *cpus, *memory]).or_default();
            lifetimes.push(lifetime * 1000);
        }
        let mut steps: Vec<Vec<Arrival>> = Vec::new();
        for ([submit, batch, cpus, memory], lifetimes_ms) in groups {
            let step = usize::try_from(submit / STEP_S)?;
            steps.resize_with(steps.len().max(step + 1), Vec::new);
            steps[step].push(Arrival {
                tenant: TENANTS[usize::try_from(batch)? % TENANTS.len()],
                name: format!("vm-{batch}-{cpus}x{memory}"),
                request: Resources {
                    cpu_millis: cpus * 1000,
                    memory_bytes: memory << 20,
                    ..Default::default()
                },
                lifetimes_ms,
            });
        }
        Ok(Self(steps))
    }

    pub(crate) fn at(&self, step: usize) -> &[Arrival] {
        self.0.get(step).map_or(&[], Vec::as_slice)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Arrival> {
        self.0.iter().flatten()
    }
}

pub(crate) async fn create_tenants(client: &Client) -> Result<(), Box<dyn Error>> {
    for name in TENANTS {
        let tenant = Tenant { name: name.to_owned(), ..Default::default() };
        client.call(CreateTenantRequest { tenant: Some(tenant), ..Default::default() }).await?;
    }
    Ok(())
}

pub(crate) async fn submit(
    client: &Client,
    arrivals: &[Arrival],
    tally: &mut Tally,
) -> Result<(), Box<dyn Error>> {
    let jobs = arrivals.iter().map(|arrival| {
        let count = u32::try_from(arrival.lifetimes_ms.len()).unwrap_or(u32::MAX);
        request(arrival.tenant, &arrival.name, &arrival.request, count)
    });
    send(client, jobs.collect(), tally).await
}

/// One job of many small tasks.
pub(crate) async fn submit_burst(
    client: &Client,
    count: u32,
    tally: &mut Tally,
) -> Result<(), Box<dyn Error>> {
    let small = Resources { cpu_millis: 100, memory_bytes: 64 << 20, ..Default::default() };
    send(client, vec![request(TENANTS[0], BURST, &small, count)], tally).await
}

pub(crate) async fn cancel_burst(client: &Client) -> Result<(), Box<dyn Error>> {
    let (tenant, name) = (TENANTS[0].to_owned(), BURST.to_owned());
    client.call(CancelJobRequest { tenant, name, ..Default::default() }).await?;
    Ok(())
}

async fn send(
    client: &Client,
    jobs: Vec<SubmitJobRequest>,
    tally: &mut Tally,
) -> Result<(), Box<dyn Error>> {
    jobs.iter().filter_map(|request| request.job.as_ref()).for_each(|job| tally.expect(job));
    let batches: Vec<SubmitJobsRequest> =
        jobs.chunks(BATCH).map(|jobs| SubmitJobsRequest { jobs: jobs.to_vec() }).collect();
    let mut answers = client.jobs().submit_jobs(iter(batches)).await?.into_inner();
    while let Some(answer) = answers.next().await {
        for result in answer?.results {
            if let Some(submit_result::Result::Refused(refusal)) = result.result {
                return Err(refusal.message.into());
            }
        }
    }
    Ok(())
}

fn request(tenant: &str, name: &str, request: &Resources, count: u32) -> SubmitJobRequest {
    let spec = JobSpec { count, request: Some(request.clone()), ..Default::default() };
    let (tenant, name) = (tenant.to_owned(), name.to_owned());
    let job = Job { tenant, name, spec: Some(spec), ..Default::default() };
    SubmitJobRequest { job: Some(job), ..Default::default() }
}
