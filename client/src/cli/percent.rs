//! Percentages as people write and read them, in whole units of the last digit that counts: no floats.

/// Percent with so many digits after the point, in units of the last of them.
pub(crate) fn parse(text: &str, digits: usize) -> Result<u32, String> {
    let wrong = || format!("{text:?} is no percentage such as 0.5%");
    let number = text.strip_suffix('%').ok_or_else(wrong)?;
    let (whole, part) = number.split_once('.').unwrap_or((number, ""));
    let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !is_number(whole) || !is_number(part) {
        return Err(wrong());
    }
    if part.len() > digits {
        return Err(format!("{text:?} has more than {digits} digits after the point"));
    }
    format!("{whole}{part:0<digits$}").parse().map_err(|_| wrong())
}

/// As `parse` reads it.
pub(crate) fn text(value: u32, digits: usize) -> String {
    let text = format!("{value:0>width$}", width = digits + 1);
    let (whole, part) = text.split_at(text.len() - digits);
    match part.trim_end_matches('0') {
        "" => format!("{whole}%"),
        part => format!("{whole}.{part}%"),
    }
}

/// What part of a whole something is, cut off to full percents; nothing of nothing.
pub(crate) fn part(part: u64, whole: u64) -> String {
    let percent = u128::from(part) * 100 / u128::from(whole.max(1));
    text(u32::try_from(percent).unwrap_or(u32::MAX), 0)
}

#[cfg(test)]
mod tests {
    use super::{parse, part, text};

    #[test]
    fn percentages_are_read_exactly_and_written_alike() {
        for (written, ppm) in [("1%", 10_000), ("0.1%", 1_000), ("0.0001%", 1), ("12.5%", 125_000)]
        {
            assert_eq!(parse(written, 4), Ok(ppm));
            assert_eq!(text(ppm, 4), written);
        }
        assert_eq!(parse("37.5%", 1), Ok(375));
        for wrong in ["", "%", "1", "0.1", "-1%", "1e1%", ".5%", "0.12345%", "99999999%"] {
            assert!(parse(wrong, 4).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_part_of_nothing_is_nothing() {
        assert_eq!(part(0, 0), "0%");
        assert_eq!(part(199, 200), "99%");
        assert_eq!(part(u64::MAX, u64::MAX), "100%");
    }
}
