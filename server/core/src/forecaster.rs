//! What is learned of all owners' nodes, folded from committed load reports, and the bounds that come of it.
//!
//! It stands beside the engine: what it finds enters as [`crate::command::Command::Forecast`] and becomes an event, so
//! that a state needs no forecaster to be replayed, and what is remembered of a node is kept once in a process. A fleet
//! whose owner has reported for less than a day is bounded by the rule in [`crate::model::Node::forecast`] instead.

mod memories;

use std::{collections::BTreeMap, sync::Arc};

use borsh::{BorshDeserialize, BorshSerialize};

use crate::{
    event::{Batch, Event},
    forecast::{Fleet, NodeForecast, Risk, Risks, Share},
    model::{
        self, Bounds, Curb, Dimension, Horizon, LoadSample, Millis, Name, NodeBounds, NodeId,
        NodeSpec, Revision, Time,
    },
    state::State,
};
pub use memories::Memories;

/// How long a fleet is watched before its forecast counts.
const YOUTH: Millis = Millis::DAY;

/// What is learned of all owners' nodes.
#[derive(Clone, Debug, Default)]
pub struct Forecaster {
    revision: Revision,
    owners: BTreeMap<Name, Owner>,
    /// What owners accept, and how much less is risked; the default for those that are not here.
    accepted: BTreeMap<Name, (model::Risk, Curb)>,
    nodes: BTreeMap<NodeId, Known>,
}

/// What is learned of an owner's fleet.
#[derive(Clone, Debug)]
struct Owner {
    /// When it first reported.
    since: Time,
    fleets: BTreeMap<Dimension, Fleet>,
}

/// What is known of a node.
#[derive(Clone, Debug, Default)]
struct Known {
    /// Absent when more was learned of it than is known of the cell.
    spec: Option<Arc<NodeSpec>>,
    forecasts: BTreeMap<Dimension, Arc<NodeForecast>>,
    /// As told last.
    bounds: Arc<Bounds>,
}

/// The version of what is saved: what another one saved is forgotten, and learned anew.
const VERSION: u8 = 1;

/// Nodes whose memories are saved together: about a hundred KiB.
const NODES_PER_PIECE: usize = 16;

/// A resource as saved: its number, and the name of a countable.
type Code = (u8, String);

/// An owner's name, when it first reported, and what was learned of its fleet.
type SavedOwner = (String, u64, Vec<(Code, Fleet)>);

/// A part of what is saved.
#[derive(BorshDeserialize, BorshSerialize)]
enum Piece {
    Owners { revision: u64, owners: Vec<SavedOwner> },
    Nodes(Vec<(u32, Vec<(Code, NodeForecast)>)>),
}

impl Piece {
    fn to_bytes(&self) -> Vec<u8> {
        borsh::to_vec(&(VERSION, self)).expect("invariant: a vector has room")
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let bytes = bytes.strip_prefix(&[VERSION])?;
        borsh::from_slice(bytes).ok()
    }
}

/// What an owner accepts for each horizon: what is decided anew with every report is exceeded ten times as seldom.
fn risks(accepted: model::Risk) -> Risks {
    let ppm = accepted.parts_per_million();
    Risks { five_minutes: Risk::ppm(ppm / 10), ..Risks::all(Risk::ppm(ppm)) }
}

fn code(dimension: &Dimension) -> Code {
    let number = match dimension {
        Dimension::Cpu => 0,
        Dimension::Memory => 1,
        Dimension::Disk => 2,
        Dimension::Network => 3,
        Dimension::Gpu => 4,
        Dimension::Count(name) => return (5, name.to_string()),
    };
    (number, String::new())
}

fn decoded((number, name): Code) -> Option<Dimension> {
    Some(match number {
        0 => Dimension::Cpu,
        1 => Dimension::Memory,
        2 => Dimension::Disk,
        3 => Dimension::Network,
        4 => Dimension::Gpu,
        5 => Dimension::Count(Name::parse_optional(&name).ok()?),
        _ => return None,
    })
}

impl Forecaster {
    /// One that knows the nodes of a state and has learned nothing of them.
    #[must_use]
    pub fn new(state: &State) -> Self {
        let mut forecaster = Self { revision: state.revision(), ..Self::default() };
        for node in state.nodes() {
            forecaster.meet(node.id, &node.spec);
        }
        forecaster.promise_all(state);
        forecaster
    }

    /// The newest revision that was taken in.
    #[must_use]
    pub fn revision(&self) -> Revision {
        self.revision
    }

    /// Learns from whole commits and gives the bounds that have changed. Loads of revisions that it has seen are ignored.
    pub fn fold(&mut self, batch: &Batch) -> Vec<NodeBounds> {
        let mut changed = BTreeMap::new();
        for (commit, events) in batch.iter() {
            let is_new = commit.revision > self.revision;
            self.revision = self.revision.max(commit.revision);
            for event in events {
                match event {
                    Event::NodeRegistered { id, spec } | Event::NodeUpdated { id, spec } => {
                        self.meet(*id, spec);
                    }
                    Event::OwnerUpdated { spec, .. } => {
                        // Without a budget nothing is curbed; an owner that is forgotten with it is told of no more.
                        let known = self.accepted.get(&spec.name);
                        let known = known.filter(|_| spec.shortfall_budget.is_some());
                        let curb = known.map_or(Curb::default(), |(_, curb)| *curb);
                        self.promise(&spec.name, spec.risk, curb);
                    }
                    Event::RiskCurbed { owner, curb } => {
                        let risk = self.accepted.get(owner).map_or(model::Risk::default(), |a| a.0);
                        self.promise(owner, risk, *curb);
                    }
                    Event::NodeRemoved { id, .. } => {
                        self.nodes.remove(id);
                        changed.remove(id);
                    }
                    Event::LoadReported { samples } if is_new => {
                        for sample in samples {
                            if let Some(bounds) = self.observe(sample) {
                                changed.insert(sample.node, bounds);
                            }
                        }
                    }
                    _ => {}
                }
            }
        }
        changed.into_iter().map(|(node, bounds)| NodeBounds { node, bounds }).collect()
    }

    /// Whether [`Forecaster::fold`] does anything with an event of this kind.
    #[must_use]
    pub fn learns_from(event: &Event) -> bool {
        matches!(
            event,
            Event::NodeRegistered { .. }
                | Event::NodeUpdated { .. }
                | Event::NodeRemoved { .. }
                | Event::OwnerUpdated { .. }
                | Event::RiskCurbed { .. }
                | Event::LoadReported { .. }
        )
    }

    /// What was learned, in pieces that [`Forecaster::restore`] takes.
    ///
    /// # Errors
    /// Whatever `put` returns; nothing is put after that.
    pub fn save<E>(&self, mut put: impl FnMut(&[u8]) -> Result<(), E>) -> Result<(), E> {
        let fleets = |owner: &Owner| {
            let fleets = owner.fleets.iter();
            fleets.map(|(dimension, fleet)| (code(dimension), fleet.clone())).collect()
        };
        let owners = self.owners.iter();
        let owners = owners.map(|(name, owner)| (name.to_string(), owner.since.0, fleets(owner)));
        let head = Piece::Owners { revision: self.revision.0, owners: owners.collect() };
        put(&head.to_bytes())?;
        let learned = self.nodes.iter().filter(|(_, known)| !known.forecasts.is_empty());
        let learned: Vec<_> = learned.collect();
        for nodes in learned.chunks(NODES_PER_PIECE) {
            let node = |(id, known): &(&NodeId, &Known)| {
                let forecasts = known.forecasts.iter();
                let forecasts =
                    forecasts.map(|(name, forecast)| (code(name), (**forecast).clone()));
                (id.0, forecasts.collect())
            };
            put(&Piece::Nodes(nodes.iter().map(node).collect()).to_bytes())?;
        }
        Ok(())
    }

    /// One that knows the nodes of a state and what was learned of them before, if this release can read it.
    #[must_use]
    pub fn restore(state: &State, pieces: &[Vec<u8>]) -> Option<Self> {
        let mut forecaster = Self::new(state);
        for piece in pieces {
            match Piece::from_bytes(piece)? {
                Piece::Owners { revision, owners } => {
                    forecaster.revision = Revision(revision).max(state.revision());
                    for (name, since, fleets) in owners {
                        let fleets =
                            fleets.into_iter().map(|(code, fleet)| Some((decoded(code)?, fleet)));
                        let fleets = fleets.collect::<Option<_>>()?;
                        let owner = Owner { since: Time(since), fleets };
                        forecaster.owners.insert(Name::parse_optional(&name).ok()?, owner);
                    }
                }
                Piece::Nodes(nodes) => {
                    for (id, forecasts) in nodes {
                        let known = forecaster.nodes.entry(NodeId(id)).or_default();
                        for (code, forecast) in forecasts {
                            known.forecasts.insert(decoded(code)?, Arc::new(forecast));
                        }
                    }
                }
            }
        }
        forecaster.promise_all(state);
        Some(forecaster)
    }

    fn meet(&mut self, id: NodeId, spec: &Arc<NodeSpec>) {
        self.nodes.entry(id).or_default().spec = Some(Arc::clone(spec));
    }

    fn promise_all(&mut self, state: &State) {
        for owner in state.owners() {
            self.promise(&owner.spec.name, owner.spec.risk, owner.record.curb);
        }
    }

    fn promise(&mut self, owner: &Name, accepted: model::Risk, curb: Curb) {
        self.accepted.insert(owner.clone(), (accepted, curb));
        let risks = risks(accepted.curbed(curb));
        if let Some(owner) = self.owners.get_mut(owner) {
            owner.fleets.values_mut().for_each(|fleet| fleet.promise(risks));
        }
    }

    /// Learns a sample. The node's bounds, if they are other ones than before.
    fn observe(&mut self, sample: &LoadSample) -> Option<Arc<Bounds>> {
        let known = self.nodes.get_mut(&sample.node)?;
        let spec = known.spec.as_ref()?;
        let owner = self
            .owners
            .entry(spec.owner.clone())
            .or_insert_with(|| Owner { since: sample.time, fleets: BTreeMap::new() });
        let accepted = self.accepted.get(&spec.owner);
        let risks = accepted.map(|(risk, curb)| risks(risk.curbed(*curb))).unwrap_or_default();
        for (dimension, _) in sample.load.amounts() {
            known.forecasts.entry(dimension).or_default();
        }
        let mut bounds = Bounds::default();
        for (dimension, forecast) in &mut known.forecasts {
            let capacity = spec.capacity.amount(dimension);
            if capacity == 0 {
                continue;
            }
            let fleet = owner.fleets.entry(dimension.clone());
            let fleet = fleet.or_insert_with(|| Fleet::new(risks));
            let load = Bounds::permille(sample.load.amount(dimension), capacity);
            fleet.observe(Arc::make_mut(forecast), sample.time, Share::permille(load));
            let over = |horizon| {
                let bound = forecast.bound(horizon, sample.time);
                bound.unwrap_or(Share::FULL).get()
            };
            bounds.0.push((dimension.clone(), Horizon::ALL.map(over)));
        }
        if sample.time.since(owner.since) < YOUTH || *known.bounds == bounds {
            return None;
        }
        known.bounds = Arc::new(bounds);
        Some(Arc::clone(&known.bounds))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::Forecaster;
    use crate::{
        event::{Batch, Commit, Event},
        model::{Curb, Millis, Name, OwnerSpec, Revision, Time, Windows},
    };

    #[test]
    fn nothing_is_curbed_for_an_owner_whose_budget_is_gone() {
        let owner = Name::parse("shop").expect("a name");
        let update = |shortfall_budget| {
            let spec = OwnerSpec { shortfall_budget, ..OwnerSpec::of(owner.clone()) };
            Event::OwnerUpdated { spec: Arc::new(spec), windows: Arc::new(Windows::default()) }
        };
        let curb = Curb::new(3).expect("within bounds");
        let curbed = Event::RiskCurbed { owner: owner.clone(), curb };
        let budget = Some(Millis::HOUR);
        let mut forecaster = Forecaster::default();
        let events = [update(budget), curbed, update(Some(Millis::MINUTE)), update(None)];
        let curbs = (1..).zip(events).map(|(revision, event)| {
            let commit = Commit { revision: Revision(revision), time: Time(0), end: 1 };
            forecaster.fold(&Batch { commits: vec![commit], events: vec![event] });
            forecaster.accepted[&owner].1.quarters()
        });
        assert_eq!(curbs.collect::<Vec<_>>(), [0, 3, 3, 0]);
    }
}
