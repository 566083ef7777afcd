//! A node's devices and what tasks ask of them.

use crate::model::{DeviceSet, GPU_MILLIS_PER_DEVICE, Horizon, Node};

/// One whole device.
pub(super) const WHOLE: u16 = 1000;

/// GPUs that a task asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum GpuWant {
    #[default]
    None,
    /// Thousandths of one device.
    Share(u16),
    /// Whole devices.
    Whole(u16),
}

/// A node's devices.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Gpus {
    /// Thousandths left of each device.
    left: Box<[u16]>,
    /// Devices of which anything is taken.
    touched: u16,
    /// Devices that tenants may touch: the owner's are counted, not named.
    lendable: u16,
}

impl GpuWant {
    pub(super) fn of(gpu_millis: u64) -> Self {
        match u16::try_from(gpu_millis) {
            Ok(0) => Self::None,
            Ok(share) if share < WHOLE => Self::Share(share),
            _ => Self::Whole(small(gpu_millis / GPU_MILLIS_PER_DEVICE)),
        }
    }

    /// What is taken of each device.
    fn each(self) -> u16 {
        match self {
            Self::None => 0,
            Self::Share(millis) => millis,
            Self::Whole(_) => WHOLE,
        }
    }

    pub(super) fn millis(self) -> u32 {
        match self {
            Self::None => 0,
            Self::Share(millis) => u32::from(millis),
            Self::Whole(count) => u32::from(count) * u32::from(WHOLE),
        }
    }
}

fn small(number: u64) -> u16 {
    u16::try_from(number).unwrap_or(u16::MAX)
}

impl Gpus {
    pub(super) fn of(node: &Node) -> Self {
        let present = node.device_count();
        let used = |device: usize| node.devices.0.get(device).copied().unwrap_or(0);
        Self {
            left: (0..present).map(|device| WHOLE.saturating_sub(used(device))).collect(),
            touched: small(node.devices.touched() as u64),
            lendable: small(node.lendable_devices(Horizon::FiveMinutes) as u64),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.left.is_empty()
    }

    /// Untouched devices that may be taken when the owner keeps so many besides.
    pub(super) fn whole(&self, kept: u16) -> u16 {
        self.lendable.saturating_sub(self.touched).saturating_sub(kept)
    }

    /// Whether the owner leaves what is touched already when it keeps so many besides.
    fn is_closed(&self, kept: u16) -> bool {
        self.touched.saturating_add(kept) > self.lendable
    }

    pub(super) fn lendable(&self) -> u16 {
        self.lendable
    }

    pub(super) fn left(&self) -> &[u16] {
        &self.left
    }

    /// What is left of the devices that are shared already and may be shared further.
    pub(super) fn shares(&self, kept: u16) -> impl Iterator<Item = u16> {
        let closed = self.is_closed(kept);
        let shared = |left: &u16| *left > 0 && *left < WHOLE;
        self.left.iter().copied().filter(shared).filter(move |_| !closed)
    }

    /// The devices that a task would get: for a share the fullest shared device that has room, else an untouched one.
    pub(super) fn choose(&self, want: GpuWant, kept: u16) -> Option<DeviceSet> {
        match want {
            GpuWant::None => Some(DeviceSet::default()),
            GpuWant::Share(millis) => {
                self.tightest(millis, kept).or_else(|| self.untouched(1, kept))
            }
            GpuWant::Whole(count) => self.untouched(count, kept),
        }
    }

    fn tightest(&self, millis: u16, kept: u16) -> Option<DeviceSet> {
        if self.is_closed(kept) {
            return None;
        }
        let mut best: Option<(u16, u32)> = None;
        for (device, left) in (0..).zip(&self.left) {
            if *left >= millis && *left < WHOLE && best.is_none_or(|(least, _)| *left < least) {
                best = Some((*left, device));
            }
        }
        best.map(|(_, device)| DeviceSet::default().with(device))
    }

    fn untouched(&self, count: u16, kept: u16) -> Option<DeviceSet> {
        if count > self.whole(kept) {
            return None;
        }
        let whole = (0..).zip(&self.left).filter(|(_, left)| **left == WHOLE);
        let devices = whole.map(|(device, _)| device).take(usize::from(count));
        Some(devices.fold(DeviceSet::default(), DeviceSet::with))
    }

    /// Whether a task can have exactly these devices.
    pub(super) fn has(&self, devices: DeviceSet, want: GpuWant, kept: u16) -> bool {
        let mut touches = 0;
        for device in devices.iter() {
            let Some(left) = self.left.get(device as usize) else { return false };
            if *left < want.each() {
                return false;
            }
            touches += u16::from(*left == WHOLE);
        }
        !self.is_closed(kept.saturating_add(touches)) || devices.is_empty()
    }

    pub(super) fn take(&mut self, devices: DeviceSet, want: GpuWant) {
        for device in devices.iter() {
            let left = &mut self.left[device as usize];
            self.touched += u16::from(*left == WHOLE);
            *left -= want.each();
        }
    }

    pub(super) fn give(&mut self, devices: DeviceSet, want: GpuWant) {
        for device in devices.iter() {
            let left = &mut self.left[device as usize];
            *left += want.each();
            self.touched -= u16::from(*left == WHOLE);
        }
    }

    pub(super) fn exceeds(&self, before: &Self) -> bool {
        self.lendable > before.lendable
            || self.touched < before.touched
            || self.left.iter().zip(&before.left).any(|(now, then)| now > then)
    }
}
