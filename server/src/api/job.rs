use std::pin::Pin;

use offpeak::v1::{
    Blocker, CancelJobRequest, CancelJobResponse, ExplainJobRequest, ExplainJobResponse,
    GetAllocationRequest, GetAllocationResponse, GetJobRequest, GetJobResponse,
    GetTaskPayloadRequest, GetTaskPayloadResponse, ListAllocationsRequest, ListAllocationsResponse,
    ListJobsRequest, ListJobsResponse, PendingReason, PlanJobRequest, PlanJobResponse,
    QuoteJobRequest, QuoteJobResponse, ReportTasksRequest, ReportTasksResponse, SubmitJobRequest,
    SubmitJobResponse, SubmitJobsRequest, SubmitJobsResponse, UpdateJobRequest, UpdateJobResponse,
    job_service_server::JobService,
};
use offpeak_core::{
    command::{Detail, Outcome},
    model::{Allocation, AllocationId, Job, Name, Revision, TaskPhase},
    rejection::Rejection,
    scheduler::PendingReason as Waits,
    state::State,
};
use tokio_stream::Stream;
use tonic::{Request, Response, Status, Streaming};

use crate::cell::Cell;

use super::{
    Api,
    answers::{Plan, Why, aside},
    convert::{self, At, Violations},
    job_list::{AllocationList, JobList},
    job_stream::Submissions,
    payload,
    quotes::When,
    status::ApiError,
};

/// The most jobs that the reason names for which another one waits.
const MAX_TOLD: usize = 8;

#[tonic::async_trait]
impl JobService for Api {
    async fn submit_job(
        &self,
        request: Request<SubmitJobRequest>,
    ) -> Result<Response<SubmitJobResponse>, Status> {
        let outcome = self.change(request.into_inner()).await?;
        Ok(Response::new(submitted(outcome)))
    }

    type SubmitJobsStream = Pin<Box<dyn Stream<Item = Result<SubmitJobsResponse, Status>> + Send>>;

    async fn submit_jobs(
        &self,
        request: Request<Streaming<SubmitJobsRequest>>,
    ) -> Result<Response<Self::SubmitJobsStream>, Status> {
        let submissions = Submissions::new(
            self.cell.clone(),
            request.into_inner(),
            self.stopping.clone(),
            self.options.max_batches_in_flight,
        );
        Ok(Response::new(Box::pin(submissions)))
    }

    async fn get_job(
        &self,
        request: Request<GetJobRequest>,
    ) -> Result<Response<GetJobResponse>, Status> {
        let patience = self.patience(&request);
        let message = request.into_inner();
        let (tenant, name) = named(("tenant", &message.tenant), ("name", &message.name))?;
        self.reach(message.min_revision, patience).await?;
        let (response, needs_more) = self.cell.read(|state| {
            let job = find(state, &tenant, &name)?;
            let found = Some(convert::job(state, job));
            let response = GetJobResponse { job: found, revision: state.revision().0 };
            Ok::<_, ApiError>((response, job.waits() || is_ending(state, job)))
        })?;
        if !needs_more {
            return Ok(Response::new(response));
        }
        let cell = self.cell.clone();
        // Nodes or tasks may have to be counted, all of them, which is too long for a thread that serves connections.
        let explained = tokio::task::spawn_blocking(move || explain(&cell, &tenant, &name));
        Ok(Response::new(explained.await.map_err(ApiError::from)??))
    }

    async fn explain_job(
        &self,
        request: Request<ExplainJobRequest>,
    ) -> Result<Response<ExplainJobResponse>, Status> {
        let patience = self.patience(&request);
        let message = request.into_inner();
        let why = Why::parse(&message)?;
        let revision = Revision(message.min_revision);
        let fork = self.cell.fork(revision, patience).await.map_err(ApiError::from)?;
        let answer = aside(&self.cell, fork, move |cell, fork| why.answer(cell, fork));
        Ok(Response::new(answer.await?))
    }

    async fn plan_job(
        &self,
        request: Request<PlanJobRequest>,
    ) -> Result<Response<PlanJobResponse>, Status> {
        let patience = self.patience(&request);
        let message = request.into_inner();
        let revision = Revision(message.min_revision);
        let plan = Plan::parse(message)?;
        let fork = self.cell.fork(revision, patience).await.map_err(ApiError::from)?;
        let answer = aside(&self.cell, fork, move |cell, fork| plan.answer(cell, fork));
        Ok(Response::new(answer.await?))
    }

    async fn quote_job(
        &self,
        request: Request<QuoteJobRequest>,
    ) -> Result<Response<QuoteJobResponse>, Status> {
        let patience = self.patience(&request);
        let message = request.into_inner();
        let revision = Revision(message.min_revision);
        let when = When::parse(message)?;
        let fork = self.cell.fork(revision, patience).await.map_err(ApiError::from)?;
        Ok(Response::new(aside(&self.cell, fork, move |_, fork| when.answer(fork)).await?))
    }

    async fn list_jobs(
        &self,
        request: Request<ListJobsRequest>,
    ) -> Result<Response<ListJobsResponse>, Status> {
        let patience = self.patience(&request);
        let message = request.into_inner();
        let list = JobList::parse(&message)?;
        self.reach(message.min_revision, patience).await?;
        Ok(Response::new(self.cell.read(|state| list.read(state))))
    }

    async fn update_job(
        &self,
        request: Request<UpdateJobRequest>,
    ) -> Result<Response<UpdateJobResponse>, Status> {
        let outcome = self.change(request.into_inner()).await?;
        Ok(Response::new(UpdateJobResponse { revision: outcome.revision.0 }))
    }

    async fn cancel_job(
        &self,
        request: Request<CancelJobRequest>,
    ) -> Result<Response<CancelJobResponse>, Status> {
        let outcome = self.change(request.into_inner()).await?;
        Ok(Response::new(CancelJobResponse { revision: outcome.revision.0 }))
    }

    async fn list_allocations(
        &self,
        request: Request<ListAllocationsRequest>,
    ) -> Result<Response<ListAllocationsResponse>, Status> {
        let patience = self.patience(&request);
        let message = request.into_inner();
        let list = AllocationList::parse(&message)?;
        self.reach(message.min_revision, patience).await?;
        Ok(Response::new(self.cell.read(|state| list.read(state))))
    }

    async fn get_allocation(
        &self,
        request: Request<GetAllocationRequest>,
    ) -> Result<Response<GetAllocationResponse>, Status> {
        let patience = self.patience(&request);
        let message = request.into_inner();
        let id = AllocationId(message.id);
        self.reach(message.min_revision, patience).await?;
        let response = self.cell.read(|state| {
            let allocation = state.allocation(id).ok_or(ApiError::AllocationNotFound(id))?;
            let allocation = Some(convert::allocation(state, allocation));
            Ok::<_, ApiError>(GetAllocationResponse { allocation, revision: state.revision().0 })
        })?;
        Ok(Response::new(response))
    }

    async fn get_task_payload(
        &self,
        request: Request<GetTaskPayloadRequest>,
    ) -> Result<Response<GetTaskPayloadResponse>, Status> {
        let patience = self.patience(&request);
        let message = request.into_inner();
        let id = AllocationId(message.allocation_id);
        self.reach(message.min_revision, patience).await?;
        let response = self.cell.read(|state| {
            let allocation = state.allocation(id).ok_or(ApiError::AllocationNotFound(id))?;
            let (payload, index) = payload::of_task(state, allocation).unzip();
            let (index, revision) = (index.unwrap_or(0), state.revision().0);
            Ok::<_, ApiError>(GetTaskPayloadResponse { payload, index, revision })
        })?;
        Ok(Response::new(response))
    }

    async fn report_tasks(
        &self,
        request: Request<ReportTasksRequest>,
    ) -> Result<Response<ReportTasksResponse>, Status> {
        let outcome = self.change(request.into_inner()).await?;
        let ignored = if let Detail::Ignored(ids) = outcome.detail { ids } else { Vec::new() };
        Ok(Response::new(ReportTasksResponse {
            revision: outcome.revision.0,
            ignored_allocation_ids: ignored.into_iter().map(|id| id.0).collect(),
        }))
    }
}

/// The answer to a job that was taken on.
pub(super) fn submitted(outcome: Outcome) -> SubmitJobResponse {
    let revision = outcome.revision.0;
    match outcome.detail {
        Detail::Job { id, name } => {
            SubmitJobResponse { name: name.to_string(), id: id.0, revision }
        }
        _ => SubmitJobResponse { revision, ..SubmitJobResponse::default() },
    }
}

/// The names of a tenant and one of its jobs, as two fields of a request give them.
pub(super) fn named(
    (tenant_field, tenant): (&'static str, &str),
    (name_field, name): (&'static str, &str),
) -> Result<(Name, Name), ApiError> {
    let mut violations = Violations::default();
    let tenant = convert::name(&mut violations, &At::Root.field(tenant_field), tenant);
    let name = convert::name(&mut violations, &At::Root.field(name_field), name);
    Ok(violations.check((tenant, name))?)
}

pub(super) fn find<'s>(state: &'s State, tenant: &Name, name: &Name) -> Result<&'s Job, ApiError> {
    let owner = state.tenant_named(tenant.as_str());
    owner.and_then(|owner| state.job_named(owner.id, name)).ok_or_else(|| {
        let (tenant, job) = (tenant.to_string(), name.to_string());
        Rejection::JobNotFound { tenant, job }.into()
    })
}

/// A job with what keeps its pending tasks from being placed and, if it was cancelled with grace, when the last one ends.
fn explain(cell: &Cell, tenant: &Name, name: &Name) -> Result<GetJobResponse, ApiError> {
    let state = cell.snapshot();
    let job = find(&state, tenant, name)?;
    let reasons = cell.explain(&state, job);
    let mut found = convert::job(&state, job);
    found.pending_reasons = told(&reasons, &found.waits_for);
    if !reasons.is_empty() {
        found.reasons_revision = state.revision().0;
    }
    if is_ending(&state, job) {
        let ends = allocations(&state, job).filter_map(|allocation| allocation.notice);
        found.cancel_time = ends.map(|notice| notice.deadline).max().map(convert::timestamp);
    }
    Ok(GetJobResponse { job: Some(found), revision: state.revision().0 })
}

/// The live allocations of a job, in the order of its tasks.
fn allocations<'s>(state: &'s State, job: &'s Job) -> impl Iterator<Item = &'s Allocation> {
    job.tasks.iter().filter_map(|task| match task.phase {
        TaskPhase::Placed(id) => state.allocation(id),
        TaskPhase::Pending | TaskPhase::Delayed | TaskPhase::Ended(_) => None,
    })
}

/// Whether a job was cancelled with grace: that gives all of its tasks notice, so the first one tells.
fn is_ending(state: &State, job: &Job) -> bool {
    job.counts.placed > 0 && allocations(state, job).take(1).any(Allocation::is_cancelled)
}

/// Why a job's tasks wait, with the names of the jobs that it waits for.
pub(super) fn told(reasons: &[Waits], jobs: &[String]) -> Vec<PendingReason> {
    let tell = |reason| {
        let mut told = convert::pending_reason(reason);
        if told.blocker() == Blocker::Dependency {
            told.message = waits_for(jobs);
        }
        told
    };
    reasons.iter().map(tell).collect()
}

/// The first few jobs that another one waits for, and how many more there are.
fn waits_for(jobs: &[String]) -> String {
    let told = jobs.iter().take(MAX_TOLD).map(String::as_str).collect::<Vec<_>>().join(", ");
    match jobs.len().saturating_sub(MAX_TOLD) {
        0 => format!("waits for {told}"),
        more => format!("waits for {told} and {more} more"),
    }
}
