use std::pin::Pin;

use offpeak::v1::{
    AllocationFilter, Blocker, CancelJobRequest, CancelJobResponse, ExplainJobRequest,
    ExplainJobResponse, GetAllocationRequest, GetAllocationResponse, GetJobRequest, GetJobResponse,
    GetTaskPayloadRequest, GetTaskPayloadResponse, JobFilter, JobState, ListAllocationsRequest,
    ListAllocationsResponse, ListJobsRequest, ListJobsResponse, PendingReason, PlanJobRequest,
    PlanJobResponse, QuoteJobRequest, QuoteJobResponse, ReportTasksRequest, ReportTasksResponse,
    SubmitJobRequest, SubmitJobResponse, SubmitJobsRequest, SubmitJobsResponse, UpdateJobRequest,
    UpdateJobResponse, job_service_server::JobService,
};
use offpeak_core::{
    command::{Detail, Outcome},
    model::{
        Allocation, AllocationId, Job, JobId, Labels, Name, NodeId, Revision, TaskPhase, TenantId,
    },
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
    job_stream::Submissions,
    node::{any_of, has_all},
    paging::{Page, after_id},
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
        let (tenant, name) = job_named(&message)?;
        self.reach(message.min_revision, patience).await?;
        let (response, is_waiting) = self.cell.read(|state| {
            let job = find(state, &tenant, &name)?;
            let found = Some(convert::job(state, job));
            let response = GetJobResponse { job: found, revision: state.revision().0 };
            Ok::<_, ApiError>((response, job.waits()))
        })?;
        if !is_waiting {
            return Ok(Response::new(response));
        }
        let cell = self.cell.clone();
        // Reasons may have to be counted over all nodes, which is too long for a thread that serves connections.
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

fn job_named(message: &GetJobRequest) -> Result<(Name, Name), ApiError> {
    let mut violations = Violations::default();
    let tenant = convert::name(&mut violations, &At::Root.field("tenant"), &message.tenant);
    let name = convert::name(&mut violations, &At::Root.field("name"), &message.name);
    Ok(violations.check((tenant, name))?)
}

pub(super) fn find<'s>(state: &'s State, tenant: &Name, name: &Name) -> Result<&'s Job, ApiError> {
    let owner = state.tenant_named(tenant.as_str());
    owner.and_then(|owner| state.job_named(owner.id, name)).ok_or_else(|| {
        let (tenant, job) = (tenant.to_string(), name.to_string());
        Rejection::JobNotFound { tenant, job }.into()
    })
}

/// A job with what keeps its pending tasks from being placed, both of one revision.
fn explain(cell: &Cell, tenant: &Name, name: &Name) -> Result<GetJobResponse, ApiError> {
    let state = cell.snapshot();
    let job = find(&state, tenant, name)?;
    let reasons = cell.explain(&state, job);
    let mut found = convert::job(&state, job);
    found.pending_reasons = told(&reasons, &found.waits_for);
    if !reasons.is_empty() {
        found.reasons_revision = state.revision().0;
    }
    Ok(GetJobResponse { job: Some(found), revision: state.revision().0 })
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

/// A checked request for a page of jobs.
struct JobList {
    page: Page,
    from: JobId,
    tenant: Option<Name>,
    states: Vec<JobState>,
    labels: Labels,
}

impl JobList {
    fn parse(message: &ListJobsRequest) -> Result<Self, ApiError> {
        let mut violations = Violations::default();
        let place = (message.page_size, message.page_token.as_str());
        let filter = message.filter.as_ref();
        let page = Page::parse(&mut violations, "ListJobs", filter, place);
        let from = JobId(page.first_id(&mut violations));
        let absent = JobFilter::default();
        let filter = filter.unwrap_or(&absent);
        let root = At::Root;
        let at = root.field("filter");
        let list = Self {
            page,
            from,
            tenant: convert::given_name(&mut violations, &at.field("tenant"), &filter.tenant),
            states: convert::enumerations(&mut violations, &at.field("states"), &filter.states),
            labels: convert::label_map(&mut violations, &at.field("labels"), &filter.labels),
        };
        Ok(violations.check(list)?)
    }

    fn read(&self, state: &State) -> ListJobsResponse {
        let gathered = self.page.gather(
            self.candidates(state),
            |job| {
                any_of(&self.states, &convert::job_state(job.state()))
                    && has_all(&job.spec.labels, &self.labels)
            },
            |job: &Job| after_id(job.id.0),
            |job| convert::listed_job(state, job),
        );
        ListJobsResponse {
            jobs: gathered.objects,
            next_page_token: gathered.next_page_token,
            revision: state.revision().0,
        }
    }

    fn candidates<'s>(&self, state: &'s State) -> Box<dyn Iterator<Item = &'s Job> + 's> {
        let Some(tenant) = &self.tenant else {
            return Box::new(state.jobs_from(self.from));
        };
        let Some(tenant) = state.tenant_named(tenant.as_str()) else {
            return Box::new(std::iter::empty());
        };
        Box::new(state.jobs_of(tenant, self.from))
    }
}

/// A checked request for a page of allocations.
struct AllocationList {
    page: Page,
    from: AllocationId,
    tenant: Option<Name>,
    job: Option<Name>,
    node: Option<Name>,
}

/// What a filter of allocations names, resolved.
#[derive(Clone, Copy, Debug, Default)]
struct Owners {
    tenant: Option<TenantId>,
    job: Option<JobId>,
    node: Option<NodeId>,
}

impl AllocationList {
    fn parse(message: &ListAllocationsRequest) -> Result<Self, ApiError> {
        let mut violations = Violations::default();
        let place = (message.page_size, message.page_token.as_str());
        let filter = message.filter.as_ref();
        let page = Page::parse(&mut violations, "ListAllocations", filter, place);
        let from = AllocationId(page.first_id(&mut violations));
        let absent = AllocationFilter::default();
        let filter = filter.unwrap_or(&absent);
        let root = At::Root;
        let at = root.field("filter");
        if filter.tenant.is_empty() && !filter.job.is_empty() {
            violations.refuse(&at.field("tenant"), "is required with a job");
        }
        let list = Self {
            page,
            from,
            tenant: convert::given_name(&mut violations, &at.field("tenant"), &filter.tenant),
            job: convert::given_name(&mut violations, &at.field("job"), &filter.job),
            node: convert::given_name(&mut violations, &at.field("node"), &filter.node),
        };
        Ok(violations.check(list)?)
    }

    fn read(&self, state: &State) -> ListAllocationsResponse {
        let revision = state.revision().0;
        let Some(owners) = self.resolve(state) else {
            return ListAllocationsResponse { revision, ..ListAllocationsResponse::default() };
        };
        let gathered = self.page.gather(
            self.candidates(state, owners),
            |allocation| owners.pass(state, allocation),
            |allocation: &Allocation| after_id(allocation.at.id.0),
            |allocation| convert::allocation(state, allocation),
        );
        ListAllocationsResponse {
            allocations: gathered.objects,
            next_page_token: gathered.next_page_token,
            revision,
        }
    }

    /// `None` if something is named that does not exist, so that nothing can pass.
    fn resolve(&self, state: &State) -> Option<Owners> {
        let mut owners = Owners::default();
        if let Some(tenant) = &self.tenant {
            let tenant = state.tenant_named(tenant.as_str())?.id;
            owners.tenant = Some(tenant);
            if let Some(job) = &self.job {
                owners.job = Some(state.job_named(tenant, job)?.id);
            }
        }
        if let Some(node) = &self.node {
            owners.node = Some(state.node_named(node.as_str())?.id);
        }
        Some(owners)
    }

    /// Those of the job or the node if one is named, or else all.
    fn candidates<'s>(
        &self,
        state: &'s State,
        owners: Owners,
    ) -> Box<dyn Iterator<Item = &'s Allocation> + 's> {
        let mut ids: Vec<AllocationId> = if let Some(job) = owners.job.and_then(|id| state.job(id))
        {
            let placed = job.tasks.iter().filter_map(|task| match task.phase {
                TaskPhase::Placed(id) => Some(id),
                TaskPhase::Pending | TaskPhase::Delayed | TaskPhase::Ended(_) => None,
            });
            placed.filter(|id| *id >= self.from).collect()
        } else if let Some(node) = owners.node.and_then(|id| state.node(id)) {
            node.allocations.iter().copied().filter(|id| *id >= self.from).collect()
        } else {
            return Box::new(state.allocations_from(self.from));
        };
        ids.sort_unstable();
        Box::new(ids.into_iter().filter_map(|id| state.allocation(id)))
    }
}

impl Owners {
    fn pass(self, state: &State, allocation: &Allocation) -> bool {
        let at = allocation.at;
        self.job.is_none_or(|job| job == at.job)
            && self.node.is_none_or(|node| node == at.node)
            && self
                .tenant
                .is_none_or(|tenant| state.job(at.job).is_some_and(|job| job.tenant == tenant))
    }
}
