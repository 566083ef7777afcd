//! Cells as values. What does not parse is answered with what would have: "is not a whole number from 0 to 64".

use std::ops::RangeInclusive;

use offpeak_core::model::{Counts, Label, Labels, MAX_AMOUNT, Millis, Name, Resources};

use crate::tables::Row;

/// What separates the entries of a list in a cell.
const LIST: char = '|';

/// The most entries of a list.
const MAX_LIST: usize = 64;

/// The latest time and the longest span in seconds: more than thirty years.
const MAX_SECONDS: u64 = 1_000_000_000;

/// A whole number in a range.
pub(super) fn whole(range: RangeInclusive<u64>) -> impl Fn(&str) -> Result<u64, String> {
    move |text| {
        let number = digits(text).filter(|number| range.contains(number));
        number.ok_or_else(|| {
            format!("is not a whole number from {} to {}", range.start(), range.end())
        })
    }
}

/// Digits and nothing else: no sign, which `parse` would let through.
fn digits(text: &str) -> Option<u64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

/// An amount of a resource.
pub(super) fn amount(text: &str) -> Result<u64, String> {
    whole(0..=MAX_AMOUNT)(text)
}

/// A whole number with a sign in a range.
pub(super) fn signed(range: RangeInclusive<i32>) -> impl Fn(&str) -> Result<i32, String> {
    move |text| {
        let number = text.parse().ok().filter(|number| range.contains(number));
        number.ok_or_else(|| {
            format!("is not a whole number from {} to {}", range.start(), range.end())
        })
    }
}

/// Seconds, whole or decimal, as milliseconds; what is less than one is cut off.
pub(super) fn seconds(text: &str) -> Result<Millis, String> {
    let parse = || {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
        if whole.is_empty() || fraction.is_empty() {
            return None;
        }
        let seconds = digits(whole).filter(|seconds| *seconds <= MAX_SECONDS)?;
        let is_decimal = fraction.bytes().all(|byte| byte.is_ascii_digit());
        let thousandths: String = fraction.chars().chain("000".chars()).take(3).collect();
        let millis = is_decimal.then(|| digits(&thousandths)).flatten()?;
        Some(Millis(seconds * Millis::SECOND.0 + millis))
    };
    parse().ok_or_else(|| {
        format!("is not a number of seconds from 0 to {MAX_SECONDS}, such as 90 or 0.25")
    })
}

/// Seconds that are more than none.
pub(super) fn positive_seconds(text: &str) -> Result<Millis, String> {
    match seconds(text)? {
        Millis(0) => Err("is not at least 0.001 seconds; leave it empty for no limit".to_owned()),
        span => Ok(span),
    }
}

/// Yes or no.
pub(super) fn boolean(text: &str) -> Result<bool, String> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" => Ok(true),
        "false" | "0" | "no" => Ok(false),
        _ => Err("is neither true nor false".to_owned()),
    }
}

pub(super) fn name(text: &str) -> Result<Name, String> {
    Name::parse(text).map_err(|error| error.to_string())
}

/// Names joined by `|`, sorted and without repeats.
pub(super) fn names(text: &str) -> Result<Vec<Name>, String> {
    let mut names = entries(text)?.into_iter().map(name).collect::<Result<Vec<Name>, String>>()?;
    names.sort();
    names.dedup();
    Ok(names)
}

/// Labels `key=value` joined by `|`.
pub(super) fn labels(text: &str) -> Result<Labels, String> {
    let mut labels = Labels::new();
    for entry in entries(text)? {
        let Some((key, value)) = entry.split_once('=').filter(|(key, _)| !key.is_empty()) else {
            return Err(format!("has {entry:?} where key=value is needed"));
        };
        let parse = |text| Label::parse(text).map_err(|error| format!("has a label that {error}"));
        if labels.insert(parse(key)?, parse(value)?).is_some() {
            return Err(format!("has the label {key:?} twice"));
        }
    }
    Ok(labels)
}

fn entries(text: &str) -> Result<Vec<&str>, String> {
    let entries: Vec<&str> = text.split(LIST).map(str::trim).collect();
    if entries.len() > MAX_LIST {
        return Err(format!("has {} entries, more than the {MAX_LIST} allowed", entries.len()));
    }
    Ok(entries)
}

/// All amounts of a row but its GPUs. CPU and memory may go unsaid only where there are countables.
pub(super) fn amounts(row: &mut Row<'_>) -> Resources {
    let mut counts = Vec::with_capacity(row.counts().len());
    for index in 0..row.counts().len() {
        let (at, name) = row.counts()[index].clone();
        counts.push((name, row.optional_at(at, amount).unwrap_or(0)));
    }
    let mut main = |column| {
        if row.counts().is_empty() {
            row.required(column, amount)
        } else {
            row.optional(column, amount).unwrap_or(0)
        }
    };
    let (cpu_millis, memory_bytes) = (main("cpu_millis"), main("memory_bytes"));
    Resources {
        cpu_millis,
        memory_bytes,
        disk_bytes: row.optional("disk_bytes", amount).unwrap_or(0),
        network_bps: row.optional("network_bps", amount).unwrap_or(0),
        gpu_millis: 0,
        counts: Counts::new(counts),
    }
}
