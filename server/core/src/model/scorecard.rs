use std::ops::AddAssign;

use imbl::OrdMap;

use super::{Curb, Millis, Name, Time};

/// What came of lending an owner's nodes of one region, by day, over the last thirty days that had load reports.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scorecard {
    /// Ascending by day.
    days: Vec<(u64, Lent)>,
}

/// What came of lending between load reports. Each report speaks for the time since the one before, an hour at most.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lent {
    /// Load reports of nodes that had reported before.
    pub samples: u64,
    /// Of them, those whose load was more than what was held back.
    pub exceeded: u64,
    /// Of them, those that found too little room beside what was lent.
    pub short: u64,
    /// The time for which those speak, all nodes together.
    pub short_for: Millis,
    /// What was missing at those, in millionths of the capacity of what was shortest; a sum.
    pub missing_ppm: u64,
    /// CPU that owners left unused, in thousandths of a core times milliseconds.
    pub idle: u64,
    /// The part of it that was lent.
    pub harvested: u64,
}

/// Days that are kept.
const DAYS: u64 = 30;

const DAY: u64 = Millis::DAY.0;

impl Scorecard {
    /// One of these days, as kept. None unless they ascend and can be.
    #[must_use]
    pub fn of(days: Vec<(u64, Lent)>) -> Option<Self> {
        let last = days.last().map_or(0, |(day, _)| *day);
        let can_be = last <= u64::MAX / DAY && days.is_sorted_by(|a, b| a.0 < b.0);
        can_be.then_some(Self { days })
    }

    /// The days since the epoch that are kept, ascending.
    #[must_use]
    pub fn days(&self) -> &[(u64, Lent)] {
        &self.days
    }

    /// Adds what a report at a time tells. Whether it is the first of its day.
    pub(crate) fn add(&mut self, time: Time, lent: &Lent) -> bool {
        let day = time.0 / DAY;
        let at = match self.days.binary_search_by_key(&day, |(day, _)| *day) {
            Ok(at) => {
                self.days[at].1 += *lent;
                return false;
            }
            Err(at) => at,
        };
        self.days.insert(at, (day, *lent));
        let newest = self.days.last().map_or(day, |(day, _)| *day);
        self.days.retain(|(day, _)| day + DAYS > newest);
        true
    }

    /// Whether nothing is of the thirty days up to a time.
    pub(crate) fn is_past(&self, now: Time) -> bool {
        self.days.last().is_none_or(|(day, _)| day + DAYS <= now.0 / DAY)
    }

    /// The thirty days up to a time.
    #[must_use]
    pub fn up_to(&self, now: Time) -> Lent {
        let mut sum = Lent::default();
        for (day, lent) in &self.days {
            if day + DAYS > now.0 / DAY {
                sum += *lent;
            }
        }
        sum
    }
}

impl AddAssign for Lent {
    fn add_assign(&mut self, other: Self) {
        self.samples = self.samples.saturating_add(other.samples);
        self.exceeded = self.exceeded.saturating_add(other.exceeded);
        self.short = self.short.saturating_add(other.short);
        self.short_for = Millis(self.short_for.0.saturating_add(other.short_for.0));
        self.missing_ppm = self.missing_ppm.saturating_add(other.missing_ppm);
        self.idle = self.idle.saturating_add(other.idle);
        self.harvested = self.harvested.saturating_add(other.harvested);
    }
}

/// How an owner has fared with what it lends.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LendingRecord {
    /// By region.
    pub scorecards: OrdMap<Name, Scorecard>,
    /// How much less than it accepts is risked.
    pub curb: Curb,
}

impl LendingRecord {
    /// The thirty days up to a time, all regions together.
    #[must_use]
    pub fn up_to(&self, now: Time) -> Lent {
        let mut sum = Lent::default();
        self.scorecards.values().for_each(|card| sum += card.up_to(now));
        sum
    }
}

#[cfg(test)]
mod tests {
    use super::{DAY, Lent, Scorecard};
    use crate::model::Time;

    #[test]
    fn what_is_older_than_thirty_days_is_forgotten() {
        let mut card = Scorecard::default();
        let one = Lent { samples: 1, ..Lent::default() };
        for day in 0..40 {
            card.add(Time(day * DAY + 5), &one);
            card.add(Time(day * DAY + 7), &one);
        }
        card.add(Time(3 * DAY), &one);
        assert_eq!(card.days().len(), 30);
        assert_eq!(card.up_to(Time(39 * DAY)).samples, 60);
        assert_eq!(card.up_to(Time(44 * DAY)).samples, 50);
        assert_eq!(card.up_to(Time(200 * DAY)), Lent::default());
    }
}
