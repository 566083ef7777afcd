//! Unary calls: one deadline, safe repetitions, decoded errors.

use std::{future::Future, time::Duration};

use offpeak::v1 as api;
use tokio::time::{Instant, sleep, timeout};
use tonic::{Request, Response, Status};

use crate::{Client, Error, request_id::new_request_id, retry::is_transient};

/// A request of a unary RPC; implemented for all of them, and knows where it goes.
pub trait Unary: Clone + Send + Sync + 'static {
    /// What the server answers.
    type Response: Send;

    /// Where a request that changes something carries its id. `None`: it is safe to send again as it is.
    fn request_id(&mut self) -> Option<&mut String>;

    /// Sends it once.
    fn send(
        client: &Client,
        request: Request<Self>,
    ) -> impl Future<Output = Result<Response<Self::Response>, Status>> + Send;
}

impl Client {
    /// Sends a request and waits for its answer.
    ///
    /// The deadline covers everything, and the server is told what is left of it. A request that changes something
    /// gets a request id unless it has one, so it takes effect once however often it is sent. It is sent again,
    /// after a growing pause, when the server is unavailable, or too busy and says when to return.
    ///
    /// # Errors
    /// Any but [`Error::InvalidEndpoint`] and [`Error::Compacted`].
    pub async fn call<R: Unary>(&self, mut request: R) -> Result<R::Response, Error> {
        if let Some(id) = request.request_id()
            && id.is_empty()
        {
            *id = new_request_id();
        }
        let deadline = Instant::now() + self.timeout;
        let mut failures = 0;
        loop {
            let error = match self.attempt(request.clone(), deadline).await {
                Ok(response) => return Ok(response),
                Err(error) => error,
            };
            failures += 1;
            if !is_transient(&error) || failures >= self.retry.max_attempts {
                return Err(error);
            }
            let pause = self.retry.pause(failures, &error);
            if Instant::now() + pause >= deadline {
                return Err(error);
            }
            sleep(pause).await;
        }
    }

    async fn attempt<R: Unary>(&self, request: R, deadline: Instant) -> Result<R::Response, Error> {
        let left = deadline.saturating_duration_since(Instant::now());
        let mut request = Request::new(request);
        request.set_timeout(left.max(Duration::from_millis(1)));
        match timeout(left, R::send(self, request)).await {
            Ok(Ok(response)) => Ok(response.into_inner()),
            Ok(Err(status)) => Err(Error::from_status(&status, self.timeout)),
            Err(_) => Err(Error::Timeout { after: self.timeout }),
        }
    }
}

macro_rules! unary {
    ($($service:ident { $($method:ident($request:ident) -> $response:ident $($id:ident)?;)* })*) => {
        $($(impl Unary for api::$request {
            type Response = api::$response;

            fn request_id(&mut self) -> Option<&mut String> {
                unary!(@id self $($id)?)
            }

            async fn send(
                client: &Client,
                request: Request<Self>,
            ) -> Result<Response<Self::Response>, Status> {
                client.$service().$method(request).await
            }
        })*)*
    };
    (@id $self:ident request_id) => { Some(&mut $self.request_id) };
    (@id $self:ident) => { None };
}

unary! {
    nodes {
        register_nodes(RegisterNodesRequest) -> RegisterNodesResponse request_id;
        get_node(GetNodeRequest) -> GetNodeResponse;
        list_nodes(ListNodesRequest) -> ListNodesResponse;
        update_node(UpdateNodeRequest) -> UpdateNodeResponse request_id;
        cordon_node(CordonNodeRequest) -> CordonNodeResponse request_id;
        uncordon_node(UncordonNodeRequest) -> UncordonNodeResponse request_id;
        drain_node(DrainNodeRequest) -> DrainNodeResponse request_id;
        remove_node(RemoveNodeRequest) -> RemoveNodeResponse request_id;
    }
    owners {
        get_owner(GetOwnerRequest) -> GetOwnerResponse;
        list_owners(ListOwnersRequest) -> ListOwnersResponse;
        update_owner(UpdateOwnerRequest) -> UpdateOwnerResponse request_id;
        list_scorecards(ListScorecardsRequest) -> ListScorecardsResponse;
        preview_calendar(PreviewCalendarRequest) -> PreviewCalendarResponse;
    }
    tenants {
        create_tenant(CreateTenantRequest) -> CreateTenantResponse request_id;
        get_tenant(GetTenantRequest) -> GetTenantResponse;
        list_tenants(ListTenantsRequest) -> ListTenantsResponse;
        update_tenant(UpdateTenantRequest) -> UpdateTenantResponse request_id;
        delete_tenant(DeleteTenantRequest) -> DeleteTenantResponse request_id;
    }
    jobs {
        submit_job(SubmitJobRequest) -> SubmitJobResponse request_id;
        get_job(GetJobRequest) -> GetJobResponse;
        explain_job(ExplainJobRequest) -> ExplainJobResponse;
        plan_job(PlanJobRequest) -> PlanJobResponse;
        quote_job(QuoteJobRequest) -> QuoteJobResponse;
        list_jobs(ListJobsRequest) -> ListJobsResponse;
        update_job(UpdateJobRequest) -> UpdateJobResponse request_id;
        cancel_job(CancelJobRequest) -> CancelJobResponse request_id;
        list_allocations(ListAllocationsRequest) -> ListAllocationsResponse;
        get_allocation(GetAllocationRequest) -> GetAllocationResponse;
        get_task_payload(GetTaskPayloadRequest) -> GetTaskPayloadResponse;
        report_tasks(ReportTasksRequest) -> ReportTasksResponse request_id;
    }
    billing {
        get_price_book(GetPriceBookRequest) -> GetPriceBookResponse;
        set_price_book(SetPriceBookRequest) -> SetPriceBookResponse request_id;
        list_price_books(ListPriceBooksRequest) -> ListPriceBooksResponse;
        list_price_changes(ListPriceChangesRequest) -> ListPriceChangesResponse;
        get_cost(GetCostRequest) -> GetCostResponse;
    }
    capacity {
        get_capacity(GetCapacityRequest) -> GetCapacityResponse;
        get_idle_profile(GetIdleProfileRequest) -> GetIdleProfileResponse;
    }
    admin {
        get_status(GetStatusRequest) -> GetStatusResponse;
        get_quote_record(GetQuoteRecordRequest) -> GetQuoteRecordResponse;
        // A checkpoint twice is a checkpoint.
        checkpoint(CheckpointRequest) -> CheckpointResponse;
    }
}
