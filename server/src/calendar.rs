//! Calendars as stretches of time: the only code that knows how clocks run in time zones.
//!
//! The core keeps an owner's calendar and never reckons with it, because the time zone database changes from release to
//! release. What it reckons with are the windows made here, for a stretch ahead, when a calendar is set and again
//! whenever the stretch has become shorter (`renewal.rs`).

use jiff::{
    SignedDuration, Timestamp, ToSpan as _,
    civil::{Date, DateTime, Weekday, date},
    tz::TimeZone,
};
use offpeak_core::model::{CalendarEntry, Days, Millis, Time, WallTime, When, Window, Windows};

/// How far ahead windows are worked out.
pub(crate) const STRETCH: Millis = Millis(60 * Millis::DAY.0);

/// How far ahead they must at least be known.
pub(crate) const LEAST_STRETCH: Millis = Millis(45 * Millis::DAY.0);

/// How long after its end a window is still worked out, as clocks of machines differ.
const CLOCK_SKEW: Millis = Millis::HOUR;

/// What the clocks of every wall time count from.
const EPOCH: DateTime = date(1970, 1, 1).at(0, 0, 0, 0);

/// A time zone that the database of this release lacks.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the time zone database has no {0:?}")]
pub(crate) struct UnknownZone(pub(crate) String);

/// The zone of a name in any case.
pub(crate) fn zone(name: &str) -> Result<TimeZone, UnknownZone> {
    TimeZone::get(name).map_err(|_| UnknownZone(name.to_owned()))
}

/// The windows of a calendar that have not ended `now`, as far as [`STRETCH`] reaches.
pub(crate) fn windows(calendar: &[CalendarEntry], now: Time) -> Result<Windows, UnknownZone> {
    let from = Time(now.0.saturating_sub(CLOCK_SKEW.0));
    let through = now.after(STRETCH);
    let mut list = Vec::new();
    for (index, entry) in (0..).zip(calendar) {
        let zone = zone(&entry.time_zone)?;
        let stretches = occurrences(&entry.when, &zone, from);
        let within = stretches.take_while(|(start, _)| *start < through);
        list.extend(within.map(|(start, end)| Window { start, end, entry: index }));
    }
    list.sort_unstable();
    Ok(Windows { through, list })
}

/// The first `limit` windows of a calendar that end after `after`.
pub(crate) fn preview(
    calendar: &[CalendarEntry],
    after: Time,
    limit: usize,
) -> Result<Vec<Window>, UnknownZone> {
    let mut list = Vec::new();
    for (index, entry) in (0..).zip(calendar) {
        let zone = zone(&entry.time_zone)?;
        let stretches = occurrences(&entry.when, &zone, after).take(limit);
        list.extend(stretches.map(|(start, end)| Window { start, end, entry: index }));
    }
    list.sort_unstable();
    list.truncate(limit);
    Ok(list)
}

/// What the clocks of a zone show, with their distance from UTC.
pub(crate) fn local(time: Time, zone: &TimeZone) -> String {
    let at = Timestamp::from_millisecond(i64::try_from(time.0).unwrap_or(i64::MAX));
    let at = at.unwrap_or(Timestamp::MAX).to_zoned_datetime(zone.clone());
    at.strftime("%Y-%m-%dT%H:%M%:z").to_string()
}

/// Stretches of time that end after `after`, in order.
fn occurrences<'a>(
    when: &When,
    zone: &'a TimeZone,
    after: Time,
) -> Box<dyn Iterator<Item = (Time, Time)> + 'a> {
    let stretch = |start: DateTime, end: DateTime| Some((first(start, zone)?, last(end, zone)?));
    match *when {
        When::Once { start, end } => {
            let once = civil(start).zip(civil(end)).and_then(|(start, end)| stretch(start, end));
            Box::new(once.into_iter().filter(move |(_, end)| *end > after))
        }
        When::Recurring { days, start_minute, length_minutes } => {
            let (start, length) = (minutes(start_minute), minutes(length_minutes));
            let stretches = dates(days, first_day(after, zone, length)).filter_map(move |day| {
                let start = day.at(0, 0, 0, 0).checked_add(start).ok()?;
                stretch(start, start.checked_add(length).ok()?)
            });
            Box::new(stretches.filter(move |(start, end)| *end > after && start < end))
        }
    }
}

fn minutes(count: impl Into<i64>) -> SignedDuration {
    SignedDuration::from_mins(count.into())
}

/// A day that is early enough for all that ends after `after`.
fn first_day(after: Time, zone: &TimeZone, length: SignedDuration) -> Date {
    let after = Timestamp::from_millisecond(i64::try_from(after.0).unwrap_or(i64::MAX));
    let local = after.unwrap_or(Timestamp::MAX).to_zoned_datetime(zone.clone()).datetime();
    let early = local.checked_sub(length).and_then(|early| early.checked_sub(2.days()));
    early.map_or(Date::MIN, DateTime::date)
}

/// The days from `first` on, in order.
fn dates(days: Days, first: Date) -> Box<dyn Iterator<Item = Date>> {
    let daily = std::iter::successors(Some(first), |day| day.tomorrow().ok());
    match days {
        Days::Weekly(set) => Box::new(daily.filter(move |day| set >> bit(day.weekday()) & 1 == 1)),
        Days::Monthly(set) => Box::new(daily.filter(move |day| {
            let is_last = day.day() == day.days_in_month();
            set >> day.day() & 1 == 1 || is_last && set & 1 == 1
        })),
        Days::Yearly { month, day } => {
            let (month, day) = (month.cast_signed(), day.cast_signed());
            let years = first.year()..=Date::MAX.year();
            let dates = years.filter_map(move |year| Date::new(year, month, day).ok());
            Box::new(dates.filter(move |date| *date >= first))
        }
    }
}

fn bit(weekday: Weekday) -> u8 {
    weekday.to_monday_zero_offset().cast_unsigned()
}

/// The earliest moment that clocks showing this can mean.
fn first(shown: DateTime, zone: &TimeZone) -> Option<Time> {
    time(zone.to_ambiguous_timestamp(shown).earlier().ok()?)
}

/// The latest moment that clocks showing this can mean.
fn last(shown: DateTime, zone: &TimeZone) -> Option<Time> {
    time(zone.to_ambiguous_timestamp(shown).later().ok()?)
}

fn time(at: Timestamp) -> Option<Time> {
    u64::try_from(at.as_millisecond()).ok().map(Time)
}

fn civil(shown: WallTime) -> Option<DateTime> {
    EPOCH.checked_add(minutes(shown.0)).ok()
}

/// The wall time written as `2026-11-20T08:00`.
pub(crate) fn parse_wall_time(text: &str) -> Option<WallTime> {
    if text.len() != "2026-11-20T08:00".len() {
        return None;
    }
    let shown = DateTime::strptime("%Y-%m-%dT%H:%M", text).ok()?;
    let since = shown.duration_since(EPOCH).as_mins();
    u32::try_from(since).ok().map(WallTime)
}

/// As `parse_wall_time` takes it.
pub(crate) fn show_wall_time(shown: WallTime) -> String {
    let shown = civil(shown).unwrap_or(DateTime::MAX);
    shown.strftime("%Y-%m-%dT%H:%M").to_string()
}

/// The minute of the day written as `08:30`.
pub(crate) fn parse_minute(text: &str) -> Option<u16> {
    let (hour, minute) = text.split_once(':')?;
    let two = |digits: &str, limit: u16| -> Option<u16> {
        let is_number = digits.len() == 2 && digits.bytes().all(|byte| byte.is_ascii_digit());
        digits.parse().ok().filter(|number| is_number && *number < limit)
    };
    Some(two(hour, 24)? * 60 + two(minute, 60)?)
}

/// As `parse_minute` takes it.
pub(crate) fn show_minute(minute: u16) -> String {
    format!("{:02}:{:02}", minute / 60, minute % 60)
}

/// How many days a month has in every year.
pub(crate) fn days_of_month(month: u8) -> u8 {
    match month {
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

#[cfg(test)]
mod tests;
