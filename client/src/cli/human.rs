//! Amounts and times as people write and read them. All arithmetic is exact: no floats.

use std::{
    fmt::Write as _,
    time::{Duration, SystemTime},
};

use offpeak::v1::Resources;
use prost_types::Timestamp;

const BINARY: [(&str, u64); 5] =
    [("PiB", 1 << 50), ("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];

/// Cores, devices: `2`, `0.5` or `500m`, in thousandths.
pub(crate) fn parse_millis(text: &str) -> Result<u64, String> {
    match text.strip_suffix('m') {
        Some(number) => scaled(number, 1),
        None => scaled(text, 1000),
    }
    .map_err(|why| format!("{why}; write it like 2, 0.5 or 500m"))
}

/// `4GiB`, `4Gi`, `512MB` or a plain number of bytes.
pub(crate) fn parse_bytes(text: &str) -> Result<u64, String> {
    let (number, unit) = split_unit(text);
    let multiplier = match unit {
        "" | "B" => 1,
        "K" | "KB" | "kB" => 1_000,
        "M" | "MB" => 1_000_000,
        "G" | "GB" => 1_000_000_000,
        "T" | "TB" => 1_000_000_000_000,
        "P" | "PB" => 1_000_000_000_000_000,
        _ => BINARY
            .iter()
            .find(|(name, _)| *name == unit || name.strip_suffix('B') == Some(unit))
            .map(|(_, bytes)| *bytes)
            .ok_or_else(|| format!("unknown unit {unit:?}; write it like 4GiB or 512MB"))?,
    };
    scaled(number, multiplier).map_err(|why| format!("{why}; write it like 4GiB or 512MB"))
}

/// `10Gbps`, `100M` or a plain number of bits per second.
pub(crate) fn parse_rate(text: &str) -> Result<u64, String> {
    let (number, unit) = split_unit(text);
    let multiplier = match unit.strip_suffix("bps").unwrap_or(unit) {
        "" => 1,
        "K" | "k" => 1_000,
        "M" => 1_000_000,
        "G" => 1_000_000_000,
        "T" => 1_000_000_000_000,
        _ => return Err(format!("unknown unit {unit:?}; write it like 10Gbps")),
    };
    scaled(number, multiplier).map_err(|why| format!("{why}; write it like 10Gbps"))
}

/// `90s`, `1h30m`, `500ms`, `2d` or `0`.
pub(crate) fn parse_duration(text: &str) -> Result<Duration, String> {
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    let wrong = || format!("{text:?} is not a duration; write it like 90s, 10m or 1h30m");
    let mut rest = text;
    let mut total_ms: u64 = 0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
        let (number, tail) = rest.split_at(digits);
        let end = tail.find(|c: char| c.is_ascii_digit()).unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(end);
        let unit_ms: u64 = match unit {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => return Err(wrong()),
        };
        let number: u64 = number.parse().map_err(|_| wrong())?;
        total_ms = number
            .checked_mul(unit_ms)
            .and_then(|part| total_ms.checked_add(part))
            .ok_or_else(wrong)?;
        rest = tail;
    }
    if text.is_empty() {
        return Err(wrong());
    }
    Ok(Duration::from_millis(total_ms))
}

/// `KEY=VALUE`.
pub(crate) fn parse_pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("expected KEY=VALUE".to_owned()),
    }
}

/// `NAME=AMOUNT` of a named countable.
pub(crate) fn parse_count(text: &str) -> Result<(String, u64), String> {
    let (name, amount) = parse_pair(text).map_err(|_| "expected NAME=AMOUNT".to_owned())?;
    let amount = amount.parse().map_err(|_| format!("{amount:?} is not a whole number"))?;
    Ok((name, amount))
}

fn split_unit(text: &str) -> (&str, &str) {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    text.split_at(end)
}

/// A decimal number times `multiplier`, refused when the product is not whole.
fn scaled(number: &str, multiplier: u64) -> Result<u64, String> {
    let wrong = || format!("{number:?} is not a number");
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    let empty = whole.is_empty() && fraction.is_empty();
    if empty || fraction.len() > 12 || !digits(whole) || !digits(fraction) {
        return Err(wrong());
    }
    let too_large = || format!("{number:?} is too large");
    let value: u128 = format!("0{whole}{fraction}").parse().map_err(|_| too_large())?;
    let divisor = 10_u128.pow(u32::try_from(fraction.len()).map_err(|_| wrong())?);
    let product = value.checked_mul(u128::from(multiplier)).ok_or_else(too_large)?;
    if product % divisor != 0 {
        return Err(format!("{number:?} is finer than can be counted"));
    }
    u64::try_from(product / divisor).map_err(|_| too_large())
}

/// Thousandths as a decimal number: `1500` is `1.5`.
pub(crate) fn millis(value: u64) -> String {
    let mut text = (value / 1000).to_string();
    if !value.is_multiple_of(1000) {
        let _ = write!(text, ".{:03}", value % 1000);
        text.truncate(text.trim_end_matches('0').len());
    }
    text
}

/// Bytes in the largest binary unit that leaves at least one, with at most one decimal.
pub(crate) fn bytes(value: u64) -> String {
    for (name, unit) in BINARY {
        if value >= unit {
            let tenths = u128::from(value) * 10 / u128::from(unit);
            return format!("{}{name}", tenths_text(tenths));
        }
    }
    format!("{value}B")
}

fn rate(value: u64) -> String {
    for (name, unit) in
        [("Tbps", 1_000_000_000_000), ("Gbps", 1_000_000_000), ("Mbps", 1_000_000), ("kbps", 1_000)]
    {
        if value >= unit {
            let tenths = u128::from(value) * 10 / u128::from(unit);
            return format!("{}{name}", tenths_text(tenths));
        }
    }
    format!("{value}bps")
}

fn tenths_text(tenths: u128) -> String {
    match (tenths / 10, tenths % 10) {
        (whole, 0) => whole.to_string(),
        (whole, _) if whole >= 100 => whole.to_string(),
        (whole, tenth) => format!("{whole}.{tenth}"),
    }
}

/// Everything that is not zero, in one line: `cpu 2, memory 4GiB`.
pub(crate) fn resources(amount: Option<&Resources>) -> String {
    let Some(amount) = amount else {
        return "-".to_owned();
    };
    let mut parts = Vec::new();
    if amount.cpu_millis > 0 {
        parts.push(format!("cpu {}", millis(amount.cpu_millis)));
    }
    if amount.memory_bytes > 0 {
        parts.push(format!("memory {}", bytes(amount.memory_bytes)));
    }
    if amount.disk_bytes > 0 {
        parts.push(format!("disk {}", bytes(amount.disk_bytes)));
    }
    if amount.network_bps > 0 {
        parts.push(format!("network {}", rate(amount.network_bps)));
    }
    if amount.gpu_millis > 0 {
        parts.push(format!("gpus {}", millis(amount.gpu_millis)));
    }
    for (name, count) in &amount.counts {
        parts.push(format!("{name} {count}"));
    }
    if parts.is_empty() {
        return "-".to_owned();
    }
    parts.join(", ")
}

/// An amount of one dimension, by its name in the API.
pub(crate) fn amount(dimension: &str, value: u64) -> String {
    match dimension {
        "cpu" | "cpu_millis" | "gpus" | "gpu" | "gpu_millis" => millis(value),
        "memory" | "memory_bytes" | "disk" | "disk_bytes" => bytes(value),
        "network" | "network_bps" => rate(value),
        _ => count(value),
    }
}

/// A number with thousands set apart: `12,345`.
pub(crate) fn count(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A number of things: `1 node`, `2 nodes`.
pub(crate) fn counted(value: u64, thing: &str) -> String {
    let plural = if value == 1 { "" } else { "s" };
    format!("{} {thing}{plural}", count(value))
}

/// A time span in its two largest units: `3d4h`, `5m10s`, `42s`.
pub(crate) fn span(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let two = |large: u64, large_unit: &str, small: u64, small_unit: &str| match small {
        0 => format!("{large}{large_unit}"),
        _ => format!("{large}{large_unit}{small}{small_unit}"),
    };
    match seconds {
        0 if duration.subsec_millis() > 0 => format!("{}ms", duration.subsec_millis()),
        0..120 => format!("{seconds}s"),
        120..7_200 => two(seconds / 60, "m", seconds % 60, "s"),
        7_200..172_800 => two(seconds / 3_600, "h", seconds % 3_600 / 60, "m"),
        _ => two(seconds / 86_400, "d", seconds % 86_400 / 3_600, "h"),
    }
}

/// How long ago, or `-`.
pub(crate) fn age(time: Option<&Timestamp>) -> String {
    let Some(time) = time.and_then(|time| SystemTime::try_from(*time).ok()) else {
        return "-".to_owned();
    };
    span(SystemTime::now().duration_since(time).unwrap_or_default())
}

/// A point in time with how far it is from now, or `-`.
pub(crate) fn time(time: Option<&Timestamp>) -> String {
    let Some(stamp) = time else {
        return "-".to_owned();
    };
    let Ok(at) = SystemTime::try_from(*stamp) else {
        return stamp.to_string();
    };
    match SystemTime::now().duration_since(at) {
        Ok(ago) => format!("{stamp} ({} ago)", span(ago)),
        Err(ahead) => format!("{stamp} (in {})", span(ahead.duration())),
    }
}

/// A point in time by itself, to the millisecond, or `-`.
pub(crate) fn moment(time: Option<&Timestamp>) -> String {
    let cut = |time: &Timestamp| Timestamp { nanos: time.nanos - time.nanos % 1_000_000, ..*time };
    time.map_or_else(|| "-".to_owned(), |time| cut(time).to_string())
}

/// A duration of the wire, or `-`.
pub(crate) fn wire_span(duration: Option<&prost_types::Duration>) -> String {
    duration
        .and_then(|duration| Duration::try_from(*duration).ok())
        .map_or_else(|| "-".to_owned(), span)
}

/// For the wire; the parsers here accept nothing that does not fit.
pub(crate) fn to_wire(duration: Duration) -> prost_types::Duration {
    duration.try_into().unwrap_or_default()
}

/// `KEY=VALUE` pairs, or `-`.
pub(crate) fn labels<'a>(labels: impl IntoIterator<Item = (&'a String, &'a String)>) -> String {
    let pairs: Vec<String> =
        labels.into_iter().map(|(key, value)| format!("{key}={value}")).collect();
    dash(pairs.join(","))
}

/// The text, or `-` when there is none.
pub(crate) fn dash(text: impl Into<String>) -> String {
    let text = text.into();
    if text.is_empty() { "-".to_owned() } else { text }
}

/// The last word of an enum value of the wire: `NODE_STATE_READY` is `ready`.
pub(crate) fn enum_word(name: &str, prefix: &str) -> String {
    name.strip_prefix(prefix).unwrap_or(name).to_ascii_lowercase().replace('_', "-")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{
        bytes, count, millis, parse_bytes, parse_duration, parse_millis, parse_pair, parse_rate,
        span,
    };

    #[test]
    fn cores_are_read_exactly() {
        assert_eq!(parse_millis("2"), Ok(2000));
        assert_eq!(parse_millis("500m"), Ok(500));
        assert_eq!(parse_millis("0.5"), Ok(500));
        assert_eq!(parse_millis(".25"), Ok(250));
        for wrong in ["", ".", "-1", "1.0005", "2x", "0.5m", "1e3", "99999999999999999999"] {
            assert!(parse_millis(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn bytes_know_binary_and_decimal_units() {
        assert_eq!(parse_bytes("4GiB"), Ok(4 << 30));
        assert_eq!(parse_bytes("4Gi"), Ok(4 << 30));
        assert_eq!(parse_bytes("1.5MiB"), Ok(3 << 19));
        assert_eq!(parse_bytes("4GB"), Ok(4_000_000_000));
        assert_eq!(parse_bytes("17"), Ok(17));
        for wrong in ["", "GiB", "4gib", "4 GiB", "0.3B", "20000PiB"] {
            assert!(parse_bytes(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn rates_are_decimal() {
        assert_eq!(parse_rate("10Gbps"), Ok(10_000_000_000));
        assert_eq!(parse_rate("2.5G"), Ok(2_500_000_000));
        assert!(parse_rate("10GiB").is_err());
    }

    #[test]
    fn durations_add_up() {
        assert_eq!(parse_duration("1h30m"), Ok(Duration::from_secs(5400)));
        assert_eq!(parse_duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(parse_duration("2d"), Ok(Duration::from_secs(172_800)));
        assert_eq!(parse_duration("0"), Ok(Duration::ZERO));
        for wrong in ["", "10", "h", "1.5h", "-1s", "1w", "99999999999999999999d"] {
            assert!(parse_duration(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_is_printed_reads_well() {
        assert_eq!(millis(1500), "1.5");
        assert_eq!(millis(2000), "2");
        assert_eq!(millis(5), "0.005");
        assert_eq!(bytes(4 << 30), "4GiB");
        assert_eq!(bytes(3 << 19), "1.5MiB");
        assert_eq!(bytes(u64::MAX), "16383PiB");
        assert_eq!(count(1_234_567), "1,234,567");
        assert_eq!(count(123), "123");
        assert_eq!(span(Duration::from_secs(7_260)), "2h1m");
        assert_eq!(span(Duration::from_secs(119)), "119s");
        assert_eq!(span(Duration::from_millis(7)), "7ms");
    }

    #[test]
    fn pairs_need_a_key() {
        assert_eq!(parse_pair("a=b=c"), Ok(("a".to_owned(), "b=c".to_owned())));
        assert_eq!(parse_pair("a="), Ok(("a".to_owned(), String::new())));
        assert!(parse_pair("=b").is_err());
        assert!(parse_pair("a").is_err());
    }
}
