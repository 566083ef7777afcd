use borsh::{BorshDeserialize, BorshSerialize};

use super::{
    calibration::{self, Standing, quiet_class},
    fixed::{OCTAVE, exp2},
    horizon::Pace,
    misses::{Margin, Misses, Pool, epoch},
    pending::Pending,
    price::{OWN_LIMIT, OWN_UNIT},
    shared::{Shared, Worth},
    slot::{DAY_SLOTS, Slot, UNKNOWN},
    spread::Spread,
};

/// All of a node's capacity, in thousandths.
const FULL: u16 = 1000;

/// Guesses are chosen by what they were worth in so many days.
const WORTH_DAYS: u32 = 7;

/// A fleet's memory of what guesses were worth is so many times as long in bounds.
const FLEET_MEMORY: i64 = 16;

/// So many bounds of a new node must have passed before it pays no more than others; its price begins twice as high.
const NEW_BOUNDS: u16 = 256;

/// A violation raises a node's own price by as much as so many bounds that hold lower it.
const FAIRNESS_RATIO: i32 = 100;

/// What a node learned for one horizon, and its bound.
#[derive(BorshDeserialize, BorshSerialize, Clone, Debug)]
pub(super) struct Track<const GUESSES: usize, const PENDING: usize> {
    misses: [Misses; GUESSES],
    pending: [Pending<GUESSES>; PENDING],
    worth: Worth<GUESSES>,
    /// As reckoned last.
    margins: [Margin; GUESSES],
    standing: Standing,
    /// When margins were reckoned; `None` if something happened since that changes them.
    reckoned: Option<Slot>,
    last_violation: Option<Slot>,
    /// Half-lives until misses were last halved.
    epoch: u32,
    /// The node's own part in the price, as a logarithm.
    own_price: i32,
    /// Bounds whose horizon has passed, as far as it matters.
    settled: u16,
    /// In thousandths of capacity.
    bound: u16,
}

impl<const GUESSES: usize, const PENDING: usize> Default for Track<GUESSES, PENDING> {
    fn default() -> Self {
        Self {
            misses: std::array::from_fn(|_| Misses::default()),
            pending: [Pending::NONE; PENDING],
            worth: Worth::default(),
            margins: [Margin::UNKNOWN; GUESSES],
            standing: [0; 4],
            reckoned: None,
            last_violation: None,
            epoch: 0,
            own_price: 0,
            settled: 0,
            bound: FULL,
        }
    }
}

impl<const GUESSES: usize, const PENDING: usize> Track<GUESSES, PENDING> {
    /// In thousandths of capacity.
    pub(super) fn bound(&self) -> u16 {
        self.bound
    }

    /// How likely each miss of a guess is by now, beside what the fleet's nodes missed.
    pub(super) fn spread(
        &self,
        guess: usize,
        pool: &Pool,
        pace: &Pace,
        slot: Slot,
    ) -> Option<Spread> {
        let misses = self.misses[guess].faded(epoch(slot).saturating_sub(self.epoch));
        misses.spread(pool, pace.unit_log, slot)
    }

    /// Holds a load against what is pending. `is_first` if it is the first of its slot.
    pub(super) fn meet(
        &mut self,
        pace: &Pace,
        shared: &mut Shared<GUESSES>,
        slot: Slot,
        load: u16,
        is_first: bool,
    ) {
        for index in 0..PENDING {
            let Some(made) = self.pending[index].made else { continue };
            if slot.since(made) > pace.slots {
                self.settle(index, pace, shared, slot);
                continue;
            }
            let pending = &mut self.pending[index];
            pending.peak = pending.peak.max(load);
            pending.seen += u16::from(is_first);
            if load > pending.bound && !pending.violated {
                pending.violated = true;
                self.violate(pace, shared, slot);
            }
        }
        self.bound = self.bound.max(load);
    }

    fn violate(&mut self, pace: &Pace, shared: &mut Shared<GUESSES>, slot: Slot) {
        shared.price.violate(pace.gain_permille);
        self.last_violation = Some(slot);
        self.reckoned = None;
        self.own_price = (self.own_price + pace.fairness * FAIRNESS_RATIO).min(OWN_LIMIT);
    }

    /// Learns from a bound whose horizon has passed.
    fn settle(&mut self, index: usize, pace: &Pace, shared: &mut Shared<GUESSES>, slot: Slot) {
        let pending = std::mem::replace(&mut self.pending[index], Pending::NONE);
        if !pending.is_telling(pace.slots) {
            return;
        }
        shared.price.settle(pace.gain_permille);
        shared.calibration.learn(pending.standing, pending.chance.into(), pending.violated);
        self.own_price = (self.own_price - pace.fairness).max(-OWN_LIMIT);
        self.forget(slot);
        if self.settled == 0 {
            self.worth = shared.worth;
        }
        self.settled = self.settled.saturating_add(1).min(NEW_BOUNDS);
        let price = shared.price.permille();
        let memory = i64::from(WORTH_DAYS * DAY_SLOTS / pace.every_slots);
        for guess in 0..GUESSES {
            let guessed = pending.guesses[guess];
            if guessed == UNKNOWN {
                continue;
            }
            self.misses[guess].learn(pace.unit_log, slot, pending.peak, guessed);
            shared.pools[guess][quiet_class(pending.standing)].learn(pending.peak, guessed);
            let worth = worth(pending.bounds[guess], pending.peak, price);
            self.worth.learn(guess, worth, memory);
            shared.worth.learn(guess, worth, memory * FLEET_MEMORY);
        }
    }

    /// Halves what was missed once for every half-life that has passed.
    fn forget(&mut self, slot: Slot) {
        let epoch = epoch(slot);
        // After sixteen halvings nothing is left.
        for _ in 0..(epoch - self.epoch).min(16) {
            for misses in &mut self.misses {
                misses.halve();
            }
        }
        self.epoch = epoch;
    }

    /// Makes the bound at the first sample of a slot.
    pub(super) fn decide(
        &mut self,
        pace: &Pace,
        shared: &Shared<GUESSES>,
        slot: Slot,
        load: u16,
        guesses: [u16; GUESSES],
        standing_since: impl FnOnce(Option<u32>) -> Standing,
    ) {
        if self.reckoned.is_none_or(|then| is_due(then, slot, pace.refresh_slots)) {
            self.standing = standing_since(self.last_violation.map(|then| slot.since(then)));
            self.reckon(pace, shared, slot);
        }
        let mut bounds = [FULL; GUESSES];
        let (mut best, mut most) = (None, i64::MIN);
        let worth = if self.settled == 0 { &shared.worth } else { &self.worth };
        for guess in 0..GUESSES {
            if guesses[guess] == UNKNOWN {
                continue;
            }
            bounds[guess] = bound(guesses[guess], &self.margins[guess], load);
            if worth.0[guess] > most {
                most = worth.0[guess];
                best = Some(guess);
            }
        }
        self.bound = best.map_or(FULL, |guess| bounds[guess]);
        if slot.0.is_multiple_of(pace.every_slots) {
            let chance =
                best.filter(|_| self.bound < FULL).map_or(0, |guess| self.margins[guess].chance);
            self.wait(Pending {
                made: Some(slot),
                bound: self.bound,
                chance,
                standing: self.standing,
                guesses,
                bounds,
                ..Pending::NONE
            });
        }
    }

    /// Reckons the margin of every guess.
    fn reckon(&mut self, pace: &Pace, shared: &Shared<GUESSES>, slot: Slot) {
        self.forget(slot);
        self.reckoned = Some(slot);
        let left = i32::from(NEW_BOUNDS - self.settled);
        let newness = OCTAVE * left / i32::from(NEW_BOUNDS);
        let price = exp2(shared.price.log() + self.own_price / OWN_UNIT + newness);
        let price = price * shared.calibration.factor(self.standing) / calibration::ONE;
        let class = quiet_class(self.standing);
        for guess in 0..GUESSES {
            self.margins[guess] =
                self.misses[guess].margin(&shared.pools[guess][class], pace.unit_log, slot, price);
        }
    }

    /// Keeps a bound until its horizon has passed.
    fn wait(&mut self, pending: Pending<GUESSES>) {
        if let Some(free) = self.pending.iter_mut().find(|pending| pending.made.is_none()) {
            *free = pending;
        }
    }
}

/// Whether a multiple of so many slots has come since.
fn is_due(then: Slot, now: Slot, every_slots: u32) -> bool {
    now.0 / every_slots > then.0 / every_slots
}

/// A guess and its margin; all of the capacity where no bound is worth its risk.
fn bound(guess: u16, margin: &Margin, load: u16) -> u16 {
    if i32::from(guess).saturating_add(margin.cost) >= i32::from(FULL) {
        return FULL;
    }
    let bound = i32::from(guess) + i32::from(margin.permille);
    u16::try_from(bound).unwrap_or(0).clamp(load, FULL)
}

/// What a bound turned out to be worth, in thousandths of capacity.
fn worth(bound: u16, peak: u16, price: i64) -> i64 {
    let headroom = i64::from(FULL - bound.max(peak));
    if peak > bound { headroom - price } else { headroom }
}
