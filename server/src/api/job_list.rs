//! Pages of jobs and of live allocations, by filter.

use offpeak::v1::{
    AllocationFilter, JobFilter, JobState, ListAllocationsRequest, ListAllocationsResponse,
    ListJobsRequest, ListJobsResponse,
};
use offpeak_core::{
    model::{Allocation, AllocationId, Job, JobId, Labels, Name, NodeId, TaskPhase, TenantId},
    state::State,
};

use super::{
    convert::{self, At, Violations},
    node::{any_of, has_all},
    paging::{Page, after_id},
    status::ApiError,
};

/// A checked request for a page of jobs.
pub(super) struct JobList {
    page: Page,
    from: JobId,
    tenant: Option<Name>,
    states: Vec<JobState>,
    labels: Labels,
}

impl JobList {
    pub(super) fn parse(message: &ListJobsRequest) -> Result<Self, ApiError> {
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

    pub(super) fn read(&self, state: &State) -> ListJobsResponse {
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
pub(super) struct AllocationList {
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
    pub(super) fn parse(message: &ListAllocationsRequest) -> Result<Self, ApiError> {
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

    pub(super) fn read(&self, state: &State) -> ListAllocationsResponse {
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
