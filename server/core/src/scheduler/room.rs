//! What one node has free, in the dense form that fitting and ranking ask for.

use std::{mem, sync::Arc};

use super::{
    amounts::{Amounts, CountNames, Want},
    gpus::{GpuWant, Gpus},
    kind::KindId,
    shape::ShapeId,
};
use crate::model::{DeviceSet, Horizon, Node, NodeSpec};

/// A part of a room that is kept for a task of a shape to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Promise {
    pub(super) shape: ShapeId,
    pub(super) devices: DeviceSet,
}

/// What an owner keeps over a longer horizon besides what it keeps anyway.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Besides {
    pub(super) amounts: Amounts,
    pub(super) devices: u16,
}

/// A class and the place among its members.
pub(super) type Place = (u32, u32);

/// By horizon where a node is in the classes of its slack; in the first only where all horizons are alike.
pub(super) type Places = [Option<Place>; Horizon::COUNT];

/// What is of its own over each horizon but the shortest.
#[derive(Clone, Debug)]
struct Longer {
    besides: [Besides; Horizon::COUNT - 1],
    places: [Option<Place>; Horizon::COUNT - 1],
}

/// What is free and not promised.
#[derive(Clone, Debug)]
struct Slack {
    amounts: Amounts,
    gpus: Gpus,
}

/// What would be free in a room without some of its promises.
pub(super) struct Freed<'a> {
    room: &'a Room,
    amounts: Amounts,
    gpus: Gpus,
}

/// The scheduler's picture of a node.
#[derive(Clone, Debug)]
pub(super) struct Room {
    /// The description from which the kind was made out.
    pub(super) spec: Arc<NodeSpec>,
    pub(super) kind: KindId,
    /// Takes new tasks.
    pub(super) open: bool,
    /// A device that the node no longer has is still held: its release is reckoned from the state.
    odd: bool,
    /// What no task holds.
    pub(super) free: Amounts,
    pub(super) gpus: Gpus,
    pub(super) promises: Vec<Promise>,
    /// Absent where nothing was promised yet: all that is free is slack there.
    slack: Option<Box<Slack>>,
    /// Absent where all horizons are alike, as on a node without telemetry.
    longer: Option<Box<Longer>>,
    /// The first of its places.
    place: Option<Place>,
    /// In no class though it should be, until somebody looks for room.
    pub(super) unclassed: bool,
    /// Out of its class for a while: the job that is being placed may have no more here.
    pub(super) sidelined: bool,
}

impl Freed<'_> {
    /// Goes without the promise at that position, which is for a task that asks for so much.
    pub(super) fn free(&mut self, at: usize, want: &Want) {
        self.amounts.add(want, 1);
        self.gpus.give(self.room.promises[at].devices, want.gpus);
    }

    /// The opposite of [`Self::free`].
    pub(super) fn keep(&mut self, at: usize, want: &Want) {
        self.amounts.add(want, -1);
        self.gpus.take(self.room.promises[at].devices, want.gpus);
    }

    /// Whether one task fits then.
    pub(super) fn fits(&self, want: &Want) -> bool {
        self.room.open && self.room.fits(&self.amounts, &self.gpus, want)
    }
}

impl Room {
    /// As the state has it, with nothing promised.
    pub(super) fn of(node: &Node, kind: KindId, open: bool, names: &mut CountNames) -> Self {
        let mut free = names.amounts(&node.spec.capacity);
        free.subtract(&names.amounts(node.held_back.over(Horizon::FiveMinutes)));
        free.subtract(&names.amounts(&node.lent));
        let gpus = Gpus::of(node);
        let longer = (!node.held_back.is_level()).then(|| {
            let [_, longer @ ..] = Horizon::ALL;
            let besides = longer.map(|horizon| Besides::of(node, horizon, names));
            Box::new(Longer { besides, places: Default::default() })
        });
        Self {
            spec: Arc::clone(&node.spec),
            kind,
            open,
            odd: node.devices.0.iter().skip(node.device_count()).any(|used| *used > 0),
            free,
            gpus,
            promises: Vec::new(),
            slack: None,
            longer,
            place: None,
            unclassed: false,
            sidelined: false,
        }
    }

    /// Whether it is as the state has it.
    pub(super) fn matches(&self, other: &Self) -> bool {
        let counts = self.free.counts.len().max(other.free.counts.len());
        self.kind == other.kind
            && self.open == other.open
            && self.free.columns == other.free.columns
            && (0..counts).all(|column| self.free.count(column) == other.free.count(column))
            && self.gpus == other.gpus
            && self.all_besides() == other.all_besides()
    }

    pub(super) fn is_odd(&self) -> bool {
        self.odd
    }

    /// What is free and not promised.
    pub(super) fn slack(&self) -> &Amounts {
        self.slack.as_ref().map_or(&self.free, |slack| &slack.amounts)
    }

    /// The devices that are free and not promised.
    pub(super) fn slack_gpus(&self) -> &Gpus {
        self.slack.as_ref().map_or(&self.gpus, |slack| &slack.gpus)
    }

    /// What the owner keeps over the horizon besides; nothing where it keeps no more.
    pub(super) fn besides(&self, horizon: Horizon) -> Option<&Besides> {
        self.all_besides()?.get(horizon.index().checked_sub(1)?)
    }

    fn all_besides(&self) -> Option<&[Besides; Horizon::COUNT - 1]> {
        self.longer.as_ref().map(|longer| &longer.besides)
    }

    pub(super) fn places(&self) -> Places {
        let mut places = [self.place, None, None, None];
        if let Some(longer) = &self.longer {
            places[1..].copy_from_slice(&longer.places);
        }
        places
    }

    /// The place for the horizon of this index.
    pub(super) fn place_mut(&mut self, at: usize) -> &mut Option<Place> {
        let Some(at) = at.checked_sub(1) else { return &mut self.place };
        let longer = self.longer.as_mut().expect("invariant: its horizons are not all alike");
        &mut longer.places[at]
    }

    /// Takes it out of all classes. Where it was.
    pub(super) fn take_places(&mut self) -> Places {
        let mut places = [self.place.take(), None, None, None];
        if let Some(longer) = &mut self.longer {
            places[1..].copy_from_slice(&mem::take(&mut longer.places));
        }
        places
    }

    /// Whether it is the same over all horizons.
    pub(super) fn is_level(&self) -> bool {
        self.longer.is_none()
    }

    fn fits(&self, free: &Amounts, gpus: &Gpus, want: &Want) -> bool {
        let Some(besides) = self.besides(want.horizon) else {
            return free.fits(want) && gpus.choose(want.gpus, 0).is_some();
        };
        free.fits_beside(want, &besides.amounts)
            && gpus.choose(want.gpus, besides.devices).is_some()
    }

    /// Whether one task fits once promises are broken.
    pub(super) fn fits_free(&self, want: &Want) -> bool {
        self.open && self.fits(&self.free, &self.gpus, want)
    }

    /// Whether one task fits beside what is promised.
    pub(super) fn fits_slack(&self, want: &Want) -> bool {
        self.open && self.fits(self.slack(), self.slack_gpus(), want)
    }

    /// What is free and not promised, from which to see what breaking promises would come to.
    pub(super) fn freed(&self) -> Freed<'_> {
        Freed { room: self, amounts: self.slack().clone(), gpus: self.slack_gpus().clone() }
    }

    /// How many tasks fit beside what is promised. Tasks with GPUs are taken one by one.
    pub(super) fn times_in_slack(&self, want: &Want, limit: u32) -> u32 {
        let limit = if want.gpus == GpuWant::None { limit } else { limit.min(1) };
        match self.besides(want.horizon) {
            None => self.slack().fits_times(want, limit),
            Some(besides) => self.slack().without(&besides.amounts).fits_times(want, limit),
        }
    }

    /// What the node has over a horizon beside what is promised, and its untouched devices.
    pub(super) fn slack_over(&self, horizon: Horizon) -> (Amounts, u16) {
        let (slack, gpus) = (self.slack(), self.slack_gpus());
        match self.besides(horizon) {
            None => (slack.clone(), gpus.whole(0)),
            Some(besides) => (slack.without(&besides.amounts), gpus.whole(besides.devices)),
        }
    }

    /// What no task holds over a horizon, and the devices that tenants may touch.
    pub(super) fn free_over(&self, horizon: Horizon) -> (Amounts, u16) {
        match self.besides(horizon) {
            None => (self.free.clone(), self.gpus.lendable()),
            Some(besides) => {
                let lendable = self.gpus.lendable().saturating_sub(besides.devices);
                (self.free.without(&besides.amounts), lendable)
            }
        }
    }

    /// Keeps a part for a task to come, if it is there.
    pub(super) fn promise(&mut self, promise: Promise, want: &Want) -> bool {
        let besides = self.besides(want.horizon);
        let fits = besides.map_or_else(
            || self.slack().fits(want),
            |besides| self.slack().fits_beside(want, &besides.amounts),
        );
        let devices = besides.map_or(0, |besides| besides.devices);
        if !fits || !self.slack_gpus().has(promise.devices, want.gpus, devices) {
            return false;
        }
        let slack = self.slack.get_or_insert_with(|| {
            Box::new(Slack { amounts: self.free.clone(), gpus: self.gpus.clone() })
        });
        slack.amounts.add(want, -1);
        slack.gpus.take(promise.devices, want.gpus);
        self.promises.push(promise);
        true
    }

    /// Breaks the promise at this position.
    pub(super) fn break_promise(&mut self, at: usize, want: &Want) -> Promise {
        let promise = self.promises.swap_remove(at);
        let slack = self.slack.as_mut().expect("invariant: it promised something");
        slack.amounts.add(want, 1);
        slack.gpus.give(promise.devices, want.gpus);
        promise
    }

    /// Where a promise to the shape stands.
    pub(super) fn promised_to(&self, shape: ShapeId) -> Option<usize> {
        self.promises.iter().position(|promise| promise.shape == shape)
    }

    /// Whether the owner leaves what is promised for as long as the shape needs it: what others took for a shorter time
    /// may stand in the way.
    pub(super) fn may_redeem(&self, at: usize, want: &Want) -> bool {
        self.besides(want.horizon).is_none_or(|besides| {
            let devices = self.promises[at].devices;
            self.free.fits_beside(want, &besides.amounts)
                && self.gpus.has(devices, want.gpus, besides.devices)
        })
    }

    /// Takes what is promised at this position; slack stays as it is.
    pub(super) fn redeem(&mut self, at: usize, want: &Want) -> DeviceSet {
        let devices = self.promises.swap_remove(at).devices;
        self.free.add(want, -1);
        self.gpus.take(devices, want.gpus);
        devices
    }

    /// Takes room for `times` tasks beside what is promised.
    pub(super) fn take(&mut self, want: &Want, times: u32) -> DeviceSet {
        let kept = self.besides(want.horizon).map_or(0, |besides| besides.devices);
        let devices = self.slack_gpus().choose(want.gpus, kept).expect("invariant: it fits");
        self.free.add(want, -i64::from(times));
        self.gpus.take(devices, want.gpus);
        if let Some(slack) = &mut self.slack {
            slack.amounts.add(want, -i64::from(times));
            slack.gpus.take(devices, want.gpus);
        }
        devices
    }

    /// Takes a task's hold away.
    pub(super) fn give(&mut self, want: &Want, devices: DeviceSet) {
        self.free.add(want, 1);
        self.gpus.give(devices, want.gpus);
        if let Some(slack) = &mut self.slack {
            slack.amounts.add(want, 1);
            slack.gpus.give(devices, want.gpus);
        }
    }

    /// Whether this has more of anything than `before`.
    pub(super) fn grew(&self, before: &Self) -> bool {
        self.open
            && (!before.open
                || self.free.exceeds(&before.free)
                || self.gpus.exceeds(&before.gpus)
                || self.leaves_more_than(before))
    }

    /// Whether the owner keeps less of anything over any of the longer horizons than it did.
    fn leaves_more_than(&self, before: &Self) -> bool {
        Horizon::ALL.into_iter().any(|horizon| {
            match (self.besides(horizon), before.besides(horizon)) {
                (_, None) => false,
                (None, Some(_)) => true,
                (Some(now), Some(then)) => {
                    let free = |room: &Self, besides: &Besides| room.free.without(&besides.amounts);
                    free(self, now).exceeds(&free(before, then))
                        || self.gpus.whole(now.devices) > before.gpus.whole(then.devices)
                        || now.devices < then.devices
                }
            }
        })
    }
}

impl Besides {
    fn of(node: &Node, horizon: Horizon, names: &mut CountNames) -> Self {
        let mut amounts = names.amounts(node.held_back.over(horizon));
        amounts.subtract(&names.amounts(node.held_back.over(Horizon::FiveMinutes)));
        let lendable = |horizon| node.lendable_devices(horizon);
        let devices = lendable(Horizon::FiveMinutes).saturating_sub(lendable(horizon));
        Self { amounts, devices: u16::try_from(devices).unwrap_or(u16::MAX) }
    }
}
