use std::collections::{BTreeMap, BTreeSet};

use offpeak::v1::{
    Capacity, GetCapacityRequest, GetCapacityResponse, GetIdleProfileRequest,
    GetIdleProfileResponse, capacity_service_server::CapacityService,
};
use offpeak_core::{
    model::{Horizon, Name, Node, Resources},
    state::State,
};
use tonic::{Request, Response, Status};

use super::{
    Api,
    convert::{At, Violations, amounts, names},
    idle::Question,
    status::ApiError,
};

#[tonic::async_trait]
impl CapacityService for Api {
    async fn get_capacity(
        &self,
        request: Request<GetCapacityRequest>,
    ) -> Result<Response<GetCapacityResponse>, Status> {
        let patience = self.patience(&request);
        let message = request.into_inner();
        let regions = regions(&message)?;
        self.reach(message.min_revision, patience).await?;
        let state = self.cell.snapshot();
        // A pass over all nodes takes milliseconds, too long for a thread that serves connections.
        let summed = tokio::task::spawn_blocking(move || sum(&state, &regions));
        let response = summed.await.map_err(ApiError::from)?;
        Ok(Response::new(response))
    }

    async fn get_idle_profile(
        &self,
        request: Request<GetIdleProfileRequest>,
    ) -> Result<Response<GetIdleProfileResponse>, Status> {
        let patience = self.patience(&request);
        let message = request.into_inner();
        let question = Question::parse(&message)?;
        self.reach(message.min_revision, patience).await?;
        let (state, now) = (self.cell.snapshot(), self.cell.now());
        let ahead = if message.include_hours {
            let memories = self.cell.memories(question.nodes(&state), patience);
            Some((memories.await.map_err(ApiError::from)?, now))
        } else {
            None
        };
        let summed = tokio::task::spawn_blocking(move || question.answer(&state, ahead.as_ref()));
        let response = summed.await.map_err(ApiError::from)??;
        Ok(Response::new(response))
    }
}

fn regions(message: &GetCapacityRequest) -> Result<BTreeSet<Name>, ApiError> {
    let mut violations = Violations::default();
    let regions = names(&mut violations, &At::Root.field("regions"), &message.regions);
    Ok(violations.check(regions.into_iter().collect())?)
}

/// What some nodes have, use and can lend.
#[derive(Clone, Debug, Default)]
struct Sum {
    nodes: u64,
    ready_nodes: u64,
    capacity: Resources,
    owner_load: Resources,
    held_back: Resources,
    lent: Resources,
    headroom: Resources,
    allocations: u64,
    overcommitted_nodes: u64,
}

impl Sum {
    fn add(&mut self, node: &Node) {
        self.nodes += 1;
        self.capacity = self.capacity.saturating_add(&node.spec.capacity);
        if let Some((_, load)) = &node.history.newest {
            self.owner_load = self.owner_load.saturating_add(load);
        }
        self.held_back = self.held_back.saturating_add(node.held_back.over(Horizon::FiveMinutes));
        self.lent = self.lent.saturating_add(&node.lent);
        if node.is_open() {
            self.ready_nodes += 1;
            self.headroom = self.headroom.saturating_add(&node.headroom(Horizon::FiveMinutes));
        }
        self.allocations += u64::try_from(node.allocations.len()).unwrap_or(u64::MAX);
        self.overcommitted_nodes += u64::from(node.is_overcommitted());
    }

    fn add_sum(&mut self, other: &Self) {
        self.nodes += other.nodes;
        self.ready_nodes += other.ready_nodes;
        self.capacity = self.capacity.saturating_add(&other.capacity);
        self.owner_load = self.owner_load.saturating_add(&other.owner_load);
        self.held_back = self.held_back.saturating_add(&other.held_back);
        self.lent = self.lent.saturating_add(&other.lent);
        self.headroom = self.headroom.saturating_add(&other.headroom);
        self.allocations += other.allocations;
        self.overcommitted_nodes += other.overcommitted_nodes;
    }

    fn message(&self, region: &str) -> Capacity {
        Capacity {
            region: region.to_owned(),
            nodes: self.nodes,
            ready_nodes: self.ready_nodes,
            capacity: Some(amounts(&self.capacity)),
            owner_load: Some(amounts(&self.owner_load)),
            held_back: Some(amounts(&self.held_back)),
            lent: Some(amounts(&self.lent)),
            headroom: Some(amounts(&self.headroom)),
            allocations: self.allocations,
            overcommitted_nodes: self.overcommitted_nodes,
        }
    }
}

fn sum(state: &State, wanted: &BTreeSet<Name>) -> GetCapacityResponse {
    let mut regions: BTreeMap<&Name, Sum> = BTreeMap::new();
    for node in state.nodes() {
        let region = &node.spec.region;
        if wanted.is_empty() || wanted.contains(region) {
            regions.entry(region).or_default().add(node);
        }
    }
    let mut total = Sum::default();
    regions.values().for_each(|sum| total.add_sum(sum));
    let waiting = state.waiting();
    GetCapacityResponse {
        total: Some(total.message("")),
        regions: regions.iter().map(|(region, sum)| sum.message(region.as_str())).collect(),
        pending: Some(amounts(&waiting.resources)),
        pending_tasks: waiting.tasks,
        pending_jobs: waiting.jobs,
        revision: state.revision().0,
    }
}
