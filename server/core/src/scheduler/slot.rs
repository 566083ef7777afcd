//! What one node has free, in the form that fitting and ranking ask for.

use crate::{
    model::{DeviceSet, GPU_MILLIS_PER_DEVICE, GpuDevices, Name, Node, Resources},
    state::State,
};

/// The scheduler's copy of a node's headroom. A plan takes from it ahead of the state; `refresh` makes it equal to
/// the state again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Slot {
    /// Takes new tasks: not while room is made on it for work of higher priority.
    open: bool,
    capacity: Resources,
    /// GPUs aside.
    free: Resources,
    devices: GpuDevices,
    /// How many devices tenants may touch.
    lendable: usize,
    /// Region and zone, what a spread counts by.
    pub(super) place: (Name, Name),
}

/// Lower is better; the derived order is the policy. It packs tight: leave whole what is whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Score {
    /// Spends what is scarcer than asked for: a GPU node on work without GPUs, an untouched device on a share.
    pub(super) spends_scarce: bool,
    /// What would be left of the GPUs that are touched: of the device for a share, whole devices otherwise.
    pub(super) gpus_left: u64,
    /// What would be left of the other resources, in thousandths of the capacity, summed.
    pub(super) left: u64,
}

impl Slot {
    pub(super) fn of(state: &State, node: &Node, held: bool) -> Self {
        let mut free =
            node.spec.capacity.saturating_sub(&node.held_back).saturating_sub(&node.lent);
        free.gpu_millis = 0;
        Self {
            open: node.is_open() && !held && !state.is_preempting(node),
            capacity: node.spec.capacity.clone(),
            free,
            devices: node.all_devices(),
            lendable: node.lendable_devices(),
            place: (node.spec.region.clone(), node.spec.zone.clone()),
        }
    }

    /// How many tasks with this request fit, `limit` at most. Tasks with GPUs are taken one by one.
    pub(super) fn fits(&self, request: &Resources, limit: u32) -> u32 {
        if !self.open {
            return 0;
        }
        let mut count = u64::from(limit);
        for (wanted, free) in [
            (request.cpu_millis, self.free.cpu_millis),
            (request.memory_bytes, self.free.memory_bytes),
            (request.disk_bytes, self.free.disk_bytes),
            (request.network_bps, self.free.network_bps),
        ] {
            count = count.min(free.checked_div(wanted).unwrap_or(count));
        }
        for (name, wanted) in request.counts.iter() {
            count = count.min(self.free.counts.get(name.as_str()) / wanted);
        }
        if request.gpu_millis > 0 && count > 0 {
            count = u64::from(self.devices_for(request.gpu_millis).is_some());
        }
        u32::try_from(count).unwrap_or(limit)
    }

    /// The devices that a task would get.
    pub(super) fn devices_for(&self, gpu_millis: u64) -> Option<DeviceSet> {
        self.devices.choose(gpu_millis, self.lendable)
    }

    /// Whether one task with this request fits: what is asked most often, so without divisions.
    pub(super) fn fits_one(&self, request: &Resources) -> bool {
        self.open
            && request.cpu_millis <= self.free.cpu_millis
            && request.memory_bytes <= self.free.memory_bytes
            && request.disk_bytes <= self.free.disk_bytes
            && request.network_bps <= self.free.network_bps
            && request.counts.iter().all(|(name, n)| n <= self.free.counts.get(name.as_str()))
            && self.devices_for(request.gpu_millis).is_some()
    }

    fn untouched(&self) -> u64 {
        self.lendable.saturating_sub(self.devices.touched()) as u64
    }

    /// Takes `count` tasks; `devices` are those of the one task that has some.
    pub(super) fn take(&mut self, request: &Resources, count: u32, devices: DeviceSet) {
        let mut whole = request.checked_mul(u64::from(count)).expect("invariant: it fits");
        whole.gpu_millis = 0;
        self.free = self.free.saturating_sub(&whole);
        self.devices.hold(devices, request.gpu_millis);
    }

    /// How good the node is for one task that fits.
    pub(super) fn score(&self, request: &Resources) -> Score {
        let part = |free: u64, wanted: u64, capacity: u64| {
            free.saturating_sub(wanted).saturating_mul(1000).checked_div(capacity).unwrap_or(0)
        };
        let left = part(self.free.cpu_millis, request.cpu_millis, self.capacity.cpu_millis)
            + part(self.free.memory_bytes, request.memory_bytes, self.capacity.memory_bytes);
        let gpus = request.gpu_millis;
        let (spends_scarce, gpus_left) = match self.devices.fullest_with(gpus, self.lendable) {
            _ if gpus == 0 => (!self.devices.0.is_empty(), 0),
            Some(index) => (false, self.devices.left_on(index) - gpus),
            None if gpus < GPU_MILLIS_PER_DEVICE => (true, self.untouched()),
            None => (false, self.untouched() - gpus / GPU_MILLIS_PER_DEVICE),
        };
        Score { spends_scarce, gpus_left, left }
    }

    /// Whether this has more of anything than `before`.
    pub(super) fn grew(&self, before: &Self) -> bool {
        let less_used = self.devices.0.iter().zip(&before.devices.0).any(|(now, then)| now < then);
        self.open
            && (!before.open
                || !self.free.fits_in(&before.free)
                || self.lendable > before.lendable
                || less_used)
    }
}
