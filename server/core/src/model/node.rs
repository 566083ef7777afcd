use std::{ops::Deref, sync::Arc};

use super::{
    AllocationId, Annotations, Bounds, DeviceSet, GPU_MILLIS_PER_DEVICE, HeldBack, Horizon, Labels,
    Millis, Name, NodeId, Policy, Resources, Revision, SiteId, Time,
};
use crate::model::Label;

/// What a node is, as registered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeSpec {
    /// Unique in the cell.
    pub name: Name,
    /// Who lends it.
    pub owner: Name,
    /// Where it is.
    pub region: Name,
    /// Where in the region.
    pub zone: Name,
    /// What jobs may select by.
    pub labels: Labels,
    /// What jobs must tolerate.
    pub taints: Vec<Taint>,
    /// All it has; whole GPU devices, at most 64.
    pub capacity: Resources,
    /// The model of its GPUs; present exactly when it has some.
    pub gpu_model: Name,
    /// What the owner always holds back; whole GPU devices.
    pub reservation: Resources,
    /// Without a report for this long it is lost.
    pub report_ttl: Option<Millis>,
    /// Free text for people.
    pub annotations: Annotations,
}

/// Keeps off every task that does not tolerate it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Taint {
    /// What is tolerated or not.
    pub key: Label,
    /// Its value.
    pub value: Label,
}

/// What whoever runs the cell wants of a node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NodeMode {
    /// Take tasks.
    #[default]
    Open,
    /// Take no new tasks.
    Cordoned,
    /// Take no new tasks; evict the others at the deadline.
    Draining {
        /// When they are evicted.
        deadline: Time,
    },
}

/// What an owner used on a node at a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadSample {
    /// The node.
    pub node: NodeId,
    /// When.
    pub time: Time,
    /// How much; whole GPU devices.
    pub load: Resources,
}

/// A node and what its owner is bounded to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeBounds {
    /// The node.
    pub node: NodeId,
    /// What its owner will not exceed.
    pub bounds: Arc<Bounds>,
}

/// The owner's greatest load in the last hours, as far as a later hour does not exceed it, and the newest sample. That is
/// all it takes to know the greatest load since any hour.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LoadHistory {
    /// When the newest sample was taken; absent without telemetry.
    pub newest: Option<(Time, Resources)>,
    /// Hours since the epoch, of the last 25, and the greatest load in each, oldest first.
    pub hours: Vec<(u64, Resources)>,
}

/// A [`LoadHistory`] in one word: nothing for a node without telemetry, and shared between copies of the node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SharedHistory(Option<Arc<LoadHistory>>);

/// How much of each device is lent, in thousandths.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GpuDevices(pub Vec<u16>);

/// A machine lent to the cell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Its id.
    pub id: NodeId,
    /// What was registered.
    pub spec: Arc<NodeSpec>,
    /// What is wanted of it.
    pub mode: NodeMode,
    /// Has not reported in time.
    pub lost: bool,
    /// The last sign of life, or when reports were last asked for.
    pub last_report: Time,
    /// What the owner used.
    pub history: SharedHistory,
    /// What a forecaster found that the owner will not exceed; absent before one has learned enough.
    pub bounds: Option<Arc<Bounds>>,
    /// max(reservation, forecast), kept beside its inputs because every placement asks for it.
    pub held_back: HeldBack,
    /// What allocations hold, those under notice included.
    pub lent: Resources,
    /// How many of its allocations are under notice.
    pub noticed: u32,
    /// How much of each device is lent.
    pub devices: GpuDevices,
    /// Where it is to the ledger: its owner, region and GPU model.
    pub site: SiteId,
    /// The allocations on it, oldest first.
    pub allocations: Vec<AllocationId>,
    /// When it was registered.
    pub created: Time,
    /// The last change of its description or mode.
    pub revision: Revision,
}

impl Node {
    /// Whether it takes new tasks.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.mode == NodeMode::Open && !self.lost
    }

    /// The upper bound of the owner's load over a horizon. Before a forecaster has learned enough it is the greatest of
    /// the last day plus the margin, for up to an hour of the last six hours, at most the capacity.
    #[must_use]
    pub fn forecast(&self, policy: &Policy, horizon: Horizon) -> Option<Resources> {
        let (_, load) = self.history.newest.as_ref()?;
        if let Some(bounds) = &self.bounds {
            return Some(bounds.over(horizon, &self.spec.capacity).larger_of(load));
        }
        let back = if horizon <= Horizon::Hour { 6 } else { LoadHistory::HOURS };
        let peak = self.history.peak(back);
        let bound = peak.scale_permille(1000 + u64::from(policy.forecast_margin_permille));
        Some(bound.smaller_of(&self.spec.capacity))
    }

    /// What the owner leaves over a horizon.
    #[must_use]
    pub fn lendable(&self, horizon: Horizon) -> Resources {
        self.spec.capacity.saturating_sub(self.held_back.over(horizon))
    }

    /// What may be lent now for a horizon.
    #[must_use]
    pub fn headroom(&self, horizon: Horizon) -> Resources {
        let mut headroom = self.lendable(horizon).saturating_sub(&self.lent);
        headroom.gpu_millis = self.gpu_headroom_millis(horizon);
        headroom
    }

    /// Number of devices.
    #[must_use]
    pub fn device_count(&self) -> usize {
        usize::try_from(self.spec.capacity.gpu_millis / GPU_MILLIS_PER_DEVICE)
            .expect("invariant: at most 64 devices")
    }

    /// How many devices tenants may touch: those the owner does not hold back over the horizon.
    #[must_use]
    pub fn lendable_devices(&self, horizon: Horizon) -> usize {
        self.devices_beside(self.held_back.over(horizon))
    }

    /// The devices that are left when the owner has `owned`.
    fn devices_beside(&self, owned: &Resources) -> usize {
        let owned = owned.gpu_millis.div_ceil(GPU_MILLIS_PER_DEVICE);
        self.device_count().saturating_sub(usize::try_from(owned).unwrap_or(usize::MAX))
    }

    /// How many further devices may be touched.
    #[must_use]
    pub fn untouched_devices(&self, horizon: Horizon) -> usize {
        self.lendable_devices(horizon).saturating_sub(self.devices.touched())
    }

    /// The most that one task could get now of the GPUs it asks for: on one device for a share, of whole devices else.
    #[must_use]
    pub fn gpu_millis_in_reach(&self, gpu_millis: u64, horizon: Horizon) -> u64 {
        let whole = u64::try_from(self.untouched_devices(horizon)).unwrap_or(0);
        let whole = whole * GPU_MILLIS_PER_DEVICE;
        if whole > 0 || gpu_millis >= GPU_MILLIS_PER_DEVICE {
            return whole;
        }
        if self.devices.touched() > self.lendable_devices(horizon) {
            return 0;
        }
        let present = self.devices.0.iter().take(self.device_count());
        present.filter(|used| **used > 0).map(|used| left(*used)).max().unwrap_or(0)
    }

    /// Untouched devices that may be lent and what is left on the touched ones.
    fn gpu_headroom_millis(&self, horizon: Horizon) -> u64 {
        let whole = u64::try_from(self.untouched_devices(horizon)).unwrap_or(0);
        let whole = whole * GPU_MILLIS_PER_DEVICE;
        let lendable = self.devices.touched() <= self.lendable_devices(horizon);
        let shared: u64 =
            self.devices.0.iter().filter(|used| **used > 0).map(|used| left(*used)).sum();
        if lendable { whole + shared } else { 0 }
    }

    /// One entry a device, also for those never lent.
    #[must_use]
    pub fn all_devices(&self) -> GpuDevices {
        self.devices.of_node(self.device_count())
    }

    /// Whether more is lent, what is under notice included, than the owner leaves.
    #[must_use]
    pub fn is_overcommitted(&self) -> bool {
        self.exceeds(&self.lent, &self.devices, self.held_back.over(Horizon::FiveMinutes))
    }

    /// Whether lending `lent` and these devices is more than there is when the owner has `owned`.
    #[must_use]
    pub fn exceeds(&self, lent: &Resources, devices: &GpuDevices, owned: &Resources) -> bool {
        self.lacks_any(devices) || self.is_crowded(lent, devices, owned)
    }

    /// Whether any of these devices is not there any more.
    fn lacks_any(&self, devices: &GpuDevices) -> bool {
        devices.0.iter().skip(self.device_count()).any(|used| *used > 0)
    }

    /// Whether there is not enough for the owner and so much that is lent, whichever devices that is.
    #[must_use]
    pub fn is_crowded(&self, lent: &Resources, devices: &GpuDevices, owned: &Resources) -> bool {
        let mut room = self.spec.capacity.saturating_sub(owned);
        room.gpu_millis = u64::MAX;
        devices.touched() > self.devices_beside(owned) || !lent.fits_in(&room)
    }
}

impl Node {
    /// Adds `count` allocations from `first` on. They are the youngest ones unless a state is being built anew.
    pub(crate) fn add_allocations(&mut self, first: AllocationId, count: u32) {
        let ids = (first.0..first.0 + u64::from(count)).map(AllocationId);
        if self.allocations.last().is_none_or(|last| *last < first) {
            self.allocations.extend(ids);
            return;
        }
        let at = self.allocations.partition_point(|id| *id < first);
        self.allocations.splice(at..at, ids);
    }

    pub(crate) fn remove_allocation(&mut self, id: AllocationId) {
        let at = self.allocations.binary_search(&id);
        self.allocations.remove(at.expect("invariant: a live allocation is on its node"));
    }
}

/// All of a device.
const WHOLE: u16 = 1000;

/// What is left of a device.
fn left(used: u16) -> u64 {
    GPU_MILLIS_PER_DEVICE.saturating_sub(u64::from(used))
}

impl GpuDevices {
    /// Devices of which anything is lent.
    #[must_use]
    pub fn touched(&self) -> usize {
        self.0.iter().filter(|used| **used > 0).count()
    }

    /// As seen by a task in search of some on a node with `count` devices: one entry for each, and those that the node
    /// had once and that are still held as full.
    #[must_use]
    pub fn of_node(&self, count: usize) -> Self {
        let mut devices = self.clone();
        devices.0.resize(count.max(devices.0.len()), 0);
        devices.0[count..].iter_mut().filter(|used| **used > 0).for_each(|used| *used = WHOLE);
        devices
    }

    /// Whether no device would be lent beyond its whole by a task's hold.
    #[must_use]
    pub fn can_hold(&self, devices: DeviceSet, gpu_millis: u64) -> bool {
        let each = u64::from(share(gpu_millis));
        let used = |index: u32| self.0.get(index as usize).copied().unwrap_or(0);
        devices.iter().all(|index| each <= left(used(index)))
    }

    /// The devices that a task asking for `gpu_millis` gets when tenants may touch `lendable` of them: for a share the
    /// fullest device that still fits, an untouched one last.
    #[must_use]
    pub fn choose(&self, gpu_millis: u64, lendable: usize) -> Option<DeviceSet> {
        if gpu_millis == 0 {
            return Some(DeviceSet::default());
        }
        if let Some(index) = self.fullest_with(gpu_millis, lendable) {
            return Some(DeviceSet::default().with(index));
        }
        let wanted = usize::try_from(gpu_millis.div_ceil(GPU_MILLIS_PER_DEVICE)).ok()?;
        if wanted > lendable.saturating_sub(self.touched()) {
            return None;
        }
        let empty = (0..).zip(&self.0).filter(|(_, used)| **used == 0).map(|(index, _)| index);
        let devices = empty.take(wanted).fold(DeviceSet::default(), DeviceSet::with);
        (devices.iter().count() == wanted).then_some(devices)
    }

    /// The fullest touched device with room for a share; none for whole devices.
    #[must_use]
    pub fn fullest_with(&self, gpu_millis: u64, lendable: usize) -> Option<u32> {
        if gpu_millis >= GPU_MILLIS_PER_DEVICE || self.touched() > lendable {
            return None;
        }
        (0..)
            .zip(&self.0)
            .filter(|(_, used)| **used > 0 && left(**used) >= gpu_millis)
            .min_by_key(|(index, used)| (left(**used), *index))
            .map(|(index, _)| index)
    }

    /// What is left of a device.
    #[must_use]
    pub fn left_on(&self, index: u32) -> u64 {
        left(self.0[index as usize])
    }

    /// Adds a task's hold; `gpu_millis` is its request.
    pub fn hold(&mut self, devices: DeviceSet, gpu_millis: u64) {
        let each = share(gpu_millis);
        for index in devices.iter().map(|index| index as usize) {
            if self.0.len() <= index {
                self.0.resize(index + 1, 0);
            }
            self.0[index] += each;
        }
    }

    /// Takes a task's hold away.
    pub fn release(&mut self, devices: DeviceSet, gpu_millis: u64) {
        let each = share(gpu_millis);
        for index in devices.iter().map(|index| index as usize) {
            self.0[index] -= each;
        }
    }
}

/// What a request takes of each of its devices.
fn share(gpu_millis: u64) -> u16 {
    u16::try_from(gpu_millis.min(GPU_MILLIS_PER_DEVICE)).expect("invariant: at most 1000")
}

static NO_HISTORY: LoadHistory = LoadHistory { newest: None, hours: Vec::new() };

impl Deref for SharedHistory {
    type Target = LoadHistory;

    fn deref(&self) -> &LoadHistory {
        self.0.as_ref().map_or(&NO_HISTORY, |history| history)
    }
}

impl From<LoadHistory> for SharedHistory {
    fn from(history: LoadHistory) -> Self {
        Self((history != NO_HISTORY).then(|| Arc::new(history)))
    }
}

impl SharedHistory {
    /// Takes a newer sample in.
    pub fn record(&mut self, time: Time, load: &Resources) {
        Arc::make_mut(self.0.get_or_insert_default()).record(time, load);
    }
}

impl LoadHistory {
    /// Hours kept: a whole day and the hour that has begun.
    pub const HOURS: u64 = 25;

    /// Takes a newer sample in.
    pub fn record(&mut self, time: Time, load: &Resources) {
        let hour = time.0 / Millis::HOUR.0;
        let peak = match self.hours.pop_if(|(last, _)| *last == hour) {
            Some((_, peak)) => peak.larger_of(load),
            None => load.clone(),
        };
        self.hours.retain(|(kept, past)| kept + Self::HOURS > hour && !past.fits_in(&peak));
        // Once an hour at most, and there are many nodes.
        self.hours.reserve_exact(1);
        self.hours.push((hour, peak));
        self.newest = Some((time, load.clone()));
    }

    /// The greatest load of so many hours, of which the one with the newest sample is the last.
    fn peak(&self, hours: u64) -> Resources {
        let last = self.hours.last().map_or(0, |(hour, _)| *hour);
        let recent = self.hours.iter().filter(|(hour, _)| hour + hours > last);
        recent.fold(Resources::default(), |peak, (_, load)| peak.larger_of(load))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{LoadHistory, Millis, Resources, Time};

    proptest! {
        #[test]
        fn the_greatest_load_of_any_hours_is_known(
            samples in proptest::collection::vec((0..3 * Millis::HOUR.0, 0..5u64, 0..5u64), 1..60),
        ) {
            let (mut history, mut all, mut time) = (LoadHistory::default(), Vec::new(), Time(0));
            for (later, cpu_millis, memory_bytes) in samples {
                time = Time(time.0 + later);
                let load = Resources { cpu_millis, memory_bytes, ..Resources::default() };
                history.record(time, &load);
                let now = time.0 / Millis::HOUR.0;
                all.push((now, load));
                for hours in 1..=LoadHistory::HOURS {
                    let recent = all.iter().filter(|(hour, _)| hour + hours > now);
                    let peak = recent.fold(Resources::default(), |peak, (_, load)| peak.larger_of(load));
                    prop_assert_eq!(history.peak(hours), peak);
                }
            }
        }
    }
}
