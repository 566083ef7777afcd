/// Logarithms to the base of two are kept in this many fractional bits.
pub(super) const LOG_BITS: u32 = 10;

/// One, as a logarithm: a doubling.
pub(super) const OCTAVE: i32 = 1 << LOG_BITS;

/// Two to the power of a logarithm, within 0.3 %; at least 1 and at most 2^40.
pub(super) fn exp2(log: i32) -> u64 {
    let log = u64::try_from(log).unwrap_or(0);
    let whole = (log >> LOG_BITS).min(40);
    // 2^f is 1 + f (0.6564 + 0.3436 f) for f from 0 to 1, here in 2^-16.
    let fraction = (log & ((1 << LOG_BITS) - 1)) << (16 - LOG_BITS);
    let slope = 43_018 + ((fraction * 22_518) >> 16);
    let mantissa = (1 << 16) + ((fraction * slope) >> 16);
    if whole >= 16 { mantissa << (whole - 16) } else { mantissa >> (16 - whole) }
}

#[cfg(test)]
mod tests {
    use super::{OCTAVE, exp2};

    #[test]
    fn powers_of_two_are_exact_and_what_is_between_grows() {
        for power in 0..40_i32 {
            assert_eq!(exp2(power * OCTAVE), 1 << power);
        }
        assert_eq!(exp2(-5), 1);
        let between: Vec<u64> = (0..OCTAVE).map(|part| exp2(20 * OCTAVE + part)).collect();
        assert!(between.is_sorted_by(|one, next| one < next));
        // The square root of two, in the middle.
        assert!(between[512].abs_diff(1_482_910) < 5_000, "{}", between[512]);
    }
}
