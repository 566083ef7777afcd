//! What one node has free, in the dense form that fitting and ranking ask for.

use super::{
    amounts::{Amounts, CountNames, Want},
    gpus::{GpuWant, Gpus, WHOLE},
    kind::KindId,
    shape::ShapeId,
};
use crate::model::{DeviceSet, Node};

/// A part of a room that is kept for a task of a shape to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Promise {
    pub(super) shape: ShapeId,
    pub(super) devices: DeviceSet,
}

/// The scheduler's picture of a node.
#[derive(Clone, Debug)]
pub(super) struct Room {
    pub(super) kind: KindId,
    /// Takes new tasks.
    pub(super) open: bool,
    /// A device that the node no longer has is still held: its release is reckoned from the state.
    odd: bool,
    /// What no task holds.
    pub(super) free: Amounts,
    pub(super) gpus: Gpus,
    /// What is free and not promised.
    pub(super) slack: Amounts,
    pub(super) slack_gpus: Gpus,
    pub(super) promises: Vec<Promise>,
    /// The class of its slack and the place among the class's members.
    pub(super) class: Option<(u32, u32)>,
    /// Out of its class for a while: the job that is being placed may have no more here.
    pub(super) sidelined: bool,
}

/// What a scan of all rooms looks at first.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Brief {
    cpu_millis: i64,
    memory_bytes: i64,
    kind: KindId,
    /// The most that is left on one device that may be shared.
    share: u16,
    whole: u16,
    open: bool,
}

impl Room {
    /// As the state has it, with nothing promised.
    pub(super) fn of(node: &Node, kind: KindId, open: bool, names: &mut CountNames) -> Self {
        let mut free = names.amounts(&node.spec.capacity);
        free.subtract(&names.amounts(&node.held_back));
        free.subtract(&names.amounts(&node.lent));
        let gpus = Gpus::of(node);
        Self {
            kind,
            open,
            odd: node.devices.0.iter().skip(node.device_count()).any(|used| *used > 0),
            slack: free.clone(),
            slack_gpus: gpus.clone(),
            free,
            gpus,
            promises: Vec::new(),
            class: None,
            sidelined: false,
        }
    }

    /// Whether it is as the state has it.
    pub(super) fn matches(&self, other: &Self) -> bool {
        let mut trimmed = (self.free.counts.to_vec(), other.free.counts.to_vec());
        let longer = trimmed.0.len().max(trimmed.1.len());
        trimmed.0.resize(longer, 0);
        trimmed.1.resize(longer, 0);
        self.kind == other.kind
            && self.open == other.open
            && self.free.columns == other.free.columns
            && trimmed.0 == trimmed.1
            && self.gpus == other.gpus
    }

    pub(super) fn is_odd(&self) -> bool {
        self.odd
    }

    /// Whether one task fits once promises are broken.
    pub(super) fn fits_free(&self, want: &Want) -> bool {
        self.open && self.free.fits(want) && self.gpus.choose(want.gpus).is_some()
    }

    /// Whether one task fits beside what is promised.
    pub(super) fn fits_slack(&self, want: &Want) -> bool {
        self.open && self.slack.fits(want) && self.slack_gpus.choose(want.gpus).is_some()
    }

    /// How many tasks fit beside what is promised. Tasks with GPUs are taken one by one.
    pub(super) fn times_in_slack(&self, want: &Want, limit: u32) -> u32 {
        let limit = if want.gpus == GpuWant::None { limit } else { limit.min(1) };
        self.slack.fits_times(want, limit)
    }

    /// Keeps a part for a task to come, if it is there.
    pub(super) fn promise(&mut self, promise: Promise, want: &Want) -> bool {
        if !self.slack.fits(want) || !self.slack_gpus.has(promise.devices, want.gpus) {
            return false;
        }
        self.slack.add(want, -1);
        self.slack_gpus.take(promise.devices, want.gpus);
        self.promises.push(promise);
        true
    }

    /// Breaks the promise at this position.
    pub(super) fn break_promise(&mut self, at: usize, want: &Want) -> Promise {
        let promise = self.promises.swap_remove(at);
        self.slack.add(want, 1);
        self.slack_gpus.give(promise.devices, want.gpus);
        promise
    }

    /// Takes what is promised to the shape; slack stays as it is.
    pub(super) fn redeem(&mut self, shape: ShapeId, want: &Want) -> Option<DeviceSet> {
        let at = self.promises.iter().position(|promise| promise.shape == shape)?;
        let devices = self.promises.swap_remove(at).devices;
        self.free.add(want, -1);
        self.gpus.take(devices, want.gpus);
        Some(devices)
    }

    /// Takes room for `times` tasks beside what is promised.
    pub(super) fn take(&mut self, want: &Want, times: u32) -> DeviceSet {
        let devices = self.slack_gpus.choose(want.gpus).expect("invariant: it fits");
        self.free.add(want, -i64::from(times));
        self.slack.add(want, -i64::from(times));
        self.gpus.take(devices, want.gpus);
        self.slack_gpus.take(devices, want.gpus);
        devices
    }

    /// Takes a task's hold away.
    pub(super) fn give(&mut self, want: &Want, devices: DeviceSet) {
        self.free.add(want, 1);
        self.slack.add(want, 1);
        self.gpus.give(devices, want.gpus);
        self.slack_gpus.give(devices, want.gpus);
    }

    /// Whether this has more of anything than `before`.
    pub(super) fn grew(&self, before: &Self) -> bool {
        self.open
            && (!before.open || self.free.exceeds(&before.free) || self.gpus.exceeds(&before.gpus))
    }

    pub(super) fn brief(&self) -> Brief {
        let whole = self.gpus.whole();
        let share = if whole > 0 { WHOLE } else { self.gpus.shares().max().unwrap_or(0) };
        Brief {
            cpu_millis: self.free.columns[0],
            memory_bytes: self.free.columns[1],
            kind: self.kind,
            share,
            whole,
            open: self.open,
        }
    }
}

impl Brief {
    /// Whether it is worth a look at the room itself.
    pub(super) fn may_fit(&self, want: &Want) -> bool {
        self.open
            && (want.columns[0] <= self.cpu_millis || want.columns[0] == 0)
            && (want.columns[1] <= self.memory_bytes || want.columns[1] == 0)
            && match want.gpus {
                GpuWant::None => true,
                GpuWant::Share(millis) => self.share >= millis,
                GpuWant::Whole(count) => self.whole >= count,
            }
    }

    pub(super) fn kind(&self) -> KindId {
        self.kind
    }
}
