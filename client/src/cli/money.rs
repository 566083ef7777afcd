//! Money and days as people write and read them. All arithmetic is exact: no floats.

use prost_types::Timestamp;

use super::human;

const MICROS: u64 = 1_000_000;
const DAY_SECONDS: i64 = 86_400;

/// `0.04` in millionths.
pub(crate) fn parse(text: &str) -> Result<u64, String> {
    let wrong =
        || format!("{text:?} is no amount of money; write it like 12 or 0.04, to six digits");
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || part.len() > 6 || !is_number(whole) || !is_number(part) {
        return Err(wrong());
    }
    format!("{whole}{part:0<6}").parse().map_err(|_| wrong())
}

/// `NAME=AMOUNT`.
pub(crate) fn parse_named(text: &str) -> Result<(String, u64), String> {
    let (name, amount) = human::parse_pair(text).map_err(|_| "expected NAME=AMOUNT".to_owned())?;
    Ok((name, parse(&amount)?))
}

/// With two digits after the point, more where they are not zero.
pub(crate) fn text(micros: u64) -> String {
    let part = format!("{:06}", micros % MICROS);
    let digits = part.trim_end_matches('0').len().max(2);
    format!("{}.{}", human::count(micros / MICROS), &part[..digits])
}

/// With the currency, if there is one.
pub(crate) fn with_currency(micros: u64, currency: &str) -> String {
    format!("{} {currency}", text(micros)).trim_end().to_owned()
}

/// A day such as `2026-11-26`, as its midnight in UTC.
pub(crate) fn parse_day(text: &str) -> Result<Timestamp, String> {
    let wrong = || format!("{text:?} is no day such as 2026-11-26");
    let [year, month, day] = numbers(text).ok_or_else(wrong)?;
    midnight(year, month, day).ok_or_else(wrong)
}

/// A month such as `2026-11`, as the midnights with which it and the next one begin.
pub(crate) fn parse_month(text: &str) -> Result<(Timestamp, Timestamp), String> {
    let wrong = || format!("{text:?} is no month such as 2026-11");
    let [year, month] = numbers(text).ok_or_else(wrong)?;
    let next = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
    let first = midnight(year, month, 1).ok_or_else(wrong)?;
    Ok((first, midnight(next.0, next.1, 1).ok_or_else(wrong)?))
}

/// The midnight a day later.
pub(crate) fn day_after(midnight: Timestamp) -> Timestamp {
    Timestamp { seconds: midnight.seconds.saturating_add(DAY_SECONDS), ..midnight }
}

fn midnight(year: u32, month: u32, day: u32) -> Option<Timestamp> {
    let (month, day) = (u8::try_from(month).ok()?, u8::try_from(day).ok()?);
    Timestamp::date(year.into(), month, day).ok()
}

/// Whole numbers with a dash between each two.
fn numbers<const N: usize>(text: &str) -> Option<[u32; N]> {
    let parts: Option<Vec<u32>> =
        text.split('-').map(|part| part.parse().ok().filter(|_| part.len() >= 2)).collect();
    parts?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::{day_after, parse, parse_day, parse_month, text};

    #[test]
    fn money_is_read_and_written_exactly() {
        for (written, micros) in
            [("12.00", 12_000_000), ("0.04", 40_000), ("0.000001", 1), ("1,234.50", 1_234_500_000)]
        {
            assert_eq!(parse(&written.replace(',', "")), Ok(micros));
            assert_eq!(text(micros), written);
        }
        for wrong in ["", ".", "-1", ".5", "1.0000001", "1e3", "1 EUR", "99999999999999999999"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn months_end_where_the_next_begins() {
        let (first, next) = parse_month("2028-02").expect("a month");
        assert_eq!(Ok(next), parse_day("2028-03-01"));
        assert_eq!(Ok(next), parse_day("2028-02-29").map(day_after));
        assert_eq!(Ok(first), parse_day("2028-02-01"));
        assert_eq!(parse_month("2026-12").map(|(_, next)| next), parse_day("2027-01-01"));
        for wrong in ["", "2026", "2026-13", "2026-1", "2026-11-01", "x-11"] {
            assert!(parse_month(wrong).is_err(), "{wrong}");
        }
        for wrong in ["2026-11", "2026-02-30", "2026-11-0", "11-26-2026"] {
            assert!(parse_day(wrong).is_err(), "{wrong}");
        }
    }
}
