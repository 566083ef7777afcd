//! The coming hours of a forecast: as a table with a band for people, and as CSV.

use std::{fmt, fmt::Write as _, str::FromStr};

use jiff::{
    Timestamp,
    tz::{self, TimeZone},
};
use offpeak::v1::{GetIdleProfileResponse, IdleHour, IdleProfile, Resources};

use super::{
    cell::{DIMENSIONS, Dimension},
    output::Out,
    table::{self, Cell, Column, Tone, left, right},
};

/// The clocks by which hours are shown.
#[derive(Clone, Debug)]
pub(super) struct Clock(TimeZone);

impl Default for Clock {
    /// That of this machine, or universal time if it has none.
    fn default() -> Self {
        Self(TimeZone::try_system().unwrap_or(TimeZone::UTC))
    }
}

impl FromStr for Clock {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let found = tz::db().get(name).map(Self);
        found.map_err(|_| "is no time zone such as Europe/Berlin or UTC".to_owned())
    }
}

impl fmt::Display for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.iana_name().unwrap_or("that of this machine"))
    }
}

impl Clock {
    /// `14:00`; with the day of the week if it is the first or begins the day.
    fn label(&self, hour: &IdleHour, is_first: bool) -> String {
        let second = hour.start.as_ref().map_or(0, |start| start.seconds);
        let Ok(start) = Timestamp::from_second(second) else { return "-".to_owned() };
        let start = self.0.to_datetime(start);
        let form = if is_first || start.hour() == 0 { "%a %H:%M" } else { "%H:%M" };
        start.strftime(form).to_string()
    }
}

/// How wide a band is: with the numbers beside it a row fits a terminal of 80 columns.
const BAND_CELLS: u64 = 30;

/// What is idle in an hour, the surest first.
fn amounts(hour: &IdleHour) -> [Option<&Resources>; 3] {
    [hour.idle_p99.as_ref(), hour.idle_p95.as_ref(), hour.idle_p50.as_ref()]
}

/// Whether one hour is not as any other: before anything is learned, and without calendars, they all are.
pub(super) fn tell_something(profile: &IdleProfile) -> bool {
    let learned = profile.hours.iter().any(|hour| hour.forecast_nodes > 0);
    learned || profile.hours.windows(2).any(|pair| amounts(&pair[0]) != amounts(&pair[1]))
}

/// A row an hour: what is idle of the CPU and, on a wide page, of the memory.
pub(super) fn table(profile: &IdleProfile, out: Out, clock: &Clock) -> String {
    let zero = Resources::default();
    let has = profile.capacity.as_ref().unwrap_or(&zero);
    let shown = &DIMENSIONS[..if out.is_wide() { 2 } else { 1 }];
    let mut columns: Vec<Column> = vec![right("HOUR")];
    for (name, ..) in shown {
        columns.extend(heads(name));
        columns.extend(out.terminal.then_some(left("")));
    }
    let mut rows = Vec::new();
    for (index, hour) in profile.hours.iter().enumerate() {
        let mut row: Vec<Cell> = vec![clock.label(hour, index == 0).into()];
        for dimension in shown {
            row.extend(numbers(hour, dimension, has, out.terminal));
        }
        rows.push(row);
    }
    table::render(&columns, &rows, out.color)
}

fn heads(dimension: &str) -> [Column; 3] {
    match dimension {
        "cpu" => ["CPU P99", "P95", "P50"].map(right),
        _ => ["MEMORY P99", "P95", "P50"].map(right),
    }
}

fn numbers(hour: &IdleHour, dimension: &Dimension, has: &Resources, band: bool) -> Vec<Cell> {
    let (name, amount, text) = dimension;
    let parts = amounts(hour).map(|idle| idle.map_or(0, amount));
    let mut cells: Vec<Cell> = parts
        .iter()
        .map(|part| if *name == "cpu" { text(rounded(*part)) } else { text(*part) }.into())
        .collect();
    if band {
        cells.push(Cell::toned(self::band(parts, amount(has)), Tone::Good));
    }
    cells
}

/// Of many cores three or four digits, down: more would feign a certainty that there is not.
fn rounded(part: u64) -> u64 {
    let unit = 10_u64.pow(part.checked_ilog10().unwrap_or(0).saturating_sub(3));
    part - part % unit
}

/// Parts of a whole, ascending: full where it is sure, then shaded lighter and lighter.
fn band(parts: [u64; 3], whole: u64) -> String {
    let mut text = String::new();
    let mut drawn = 0_u64;
    for (part, shade) in parts.into_iter().zip(['█', '▓', '░']) {
        let cells = u128::from(part.min(whole)) * u128::from(BAND_CELLS) / u128::from(whole.max(1));
        while u128::from(drawn) < cells {
            text.push(shade);
            drawn += 1;
        }
    }
    text
}

/// A line for every region, hour and kind of resource.
pub(super) fn csv(answer: &GetIdleProfileResponse) -> String {
    let mut text = "region,node,start,resource,capacity,idle_p50,idle_p95,idle_p99\n".to_owned();
    for profile in &answer.profiles {
        let zero = Resources::default();
        let has = profile.capacity.as_ref().unwrap_or(&zero);
        for hour in &profile.hours {
            let start = hour.start.as_ref().map(ToString::to_string).unwrap_or_default();
            for (name, amount) in kinds(has) {
                let [p99, p95, p50] = amounts(hour).map(|idle| idle.map_or(0, &amount));
                let (region, node, all) = (&profile.region, &profile.node, amount(has));
                // Names have no commas, quotes or ends of lines.
                let _ = writeln!(text, "{region},{node},{start},{name},{all},{p50},{p95},{p99}");
            }
        }
    }
    text
}

type Amount<'a> = Box<dyn Fn(&Resources) -> u64 + 'a>;

/// Every kind of resource of which there is some.
fn kinds(has: &Resources) -> Vec<(&str, Amount<'_>)> {
    let mut kinds: Vec<(&str, Amount<'_>)> = vec![
        ("cpu_millis", Box::new(|amount| amount.cpu_millis)),
        ("memory_bytes", Box::new(|amount| amount.memory_bytes)),
        ("disk_bytes", Box::new(|amount| amount.disk_bytes)),
        ("network_bps", Box::new(|amount| amount.network_bps)),
        ("gpu_millis", Box::new(|amount| amount.gpu_millis)),
    ];
    for name in has.counts.keys() {
        let count = move |amount: &Resources| amount.counts.get(name).copied().unwrap_or(0);
        kinds.push((name, Box::new(count)));
    }
    kinds.retain(|(_, amount)| amount(has) > 0);
    kinds
}

#[cfg(test)]
mod tests {
    use std::str::FromStr as _;

    use expect_test::expect;
    use offpeak::v1::{GetIdleProfileResponse, IdleHour, IdleProfile, Resources};
    use prost_types::Timestamp;

    use super::{BAND_CELLS, Clock, Out, band, csv, table};
    use crate::cli::output::Format;

    /// Four hours from 23:00 of a Thursday in universal time.
    fn profile() -> IdleProfile {
        let amount = |percent: u64| {
            let (cpu_millis, memory_bytes) = (960 * percent, (400 << 30) / 100 * percent);
            Some(Resources { cpu_millis, memory_bytes, ..Resources::default() })
        };
        let hour = |(hour, [p50, p95, p99]): (i64, [u64; 3])| IdleHour {
            start: Some(Timestamp { seconds: 1_795_734_000 + hour * 3_600, nanos: 0 }),
            forecast_nodes: 3,
            idle_p50: amount(p50),
            idle_p95: amount(p95),
            idle_p99: amount(p99),
        };
        let hours = [(0, [60, 45, 30]), (1, [100, 100, 100]), (2, [100, 1, 0]), (3, [0, 0, 0])];
        IdleProfile {
            region: "eu".to_owned(),
            capacity: amount(100),
            hours: hours.map(hour).to_vec(),
            ..IdleProfile::default()
        }
    }

    fn shown(format: Format, terminal: bool, zone: &str) -> String {
        let out = Out { format, quiet: false, color: false, terminal };
        table(&profile(), out, &Clock::from_str(zone).expect("a zone"))
    }

    #[test]
    fn a_row_an_hour_has_a_band_where_somebody_looks() {
        let text = shown(Format::Table, true, "Europe/Berlin");
        expect![[r#"
                 HOUR   CPU P99    P95    P50
            Fri 00:00      28.8   43.2   57.6   █████████▓▓▓▓░░░░░
                01:00        96     96     96   ██████████████████████████████
                02:00         0   0.96     96   ░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░
                03:00         0      0      0
        "#]]
        .assert_eq(&text);
        assert!(text.lines().all(|line| line.chars().count() <= 80));
    }

    #[test]
    fn a_wide_table_has_memory_too_and_a_file_no_bands() {
        expect![[r#"
                 HOUR   CPU P99    P95    P50   MEMORY P99      P95      P50
            Thu 23:00      28.8   43.2   57.6       120GiB   180GiB   240GiB
            Fri 00:00        96     96     96       400GiB   400GiB   400GiB
                01:00         0   0.96     96           0B     4GiB   400GiB
                02:00         0      0      0           0B       0B       0B
        "#]]
        .assert_eq(&shown(Format::Wide, false, "UTC"));
    }

    #[test]
    fn csv_has_every_hour_and_resource_in_smallest_units() {
        let mut answer = GetIdleProfileResponse {
            profiles: vec![profile()],
            ..GetIdleProfileResponse::default()
        };
        answer.profiles[0].hours.truncate(1);
        expect![[r#"
            region,node,start,resource,capacity,idle_p50,idle_p95,idle_p99
            eu,,2026-11-26T23:00:00Z,cpu_millis,96000,57600,43200,28800
            eu,,2026-11-26T23:00:00Z,memory_bytes,429496729600,257698037760,193273528320,128849018880
        "#]].assert_eq(&csv(&answer));
    }

    #[test]
    fn a_band_ends_where_its_parts_do_and_nothing_overflows() {
        assert_eq!(band([0, 0, 0], 0), "");
        assert_eq!(band([1, 2, 4], 4), "███████▓▓▓▓▓▓▓▓░░░░░░░░░░░░░░░");
        let full = usize::try_from(BAND_CELLS).expect("small");
        assert_eq!(band([u64::MAX; 3], u64::MAX), "█".repeat(full));
    }

    #[test]
    fn what_is_no_time_zone_is_told() {
        let error = Clock::from_str("Mars/Olympus").expect_err("there is none");
        assert_eq!(error, "is no time zone such as Europe/Berlin or UTC");
        assert_eq!(Clock::from_str("Asia/Kolkata").expect("there is").to_string(), "Asia/Kolkata");
    }
}
