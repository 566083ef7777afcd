use borsh::{BorshDeserialize, BorshSerialize};

use super::slot::{DAY_SLOTS, HOUR_SLOTS};

/// What tells apart times at which bounds are exceeded more or less often than expected.
pub(super) const TRAITS: usize = 4;

/// The most classes of a trait.
pub(super) const CLASSES: usize = 12;

/// Where a node stands: its class by each trait.
pub(super) type Standing = [u8; TRAITS];

/// As many violations as expected are taken for granted before any is counted, for each bound pending at a time.
const PRIOR: u64 = 10;

/// Counts are halved when there are so many violations, for each bound pending at a time.
const MOST: u64 = 100;

/// Factors have ten fractional bits; one is
pub(super) const ONE: u64 = 1 << 10;

/// The classes of a node that was last found out so many slots ago, by the time of day, and by the greatest loads of
/// the last week, day and hour.
pub(super) fn standing(since: Option<u32>, slot: u32, week: u16, day: u16, hour: u16) -> Standing {
    [since_class(since), hour_class(slot), level_class(week), bits(day.saturating_sub(hour))]
}

fn since_class(since: Option<u32>) -> u8 {
    let Some(slots) = since else { return 9 };
    match slots / HOUR_SLOTS {
        0 => 0,
        1 => 1,
        2..=3 => 2,
        4..=7 => 3,
        8..=15 => 4,
        16..=31 => 5,
        32..=63 => 6,
        64..=127 => 7,
        128..=335 => 8,
        _ => 9,
    }
}

fn hour_class(slot: u32) -> u8 {
    u8::try_from(slot % DAY_SLOTS / (3 * HOUR_SLOTS)).expect("invariant: eight in a day")
}

fn level_class(peak: u16) -> u8 {
    match peak {
        0..=50 => 0,
        51..=100 => 1,
        101..=200 => 2,
        201..=400 => 3,
        401..=700 => 4,
        _ => 5,
    }
}

/// The class by how much quieter the last hour was than the last day: nodes of the same share their misses.
pub(super) fn quiet_class(standing: Standing) -> usize {
    usize::from(standing[3])
}

/// The number of binary digits.
fn bits(value: u16) -> u8 {
    u8::try_from(u16::BITS - value.leading_zeros()).expect("invariant: at most 16").min(11)
}

/// Violations that were expected and those that came, in one class.
#[derive(BorshDeserialize, BorshSerialize, Clone, Copy, Debug, Default)]
struct Cell {
    /// With 16 fractional bits, as the next.
    expected: u64,
    seen: u64,
}

impl Cell {
    fn factor(self, overlap: u32) -> u64 {
        let prior = (PRIOR * u64::from(overlap)) << 16;
        ((self.seen + prior) * ONE / (self.expected + prior)).clamp(ONE / 8, ONE * 16)
    }

    fn learn(&mut self, overlap: u32, expected: u64, violated: bool) {
        self.expected += expected;
        self.seen += u64::from(violated) << 16;
        let most = (MOST * u64::from(overlap)) << 16;
        if self.seen > most || self.expected > 2 * most {
            self.seen /= 2;
            self.expected /= 2;
        }
    }
}

/// By how much the chance of a violation differs from what the misses say. Traits multiply: each explains what the
/// others leave.
#[derive(BorshDeserialize, BorshSerialize, Clone, Debug)]
pub(super) struct Calibration {
    overlap: u32,
    cells: [[Cell; CLASSES]; TRAITS],
}

impl Calibration {
    pub(super) fn new(overlap: u32) -> Self {
        Self { overlap, cells: [[Cell::default(); CLASSES]; TRAITS] }
    }

    /// With ten fractional bits.
    pub(super) fn factor(&self, standing: Standing) -> u64 {
        let mut factor = ONE;
        for (cells, class) in self.cells.iter().zip(standing) {
            factor = (factor * cells[usize::from(class)].factor(self.overlap)) / ONE;
        }
        factor.clamp(ONE / 64, ONE * 64)
    }

    /// Takes note of what became of a bound whose chance to be exceeded was `expected`, with 16 fractional bits and
    /// before it was multiplied by anything.
    pub(super) fn learn(&mut self, standing: Standing, expected: u64, violated: bool) {
        let expected = expected * self.factor(standing);
        for (cells, class) in self.cells.iter_mut().zip(standing) {
            let cell = &mut cells[usize::from(class)];
            let by_others = expected / cell.factor(self.overlap);
            cell.learn(self.overlap, by_others, violated);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Calibration, ONE, standing};

    #[test]
    fn a_class_that_is_exceeded_more_often_is_found_and_others_are_left_alone() {
        let mut calibration = Calibration::new(1);
        let calm = standing(None, 0, 500, 0, 0);
        let shaken = standing(Some(3), 0, 500, 0, 0);
        // One in a hundred is expected; five come after a violation, one elsewhere.
        for round in 0..200_000 {
            calibration.learn(shaken, 655, round % 20 == 0);
            calibration.learn(calm, 655, round % 100 == 0);
        }
        let (calm, shaken) = (calibration.factor(calm), calibration.factor(shaken));
        assert!(shaken > 4 * calm, "{shaken} {calm}");
        assert!((ONE * 3 / 4..ONE * 5 / 4).contains(&calm), "{calm}");
    }
}
