//! Owners: which nodes are whose, and what their windows hold back of them.

use std::sync::Arc;

use super::State;
use crate::model::{
    Curb, HeldBack, Horizon, LendingRecord, Lent, LoadSample, Millis, Name, Node, NodeId, Owner,
    OwnerSpec, Policy, Resources, Time, Window, Windows,
};

impl State {
    pub(super) fn update_owner(&mut self, spec: &Arc<OwnerSpec>, windows: &Arc<Windows>) {
        let revision = self.revision;
        let known = self.owners.entry(spec.name.clone());
        known.or_insert_with(|| Owner::new(spec.name.clone())).revision = revision;
        self.change_owner(&spec.name, |owner| {
            owner.spec = Arc::clone(spec);
            owner.windows = Arc::clone(windows);
        });
        self.forget_idle(&spec.name);
    }

    /// Changes an owner, looks which of its windows count now, and what they hold back of its nodes.
    pub(super) fn change_owner(&mut self, name: &Name, change: impl FnOnce(&mut Owner)) {
        let owner = self.owners.get_mut(name).expect("invariant: the event's owner is kept");
        change(owner);
        owner.turn(self.now);
        let owner = &self.owners[name];
        for id in owner.nodes() {
            let node = self.nodes.get_mut(u64::from(id.0)).expect("invariant: an owner's node");
            node.held_back = held_back(node, &self.policy, Some(owner));
        }
    }

    /// For recovery, before there are nodes.
    pub(super) fn insert_owner(&mut self, owner: Owner) {
        self.owners.insert(owner.spec.name.clone(), owner);
    }

    pub(super) fn add_to_owner(&mut self, name: &Name, node: NodeId) {
        if !name.is_empty() {
            let known = self.owners.entry(name.clone());
            known.or_insert_with(|| Owner::new(name.clone())).add_node(node);
        }
    }

    pub(super) fn take_from_owner(&mut self, name: &Name, node: NodeId) {
        if let Some(owner) = self.owners.get_mut(name) {
            owner.remove_node(node);
            self.forget_idle(name);
        }
    }

    pub(super) fn curb_risk(&mut self, name: &Name, curb: Curb) {
        let owner = self.owners.get_mut(name).expect("invariant: the event's owner is kept");
        owner.record.curb = curb;
    }

    /// Forgets how an owner has fared in regions where it has no node and of which no report is of the last thirty days.
    pub(super) fn forget_past_regions(&mut self, name: &Name) {
        let owner = self.owners.get(name).expect("invariant: the owner is kept");
        let cards = owner.record.scorecards.iter();
        let past = cards.filter(|(_, card)| card.is_past(self.now)).map(|(region, _)| region);
        let mut past: Vec<Name> = past.cloned().collect();
        if past.is_empty() {
            return;
        }
        for node in owner.nodes().filter_map(|id| self.node(id)) {
            past.retain(|region| *region != node.spec.region);
        }
        let owner = self.owners.get_mut(name).expect("invariant: it was just there");
        past.iter().for_each(|region| drop(owner.record.scorecards.remove(region)));
    }

    fn forget_idle(&mut self, name: &Name) {
        if self.owners.get(name).is_some_and(Owner::is_idle) {
            self.owners.remove(name);
        }
    }

    /// What the owner of a node would keep of it now if no window lay ahead.
    pub(crate) fn held_back_now(&self, node: &Node) -> HeldBack {
        let owner = self.owner(&node.spec.owner);
        let windows = owner.and_then(|owner| owner.held_back_now(&node.spec, self.now));
        held_back_by(node, &self.policy, windows)
    }

    /// What the owner keeps of a node at once, its windows aside.
    pub(crate) fn kept_at_once(&self, node: &Node) -> Resources {
        let kept = held_back_by(node, &self.policy, None);
        kept.over(Horizon::FiveMinutes).clone()
    }

    /// What the owner keeps of a node from tasks that start later and must be left alone for so long, its windows aside.
    /// Its load of this moment says nothing of that time, where a forecaster has learned what to expect.
    pub(crate) fn kept_later(&self, node: &Node, horizon: Horizon) -> Resources {
        let forecast = match &node.bounds {
            Some(bounds) if node.history.newest.is_some() => {
                let shorter = Horizon::ALL.into_iter().filter(|other| *other <= horizon);
                let bounds = shorter.map(|other| bounds.over(other, &node.spec.capacity));
                bounds.fold(Resources::default(), |most, bound| most.larger_of(&bound))
            }
            _ => node.forecast(&self.policy, horizon).unwrap_or_default(),
        };
        forecast.larger_of(&node.spec.reservation)
    }

    /// The windows of the node's owner that hold there, begin before `until` and have not ended, each with what it holds
    /// back.
    pub(crate) fn windows_of<'a>(
        &'a self,
        node: &'a Node,
        until: Time,
    ) -> impl Iterator<Item = (Window, Resources)> + 'a {
        let owner = self.owner(&node.spec.owner);
        owner.into_iter().flat_map(move |owner| owner.windows_on(&node.spec, self.now, until))
    }
}

/// What the owner keeps: the reservation, the forecast or what its calendar says, whichever is most.
pub(super) fn held_back(node: &Node, policy: &Policy, owner: Option<&Owner>) -> HeldBack {
    held_back_by(node, policy, owner.and_then(|owner| owner.held_back(&node.spec)))
}

/// As `held_back`, of what windows hold back.
pub(super) fn held_back_by(
    node: &Node,
    policy: &Policy,
    windows: Option<[Resources; Horizon::COUNT]>,
) -> HeldBack {
    let reservation = &node.spec.reservation;
    if node.history.newest.is_none() && windows.is_none() {
        return HeldBack::always(reservation);
    }
    let windows = windows.unwrap_or_default();
    HeldBack::of(Horizon::ALL.map(|horizon| {
        let forecast = node.forecast(policy, horizon);
        let kept = forecast.unwrap_or_default().larger_of(reservation);
        kept.larger_of(&windows[horizon.index()])
    }))
}

/// The longest time for which a report speaks.
const SPEAKS_FOR: Millis = Millis::HOUR;

/// Adds what a report tells of the time since the one before, as of what is lent now. Whether it is the first of its day
/// and region.
pub(super) fn record_lent(record: &mut LendingRecord, node: &Node, sample: &LoadSample) -> bool {
    let Some((before, _)) = &node.history.newest else { return false };
    let spoken = sample.time.since(*before).min(SPEAKS_FOR);
    let (capacity, load) = (&node.spec.capacity, &sample.load);
    let is_short = node.exceeds(&node.lent, &node.devices, load);
    let idle = capacity.cpu_millis.saturating_sub(load.cpu_millis);
    let lent = Lent {
        samples: 1,
        exceeded: u64::from(!load.fits_in(node.held_back.over(Horizon::FiveMinutes))),
        short: u64::from(is_short),
        short_for: if is_short { spoken } else { Millis(0) },
        missing_ppm: if is_short { missing_ppm(node, load) } else { 0 },
        idle: idle.saturating_mul(spoken.0),
        harvested: idle.min(node.lent.cpu_millis).saturating_mul(spoken.0),
    };
    let region = node.spec.region.clone();
    record.scorecards.entry(region).or_default().add(sample.time, &lent)
}

/// What is missing beside what is lent, in millionths of the capacity of what is shortest.
fn missing_ppm(node: &Node, load: &Resources) -> u64 {
    let wanted = node.lent.saturating_add(load);
    let parts = wanted.shortfalls(&node.spec.capacity).into_iter().map(|(dimension, missing)| {
        let capacity = node.spec.capacity.amount(&dimension);
        u128::from(missing) * 1_000_000 / u128::from(capacity.max(1))
    });
    u64::try_from(parts.max().unwrap_or(0)).unwrap_or(u64::MAX)
}
