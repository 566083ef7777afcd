use borsh::{BorshDeserialize, BorshSerialize};

use crate::model::{Millis, Time};

/// Samples of the same five minutes are one: the greatest counts.
pub(super) const SLOT: Millis = Millis(5 * Millis::MINUTE.0);

/// Slots of an hour and of a day.
pub(super) const HOUR_SLOTS: u32 = 12;
pub(super) const DAY_SLOTS: u32 = 24 * HOUR_SLOTS;

/// What was not seen, among loads in thousandths.
pub(super) const UNKNOWN: u16 = u16::MAX;

/// The latest slot: some ten thousand years. What is later is taken for it.
const LAST: u32 = 1 << 30;

/// Five minutes, counted from eight days before the epoch so that a week ago is never before the first.
#[derive(BorshDeserialize, BorshSerialize, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Slot(pub(super) u32);

impl Slot {
    pub(super) fn of(at: Time) -> Self {
        Self(u32::try_from(at.0 / SLOT.0).unwrap_or(LAST).min(LAST) + 8 * DAY_SLOTS)
    }

    /// How many slots ago `earlier` was, zero if it lies ahead.
    pub(super) fn since(self, earlier: Self) -> u32 {
        self.0.saturating_sub(earlier.0)
    }
}
