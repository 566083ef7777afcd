//! What is on the screen.

use std::collections::VecDeque;

use offpeak::v1::{
    Event, GetCapacityRequest, GetCapacityResponse, GetJobRequest, GetStatusRequest,
    GetStatusResponse, GetTenantRequest, Job, JobFilter, JobState, ListJobsRequest,
    ListTenantsRequest, Tenant, event::Kind,
};
use offpeak_client::Client;

use crate::cli::{event_text, failure::Failure};

/// Jobs of each state, and tenants, that are fetched at once.
const FETCHED: i32 = 100;
/// Jobs of which it is asked what they wait for.
const ASKED: usize = 8;
/// Events that are remembered.
const REMEMBERED: usize = 500;

/// The cell at a moment, and what has happened since the screen was opened.
#[derive(Debug, Default)]
pub(super) struct Picture {
    pub(super) status: GetStatusResponse,
    pub(super) capacity: GetCapacityResponse,
    /// Those that wait, the oldest first, then those that run.
    pub(super) jobs: Vec<Job>,
    pub(super) tenants: Vec<Tenant>,
    /// The newest first.
    pub(super) events: VecDeque<Happened>,
    /// Why it is not of now.
    pub(super) trouble: Option<String>,
}

/// An event in words.
#[derive(Clone, Debug)]
pub(super) struct Happened {
    pub(super) time: String,
    pub(super) kind: &'static str,
    pub(super) what: String,
    /// Somebody must go, or may have to.
    pub(super) is_notice: bool,
}

impl Picture {
    /// The cell as it is now, of all tenants or of one.
    pub(super) async fn fetch(client: &Client, tenant: Option<&str>) -> Result<Self, Failure> {
        let tenants = fetch_tenants(client, tenant).await?;
        let status = client.call(GetStatusRequest::default()).await?;
        let capacity = client.call(GetCapacityRequest::default()).await?;
        let mut jobs = fetch_jobs(client, tenant, JobState::Pending).await?;
        for job in jobs.iter_mut().take(ASKED) {
            let request = GetJobRequest {
                tenant: job.tenant.clone(),
                name: job.name.clone(),
                min_revision: 0,
            };
            // One that is gone meanwhile waits for nothing any more.
            if let Ok(answer) = client.call(request).await {
                *job = answer.job.unwrap_or_default();
            }
        }
        jobs.extend(fetch_jobs(client, tenant, JobState::Running).await?);
        Ok(Self { status, capacity, jobs, tenants, ..Self::default() })
    }

    /// Takes a newer look and keeps what has happened.
    pub(super) fn replace(&mut self, newer: Self) {
        let events = std::mem::take(&mut self.events);
        *self = Self { events, ..newer };
    }

    /// Remembers what happened.
    pub(super) fn note(&mut self, events: &[Event]) {
        for event in events {
            if matches!(event.kind, Some(Kind::LoadReported(_))) {
                continue;
            }
            self.events.push_front(Happened::of(event));
        }
        self.events.truncate(REMEMBERED);
    }
}

/// The first of all, or the one that is asked for: without it there is nothing to look at.
async fn fetch_tenants(client: &Client, tenant: Option<&str>) -> Result<Vec<Tenant>, Failure> {
    if let Some(name) = tenant {
        let request = GetTenantRequest { name: name.to_owned(), min_revision: 0 };
        return Ok(client.call(request).await?.tenant.into_iter().collect());
    }
    let request = ListTenantsRequest { page_size: FETCHED, ..ListTenantsRequest::default() };
    Ok(client.call(request).await?.tenants)
}

async fn fetch_jobs(
    client: &Client,
    tenant: Option<&str>,
    state: JobState,
) -> Result<Vec<Job>, Failure> {
    let filter = JobFilter {
        tenant: tenant.unwrap_or_default().to_owned(),
        states: vec![state.into()],
        ..JobFilter::default()
    };
    let request =
        ListJobsRequest { page_size: FETCHED, filter: Some(filter), ..ListJobsRequest::default() };
    Ok(client.call(request).await?.jobs)
}

impl Happened {
    pub(super) fn of(event: &Event) -> Self {
        let (kind, what) = event_text::describe(event, false);
        let time = event.time.map(|time| time.to_string()).unwrap_or_default();
        let is_notice = matches!(
            event.kind,
            Some(
                Kind::NoticeGiven(_)
                    | Kind::NoticeWithdrawn(_)
                    | Kind::AdvisoryGiven(_)
                    | Kind::TaskEvicted(_)
            )
        );
        // Of 2026-01-31T18:00:00.123Z the time of day.
        let time = time.get(11..19).unwrap_or_default().to_owned();
        Self { time, kind, what, is_notice }
    }
}
