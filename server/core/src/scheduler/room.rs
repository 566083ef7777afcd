//! What one node has free, in the dense form that fitting and ranking ask for.

use crate::model::{DeviceSet, GPU_MILLIS_PER_DEVICE, Name, Node, Resources};

use super::{kind::KindId, shape::ShapeId};

/// Amounts that have a column of their own in every room: CPU, memory, disk, network.
const COLUMNS: usize = 4;

/// One whole device.
const WHOLE: u16 = 1000;

/// Named countables as dense columns.
#[derive(Clone, Debug, Default)]
pub(super) struct CountNames(Vec<Name>);

/// GPUs aside. Below zero where more is lent than the owner leaves now.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Amounts {
    pub(super) columns: [i64; COLUMNS],
    /// By position in [`CountNames`]; what is beyond the end is zero.
    pub(super) counts: Box<[i64]>,
}

/// What a task asks for, in the same columns.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Want {
    pub(super) columns: [i64; COLUMNS],
    pub(super) counts: Vec<(usize, i64)>,
    pub(super) gpus: GpuWant,
}

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
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Gpus {
    /// Thousandths left of each device.
    left: Box<[u16]>,
    /// Devices of which anything is taken.
    touched: u16,
    /// Devices that tenants may touch: the owner's are counted, not named.
    lendable: u16,
}

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

impl CountNames {
    fn column(&mut self, name: &Name) -> usize {
        if let Some(at) = self.0.iter().position(|known| known == name) {
            return at;
        }
        self.0.push(name.clone());
        self.0.len() - 1
    }

    pub(super) fn want(&mut self, request: &Resources) -> Want {
        let counts = request.counts.iter();
        let mut counts: Vec<(usize, i64)> =
            counts.map(|(name, amount)| (self.column(name), signed(amount))).collect();
        counts.sort_unstable();
        Want { columns: columns(request), counts, gpus: GpuWant::of(request.gpu_millis) }
    }

    fn amounts(&mut self, resources: &Resources) -> Amounts {
        let mut counts = vec![0; if resources.counts.is_empty() { 0 } else { self.0.len() }];
        for (name, amount) in resources.counts.iter() {
            let column = self.column(name);
            if counts.len() <= column {
                counts.resize(column + 1, 0);
            }
            counts[column] = signed(amount);
        }
        Amounts { columns: columns(resources), counts: counts.into() }
    }
}

fn columns(resources: &Resources) -> [i64; COLUMNS] {
    [
        signed(resources.cpu_millis),
        signed(resources.memory_bytes),
        signed(resources.disk_bytes),
        signed(resources.network_bps),
    ]
}

fn signed(amount: u64) -> i64 {
    i64::try_from(amount).unwrap_or(i64::MAX / 2)
}

impl Amounts {
    pub(super) fn count(&self, column: usize) -> i64 {
        self.counts.get(column).copied().unwrap_or(0)
    }

    pub(super) fn fits(&self, want: &Want) -> bool {
        self.columns.iter().zip(&want.columns).all(|(free, wanted)| wanted <= free || *wanted == 0)
            && want.counts.iter().all(|(column, wanted)| *wanted <= self.count(*column))
    }

    /// How many tasks fit, `limit` at most.
    fn fits_times(&self, want: &Want, limit: u32) -> u32 {
        let mut times = i64::from(limit);
        for (free, wanted) in self.columns.iter().zip(&want.columns) {
            if *wanted > 0 {
                times = times.min((*free).max(0) / wanted);
            }
        }
        for (column, wanted) in &want.counts {
            times = times.min(self.count(*column).max(0) / wanted);
        }
        u32::try_from(times).unwrap_or(0)
    }

    /// Adds `times` the amounts wanted; a negative number takes them.
    pub(super) fn add(&mut self, want: &Want, times: i64) {
        for (free, wanted) in self.columns.iter_mut().zip(&want.columns) {
            *free += wanted * times;
        }
        for (column, wanted) in &want.counts {
            if self.counts.len() <= *column {
                let mut longer = self.counts.to_vec();
                longer.resize(column + 1, 0);
                self.counts = longer.into();
            }
            self.counts[*column] += wanted * times;
        }
    }

    fn subtract(&mut self, other: &Self) {
        for (free, less) in self.columns.iter_mut().zip(&other.columns) {
            *free -= less;
        }
        if self.counts.len() < other.counts.len() {
            let mut longer = self.counts.to_vec();
            longer.resize(other.counts.len(), 0);
            self.counts = longer.into();
        }
        for (free, less) in self.counts.iter_mut().zip(&other.counts) {
            *free -= less;
        }
    }

    /// Whether this has more of anything than `before`.
    fn exceeds(&self, before: &Self) -> bool {
        self.columns.iter().zip(&before.columns).any(|(now, then)| now > then)
            || (0..).zip(&self.counts).any(|(column, now)| *now > before.count(column))
    }
}

impl GpuWant {
    fn of(gpu_millis: u64) -> Self {
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
    fn of(node: &Node) -> Self {
        let present = node.device_count();
        let used = |device: usize| node.devices.0.get(device).copied().unwrap_or(0);
        Self {
            left: (0..present).map(|device| WHOLE.saturating_sub(used(device))).collect(),
            touched: small(node.devices.touched() as u64),
            lendable: small(node.lendable_devices() as u64),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.left.is_empty()
    }

    /// Untouched devices that may be taken.
    pub(super) fn whole(&self) -> u16 {
        self.lendable.saturating_sub(self.touched)
    }

    pub(super) fn lendable(&self) -> u16 {
        self.lendable
    }

    pub(super) fn left(&self) -> &[u16] {
        &self.left
    }

    /// What is left of the devices that are shared already and may be shared further.
    pub(super) fn shares(&self) -> impl Iterator<Item = u16> {
        let closed = self.touched > self.lendable;
        let shared = |left: &u16| *left > 0 && *left < WHOLE;
        self.left.iter().copied().filter(shared).filter(move |_| !closed)
    }

    /// The devices that a task would get: for a share the fullest shared device that has room, else an untouched one.
    pub(super) fn choose(&self, want: GpuWant) -> Option<DeviceSet> {
        match want {
            GpuWant::None => Some(DeviceSet::default()),
            GpuWant::Share(millis) => self.tightest(millis).or_else(|| self.untouched(1)),
            GpuWant::Whole(count) => self.untouched(count),
        }
    }

    fn tightest(&self, millis: u16) -> Option<DeviceSet> {
        if self.touched > self.lendable {
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

    fn untouched(&self, count: u16) -> Option<DeviceSet> {
        if count > self.whole() {
            return None;
        }
        let whole = (0..).zip(&self.left).filter(|(_, left)| **left == WHOLE);
        let devices = whole.map(|(device, _)| device).take(usize::from(count));
        Some(devices.fold(DeviceSet::default(), DeviceSet::with))
    }

    /// Whether a task can have exactly these devices.
    fn has(&self, devices: DeviceSet, want: GpuWant) -> bool {
        let mut touches = 0;
        for device in devices.iter() {
            let Some(left) = self.left.get(device as usize) else { return false };
            if *left < want.each() {
                return false;
            }
            touches += u16::from(*left == WHOLE);
        }
        self.touched + touches <= self.lendable || devices.is_empty()
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

    fn exceeds(&self, before: &Self) -> bool {
        self.lendable > before.lendable
            || self.touched < before.touched
            || self.left.iter().zip(&before.left).any(|(now, then)| now > then)
    }
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

impl Want {
    /// How much of a named countable.
    pub(super) fn count(&self, column: usize) -> i64 {
        let found = self.counts.iter().find(|(known, _)| *known == column);
        found.map_or(0, |(_, amount)| *amount)
    }

    /// Whether room for this is room for `other` too.
    pub(super) fn covers(&self, other: &Self) -> bool {
        self.columns.iter().zip(&other.columns).all(|(large, small)| small <= large)
            && other.counts.iter().all(|(column, small)| *small <= self.count(*column))
            && match (other.gpus, self.gpus) {
                (GpuWant::None, _) => true,
                (GpuWant::Share(small), GpuWant::Share(large)) => small <= large,
                (GpuWant::Share(_), GpuWant::Whole(count)) => count > 0,
                (GpuWant::Whole(small), GpuWant::Whole(large)) => small <= large,
                (GpuWant::Share(_), GpuWant::None) | (GpuWant::Whole(_), _) => false,
            }
    }
}
