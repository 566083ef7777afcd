use super::{
    day_ahead::TAILS_PERMILLE,
    edges::{BINS, EDGES},
};

/// No guess is too high by more, in thousandths of capacity.
const LOWEST: i16 = -1000;

/// Chances have so many fractional bits, so that squares of misses fit beside them.
const CHANCE_BITS: u32 = 24;

/// How likely a guess of an hour's peak is to be off by how much.
#[derive(Clone, Debug)]
pub(super) struct Spread {
    /// Of each class of misses, all together one.
    chances: [i64; BINS],
    /// The misses that are exceeded as often as [`TAILS_PERMILLE`] says, in thousandths of capacity.
    misses: [i16; TAILS_PERMILLE.len()],
    /// In millionths of capacity, as the next.
    mean_ppm: i64,
    deviation_ppm: u64,
}

impl Spread {
    /// From how much each class of misses weighs; together they weigh far more than one, to be told finely.
    pub(super) fn new(weights: [u64; BINS]) -> Self {
        let all: u64 = weights.iter().sum();
        let misses = TAILS_PERMILLE.map(|tail| exceeded(&weights, all / 1000 * tail));
        let one = (all >> CHANCE_BITS).max(1);
        let chances = weights
            .map(|weight| i64::try_from(weight / one).expect("invariant: hardly more than one"));
        let (mut mean, mut square) = (0, 0);
        for (bin, chance) in chances.iter().enumerate() {
            let miss = middle_of(bin);
            mean += chance * miss;
            square += chance * miss * miss;
        }
        // What is in half thousandths comes to five hundred times as many millionths.
        let mean_ppm = (mean * 500) >> CHANCE_BITS;
        let square = square >> CHANCE_BITS;
        let variance = (square * 250_000 - mean_ppm * mean_ppm).max(0);
        let deviation_ppm = variance.unsigned_abs().isqrt();
        Self { chances, misses, mean_ppm, deviation_ppm }
    }

    pub(super) fn misses(&self) -> [i16; TAILS_PERMILLE.len()] {
        self.misses
    }

    pub(super) fn mean_ppm(&self) -> i64 {
        self.mean_ppm
    }

    pub(super) fn deviation_ppm(&self) -> u64 {
        self.deviation_ppm
    }

    /// What is missing to a floor, on average. A load is nothing at least, so what is below that counts as nothing.
    pub(super) fn lift_ppm(&self, guess: u16, floor_permille: u16) -> i64 {
        let floor = i64::from(floor_permille) * 2;
        let mut lift = 0;
        for (bin, chance) in self.chances.iter().enumerate() {
            let load = i64::from(guess) * 2 + middle_of(bin);
            lift += chance * (floor - load).clamp(0, floor);
        }
        (lift * 500) >> CHANCE_BITS
    }
}

/// What a miss of a class is on average, in half thousandths of capacity.
fn middle_of(bin: usize) -> i64 {
    i64::from(below(bin)) + 1 + i64::from(EDGES[bin])
}

/// The greatest miss that is not in the class but in the one before.
fn below(bin: usize) -> i16 {
    bin.checked_sub(1).map_or(LOWEST, |before| EDGES[before])
}

/// The miss that is exceeded by so much of all weights. Within a class misses are taken to be spread evenly.
fn exceeded(weights: &[u64; BINS], tail: u64) -> i16 {
    let mut above = 0;
    for bin in (0..BINS).rev() {
        let here = weights[bin];
        if above + here > tail {
            let width = u128::from(EDGES[bin].abs_diff(below(bin)));
            let down = width * u128::from(tail - above) / u128::from(here);
            return EDGES[bin] - i16::try_from(down).expect("invariant: at most 2000");
        }
        above += here;
    }
    LOWEST
}

#[cfg(test)]
mod tests {
    use super::{BINS, EDGES, Spread};
    use crate::forecast::edges::bin_of;

    /// Of a hundred peaks, as many as told miss a guess of 500 by so much.
    fn spread(misses: &[(i32, u64)]) -> Spread {
        let mut weights = [0; BINS];
        for (miss, count) in misses {
            let peak = u16::try_from(500 + miss).expect("a share");
            weights[bin_of(peak, 500)] += count << 30;
        }
        Spread::new(weights)
    }

    #[test]
    fn a_miss_is_exceeded_as_often_as_told() {
        // Single misses are classes of their own from -2 to 6.
        let spread = spread(&[(-1, 40), (2, 50), (4, 7), (100, 3)]);
        // Three in a hundred are in the class from 82 to 100, of which the uppermost third is exceeded by one.
        assert_eq!(spread.misses(), [2, 4, 95]);
    }

    #[test]
    fn mean_and_deviation_are_those_of_the_misses() {
        let spread = spread(&[(-1, 50), (3, 50)]);
        assert!((spread.mean_ppm() - 1_000).abs() <= 500, "{}", spread.mean_ppm());
        assert!(spread.deviation_ppm().abs_diff(2_000) <= 100, "{}", spread.deviation_ppm());
    }

    #[test]
    fn what_is_missing_to_a_floor_is_told() {
        let spread = spread(&[(-1, 50), (3, 50)]);
        assert_eq!(spread.lift_ppm(500, 0), 0);
        // Half the loads are at 499 and half at 503.
        assert!((spread.lift_ppm(500, 503) - 2_000).abs() <= 300, "{}", spread.lift_ppm(500, 503));
        // A load of nothing is lifted by all of the floor, and by no more.
        assert!((spread.lift_ppm(0, 10) - (5_000 + 3_500)).abs() <= 300);
        assert_eq!(EDGES[BINS - 1], 1_000);
    }
}
