use borsh::{BorshDeserialize, BorshSerialize};

use super::{
    calibration::{CLASSES, Calibration},
    horizon::Pace,
    misses::Pool,
    price::Price,
    quantity::Risk,
};

/// What the nodes of a fleet share for one horizon.
#[derive(BorshDeserialize, BorshSerialize, Clone, Debug)]
pub(super) struct Shared<const GUESSES: usize> {
    pub(super) price: Price,
    pub(super) calibration: Calibration,
    /// What each guess missed, by how quiet the node was.
    pub(super) pools: [[Pool; CLASSES]; GUESSES],
    /// What each guess was worth of late.
    pub(super) worth: Worth<GUESSES>,
}

impl<const GUESSES: usize> Shared<GUESSES> {
    pub(super) fn new(risk: Risk, pace: &Pace) -> Self {
        let pools = std::array::from_fn(|_| std::array::from_fn(|_| Pool::default()));
        let calibration = Calibration::new(pace.overlap);
        Self { price: Price::new(risk), calibration, pools, worth: Worth::default() }
    }
}

/// What each guess was worth as a bound: the headroom that was truly there, less the price where there was none. Of the
/// last days, with 16 fractional bits.
#[derive(BorshDeserialize, BorshSerialize, Clone, Copy, Debug)]
pub(super) struct Worth<const GUESSES: usize>(pub(super) [i64; GUESSES]);

impl<const GUESSES: usize> Default for Worth<GUESSES> {
    fn default() -> Self {
        Self([0; GUESSES])
    }
}

impl<const GUESSES: usize> Worth<GUESSES> {
    /// Takes note of what a bound was worth; one in so many is forgotten.
    pub(super) fn learn(&mut self, guess: usize, worth_permille: i64, memory: i64) {
        let worth = &mut self.0[guess];
        *worth += ((worth_permille << 16) - *worth) / memory;
    }
}
