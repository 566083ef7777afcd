//! When owners want their nodes back: calendars, and the stretches of time that they come to.

use std::sync::Arc;

use super::{GPU_MILLIS_PER_DEVICE, Horizon, Labels, Millis, Name, NodeSpec, Resources, Time};

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
    pub(super) fn nearness(&self, at: Time) -> Option<Horizon> {
        let counts = |horizon: &Horizon| self.counts_since(*horizon) <= at;
        Horizon::ALL.into_iter().find(counts).filter(|_| at < self.end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_rounded_up_and_never_more_than_all() {
        let capacity = Resources { cpu_millis: 7, gpu_millis: 4_000, ..Resources::default() };
        let held = HeldShare::of_all(300).of(&capacity);
        assert_eq!((held.cpu_millis, held.gpu_millis), (3, 2_000));
        let most = Resources { memory_bytes: u64::MAX, ..Resources::default() };
        assert_eq!(HeldShare::of_all(1000).of(&most), most);
    }
}
