use std::fmt;

use super::{Millis, Time};

/// A day of UTC in milliseconds: since 1970 all are equally long.
const DAY: u64 = Millis::DAY.0;

/// What a tenant may spend in a period, in millionths of the currency's unit. `None` is no limit; those that are given
/// ascend.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Budget {
    /// After which it begins anew.
    pub period: Period,
    /// From here on the tenant is warned.
    pub warn: Option<u64>,
    /// From here on no new work is taken, and what waits stays waiting.
    pub stop_new: Option<u64>,
    /// From here on what runs gets notice.
    pub stop_all: Option<u64>,
}

/// How long a budget lasts. Both begin at midnight UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Period {
    /// A day.
    Day,
    /// A month of the calendar.
    #[default]
    Month,
}

/// How far a tenant has come in its budget.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum BudgetLevel {
    /// Below all limits.
    #[default]
    Within,
    /// Warned.
    Warned,
    /// New work is stopped.
    NewStopped,
    /// All work is stopped.
    AllStopped,
}

impl Budget {
    /// Whether it limits anything.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.limits().next().is_none()
    }

    /// The limits that are given and what they lead to, the lowest first.
    pub fn limits(&self) -> impl Iterator<Item = (u64, BudgetLevel)> {
        let limits = [
            (self.warn, BudgetLevel::Warned),
            (self.stop_new, BudgetLevel::NewStopped),
            (self.stop_all, BudgetLevel::AllStopped),
        ];
        limits.into_iter().filter_map(|(limit, level)| Some((limit?, level)))
    }

    /// The limit that leads to a level.
    #[must_use]
    pub fn limit_of(&self, level: BudgetLevel) -> Option<u64> {
        self.limits().find(|(_, leads_to)| *leads_to == level).map(|(limit, _)| limit)
    }
}

impl BudgetLevel {
    /// Whether new work is stopped.
    #[must_use]
    pub fn stops_new(self) -> bool {
        self >= Self::NewStopped
    }

    /// Whether all work is stopped.
    #[must_use]
    pub fn stops_all(self) -> bool {
        self == Self::AllStopped
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Day => "day",
            Self::Month => "month",
        })
    }
}

impl Period {
    /// When the period that holds `time` began, and when the next one does.
    #[must_use]
    pub fn around(self, time: Time) -> (Time, Time) {
        let day = time.0 / DAY;
        let (first, next) = match self {
            Self::Day => (day, day + 1),
            Self::Month => {
                let (months, day_of_month) = month_of(day);
                let first = day - day_of_month;
                (first, first + length_of_month(months))
            }
        };
        (Time(first.saturating_mul(DAY)), Time(next.saturating_mul(DAY)))
    }
}

/// The month that holds a day, in months since the year 0, and the day's place in it from 0. Days are those since 1970.
///
/// Counted from a first of March on, leap days come last: 400 years have 146,097 days, and the months from March to
/// January repeat with 153 days in five.
fn month_of(day: u64) -> (u64, u64) {
    /// Days from 1 March of the year 0 to 1 January 1970.
    const EPOCH: u64 = 719_468;
    let day = day.saturating_add(EPOCH);
    let (era, of_era) = (day / 146_097, day % 146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    (12 * (400 * era + year) + month + 2, of_year - (153 * month + 2) / 5)
}

/// Days of a month, which is counted from January of the year 0.
fn length_of_month(months: u64) -> u64 {
    let (year, month) = (months / 12, months % 12);
    let is_leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    match month {
        1 if is_leap => 29,
        1 => 28,
        3 | 5 | 8 | 10 => 30,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use super::{DAY, Period, length_of_month, month_of};
    use crate::model::Time;

    #[test]
    fn months_are_those_of_the_calendar() {
        // 2024-02-29, 2025-03-01, 2000-12-31, 2100-02-28
        for (day, month, of_month) in [
            (0, 1970 * 12, 0),
            (19_782, 2024 * 12 + 1, 28),
            (20_148, 2025 * 12 + 2, 0),
            (11_322, 2000 * 12 + 11, 30),
            (47_540, 2100 * 12 + 1, 27),
        ] {
            assert_eq!(month_of(day), (month, of_month), "day {day}");
        }
    }

    #[test]
    fn every_month_ends_where_the_next_begins() {
        let (mut day, mut months) = (0, 1970 * 12);
        while months < 2500 * 12 {
            let length = length_of_month(months);
            assert_eq!(month_of(day), (months, 0));
            assert_eq!(month_of(day + length - 1), (months, length - 1));
            let around = (Time(day * DAY), Time((day + length) * DAY));
            assert_eq!(Period::Month.around(Time((day + length) * DAY - 1)), around);
            day += length;
            months += 1;
        }
    }

    #[test]
    fn the_end_of_time_has_a_period() {
        let (start, end) = Period::Month.around(Time(u64::MAX));
        assert!(start <= end && Period::Day.around(Time(DAY)) == (Time(DAY), Time(2 * DAY)));
    }
}
