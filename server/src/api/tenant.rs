use offpeak::v1::{
    CreateTenantRequest, CreateTenantResponse, DeleteTenantRequest, DeleteTenantResponse,
    GetTenantRequest, GetTenantResponse, ListTenantsRequest, ListTenantsResponse,
    UpdateTenantRequest, UpdateTenantResponse, tenant_service_server::TenantService,
};
use offpeak_core::{
    model::{Tenant, Time},
    rejection::Rejection,
    state::State,
};
use tonic::{Request, Response, Status};

use super::{Api, convert, convert::Violations, field, paging::Page, status::ApiError};

#[tonic::async_trait]
impl TenantService for Api {
    async fn create_tenant(
        &self,
        request: Request<CreateTenantRequest>,
    ) -> Result<Response<CreateTenantResponse>, Status> {
        let outcome = self.change(request.into_inner()).await?;
        Ok(Response::new(CreateTenantResponse { revision: outcome.revision.0 }))
    }

    async fn get_tenant(
        &self,
        request: Request<GetTenantRequest>,
    ) -> Result<Response<GetTenantResponse>, Status> {
        let patience = self.patience(&request);
        let message = request.into_inner();
        let name = field("name", &message.name, convert::name)?;
        self.reach(message.min_revision, patience).await?;
        let now = self.cell.now();
        let response = self.cell.read(|state| {
            let Some(tenant) = state.tenant_named(name.as_str()) else {
                return Err(ApiError::from(Rejection::TenantNotFound(name.to_string())));
            };
            let tenant = Some(convert::tenant(tenant, now.max(state.now())));
            Ok(GetTenantResponse { tenant, revision: state.revision().0 })
        })?;
        Ok(Response::new(response))
    }

    async fn list_tenants(
        &self,
        request: Request<ListTenantsRequest>,
    ) -> Result<Response<ListTenantsResponse>, Status> {
        let patience = self.patience(&request);
        let message = request.into_inner();
        let list = TenantList::parse(&message)?;
        self.reach(message.min_revision, patience).await?;
        let now = self.cell.now();
        Ok(Response::new(self.cell.read(|state| list.read(state, now.max(state.now())))))
    }

    async fn update_tenant(
        &self,
        request: Request<UpdateTenantRequest>,
    ) -> Result<Response<UpdateTenantResponse>, Status> {
        let outcome = self.change(request.into_inner()).await?;
        Ok(Response::new(UpdateTenantResponse { revision: outcome.revision.0 }))
    }

    async fn delete_tenant(
        &self,
        request: Request<DeleteTenantRequest>,
    ) -> Result<Response<DeleteTenantResponse>, Status> {
        let outcome = self.change(request.into_inner()).await?;
        Ok(Response::new(DeleteTenantResponse { revision: outcome.revision.0 }))
    }
}

/// A checked request for a page of tenants.
struct TenantList {
    page: Page,
    after: String,
}

impl TenantList {
    fn parse(message: &ListTenantsRequest) -> Result<Self, ApiError> {
        let mut violations = Violations::default();
        let place = (message.page_size, message.page_token.as_str());
        let page = Page::parse(&mut violations, "ListTenants", None::<&()>, place);
        let after = page.after_name(&mut violations);
        Ok(violations.check(Self { page, after })?)
    }

    fn read(&self, state: &State, now: Time) -> ListTenantsResponse {
        let gathered = self.page.gather(
            state.tenants_by_name(&self.after),
            |_| true,
            |tenant: &Tenant| tenant.spec.name.as_str().as_bytes().to_vec(),
            |tenant| convert::tenant(tenant, now),
        );
        ListTenantsResponse {
            tenants: gathered.objects,
            next_page_token: gathered.next_page_token,
            revision: state.revision().0,
        }
    }
}
