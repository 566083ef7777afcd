use super::slot::{DAY_SLOTS, HOUR_SLOTS};
use crate::model::Horizon;

impl Horizon {
    pub(super) fn pace(self) -> &'static Pace {
        match self {
            Self::FiveMinutes => &FIVE_MINUTES,
            Self::Hour => &HOUR,
            Self::SixHours => &SIX_HOURS,
            Self::Day => &DAY,
        }
    }
}

/// How a horizon is learned.
#[derive(Debug)]
pub(super) struct Pace {
    /// Its length.
    pub(super) slots: u32,
    /// A bound in so many slots is looked at again once its horizon has passed.
    pub(super) every_slots: u32,
    /// Margins are reckoned anew after so many slots, at the latest.
    pub(super) refresh_slots: u32,
    /// How many such bounds are pending at a time. One rise of the load exceeds all of them, so what is counted is
    /// worth so much less.
    pub(super) overlap: u32,
    /// What one miss counts at least, as a logarithm: as much as lets sixteen bits hold all of them.
    pub(super) unit_log: i32,
    /// By how much the price moves in a day in which twice the target is exceeded, in thousandths of a doubling.
    pub(super) gain_permille: i64,
    /// By how much a node's own price falls with each bound that held, in 1/16 of the logarithm's unit; a hundredfold
    /// of it is what it rises by with each that did not.
    pub(super) fairness: i32,
}

const FIVE_MINUTES: Pace = Pace {
    slots: 1,
    every_slots: 1,
    refresh_slots: 3,
    overlap: 1,
    unit_log: 3,
    gain_permille: 1_000,
    fairness: 0,
};

const HOUR: Pace = Pace {
    slots: HOUR_SLOTS,
    every_slots: 3,
    refresh_slots: 3,
    overlap: 4,
    unit_log: 5,
    gain_permille: 600,
    fairness: 6,
};

const SIX_HOURS: Pace = Pace {
    slots: 6 * HOUR_SLOTS,
    every_slots: 6,
    refresh_slots: 6,
    overlap: 12,
    unit_log: 6,
    gain_permille: 400,
    fairness: 5,
};

const DAY: Pace = Pace {
    slots: DAY_SLOTS,
    every_slots: 24,
    refresh_slots: 24,
    overlap: 12,
    unit_log: 6,
    gain_permille: 300,
    fairness: 5,
};
