//! Whoever lends nodes: how much risk it accepts, how it has fared, and what its windows hold back.

use std::sync::Arc;

use super::{
    Annotations, CalendarEntry, Curb, Horizon, Labels, LendingRecord, Millis, Name, NodeId,
    NodeSpec, Resources, Revision, Risk, Time, Window, Windows,
};

/// What an owner is, as asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnerSpec {
    /// As the nodes name it.
    pub name: Name,
    /// How often its load may exceed what the cell bounded.
    pub risk: Risk,
    /// For how long in thirty days its nodes may have too little room for it, all of them together; then ever less is
    /// risked. `None` counts nothing.
    pub shortfall_budget: Option<Millis>,
    /// When it holds back more than else, in the order of the entries' names.
    pub calendar: Vec<CalendarEntry>,
    /// Free for whoever runs the cell to use.
    pub labels: Labels,
    /// Free text for people.
    pub annotations: Annotations,
}

/// Whoever lends nodes. One exists as long as a node names it or something else than the default is asked of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// What was asked for, or the default.
    pub spec: Arc<OwnerSpec>,
    /// The calendar as stretches of time.
    pub windows: Arc<Windows>,
    /// How it has fared.
    pub record: LendingRecord,
    /// As of when windows count or not.
    pub turned: Time,
    /// The last change of its description; 0 if nothing was ever asked of it.
    pub revision: Revision,
    /// Its nodes, ascending: as an array, for it is one word for each of many nodes, and most come at the end.
    nodes: Arc<Vec<NodeId>>,
    /// Entries of which a window counts, each with the shortest horizon over which one does. Follows from the rest.
    near: Vec<(u32, Horizon)>,
}

impl OwnerSpec {
    /// What is taken of an owner that was never described.
    #[must_use]
    pub fn of(name: Name) -> Self {
        Self {
            name,
            risk: Risk::default(),
            shortfall_budget: None,
            calendar: Vec::new(),
            labels: Labels::new(),
            annotations: Annotations::default(),
        }
    }

    fn is_default(&self) -> bool {
        *self == Self::of(self.name.clone())
    }
}

impl Owner {
    /// One that was never described.
    #[must_use]
    pub fn new(name: Name) -> Self {
        Self {
            spec: Arc::new(OwnerSpec::of(name)),
            windows: Arc::default(),
            record: LendingRecord::default(),
            turned: Time(0),
            revision: Revision(0),
            nodes: Arc::default(),
            near: Vec::new(),
        }
    }

    /// What is risked now: what it accepts, or less as its shortfall budget shrinks.
    #[must_use]
    pub fn risk(&self) -> Risk {
        self.spec.risk.curbed(self.record.curb)
    }

    /// How much less than it accepts should be risked.
    #[must_use]
    pub fn curb_due(&self, now: Time) -> Curb {
        let budget = self.spec.shortfall_budget;
        budget.map_or(Curb::default(), |budget| Curb::of(budget, self.record.up_to(now).short_for))
    }

    /// How many nodes name it.
    #[must_use]
    pub fn node_count(&self) -> usize {
        self.nodes.len()
    }

    /// Its nodes, in the order of their ids.
    pub fn nodes(&self) -> impl Iterator<Item = NodeId> {
        self.nodes.iter().copied()
    }

    /// When what its windows hold back changes next.
    #[must_use]
    pub fn next_turn(&self) -> Option<Time> {
        let mut next = None;
        for window in &self.windows.list {
            if window.counts_since(Horizon::Day) > next.unwrap_or(Time(u64::MAX)) {
                break;
            }
            let turns = Horizon::ALL.map(|horizon| window.counts_since(horizon));
            let later = turns.into_iter().chain([window.end]).filter(|turn| *turn > self.turned);
            next = next.into_iter().chain(later).min();
        }
        next
    }

    /// When the next window begins for which a node must be cleared by now.
    #[must_use]
    pub fn next_start(&self, node: &NodeSpec, now: Time) -> Option<Time> {
        let counts = |window: &&Window| {
            window.start > now
                && window.counts_since(Horizon::FiveMinutes) <= self.turned
                && self.entry(window.entry).is_some_and(|entry| entry.admits(node))
        };
        self.windows.list.iter().find(counts).map(|window| window.start)
    }

    /// What its windows hold back of a node over each horizon, or nothing if none counts there.
    #[must_use]
    pub fn held_back(&self, node: &NodeSpec) -> Option<[Resources; Horizon::COUNT]> {
        self.hold(node, &self.near)
    }

    /// As `held_back`, but only what windows that have begun hold back.
    #[must_use]
    pub fn held_back_now(&self, node: &NodeSpec, now: Time) -> Option<[Resources; Horizon::COUNT]> {
        let begun = self.windows.list.iter().filter(|w| w.start <= now && self.turned < w.end);
        let begun: Vec<_> = begun.map(|window| (window.entry, Horizon::FiveMinutes)).collect();
        self.hold(node, &begun)
    }

    /// The windows that hold on a node, begin before `until` and have not ended at `now`, each with what it holds back.
    pub(crate) fn windows_on<'a>(
        &'a self,
        node: &'a NodeSpec,
        now: Time,
        until: Time,
    ) -> impl Iterator<Item = (Window, Resources)> + 'a {
        let begun = self.windows.list.iter().take_while(move |window| window.start < until);
        begun.filter(move |window| window.end > now).filter_map(|window| {
            let entry = self.entry(window.entry).filter(|entry| entry.admits(node))?;
            Some((*window, entry.share.of(&node.capacity)))
        })
    }

    fn hold(
        &self,
        node: &NodeSpec,
        near: &[(u32, Horizon)],
    ) -> Option<[Resources; Horizon::COUNT]> {
        let mut held: Option<[Resources; Horizon::COUNT]> = None;
        for (entry, from) in near {
            let Some(entry) = self.entry(*entry).filter(|entry| entry.admits(node)) else {
                continue;
            };
            let share = entry.share.of(&node.capacity);
            for bound in &mut held.get_or_insert_default()[from.index()..] {
                *bound = bound.larger_of(&share);
            }
        }
        held
    }

    fn entry(&self, index: u32) -> Option<&CalendarEntry> {
        self.spec.calendar.get(usize::try_from(index).ok()?)
    }

    /// Adds a node that was another's or nobody's.
    pub(crate) fn add_node(&mut self, id: NodeId) {
        let nodes = Arc::make_mut(&mut self.nodes);
        let at = nodes.partition_point(|known| *known < id);
        nodes.insert(at, id);
    }

    pub(crate) fn remove_node(&mut self, id: NodeId) {
        let at = self.nodes.binary_search(&id).expect("invariant: it is the owner's");
        Arc::make_mut(&mut self.nodes).remove(at);
    }

    /// Whether nothing speaks for keeping it.
    pub(crate) fn is_idle(&self) -> bool {
        self.nodes.is_empty() && self.spec.is_default()
    }

    /// Looks which windows count at a time.
    pub(crate) fn turn(&mut self, at: Time) {
        self.turned = at;
        self.near = self.nearest();
    }

    /// What `near` must be.
    pub(crate) fn nearest(&self) -> Vec<(u32, Horizon)> {
        let mut near: Vec<(u32, Horizon)> = Vec::new();
        for window in &self.windows.list {
            if window.counts_since(Horizon::Day) > self.turned {
                break;
            }
            near.extend(window.nearness(self.turned).map(|horizon| (window.entry, horizon)));
        }
        near.sort_unstable();
        near.dedup_by_key(|(entry, _)| *entry);
        near
    }

    /// Whether what is kept of the windows follows from them.
    pub(crate) fn is_true(&self) -> bool {
        self.near == self.nearest()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owner(windows: &[(u64, u64)]) -> Owner {
        let minute = |minutes: u64| Time(minutes * Millis::MINUTE.0);
        let list = windows.iter().map(|(start, end)| Window {
            start: minute(*start),
            end: minute(*end),
            entry: 0,
        });
        let windows = Windows { through: minute(100_000), list: list.collect() };
        let mut owner = Owner::new(Name::default());
        owner.windows = Arc::new(windows);
        owner
    }

    #[test]
    fn a_window_turns_once_a_horizon_and_when_it_ends() {
        let mut owner = owner(&[(10_000, 10_060)]);
        let mut turns = Vec::new();
        while let Some(next) = owner.next_turn() {
            turns.push(next.0 / Millis::MINUTE.0);
            owner.turn(next);
            assert!(owner.is_true());
        }
        assert_eq!(turns, [10_000 - 1_440, 10_000 - 360, 10_000 - 60, 10_000 - 12, 10_060]);
    }
}
