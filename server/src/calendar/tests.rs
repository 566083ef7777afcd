//! When windows are, told by the clocks of their zones.

use offpeak_core::model::{CalendarEntry, Days, HeldShare, Labels, Name, Time, When, Windows};

use super::{
    STRETCH, local, parse_minute, parse_wall_time, preview, show_minute, show_wall_time, windows,
    zone,
};

const MONDAY: u8 = 1;
const SUNDAY: u8 = 1 << 6;

fn entry(time_zone: &str, when: When) -> CalendarEntry {
    CalendarEntry {
        name: Name::parse("entry").expect("a name"),
        when,
        time_zone: time_zone.into(),
        share: HeldShare::of_all(1000),
        regions: Vec::new(),
        labels: Labels::new(),
    }
}

fn recurring(days: Days, start: &str, hours: u32) -> When {
    let start_minute = parse_minute(start).expect("a time of day");
    When::Recurring { days, start_minute, length_minutes: hours * 60 }
}

/// A moment, as UTC clocks show it.
fn utc(shown: &str) -> Time {
    let minutes = parse_wall_time(shown).expect("a wall time").0;
    Time(u64::from(minutes) * 60_000)
}

/// The first windows after a moment, on the clocks of their zone.
fn next(time_zone: &str, when: When, after: &str, limit: usize) -> Vec<String> {
    let found = preview(&[entry(time_zone, when)], utc(after), limit).expect("a zone");
    let zone = zone(time_zone).expect("a zone");
    let shown = found.iter().map(|w| format!("{} {}", local(w.start, &zone), local(w.end, &zone)));
    shown.collect()
}

#[test]
fn weeks_months_and_years_come_again() {
    let weekly = recurring(Days::Weekly(MONDAY | SUNDAY), "22:00", 8);
    assert_eq!(
        next("Asia/Tokyo", weekly, "2026-11-26T00:00", 2),
        [
            "2026-11-29T22:00+09:00 2026-11-30T06:00+09:00",
            "2026-11-30T22:00+09:00 2026-12-01T06:00+09:00"
        ]
    );
    let monthly = recurring(Days::Monthly(1 << 25 | 1), "00:00", 24);
    assert_eq!(
        next("UTC", monthly, "2028-02-01T00:00", 3),
        [
            "2028-02-25T00:00+00:00 2028-02-26T00:00+00:00",
            "2028-02-29T00:00+00:00 2028-03-01T00:00+00:00",
            "2028-03-25T00:00+00:00 2028-03-26T00:00+00:00",
        ]
    );
    let yearly = recurring(Days::Yearly { month: 11, day: 20 }, "00:00", 24 * 11);
    assert_eq!(
        next("Europe/Berlin", yearly, "2026-12-01T00:00", 1),
        ["2027-11-20T00:00+01:00 2027-12-01T00:00+01:00"]
    );
}

#[test]
fn what_has_begun_and_not_ended_is_among_them() {
    let weekly = recurring(Days::Weekly(MONDAY), "00:00", 7 * 24);
    assert_eq!(
        next("UTC", weekly, "2026-11-26T00:00", 1),
        ["2026-11-23T00:00+00:00 2026-11-30T00:00+00:00"]
    );
}

/// In Berlin the clocks of 2027 skip 02:00 to 03:00 on 28 March and show it twice on 31 October.
#[test]
fn ends_are_told_by_the_clock_also_when_clocks_change() {
    let sundays = recurring(Days::Weekly(SUNDAY), "01:00", 8);
    assert_eq!(
        next("Europe/Berlin", sundays, "2027-03-27T00:00", 1),
        ["2027-03-28T01:00+01:00 2027-03-28T09:00+02:00"]
    );
    assert_eq!(
        next("Europe/Berlin", sundays, "2027-10-30T00:00", 1),
        ["2027-10-31T01:00+02:00 2027-10-31T09:00+01:00"]
    );
}

#[test]
fn a_time_that_is_skipped_or_shown_twice_gives_the_owner_the_longer_window() {
    let starts = recurring(Days::Weekly(SUNDAY), "02:30", 1);
    let ends = recurring(Days::Weekly(SUNDAY), "01:30", 1);
    let day = |when, after| next("Europe/Berlin", when, after, 1);
    assert_eq!(day(starts, "2027-03-27T00:00"), ["2027-03-28T01:30+01:00 2027-03-28T03:30+02:00"]);
    assert_eq!(day(ends, "2027-03-27T00:00"), ["2027-03-28T01:30+01:00 2027-03-28T03:30+02:00"]);
    assert_eq!(day(starts, "2027-10-30T00:00"), ["2027-10-31T02:30+02:00 2027-10-31T03:30+01:00"]);
    assert_eq!(day(ends, "2027-10-30T00:00"), ["2027-10-31T01:30+02:00 2027-10-31T02:30+01:00"]);
}

#[test]
fn a_single_window_is_there_once() {
    let shown = |text| parse_wall_time(text).expect("a wall time");
    let when = When::Once { start: shown("2026-11-27T06:00"), end: shown("2026-11-30T23:59") };
    assert_eq!(
        next("America/New_York", when, "2026-11-26T00:00", 5),
        ["2026-11-27T06:00-05:00 2026-11-30T23:59-05:00"]
    );
    assert!(next("America/New_York", when, "2026-12-01T04:59", 5).is_empty());
}

#[test]
fn windows_reach_as_far_as_the_stretch_and_are_in_order() {
    let daily = entry("UTC", recurring(Days::Weekly(127), "08:00", 1));
    let nightly = entry("America/Los_Angeles", recurring(Days::Weekly(127), "23:00", 1));
    let now = utc("2026-11-26T12:00");
    let Windows { through, list } = windows(&[daily, nightly], now).expect("zones");
    assert_eq!(through, now.after(STRETCH));
    assert!(list.is_sorted() && list.iter().all(|window| window.start < through));
    assert_eq!(list.len(), 120);
}

#[test]
fn an_unknown_zone_is_told_and_a_known_one_is_found_in_any_case() {
    assert_eq!(zone("Europe/Atlantis").map_err(|e| e.0), Err("Europe/Atlantis".to_owned()));
    let found = zone("europe/berlin").expect("a zone");
    assert_eq!(found.iana_name(), Some("Europe/Berlin"));
}

#[test]
fn times_are_read_as_they_are_written_and_nothing_else_is() {
    for text in ["00:00", "08:30", "23:59"] {
        assert_eq!(parse_minute(text).map(show_minute).as_deref(), Some(text));
    }
    for text in ["", "8:30", "24:00", "08:60", "08:30:00", "+8:30", "08-30"] {
        assert_eq!(parse_minute(text), None, "{text}");
    }
    for text in ["1970-01-01T00:00", "2026-11-20T08:00", "9999-12-31T23:59"] {
        assert_eq!(parse_wall_time(text).map(show_wall_time).as_deref(), Some(text));
    }
    for text in ["", "2026-11-20", "2026-02-30T00:00", "2026-11-20 08:00", "1969-12-31T00:00"] {
        assert_eq!(parse_wall_time(text), None, "{text}");
    }
}
