use borsh::{BorshDeserialize, BorshSerialize};

use super::{
    fixed::{LOG_BITS, OCTAVE, exp2},
    quantity::Risk,
    slot::DAY_SLOTS,
};

const MILLION: i64 = 1_000_000;

/// The part of the promise that is aimed at, in thousandths.
const AIM_PERMILLE: i64 = 980;

/// By how much the aim is lower where a promise allows next to nothing a day, in thousandths: chance weighs more there.
const SMALL_PERMILLE: i64 = 150;

/// By how much an excess of a whole week's promise lowers the target, in thousandths of it.
const CORRECTION_PERMILLE: i64 = 500;

/// What stayed unused is made up for by at most this part of a week's promise, in thousandths.
const SAVED_PERMILLE: i64 = 100;

/// What a promise counts as at least, in violations a day and a week: a single violation does not turn a small fleet
/// upside down.
const LEAST_A_DAY: i64 = 2;
const LEAST_A_WEEK: i64 = 3;

/// A price of which little is known yet moves by so many times more in addition, less and less for about a week.
const HASTE: i64 = 1;

/// Fractional bits of the logarithm that is steered.
const FINE_BITS: u32 = 32;

/// The logarithm at the start, and its range.
const START: i64 = 14 << FINE_BITS;
const LOWEST: i64 = 4 << FINE_BITS;
const HIGHEST: i64 = 20 << FINE_BITS;

/// Every slot one in so many of what was counted is forgotten: a week, and two for the excess.
const RATE_SHIFT: u32 = 11;
const EXCESS_SLOTS: i64 = 4096;

/// What a bound that is exceeded costs, in thousandths of capacity: the same for every node of an owner.
///
/// It rises with every violation and falls with every bound that held, so that both balance at the target. The target
/// is a little under the promise, and lower while more was exceeded of late than promised.
#[derive(BorshDeserialize, BorshSerialize, Clone, Debug)]
pub(super) struct Price {
    /// The promise, in millionths.
    risk: i64,
    /// To the base of two, with 32 fractional bits.
    log: i64,
    /// Bounds whose horizon has passed and the slots in which they did, both fading, with 16 fractional bits.
    settled: i64,
    slots: i64,
    /// Violations beyond the target, fading, in millionths.
    excess: i64,
}

impl Price {
    pub(super) fn new(risk: Risk) -> Self {
        Self { risk: risk.get().into(), log: START, settled: 0, slots: 1 << 16, excess: 0 }
    }

    /// Steers towards another promise from now on.
    pub(super) fn promise(&mut self, risk: Risk) {
        self.risk = risk.get().into();
    }

    /// Lets what was counted fade.
    pub(super) fn advance(&mut self, slots: u32) {
        // After four weeks hardly anything is left.
        for _ in 0..slots.min(28 * DAY_SLOTS) {
            self.settled -= self.settled >> RATE_SHIFT;
            self.slots += (1 << 16) - (self.slots >> RATE_SHIFT);
            self.excess -= self.excess / EXCESS_SLOTS;
        }
    }

    /// To the base of two.
    pub(super) fn log(&self) -> i32 {
        i32::try_from(self.log >> (FINE_BITS - LOG_BITS)).expect("invariant: at most 20 octaves")
    }

    /// In thousandths of capacity.
    pub(super) fn permille(&self) -> i64 {
        i64::try_from(exp2(self.log())).expect("invariant: at most 2^20")
    }

    /// A pending bound was exceeded.
    pub(super) fn violate(&mut self, gain_permille: i64) {
        self.excess = self.excess.saturating_add(MILLION);
        self.step(MILLION, gain_permille);
    }

    /// The horizon of a bound has passed, exceeded or not.
    pub(super) fn settle(&mut self, gain_permille: i64) {
        self.settled = self.settled.saturating_add(1 << 16);
        let promised_a_day = self.risk * self.a_day();
        let least = LEAST_A_DAY * MILLION;
        let aim_permille = AIM_PERMILLE - SMALL_PERMILLE * least / (promised_a_day + least);
        let aim = self.risk * aim_permille / 1000;
        let week = (promised_a_day * 7).max(LEAST_A_WEEK * MILLION);
        self.excess = (self.excess - aim).max(-week * SAVED_PERMILLE / 1000);
        let over_permille = (self.excess.saturating_mul(1000) / week).min(1000);
        let target = aim * (1000 - over_permille * CORRECTION_PERMILLE / 1000) / 1000;
        self.step(-target, gain_permille);
    }

    /// Bounds that pass in a day.
    fn a_day(&self) -> i64 {
        self.settled.saturating_mul(i64::from(DAY_SLOTS)) / self.slots.max(1)
    }

    fn step(&mut self, ppm: i64, gain_permille: i64) {
        let promised_a_day = self.risk * self.a_day() + LEAST_A_DAY * MILLION;
        // What is left of the first week, with ten fractional bits.
        let new = (1 << 10) - (self.slots >> (RATE_SHIFT + 6)).min(1 << 10);
        let gain = gain_permille * ((1 << 10) + HASTE * new) / 1000;
        let step = (((ppm << FINE_BITS) / promised_a_day) * gain) >> 10;
        self.log = (self.log + step).clamp(LOWEST, HIGHEST);
    }
}

/// The weight of a node's own price: it moves by at most two octaves either way.
pub(super) const OWN_LIMIT: i32 = 2 * OCTAVE * OWN_UNIT;

/// A node's own price is kept in this part of the logarithm's unit.
pub(super) const OWN_UNIT: i32 = 16;

#[cfg(test)]
mod tests {
    use super::Price;
    use crate::forecast::quantity::Risk;

    /// A world in which a price of 2^n is exceeded twice as often as one of 2^(n+1).
    #[test]
    fn the_price_settles_where_the_promise_is_kept() {
        let mut price = Price::new(Risk::DEFAULT);
        let mut due = 0_i64;
        let (mut exceeded, mut seen) = (0_u32, 0_u32);
        for step in 0..60 * 288 {
            price.advance(1);
            for _ in 0..30 {
                due += 10_000 * 3_000 / price.permille();
                if due >= 1_000_000 {
                    due -= 1_000_000;
                    price.violate(300);
                    exceeded += u32::from(step > 20 * 288);
                }
                price.settle(300);
                seen += u32::from(step > 20 * 288);
            }
        }
        let ppm = u64::from(exceeded) * 1_000_000 / u64::from(seen);
        assert!((9_000..=10_100).contains(&ppm), "{ppm}");
    }

    #[test]
    fn extremes_neither_overflow_nor_leave_the_range() {
        for risk in [Risk::ppm(0), Risk::ppm(u32::MAX)] {
            let mut price = Price::new(risk);
            for _ in 0..100_000 {
                price.violate(500);
            }
            price.advance(u32::MAX);
            assert!((16..=1 << 20).contains(&price.permille()));
            for _ in 0..100_000 {
                price.settle(500);
            }
            assert!((16..=1 << 20).contains(&price.permille()));
        }
    }
}
