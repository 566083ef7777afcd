use std::collections::BTreeMap;

use offpeak::v1::{
    CordonNodeRequest, CordonNodeResponse, DrainNodeRequest, DrainNodeResponse, GetNodeRequest,
    GetNodeResponse, ListNodesRequest, ListNodesResponse, NodeFilter, NodeState,
    RegisterNodesRequest, RegisterNodesResponse, RemoveNodeRequest, RemoveNodeResponse,
    ReportLoadRequest, ReportLoadResponse, UncordonNodeRequest, UncordonNodeResponse,
    UpdateNodeRequest, UpdateNodeResponse, node_service_server::NodeService,
};
use offpeak_core::{
    command::Detail,
    model::{Labels, Name, Node},
    rejection::Rejection,
    state::State,
};
use tonic::{Request, Response, Status, Streaming};

use super::{
    Api,
    convert::{self, At, Violations},
    field,
    paging::Page,
    status::ApiError,
};

#[tonic::async_trait]
impl NodeService for Api {
    async fn register_nodes(
        &self,
        request: Request<RegisterNodesRequest>,
    ) -> Result<Response<RegisterNodesResponse>, Status> {
        let outcome = self.change(request.into_inner()).await?;
        Ok(Response::new(RegisterNodesResponse { revision: outcome.revision.0 }))
    }

    async fn get_node(
        &self,
        request: Request<GetNodeRequest>,
    ) -> Result<Response<GetNodeResponse>, Status> {
        let patience = self.patience(&request);
        let message = request.into_inner();
        let name = field("name", &message.name, convert::name)?;
        self.reach(message.min_revision, patience).await?;
        let response = self.cell.read(|state| {
            let Some(node) = state.node_named(name.as_str()) else {
                return Err(ApiError::from(Rejection::NodeNotFound(name.to_string())));
            };
            let node = Some(convert::node(state, node));
            Ok(GetNodeResponse { node, revision: state.revision().0 })
        })?;
        Ok(Response::new(response))
    }

    async fn list_nodes(
        &self,
        request: Request<ListNodesRequest>,
    ) -> Result<Response<ListNodesResponse>, Status> {
        let patience = self.patience(&request);
        let message = request.into_inner();
        let list = NodeList::parse(&message)?;
        self.reach(message.min_revision, patience).await?;
        Ok(Response::new(self.cell.read(|state| list.read(state))))
    }

    async fn update_node(
        &self,
        request: Request<UpdateNodeRequest>,
    ) -> Result<Response<UpdateNodeResponse>, Status> {
        let outcome = self.change(request.into_inner()).await?;
        Ok(Response::new(UpdateNodeResponse { revision: outcome.revision.0 }))
    }

    async fn cordon_node(
        &self,
        request: Request<CordonNodeRequest>,
    ) -> Result<Response<CordonNodeResponse>, Status> {
        let outcome = self.change(request.into_inner()).await?;
        Ok(Response::new(CordonNodeResponse { revision: outcome.revision.0 }))
    }

    async fn uncordon_node(
        &self,
        request: Request<UncordonNodeRequest>,
    ) -> Result<Response<UncordonNodeResponse>, Status> {
        let outcome = self.change(request.into_inner()).await?;
        Ok(Response::new(UncordonNodeResponse { revision: outcome.revision.0 }))
    }

    async fn drain_node(
        &self,
        request: Request<DrainNodeRequest>,
    ) -> Result<Response<DrainNodeResponse>, Status> {
        let outcome = self.change(request.into_inner()).await?;
        let notices = if let Detail::Notices(notices) = outcome.detail { notices } else { 0 };
        Ok(Response::new(DrainNodeResponse { revision: outcome.revision.0, notices }))
    }

    async fn remove_node(
        &self,
        request: Request<RemoveNodeRequest>,
    ) -> Result<Response<RemoveNodeResponse>, Status> {
        let outcome = self.change(request.into_inner()).await?;
        Ok(Response::new(RemoveNodeResponse { revision: outcome.revision.0 }))
    }

    async fn report_load(
        &self,
        request: Request<Streaming<ReportLoadRequest>>,
    ) -> Result<Response<ReportLoadResponse>, Status> {
        let batches = request.into_inner();
        tokio::select! {
            result = self.take_load(batches) => Ok(Response::new(result?)),
            () = self.stopping.clone().wait() => Err(ApiError::Stopping.into()),
        }
    }
}

impl Api {
    async fn take_load(
        &self,
        mut batches: Streaming<ReportLoadRequest>,
    ) -> Result<ReportLoadResponse, Status> {
        let revision = self.cell.read(State::revision).0;
        let mut response = ReportLoadResponse { accepted: 0, ignored: 0, revision };
        while let Some(batch) = batches.message().await? {
            let request = convert::report_load(&batch).map_err(ApiError::from)?;
            let outcome = self.cell.submit(request).await.map_err(ApiError::from)?;
            response.revision = outcome.revision.0;
            if let Detail::Load { accepted, ignored } = outcome.detail {
                response.accepted += accepted;
                response.ignored += ignored;
            }
        }
        Ok(response)
    }
}

/// A checked request for a page of nodes.
struct NodeList {
    page: Page,
    after: String,
    regions: Vec<Name>,
    zones: Vec<Name>,
    owners: Vec<Name>,
    states: Vec<NodeState>,
    labels: Labels,
}

impl NodeList {
    fn parse(message: &ListNodesRequest) -> Result<Self, ApiError> {
        let mut violations = Violations::default();
        let place = (message.page_size, message.page_token.as_str());
        let filter = message.filter.as_ref();
        let page = Page::parse(&mut violations, "ListNodes", filter, place);
        let after = page.after_name(&mut violations);
        let absent = NodeFilter::default();
        let filter = filter.unwrap_or(&absent);
        let root = At::Root;
        let at = root.field("filter");
        let list = Self {
            page,
            after,
            regions: convert::names(&mut violations, &at.field("regions"), &filter.regions),
            zones: convert::names(&mut violations, &at.field("zones"), &filter.zones),
            owners: convert::names(&mut violations, &at.field("owners"), &filter.owners),
            states: convert::enumerations(&mut violations, &at.field("states"), &filter.states),
            labels: convert::label_map(&mut violations, &at.field("labels"), &filter.labels),
        };
        Ok(violations.check(list)?)
    }

    fn read(&self, state: &State) -> ListNodesResponse {
        let gathered = self.page.gather(
            state.nodes_by_name(&self.after),
            |node| self.passes(node),
            |node: &Node| node.spec.name.as_str().as_bytes().to_vec(),
            |node| convert::node(state, node),
        );
        ListNodesResponse {
            nodes: gathered.objects,
            next_page_token: gathered.next_page_token,
            revision: state.revision().0,
        }
    }

    fn passes(&self, node: &Node) -> bool {
        let spec = &node.spec;
        any_of(&self.regions, &spec.region)
            && any_of(&self.zones, &spec.zone)
            && any_of(&self.owners, &spec.owner)
            && any_of(&self.states, &convert::node_state(node))
            && has_all(&spec.labels, &self.labels)
    }
}

/// Whether a value is one of those wanted; none wanted is all wanted.
pub(super) fn any_of<T: PartialEq>(wanted: &[T], value: &T) -> bool {
    wanted.is_empty() || wanted.contains(value)
}

/// Whether labels include those wanted.
pub(super) fn has_all(labels: &Labels, wanted: &Labels) -> bool {
    let wanted: &BTreeMap<_, _> = wanted;
    wanted.iter().all(|(key, value)| labels.get(key) == Some(value))
}
