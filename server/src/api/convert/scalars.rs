//! Names, labels, times, masks and enums.

use std::{collections::BTreeMap, fmt};

use offpeak_core::{
    command::Target,
    model::{Label, Labels, Millis, Name, Revision, TextError, Time},
};
use prost_types::{Duration, FieldMask, Timestamp};

use super::violations::{At, Violations, shortened};

/// The most labels of one object.
pub(super) const MAX_LABELS: usize = 64;
/// The most entries of one list of names, constraints or values.
pub(super) const MAX_LIST: usize = 64;
/// The longest duration: 10,000 years, as in JSON.
const MAX_SECONDS: i64 = 315_576_000_000;
/// The latest time: the end of the year 9999.
const MAX_TIMESTAMP_SECONDS: i64 = 253_402_300_799;
const NANOS_PER_SECOND: i32 = 1_000_000_000;

/// An enum of the API with a name for every value.
pub(crate) trait Named: TryFrom<i32> + Copy + PartialEq + 'static {
    /// All values but the unspecified one.
    const ALL: &'static [Self];

    /// As in the proto file.
    fn name(self) -> &'static str;
}

/// Takes what parses; a violation otherwise.
fn parsed<T: Default>(violations: &mut Violations, at: &At<'_>, result: Result<T, TextError>) -> T {
    result.unwrap_or_else(|error| {
        violations.refuse(at, error);
        T::default()
    })
}

pub(crate) fn name(violations: &mut Violations, at: &At<'_>, text: &str) -> Name {
    parsed(violations, at, Name::parse(text))
}

pub(crate) fn optional_name(violations: &mut Violations, at: &At<'_>, text: &str) -> Name {
    parsed(violations, at, Name::parse_optional(text))
}

/// The name that a filter gives, if it does.
pub(crate) fn given_name(violations: &mut Violations, at: &At<'_>, text: &str) -> Option<Name> {
    (!text.is_empty()).then(|| name(violations, at, text))
}

pub(super) fn label(violations: &mut Violations, at: &At<'_>, text: &str) -> Label {
    parsed(violations, at, Label::parse(text))
}

/// The key of a label or taint.
pub(super) fn key(violations: &mut Violations, at: &At<'_>, text: &str) -> Label {
    if text.is_empty() {
        violations.refuse(at, TextError::Empty);
    }
    label(violations, at, text)
}

/// A list of names, sorted and without repeats.
pub(crate) fn names(violations: &mut Violations, at: &At<'_>, texts: &[String]) -> Vec<Name> {
    list(violations, at, texts, |violations, at, text| name(violations, at, text))
}

/// A list of bounded length, sorted and without repeats.
pub(super) fn list<M, T: Ord>(
    violations: &mut Violations,
    at: &At<'_>,
    messages: &[M],
    mut each: impl FnMut(&mut Violations, &At<'_>, &M) -> T,
) -> Vec<T> {
    if messages.is_empty() || !at_most(violations, at, messages.len(), MAX_LIST) {
        return Vec::new();
    }
    let mut values: Vec<T> = Vec::with_capacity(messages.len());
    for (index, message) in messages.iter().enumerate() {
        values.push(each(violations, &at.index(index), message));
    }
    values.sort();
    values.dedup();
    values
}

/// Whether a list is short enough to be looked at.
pub(crate) fn at_most(
    violations: &mut Violations,
    at: &At<'_>,
    found: usize,
    limit: usize,
) -> bool {
    if found > limit {
        violations.refuse(at, format_args!("has {found} entries, more than the {limit} allowed"));
    }
    found <= limit
}

pub(crate) fn label_map(
    violations: &mut Violations,
    at: &At<'_>,
    map: &BTreeMap<String, String>,
) -> Labels {
    if map.is_empty() || !at_most(violations, at, map.len(), MAX_LABELS) {
        return Labels::new();
    }
    let mut labels = Labels::new();
    for (text, value) in map {
        let at = at.key(text);
        labels.insert(key(violations, &at, text), label(violations, &at, value));
    }
    labels
}

/// Milliseconds, a fraction of one counted as a whole one.
pub(crate) fn duration(violations: &mut Violations, at: &At<'_>, span: Duration) -> Millis {
    if span.seconds < 0 || span.nanos < 0 {
        violations.refuse(at, "must not be negative");
        return Millis(0);
    }
    millis(violations, at, (span.seconds, span.nanos), MAX_SECONDS).map_or(Millis(0), Millis)
}

/// Milliseconds since 1970, a fraction of one counted as a whole one.
pub(crate) fn time(violations: &mut Violations, at: &At<'_>, time: Timestamp) -> Time {
    if time.seconds < 0 {
        violations.refuse(at, "must not lie before 1970");
        return Time(0);
    }
    let parts = (time.seconds, time.nanos);
    millis(violations, at, parts, MAX_TIMESTAMP_SECONDS).map_or(Time(0), Time)
}

fn millis(
    violations: &mut Violations,
    at: &At<'_>,
    (seconds, nanos): (i64, i32),
    limit: i64,
) -> Option<u64> {
    if !(0..NANOS_PER_SECOND).contains(&nanos) {
        violations.refuse(at, "must have from 0 to 999,999,999 nanos");
        return None;
    }
    if seconds > limit {
        violations.refuse(at, format_args!("must have at most {limit} seconds"));
        return None;
    }
    let seconds = u64::try_from(seconds).ok()?;
    Some(seconds * 1_000 + u64::from(nanos.unsigned_abs()).div_ceil(1_000_000))
}

/// The value of an enum field.
pub(crate) fn enumeration<E: Named>(
    violations: &mut Violations,
    at: &At<'_>,
    number: i32,
) -> Option<E> {
    let value = E::try_from(number).ok().filter(|value| E::ALL.contains(value));
    if value.is_none() {
        let names: Vec<&str> = E::ALL.iter().map(|value| value.name()).collect();
        let allowed = names.join(", ");
        violations.refuse(at, format_args!("has the value {number}; allowed are {allowed}"));
    }
    value
}

/// The values of a list of enums.
pub(crate) fn enumerations<E: Named>(
    violations: &mut Violations,
    at: &At<'_>,
    numbers: &[i32],
) -> Vec<E> {
    let mut values = Vec::with_capacity(numbers.len().min(MAX_LIST));
    if at_most(violations, at, numbers.len(), MAX_LIST) {
        for (index, number) in numbers.iter().enumerate() {
            values.extend(enumeration::<E>(violations, &at.index(index), *number));
        }
    }
    values
}

/// The message of a field that must be there.
pub(crate) fn require<'m, M>(
    violations: &mut Violations,
    at: &At<'_>,
    message: Option<&'m M>,
) -> Option<&'m M> {
    if message.is_none() {
        violations.refuse(at, "is required");
    }
    message
}

/// The paths of a mask, all of them among the allowed ones and each once, however often it is named.
pub(super) fn mask<'m>(
    violations: &mut Violations,
    mask: Option<&'m FieldMask>,
    allowed: &[&str],
) -> Vec<&'m str> {
    let root = At::Root;
    let at = root.field("update_mask");
    let paths = mask.map(|mask| mask.paths.as_slice()).unwrap_or_default();
    if paths.is_empty() {
        violations.refuse(&at, format_args!("is required; allowed are {}", allowed.join(", ")));
    }
    let mut known = Vec::new();
    if !at_most(violations, &at.field("paths"), paths.len(), MAX_LIST) {
        return known;
    }
    for (index, path) in paths.iter().enumerate() {
        if known.contains(&path.as_str()) {
            continue;
        }
        if allowed.contains(&path.as_str()) {
            known.push(path.as_str());
        } else {
            let (path, allowed) = (shortened(path), allowed.join(", "));
            violations.refuse(
                &at.field("paths").index(index),
                format_args!("names {path:?}; allowed are {allowed}"),
            );
        }
    }
    known
}

/// An object to be changed; `at` is where its name stands.
pub(super) fn target(
    violations: &mut Violations,
    at: &At<'_>,
    text: &str,
    expected_revision: u64,
) -> Target {
    let expected = (expected_revision > 0).then_some(Revision(expected_revision));
    Target { name: name(violations, at, text), expected }
}

/// A number that must lie in a range.
pub(super) fn within<T: PartialOrd + fmt::Display + Copy>(
    violations: &mut Violations,
    at: &At<'_>,
    found: T,
    (least, most): (T, T),
) {
    if found < least || found > most {
        violations.refuse(at, format_args!("is {found}; it must be from {least} to {most}"));
    }
}

macro_rules! named {
    ($enum:ident { $($value:ident),+ $(,)? }) => {
        impl $crate::api::convert::scalars::Named for offpeak::v1::$enum {
            const ALL: &'static [Self] = &[$(Self::$value),+];

            fn name(self) -> &'static str {
                Self::as_str_name(&self)
            }
        }
    };
}
named!(BudgetPeriod { Day, Month });
named!(NodeState { Ready, Cordoned, Draining, Lost, Removed });
named!(JobState { Pending, Running, Succeeded, Failed, Cancelled });
named!(SelectorOperator { In, NotIn, Exists, NotExists });
named!(SpreadTopology { Node, Zone });
named!(TaskOutcome { Started, Succeeded, Failed, Released });
named!(OnNotice { Stay, Move });
named!(Weekday { Monday, Tuesday, Wednesday, Thursday, Friday, Saturday, Sunday });
