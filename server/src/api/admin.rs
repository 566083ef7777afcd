use offpeak::v1::{
    CheckpointRequest, CheckpointResponse, GetQuoteRecordRequest, GetQuoteRecordResponse,
    GetStatusRequest, GetStatusResponse, admin_service_server::AdminService,
};
use offpeak_core::state::State;
use tonic::{Request, Response, Status};

use super::{Api, convert::timestamp, quotes, status::ApiError};

#[tonic::async_trait]
impl AdminService for Api {
    async fn get_status(
        &self,
        request: Request<GetStatusRequest>,
    ) -> Result<Response<GetStatusResponse>, Status> {
        let patience = self.patience(&request);
        self.reach(request.into_inner().min_revision, patience).await?;
        let status = self.cell.status();
        let counted = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        let read = |state: &State| GetStatusResponse {
            cell: status.name,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            start_time: Some(timestamp(status.started)),
            revision: state.revision().0,
            compacted_revision: status.compacted.0,
            checkpoint_revision: status.checkpoint.0,
            nodes: counted(state.node_count()),
            tenants: counted(state.tenant_count()),
            jobs: counted(state.job_count()),
            pending_tasks: state.waiting().tasks,
            allocations: counted(state.allocation_count()),
            watchers: status.watchers,
            log_bytes: status.log_bytes,
        };
        Ok(Response::new(self.cell.read(read)))
    }

    async fn checkpoint(
        &self,
        _request: Request<CheckpointRequest>,
    ) -> Result<Response<CheckpointResponse>, Status> {
        let revision = self.cell.checkpoint().await.map_err(ApiError::from)?;
        Ok(Response::new(CheckpointResponse { revision: revision.0 }))
    }

    async fn get_quote_record(
        &self,
        request: Request<GetQuoteRecordRequest>,
    ) -> Result<Response<GetQuoteRecordResponse>, Status> {
        let patience = self.patience(&request);
        self.reach(request.into_inner().min_revision, patience).await?;
        Ok(Response::new(self.cell.read(quotes::record)))
    }
}
