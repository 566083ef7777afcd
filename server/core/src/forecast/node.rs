use borsh::{BorshDeserialize, BorshSerialize};

use super::{
    Horizon, Share,
    experts::{self, LastHour},
    season::Season,
    slot::SLOT,
    track::Track,
};
use crate::model::{Millis, Time};

/// What a bound is good for: a twelfth of its horizon, but at least until the next sample is due.
const FRESH_PART: u64 = 12;

/// What is remembered of one resource of a node, for all horizons: at most 4 KiB.
#[derive(BorshDeserialize, BorshSerialize, Clone, Debug, Default)]
pub struct NodeForecast {
    /// When the newest sample was taken.
    pub(super) newest: Option<Time>,
    /// The greatest load of its five minutes.
    pub(super) load: u16,
    pub(super) last_hour: LastHour,
    pub(super) season: Season,
    pub(super) five_minutes: Track<{ experts::FIVE_MINUTES }, 2>,
    pub(super) hour: Track<{ experts::HOUR }, 5>,
    pub(super) six_hours: Track<{ experts::SIX_HOURS }, 13>,
    pub(super) day: Track<{ experts::DAY }, 13>,
}

impl NodeForecast {
    /// The share of the capacity that the owner's load will not exceed over the horizon, but for the promised risk;
    /// never less than its load now. `None` if there is no sample that is new enough to tell: nothing can be lent then.
    #[must_use]
    pub fn bound(&self, horizon: Horizon, now: Time) -> Option<Share> {
        if now.since(self.newest?) >= Self::good_for(horizon) {
            return None;
        }
        let bound = match horizon {
            Horizon::FiveMinutes => self.five_minutes.bound(),
            Horizon::Hour => self.hour.bound(),
            Horizon::SixHours => self.six_hours.bound(),
            Horizon::Day => self.day.bound(),
        };
        Some(Share::permille(bound.into()))
    }

    /// How old the newest sample is when nothing is told any more.
    pub(super) fn good_for(horizon: Horizon) -> Millis {
        Millis((horizon.length().0 / FRESH_PART).max(SLOT.0))
    }
}
