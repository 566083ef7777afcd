use borsh::{BorshDeserialize, BorshSerialize};

use super::calibration::Standing;
use super::slot::Slot;

/// A bound whose horizon has not passed yet, with the guesses from which it was chosen.
#[derive(BorshDeserialize, BorshSerialize, Clone, Copy, Debug)]
pub(super) struct Pending<const GUESSES: usize> {
    /// When it was made; `None` when there is nothing to wait for.
    pub(super) made: Option<Slot>,
    /// The greatest load since.
    pub(super) peak: u16,
    /// Slots in which there was a sample since.
    pub(super) seen: u16,
    pub(super) bound: u16,
    /// How likely it was thought to be exceeded, before calibration, with 16 fractional bits.
    pub(super) chance: u16,
    pub(super) standing: Standing,
    /// The load went above the bound.
    pub(super) violated: bool,
    pub(super) guesses: [u16; GUESSES],
    /// What each guess would have been as a bound.
    pub(super) bounds: [u16; GUESSES],
}

impl<const GUESSES: usize> Pending<GUESSES> {
    pub(super) const NONE: Self = Self {
        made: None,
        peak: 0,
        seen: 0,
        bound: 0,
        chance: 0,
        standing: [0; 4],
        violated: false,
        guesses: [0; GUESSES],
        bounds: [0; GUESSES],
    };

    /// Whether enough was seen to tell how it ended: a violation always tells, silence never.
    pub(super) fn is_telling(&self, slots: u32) -> bool {
        self.violated || u32::from(self.seen) * 2 >= slots
    }
}
