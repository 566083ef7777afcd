//! The entries of a calendar.

use offpeak::v1::{self, Weekday, calendar_entry};
use offpeak_core::model::{CalendarEntry, Days, HeldShare, Millis, WallTime, When};
use prost_types::Duration;

use super::{
    scalars::{at_most, duration, enumeration, label_map, name, names, require, within},
    violations::{At, Violations, shortened},
};
use crate::calendar::{days_of_month, parse_minute, parse_wall_time, zone};

/// The most entries of one calendar. A daily one has some sixty windows in the stretch that is worked out ahead.
const MAX_ENTRIES: usize = 32;
/// The last day that every month has.
const LAST_SAFE_DAY: i32 = 28;
/// The longest single window.
const MAX_ONCE_MINUTES: u32 = 366 * DAY_MINUTES;
const DAY_MINUTES: u32 = 24 * 60;

/// In the order of their bits.
pub(super) const WEEKDAYS: [Weekday; 7] = [
    Weekday::Monday,
    Weekday::Tuesday,
    Weekday::Wednesday,
    Weekday::Thursday,
    Weekday::Friday,
    Weekday::Saturday,
    Weekday::Sunday,
];

/// The entries of a calendar, in the order of their names.
pub(crate) fn calendar(
    violations: &mut Violations,
    at: &At<'_>,
    messages: &[v1::CalendarEntry],
) -> Vec<CalendarEntry> {
    if !at_most(violations, at, messages.len(), MAX_ENTRIES) {
        return Vec::new();
    }
    let mut entries: Vec<CalendarEntry> = Vec::with_capacity(messages.len());
    for (index, message) in messages.iter().enumerate() {
        let at = at.index(index);
        let entry = entry(violations, &at, message);
        let is_known = |known: &CalendarEntry| known.name == entry.name;
        if !entry.name.is_empty() && entries.iter().any(is_known) {
            let description =
                format_args!("is {:?}, as another entry is called", entry.name.as_str());
            violations.refuse(&at.field("name"), description);
        }
        entries.push(entry);
    }
    entries.sort_by(|a, b| a.name.cmp(&b.name));
    entries
}

fn entry(violations: &mut Violations, at: &At<'_>, message: &v1::CalendarEntry) -> CalendarEntry {
    CalendarEntry {
        name: name(violations, &at.field("name"), &message.name),
        when: when(violations, at, message),
        time_zone: time_zone(violations, &at.field("time_zone"), &message.time_zone),
        share: share(violations, &at.field("share"), message.share.as_ref()),
        regions: names(violations, &at.field("regions"), &message.regions),
        labels: label_map(violations, &at.field("labels"), &message.labels),
    }
}

fn when(violations: &mut Violations, at: &At<'_>, message: &v1::CalendarEntry) -> When {
    let nothing = When::Once { start: WallTime(0), end: WallTime(0) };
    let (days, max_days) = match &message.days {
        None => {
            violations.refuse(at, "must have one of weekly, monthly, yearly, once");
            return nothing;
        }
        Some(calendar_entry::Days::Once(once)) => return single(violations, at, message, once),
        Some(calendar_entry::Days::Weekly(weekly)) => {
            (weekdays(violations, &at.field("weekly").field("weekdays"), &weekly.weekdays), 7)
        }
        Some(calendar_entry::Days::Monthly(monthly)) => {
            (month_days(violations, &at.field("monthly").field("days"), &monthly.days), 28)
        }
        Some(calendar_entry::Days::Yearly(yearly)) => {
            (year_day(violations, &at.field("yearly"), yearly), 365)
        }
    };
    When::Recurring {
        days,
        start_minute: start(violations, &at.field("start"), &message.start),
        length_minutes: length(violations, &at.field("length"), message.length, max_days),
    }
}

fn single(
    violations: &mut Violations,
    at: &At<'_>,
    message: &v1::CalendarEntry,
    once: &v1::Once,
) -> When {
    if !message.start.is_empty() {
        violations.refuse(&at.field("start"), "is not for once, which has a start of its own");
    }
    if message.length.is_some() {
        violations.refuse(&at.field("length"), "is not for once, which has an end");
    }
    let at = at.field("once");
    let start = wall_time(violations, &at.field("start"), &once.start);
    let end = wall_time(violations, &at.field("end"), &once.end);
    if let (Some(start), Some(end)) = (start, end) {
        let (first, last) = (&once.start, &once.end);
        if end <= start {
            let description = format_args!("is {last}; it must be later than the start, {first}");
            violations.refuse(&at.field("end"), description);
        } else if end.0 - start.0 > MAX_ONCE_MINUTES {
            violations.refuse(&at.field("end"), "must be at most 366 days later than the start");
        }
    }
    When::Once { start: start.unwrap_or_default(), end: end.unwrap_or_default() }
}

fn wall_time(violations: &mut Violations, at: &At<'_>, text: &str) -> Option<WallTime> {
    let shown = parse_wall_time(text);
    if shown.is_none() {
        let text = shortened(text);
        let description =
            format_args!("is {text:?}; it must be a date and a time such as \"2026-11-20T08:00\"");
        violations.refuse(at, description);
    }
    shown
}

fn weekdays(violations: &mut Violations, at: &At<'_>, numbers: &[i32]) -> Days {
    let mut set = 0;
    if at_most(violations, at, numbers.len(), 7) {
        for (index, number) in numbers.iter().enumerate() {
            let weekday = enumeration::<Weekday>(violations, &at.index(index), *number);
            let bit = WEEKDAYS.iter().position(|known| Some(*known) == weekday);
            set |= bit.map_or(0, |bit| 1 << bit);
        }
    }
    if numbers.is_empty() {
        violations.refuse(at, "must name at least one day of the week");
    }
    Days::Weekly(set)
}

fn month_days(violations: &mut Violations, at: &At<'_>, days: &[i32]) -> Days {
    let mut set = 0_u32;
    if at_most(violations, at, days.len(), 29) {
        for (index, day) in days.iter().enumerate() {
            match day {
                -1 => set |= 1,
                1..=LAST_SAFE_DAY => set |= 1 << day,
                _ => violations.refuse(
                    &at.index(index),
                    format_args!(
                        "is {day}, which not every month has; it must be from 1 to {LAST_SAFE_DAY}, or -1 for the last day"
                    ),
                ),
            }
        }
    }
    if days.is_empty() {
        violations.refuse(at, "must name at least one day of the month");
    }
    Days::Monthly(set)
}

fn year_day(violations: &mut Violations, at: &At<'_>, yearly: &v1::Yearly) -> Days {
    within(violations, &at.field("month"), yearly.month, (1, 12));
    let month = u8::try_from(yearly.month).unwrap_or(1).clamp(1, 12);
    within(violations, &at.field("day"), yearly.day, (1, i32::from(days_of_month(month))));
    Days::Yearly { month, day: u8::try_from(yearly.day).unwrap_or(1) }
}

fn start(violations: &mut Violations, at: &At<'_>, text: &str) -> u16 {
    if text.is_empty() {
        return 0;
    }
    parse_minute(text).unwrap_or_else(|| {
        let text = shortened(text);
        let description = format_args!("is {text:?}; it must be a time of day such as \"08:30\"");
        violations.refuse(at, description);
        0
    })
}

fn length(violations: &mut Violations, at: &At<'_>, span: Option<Duration>, max_days: u32) -> u32 {
    let Some(span) = require(violations, at, span.as_ref()) else { return 1 };
    let span = duration(violations, at, *span);
    let minutes = span.0 / Millis::MINUTE.0;
    let most = max_days * DAY_MINUTES;
    match u32::try_from(minutes).ok().filter(|minutes| (1..=most).contains(minutes)) {
        Some(minutes) if span.0.is_multiple_of(Millis::MINUTE.0) => minutes,
        _ => {
            let description =
                format_args!("must be whole minutes, from one minute to {max_days} days");
            violations.refuse(at, description);
            1
        }
    }
}

fn time_zone(violations: &mut Violations, at: &At<'_>, text: &str) -> std::sync::Arc<str> {
    if text.is_empty() {
        return "UTC".into();
    }
    match zone(text) {
        Ok(zone) => zone.iana_name().unwrap_or(text).into(),
        Err(_) => {
            let text = shortened(text);
            let description = format_args!(
                "is {text:?}, which the time zone database lacks; names are such as \"Europe/Berlin\" or \"UTC\""
            );
            violations.refuse(at, description);
            "UTC".into()
        }
    }
}

fn share(violations: &mut Violations, at: &At<'_>, message: Option<&v1::HeldShare>) -> HeldShare {
    let Some(message) = require(violations, at, message) else { return HeldShare::of_all(0) };
    let mut permille = |field, found: u32| {
        let share = u16::try_from(found).ok().filter(|share| *share <= 1000);
        share.unwrap_or_else(|| {
            let description =
                format_args!("is {found}; it must be from 0 to 1000 thousandths of the capacity");
            violations.refuse(&at.field(field), description);
            1
        })
    };
    let all = permille("permille", message.permille);
    let mut own = |field, share: Option<u32>| share.map_or(all, |share| permille(field, share));
    let share = HeldShare {
        cpu: own("cpu_permille", message.cpu_permille),
        memory: own("memory_permille", message.memory_permille),
        disk: own("disk_permille", message.disk_permille),
        network: own("network_permille", message.network_permille),
        gpu: own("gpu_permille", message.gpu_permille),
        counts: all,
    };
    if share == HeldShare::of_all(0) {
        violations.refuse(at, "must hold something back");
    }
    share
}
