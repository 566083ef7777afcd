//! The services of the fake cell.

use offpeak::v1::{
    admin_service_server::AdminService, capacity_service_server::CapacityService,
    job_service_server::JobService, node_service_server::NodeService,
    tenant_service_server::TenantService, watch_service_server::WatchService, *,
};
use tokio_stream::{Stream, StreamExt as _};
use tonic::{Request, Response, Status};
use tonic_types::{ErrorDetails, StatusExt as _};

use super::{Fake, Fault};

type Boxed<T> = std::pin::Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

impl Fake {
    async fn meet<T>(
        &self,
        call: &'static str,
        id: &str,
        request: &Request<T>,
    ) -> Result<(), Status> {
        let fault = {
            let mut state = self.state();
            state.calls.push((call, id.to_owned()));
            state.timeout_header = request
                .metadata()
                .get("grpc-timeout")
                .and_then(|value| value.to_str().ok())
                .map(str::to_owned);
            state.faults.pop_front()
        };
        match fault {
            None => Ok(()),
            Some(Fault::Fail(status)) => Err(status),
            Some(Fault::Hang) => std::future::pending().await,
        }
    }

    fn next_revision(&self) -> u64 {
        let mut state = self.state();
        state.revision += 1;
        state.revision
    }
}

/// Pages of two, whatever was asked for.
fn page<T: Clone>(items: &[T], token: &str) -> (Vec<T>, String) {
    let begin: usize = token.parse().unwrap_or(0);
    let end = items.len().min(begin + 2);
    let next = if end < items.len() { end.to_string() } else { String::new() };
    (items[begin..end].to_vec(), next)
}

fn absent(what: &str, name: &str) -> Status {
    Status::not_found(format!("no {what} {name:?}"))
}

fn not_here<T>() -> Result<Response<T>, Status> {
    Err(Status::unimplemented("not in the fake"))
}

#[tonic::async_trait]
impl NodeService for Fake {
    async fn register_nodes(
        &self,
        request: Request<RegisterNodesRequest>,
    ) -> Result<Response<RegisterNodesResponse>, Status> {
        self.meet("register_nodes", &request.get_ref().request_id, &request).await?;
        let request = request.into_inner();
        for node in &request.nodes {
            if node.capacity.is_none() {
                let details = ErrorDetails::with_bad_request_violation(
                    "nodes[0].capacity",
                    "must not be zero",
                );
                return Err(Status::with_error_details(
                    tonic::Code::InvalidArgument,
                    "the node is not valid",
                    details,
                ));
            }
        }
        if request.validate_only {
            return Ok(Response::new(RegisterNodesResponse::default()));
        }
        let revision = self.next_revision();
        for mut node in request.nodes {
            node.set_state(NodeState::Ready);
            node.headroom = node.capacity.clone();
            node.revision = revision;
            self.state().nodes.insert(node.name.clone(), node);
        }
        Ok(Response::new(RegisterNodesResponse { revision }))
    }

    async fn get_node(
        &self,
        request: Request<GetNodeRequest>,
    ) -> Result<Response<GetNodeResponse>, Status> {
        self.meet("get_node", "", &request).await?;
        let name = request.into_inner().name;
        let state = self.state();
        let node = state.nodes.get(&name).ok_or_else(|| absent("node", &name))?;
        Ok(Response::new(GetNodeResponse { node: Some(node.clone()), revision: state.revision }))
    }

    async fn list_nodes(
        &self,
        request: Request<ListNodesRequest>,
    ) -> Result<Response<ListNodesResponse>, Status> {
        self.meet("list_nodes", "", &request).await?;
        let state = self.state();
        let all: Vec<Node> = state.nodes.values().cloned().collect();
        let (nodes, next_page_token) = page(&all, &request.get_ref().page_token);
        Ok(Response::new(ListNodesResponse { nodes, next_page_token, revision: state.revision }))
    }

    async fn update_node(
        &self,
        request: Request<UpdateNodeRequest>,
    ) -> Result<Response<UpdateNodeResponse>, Status> {
        self.meet("update_node", &request.get_ref().request_id, &request).await?;
        let request = request.into_inner();
        let revision = self.next_revision();
        let new = request.node.unwrap_or_default();
        let mut state = self.state();
        let node = state.nodes.get_mut(&new.name).ok_or_else(|| absent("node", &new.name))?;
        for path in request.update_mask.unwrap_or_default().paths {
            match path.as_str() {
                "zone" => node.zone.clone_from(&new.zone),
                "labels" => node.labels.clone_from(&new.labels),
                other => return Err(Status::invalid_argument(other)),
            }
        }
        node.revision = revision;
        Ok(Response::new(UpdateNodeResponse { revision }))
    }

    async fn cordon_node(
        &self,
        request: Request<CordonNodeRequest>,
    ) -> Result<Response<CordonNodeResponse>, Status> {
        self.meet("cordon_node", &request.get_ref().request_id, &request).await?;
        let name = request.into_inner().name;
        let revision = self.next_revision();
        let mut state = self.state();
        let node = state.nodes.get_mut(&name).ok_or_else(|| absent("node", &name))?;
        node.set_state(NodeState::Cordoned);
        Ok(Response::new(CordonNodeResponse { revision }))
    }

    async fn uncordon_node(
        &self,
        _: Request<UncordonNodeRequest>,
    ) -> Result<Response<UncordonNodeResponse>, Status> {
        not_here()
    }

    async fn drain_node(
        &self,
        _: Request<DrainNodeRequest>,
    ) -> Result<Response<DrainNodeResponse>, Status> {
        not_here()
    }

    async fn remove_node(
        &self,
        request: Request<RemoveNodeRequest>,
    ) -> Result<Response<RemoveNodeResponse>, Status> {
        self.meet("remove_node", &request.get_ref().request_id, &request).await?;
        let name = request.into_inner().name;
        self.state().nodes.remove(&name);
        Ok(Response::new(RemoveNodeResponse { revision: self.next_revision() }))
    }

    async fn report_load(
        &self,
        request: Request<tonic::Streaming<ReportLoadRequest>>,
    ) -> Result<Response<ReportLoadResponse>, Status> {
        let mut stream = request.into_inner();
        let mut accepted = 0;
        while let Some(batch) = stream.message().await? {
            accepted += batch.samples.len() as u64;
        }
        Ok(Response::new(ReportLoadResponse {
            accepted,
            ignored: 0,
            revision: self.next_revision(),
        }))
    }
}

#[tonic::async_trait]
impl TenantService for Fake {
    async fn create_tenant(
        &self,
        request: Request<CreateTenantRequest>,
    ) -> Result<Response<CreateTenantResponse>, Status> {
        self.meet("create_tenant", &request.get_ref().request_id, &request).await?;
        let request = request.into_inner();
        if request.validate_only {
            return Ok(Response::new(CreateTenantResponse::default()));
        }
        let revision = self.next_revision();
        let mut tenant = request.tenant.unwrap_or_default();
        tenant.revision = revision;
        self.state().tenants.insert(tenant.name.clone(), tenant);
        Ok(Response::new(CreateTenantResponse { revision }))
    }

    async fn get_tenant(
        &self,
        request: Request<GetTenantRequest>,
    ) -> Result<Response<GetTenantResponse>, Status> {
        self.meet("get_tenant", "", &request).await?;
        let name = request.into_inner().name;
        let state = self.state();
        let tenant = state.tenants.get(&name).ok_or_else(|| absent("tenant", &name))?;
        Ok(Response::new(GetTenantResponse {
            tenant: Some(tenant.clone()),
            revision: state.revision,
        }))
    }

    async fn list_tenants(
        &self,
        _: Request<ListTenantsRequest>,
    ) -> Result<Response<ListTenantsResponse>, Status> {
        not_here()
    }

    async fn update_tenant(
        &self,
        _: Request<UpdateTenantRequest>,
    ) -> Result<Response<UpdateTenantResponse>, Status> {
        not_here()
    }

    async fn delete_tenant(
        &self,
        request: Request<DeleteTenantRequest>,
    ) -> Result<Response<DeleteTenantResponse>, Status> {
        self.state().tenants.remove(&request.into_inner().name);
        Ok(Response::new(DeleteTenantResponse { revision: self.next_revision() }))
    }
}

#[tonic::async_trait]
impl JobService for Fake {
    async fn explain_job(
        &self,
        _: Request<ExplainJobRequest>,
    ) -> Result<Response<ExplainJobResponse>, Status> {
        Err(Status::unimplemented("explain_job"))
    }

    async fn plan_job(
        &self,
        _: Request<PlanJobRequest>,
    ) -> Result<Response<PlanJobResponse>, Status> {
        Err(Status::unimplemented("plan_job"))
    }

    async fn quote_job(
        &self,
        _: Request<QuoteJobRequest>,
    ) -> Result<Response<QuoteJobResponse>, Status> {
        Err(Status::unimplemented("quote_job"))
    }

    type SubmitJobsStream = Boxed<SubmitJobsResponse>;

    async fn submit_job(
        &self,
        request: Request<SubmitJobRequest>,
    ) -> Result<Response<SubmitJobResponse>, Status> {
        self.meet("submit_job", &request.get_ref().request_id, &request).await?;
        let request = request.into_inner();
        let revision = self.next_revision();
        let mut job = request.job.unwrap_or_default();
        if job.name.is_empty() {
            job.name = format!("job-{revision}");
        }
        let name = job.name.clone();
        job.set_state(JobState::Pending);
        job.revision = revision;
        if !request.validate_only {
            let key = (job.tenant.clone(), name.clone());
            self.state().jobs.insert(key, job);
        }
        Ok(Response::new(SubmitJobResponse { name, id: revision, revision }))
    }

    async fn submit_jobs(
        &self,
        request: Request<tonic::Streaming<SubmitJobsRequest>>,
    ) -> Result<Response<Self::SubmitJobsStream>, Status> {
        let fake = self.clone();
        let answers = request.into_inner().map(move |batch| {
            let results = batch?
                .jobs
                .iter()
                .map(|_| SubmitResult {
                    result: Some(submit_result::Result::Accepted(SubmitJobResponse {
                        name: String::new(),
                        id: 0,
                        revision: fake.next_revision(),
                    })),
                })
                .collect();
            Ok(SubmitJobsResponse { results })
        });
        Ok(Response::new(Box::pin(answers)))
    }

    async fn get_job(
        &self,
        request: Request<GetJobRequest>,
    ) -> Result<Response<GetJobResponse>, Status> {
        self.meet("get_job", "", &request).await?;
        let request = request.into_inner();
        let mut state = self.state();
        let revision = state.revision;
        let key = (request.tenant, request.name);
        if let Some(job) = state.job_steps.pop_front() {
            state.jobs.insert(key.clone(), job);
        }
        let job = state.jobs.get(&key).ok_or_else(|| absent("job", &key.1))?;
        Ok(Response::new(GetJobResponse { job: Some(job.clone()), revision }))
    }

    async fn list_jobs(
        &self,
        _: Request<ListJobsRequest>,
    ) -> Result<Response<ListJobsResponse>, Status> {
        not_here()
    }

    async fn update_job(
        &self,
        request: Request<UpdateJobRequest>,
    ) -> Result<Response<UpdateJobResponse>, Status> {
        self.meet("update_job", &request.get_ref().request_id, &request).await?;
        let new = request.into_inner().job.unwrap_or_default();
        let revision = self.next_revision();
        let mut state = self.state();
        let job = state
            .jobs
            .get_mut(&(new.tenant, new.name.clone()))
            .ok_or_else(|| absent("job", &new.name))?;
        job.spec = new.spec;
        Ok(Response::new(UpdateJobResponse { revision }))
    }

    async fn cancel_job(
        &self,
        request: Request<CancelJobRequest>,
    ) -> Result<Response<CancelJobResponse>, Status> {
        self.meet("cancel_job", &request.get_ref().request_id, &request).await?;
        Ok(Response::new(CancelJobResponse { revision: self.next_revision() }))
    }

    async fn list_allocations(
        &self,
        _: Request<ListAllocationsRequest>,
    ) -> Result<Response<ListAllocationsResponse>, Status> {
        not_here()
    }

    async fn get_allocation(
        &self,
        _: Request<GetAllocationRequest>,
    ) -> Result<Response<GetAllocationResponse>, Status> {
        not_here()
    }

    async fn get_task_payload(
        &self,
        _: Request<GetTaskPayloadRequest>,
    ) -> Result<Response<GetTaskPayloadResponse>, Status> {
        not_here()
    }

    async fn report_tasks(
        &self,
        _: Request<ReportTasksRequest>,
    ) -> Result<Response<ReportTasksResponse>, Status> {
        not_here()
    }
}

#[tonic::async_trait]
impl WatchService for Fake {
    type WatchStream = Boxed<WatchResponse>;

    async fn watch(
        &self,
        request: Request<WatchRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        let mut state = self.state();
        state.watches.push(request.into_inner());
        let Some(script) = state.scripts.pop_front() else {
            return Ok(Response::new(Box::pin(tokio_stream::pending())));
        };
        let messages = tokio_stream::iter(script.messages.into_iter().map(Ok));
        Ok(Response::new(match script.end {
            Some(status) => Box::pin(messages.chain(tokio_stream::once(Err(status)))),
            None => Box::pin(messages.chain(tokio_stream::pending())),
        }))
    }
}

#[tonic::async_trait]
impl AdminService for Fake {
    async fn get_status(
        &self,
        request: Request<GetStatusRequest>,
    ) -> Result<Response<GetStatusResponse>, Status> {
        self.meet("get_status", "", &request).await?;
        Ok(Response::new(GetStatusResponse {
            cell: "fake".to_owned(),
            revision: self.state().revision,
            ..GetStatusResponse::default()
        }))
    }

    async fn get_quote_record(
        &self,
        _: Request<GetQuoteRecordRequest>,
    ) -> Result<Response<GetQuoteRecordResponse>, Status> {
        not_here()
    }

    async fn checkpoint(
        &self,
        _: Request<CheckpointRequest>,
    ) -> Result<Response<CheckpointResponse>, Status> {
        not_here()
    }
}

#[tonic::async_trait]
impl CapacityService for Fake {
    async fn get_capacity(
        &self,
        request: Request<GetCapacityRequest>,
    ) -> Result<Response<GetCapacityResponse>, Status> {
        self.meet("get_capacity", "", &request).await?;
        Ok(Response::new(self.state().capacity.clone()))
    }

    async fn get_idle_profile(
        &self,
        request: Request<GetIdleProfileRequest>,
    ) -> Result<Response<GetIdleProfileResponse>, Status> {
        self.meet("get_idle_profile", "", &request).await?;
        let mut answer = self.state().idle.clone();
        let wanted = request.into_inner().regions;
        answer.profiles.retain(|profile| wanted.is_empty() || wanted.contains(&profile.region));
        Ok(Response::new(answer))
    }
}
