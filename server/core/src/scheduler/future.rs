//! What room there will be on a node: whether it is enough to let some go.

use std::collections::BTreeSet;

use crate::{
    model::{Allocation, AllocationId, DeviceSet, GpuDevices, Horizon, Node, Resources, Time},
    state::State,
};

/// Room on a node once everything that leaves soon is gone and earlier tasks of the plan are in.
#[derive(Clone)]
pub(super) struct Future {
    /// What the owner leaves.
    limit: Resources,
    held: Resources,
    devices: GpuDevices,
    /// Number of devices of the node.
    present: usize,
    lendable: usize,
    pub(super) gone: BTreeSet<AllocationId>,
}

impl Future {
    pub(super) fn of(state: &State, now: Time, node: &Node, horizon: Horizon) -> Self {
        let mut future = Self {
            limit: node.lendable(horizon),
            held: node.lent.clone(),
            devices: node.devices.clone(),
            present: node.device_count(),
            lendable: node.lendable_devices(horizon),
            gone: BTreeSet::new(),
        };
        let noticed = if node.noticed == 0 { &[] } else { node.allocations.as_slice() };
        for id in noticed {
            let allocation = state.allocation(*id).expect("invariant: it is live");
            if leaves_soon(state, now, allocation) {
                future.release(state, allocation);
            }
        }
        future
    }

    pub(super) fn release_all(&mut self, state: &State, victims: &[Allocation]) {
        victims.iter().for_each(|victim| self.release(state, victim));
    }

    pub(super) fn release(&mut self, state: &State, victim: &Allocation) {
        let request = state.request_of(victim);
        self.held = self.held.saturating_sub(request);
        self.devices.release(victim.devices, request.gpu_millis);
        self.gone.insert(victim.at.id);
    }

    pub(super) fn hold(&mut self, state: &State, victim: &Allocation) {
        let request = state.request_of(victim);
        self.held = self.held.saturating_add(request);
        self.devices.hold(victim.devices, request.gpu_millis);
        self.gone.remove(&victim.at.id);
    }

    pub(super) fn fits(&self, request: &Resources) -> bool {
        let mut room = self.limit.saturating_sub(&self.held);
        room.gpu_millis = u64::MAX;
        request.fits_in(&room) && self.devices_for(request).is_some()
    }

    pub(super) fn devices_for(&self, request: &Resources) -> Option<DeviceSet> {
        if request.gpu_millis == 0 {
            return Some(DeviceSet::default());
        }
        self.devices.of_node(self.present).choose(request.gpu_millis, self.lendable)
    }

    pub(super) fn take(&mut self, request: &Resources) {
        self.held = self.held.saturating_add(request);
        if let Some(devices) = self.devices_for(request) {
            self.devices.hold(devices, request.gpu_millis);
        }
    }
}

/// Whether an allocation is under notice and gone by the time at which one that gets notice now would be.
fn leaves_soon(state: &State, now: Time, allocation: &Allocation) -> bool {
    allocation.notice.is_some_and(|notice| {
        let job = state.job(allocation.at.job).expect("invariant: it is live");
        let length = job.spec.notice.unwrap_or(state.policy().notice);
        notice.deadline <= now.after(length)
    })
}
