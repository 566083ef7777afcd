//! What owners leave idle, and for how long: the nodes that pass a filter, summed up by region or one by name.

use std::collections::BTreeMap;

use offpeak::v1::{
    GetIdleProfileRequest, GetIdleProfileResponse, IdleHorizon, IdleHour, IdleProfile,
};
use offpeak_core::{
    forecaster::Memories,
    model::{Horizon, Name, Node, NodeId, Resources, Time},
    outlook::{HourAhead, Outlook},
    rejection::Rejection,
    state::State,
};

use super::{
    convert::{At, Violations, amounts, given_name, names, span, timestamp},
    node::any_of,
    status::ApiError,
};

/// A checked request.
pub(super) struct Question {
    regions: Vec<Name>,
    zones: Vec<Name>,
    owners: Vec<Name>,
    node: Option<Name>,
}

impl Question {
    pub(super) fn parse(message: &GetIdleProfileRequest) -> Result<Self, ApiError> {
        let mut violations = Violations::default();
        let root = At::Root;
        let question = Self {
            regions: names(&mut violations, &root.field("regions"), &message.regions),
            zones: names(&mut violations, &root.field("zones"), &message.zones),
            owners: names(&mut violations, &root.field("owners"), &message.owners),
            node: given_name(&mut violations, &root.field("node"), &message.node),
        };
        Ok(violations.check(question)?)
    }

    /// The nodes that it asks for.
    pub(super) fn nodes(&self, state: &State) -> Vec<NodeId> {
        match &self.node {
            Some(name) => state.node_named(name.as_str()).map(|node| node.id).into_iter().collect(),
            None => state.nodes().filter(|node| self.admits(node)).map(|node| node.id).collect(),
        }
    }

    /// With the coming hours too, if it is given what is remembered of its nodes, and the time.
    pub(super) fn answer(
        &self,
        state: &State,
        ahead: Option<&(Memories, Time)>,
    ) -> Result<GetIdleProfileResponse, ApiError> {
        let revision = state.revision().0;
        let Some(name) = &self.node else {
            let regions = self.by_region(state, ahead);
            let mut total = Sum::new(ahead);
            regions.values().for_each(|sum| total.add_sum(sum));
            let profiles = regions.iter().map(|(region, sum)| sum.message(region.as_str(), ""));
            let profiles = profiles.collect();
            return Ok(GetIdleProfileResponse {
                total: Some(total.message("", "")),
                profiles,
                revision,
            });
        };
        let Some(node) = state.node_named(name.as_str()) else {
            return Err(Rejection::NodeNotFound(name.to_string()).into());
        };
        let mut sum = Sum::new(ahead);
        let mut profiles = Vec::new();
        if self.admits(node) {
            sum.add(state, node, ahead);
            profiles.push(sum.message(node.spec.region.as_str(), name.as_str()));
        }
        Ok(GetIdleProfileResponse { total: Some(sum.message("", "")), profiles, revision })
    }

    fn by_region<'s>(
        &self,
        state: &'s State,
        ahead: Option<&(Memories, Time)>,
    ) -> BTreeMap<&'s Name, Sum> {
        let mut regions: BTreeMap<&Name, Sum> = BTreeMap::new();
        for node in state.nodes().filter(|node| self.admits(node)) {
            let sum = regions.entry(&node.spec.region).or_insert_with(|| Sum::new(ahead));
            sum.add(state, node, ahead);
        }
        regions
    }

    fn admits(&self, node: &Node) -> bool {
        any_of(&self.regions, &node.spec.region)
            && any_of(&self.zones, &node.spec.zone)
            && any_of(&self.owners, &node.spec.owner)
    }
}

/// What some nodes have and can lend for how long.
#[derive(Clone, Debug, Default)]
struct Sum {
    nodes: u64,
    ready_nodes: u64,
    forecast_nodes: u64,
    plain_rule_nodes: u64,
    unreported_nodes: u64,
    capacity: Resources,
    owner_load: Resources,
    lent: Resources,
    /// In the order of [`Horizon::ALL`].
    ahead: [Ahead; Horizon::COUNT],
    /// If it is asked for.
    outlook: Option<Outlook>,
}

/// What is true of them until a horizon.
#[derive(Clone, Debug, Default)]
struct Ahead {
    bound: Resources,
    held_back: Resources,
    headroom: Resources,
}

impl Sum {
    fn new(ahead: Option<&(Memories, Time)>) -> Self {
        Self { outlook: ahead.map(|(_, now)| Outlook::new(*now)), ..Self::default() }
    }

    fn add(&mut self, state: &State, node: &Node, ahead: Option<&(Memories, Time)>) {
        if let (Some(outlook), Some((memories, _))) = (&mut self.outlook, ahead) {
            outlook.add(state, node, memories);
        }
        self.nodes += 1;
        self.ready_nodes += u64::from(node.is_open());
        *self.counter(node) += 1;
        self.capacity = self.capacity.saturating_add(&node.spec.capacity);
        if let Some((_, load)) = &node.history.newest {
            self.owner_load = self.owner_load.saturating_add(load);
        }
        self.lent = self.lent.saturating_add(&node.lent);
        for (ahead, horizon) in self.ahead.iter_mut().zip(Horizon::ALL) {
            if let Some(bound) = node.forecast(state.policy(), horizon) {
                ahead.bound = ahead.bound.saturating_add(&bound);
            }
            ahead.held_back = ahead.held_back.saturating_add(node.held_back.over(horizon));
            if node.is_open() {
                ahead.headroom = ahead.headroom.saturating_add(&node.headroom(horizon));
            }
        }
    }

    /// How its owner's load is bounded.
    fn counter(&mut self, node: &Node) -> &mut u64 {
        if node.history.newest.is_none() {
            return &mut self.unreported_nodes;
        }
        if node.bounds.is_some() { &mut self.forecast_nodes } else { &mut self.plain_rule_nodes }
    }

    fn add_sum(&mut self, other: &Self) {
        self.nodes += other.nodes;
        self.ready_nodes += other.ready_nodes;
        self.forecast_nodes += other.forecast_nodes;
        self.plain_rule_nodes += other.plain_rule_nodes;
        self.unreported_nodes += other.unreported_nodes;
        self.capacity = self.capacity.saturating_add(&other.capacity);
        self.owner_load = self.owner_load.saturating_add(&other.owner_load);
        self.lent = self.lent.saturating_add(&other.lent);
        for (ahead, other) in self.ahead.iter_mut().zip(&other.ahead) {
            ahead.bound = ahead.bound.saturating_add(&other.bound);
            ahead.held_back = ahead.held_back.saturating_add(&other.held_back);
            ahead.headroom = ahead.headroom.saturating_add(&other.headroom);
        }
        if let (Some(outlook), Some(other)) = (&mut self.outlook, &other.outlook) {
            outlook.add_all(other);
        }
    }

    fn message(&self, region: &str, node: &str) -> IdleProfile {
        let horizons = Horizon::ALL.into_iter().zip(&self.ahead).map(|(horizon, ahead)| {
            let horizon = Some(span(horizon.length()));
            IdleHorizon {
                horizon,
                bound: Some(amounts(&ahead.bound)),
                held_back: Some(amounts(&ahead.held_back)),
                headroom: Some(amounts(&ahead.headroom)),
            }
        });
        IdleProfile {
            region: region.to_owned(),
            node: node.to_owned(),
            nodes: self.nodes,
            ready_nodes: self.ready_nodes,
            forecast_nodes: self.forecast_nodes,
            plain_rule_nodes: self.plain_rule_nodes,
            unreported_nodes: self.unreported_nodes,
            capacity: Some(amounts(&self.capacity)),
            owner_load: Some(amounts(&self.owner_load)),
            lent: Some(amounts(&self.lent)),
            horizons: horizons.collect(),
            hours: self
                .outlook
                .iter()
                .flat_map(Outlook::hours)
                .map(|hour| hour_message(&hour))
                .collect(),
        }
    }
}

fn hour_message(hour: &HourAhead) -> IdleHour {
    let [p50, p95, p99] = hour.idle.each_ref().map(|idle| Some(amounts(idle)));
    IdleHour {
        start: Some(timestamp(hour.start)),
        forecast_nodes: hour.forecast_nodes,
        idle_p50: p50,
        idle_p95: p95,
        idle_p99: p99,
    }
}
