//! Whoever lends nodes: how much risk it accepts, and when it wants its nodes back.

use std::sync::Arc;

use super::{
    Annotations, Curb, GPU_MILLIS_PER_DEVICE, Horizon, Labels, LendingRecord, Millis, Name, NodeId,
    NodeSpec, Resources, Revision, Time,
};

/// How often an owner's load may exceed what the cell bounded, in parts per million of the time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Risk(u32);

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

/// A recurring or single stretch of time in which an owner holds back a share of its nodes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CalendarEntry {
    /// Unique in the calendar.
    pub name: Name,
    /// When. The cell keeps this to show it; what it reckons with are [`Windows`].
    pub when: When,
    /// By which clocks, by its name in the time zone database.
    pub time_zone: Arc<str>,
    /// How much of each node.
    pub share: HeldShare,
    /// Only nodes in one of these regions; empty: in all.
    pub regions: Vec<Name>,
    /// Only nodes with all of these labels.
    pub labels: Labels,
}

/// When a calendar's entry holds, on the clocks of its time zone. Nothing in the core knows how such clocks run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// Again and again.
    Recurring {
        /// On which days it begins.
        days: Days,
        /// The minute of the day at which it begins.
        start_minute: u16,
        /// How many minutes later its clock shows the end.
        length_minutes: u32,
    },
    /// Once.
    Once {
        /// What the clock shows when it begins.
        start: WallTime,
        /// What the clock shows when it ends.
        end: WallTime,
    },
}

/// On which days something recurs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Days {
    /// On these days of the week: bit 0 is Monday.
    Weekly(u8),
    /// On these days of the month: bit 1 is the first, bit 0 the last of any length of month.
    Monthly(u32),
    /// On this day of the year.
    Yearly {
        /// 1 to 12.
        month: u8,
        /// 1 to 31.
        day: u8,
    },
}

/// What a clock on a wall shows: minutes since it showed the beginning of 1970.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct WallTime(pub u32);

/// Shares of a node's capacity, in thousandths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "as in Resources")]
pub struct HeldShare {
    pub cpu: u16,
    pub memory: u16,
    pub disk: u16,
    pub network: u16,
    pub gpu: u16,
    /// Of every named countable.
    pub counts: u16,
}

/// A calendar's entries as stretches of time, worked out by whoever knows the time zones.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Windows {
    /// All that begin before this are listed.
    pub through: Time,
    /// In the order of their beginnings.
    pub list: Vec<Window>,
}

/// A stretch of time in which an entry of the calendar holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Window {
    /// When it begins.
    pub start: Time,
    /// When it has ended.
    pub end: Time,
    /// The entry's place in the calendar.
    pub entry: u32,
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

impl Risk {
    /// The least that can be asked for.
    pub const LEAST: Self = Self(100);
    /// The most that can be asked for.
    pub const MOST: Self = Self(100_000);

    /// So many parts per million, if that is within bounds.
    #[must_use]
    pub fn new(parts_per_million: u32) -> Option<Self> {
        let risk = Self(parts_per_million);
        (Self::LEAST..=Self::MOST).contains(&risk).then_some(risk)
    }

    /// As parts per million.
    #[must_use]
    pub fn parts_per_million(self) -> u32 {
        self.0
    }

    /// What is left of it.
    #[must_use]
    pub fn curbed(self, curb: Curb) -> Self {
        let quarters = u32::from(4_u8.saturating_sub(curb.quarters()));
        Self(self.0 * quarters / 4).max(Self::LEAST)
    }
}

/// One in a hundred.
impl Default for Risk {
    fn default() -> Self {
        Self(10_000)
    }
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

impl CalendarEntry {
    /// Whether it holds on a node.
    #[must_use]
    pub fn admits(&self, node: &NodeSpec) -> bool {
        let in_region = self.regions.is_empty() || self.regions.contains(&node.region);
        in_region && self.labels.iter().all(|(key, value)| node.labels.get(key) == Some(value))
    }
}

impl HeldShare {
    /// The same of everything.
    #[must_use]
    pub fn of_all(permille: u16) -> Self {
        Self {
            cpu: permille,
            memory: permille,
            disk: permille,
            network: permille,
            gpu: permille,
            counts: permille,
        }
    }

    /// What it comes to on a node; whole GPU devices, and everything else rounded up too.
    #[must_use]
    pub fn of(&self, capacity: &Resources) -> Resources {
        let part = |share: u16, amount: u64| {
            let held = (u128::from(amount) * u128::from(share)).div_ceil(1000);
            u64::try_from(held).unwrap_or(u64::MAX).min(amount)
        };
        let devices = part(self.gpu, capacity.gpu_millis).div_ceil(GPU_MILLIS_PER_DEVICE);
        Resources {
            cpu_millis: part(self.cpu, capacity.cpu_millis),
            memory_bytes: part(self.memory, capacity.memory_bytes),
            disk_bytes: part(self.disk, capacity.disk_bytes),
            network_bps: part(self.network, capacity.network_bps),
            gpu_millis: devices * GPU_MILLIS_PER_DEVICE,
            counts: super::Counts::new(
                capacity.counts.iter().map(|(name, held)| (name.clone(), part(self.counts, held))),
            ),
        }
    }
}

impl Window {
    /// A window counts over the shortest horizon from so long before it begins: the longest notice that a job can
    /// have, ten minutes, ends before what has to go must be gone.
    pub const LEAD: Millis = Millis(12 * Millis::MINUTE.0);

    /// What has to go for a window is gone so long before it begins.
    pub const CLEARED: Millis = Millis::MINUTE;

    /// Since when it counts over a horizon.
    #[must_use]
    pub fn counts_since(&self, horizon: Horizon) -> Time {
        Time(self.start.0.saturating_sub(horizon.length().max(Self::LEAD).0))
    }

    /// The shortest horizon over which it counts at a time.
    fn nearness(&self, at: Time) -> Option<Horizon> {
        let counts = |horizon: &Horizon| self.counts_since(*horizon) <= at;
        Horizon::ALL.into_iter().find(counts).filter(|_| at < self.end)
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

    #[test]
    fn a_share_is_rounded_up_and_never_more_than_all() {
        let capacity = Resources { cpu_millis: 7, gpu_millis: 4_000, ..Resources::default() };
        let held = HeldShare::of_all(300).of(&capacity);
        assert_eq!((held.cpu_millis, held.gpu_millis), (3, 2_000));
        let most = Resources { memory_bytes: u64::MAX, ..Resources::default() };
        assert_eq!(HeldShare::of_all(1000).of(&most), most);
    }

    #[test]
    fn risk_has_bounds() {
        assert_eq!(Risk::new(99), None);
        assert_eq!(Risk::new(1_000).map(Risk::parts_per_million), Some(1_000));
        assert_eq!(Risk::new(100_001), None);
    }
}
