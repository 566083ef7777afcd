//! Counted work and repeatable chance: what a search has in place of a clock and a source of randomness.

/// Where the random sequence starts: any fixed number would do.
const SEED: u64 = 0x0FF9_EA4B;

/// What a comparison of an item and a room costs, in units: more where there are more dimensions.
pub(super) const fn test_cost<const N: usize>() -> u64 {
    3 + N as u64 / 6
}

/// What is left of the work that may be done.
#[derive(Clone, Debug)]
pub(super) struct Effort {
    total: u64,
    left: u64,
}

impl Effort {
    pub(super) fn new(total: u64) -> Self {
        Self { total, left: total }
    }

    pub(super) fn left(&self) -> u64 {
        self.left
    }

    pub(super) fn spend(&mut self, units: u64) {
        self.left = self.left.saturating_sub(units);
    }

    /// What is spent, of `parts`.
    pub(super) fn spent_of(&self, parts: u64) -> u64 {
        let spent = u128::from(self.total - self.left) * u128::from(parts);
        let share = spent / u128::from(self.total.max(1));
        u64::try_from(share).expect("invariant: a part of the whole")
    }
}

/// A repeatable sequence of numbers that look random: SplitMix64 (Steele, Lea, Flood, 2014).
#[derive(Clone, Debug)]
pub(super) struct Chance(u64);

impl Chance {
    pub(super) fn new() -> Self {
        Self(SEED)
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`, which is at most 2^32.
    pub(super) fn below(&mut self, bound: usize) -> usize {
        below(self.next() >> 32, 32, bound)
    }

    /// What up to three numbers can be had of.
    pub(super) fn draw(&mut self) -> Draw {
        Draw(self.next())
    }

    /// Minus the binary logarithm of a number between 0 and 1, in 2^-16: exponentially distributed, and as such the
    /// loss that annealing accepts, in units of its temperature. Linear between powers of two.
    pub(super) fn patience(&mut self) -> i64 {
        let drawn = self.next() | 1;
        let zeros = drawn.leading_zeros();
        let fraction = ((drawn << zeros) << 1) >> 48;
        let patience = (u64::from(zeros) << 16) + (1 << 16) - fraction;
        i64::try_from(patience).expect("invariant: at most 65 * 2^16")
    }
}

/// One random number, to be used in parts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Draw(u64);

impl Draw {
    /// A number below 256.
    pub(super) fn choice(self) -> u64 {
        self.0 & 255
    }

    /// A number below a bound that is far below 2^28.
    pub(super) fn first(self, bound: usize) -> usize {
        below(self.0 >> 36, 28, bound)
    }

    /// Another one.
    pub(super) fn second(self, bound: usize) -> usize {
        below((self.0 >> 8) & ((1 << 28) - 1), 28, bound)
    }
}

/// Brings a number of some bits below a bound, all numbers below it being about as likely.
fn below(drawn: u64, bits: u32, bound: usize) -> usize {
    usize::try_from((drawn * bound as u64) >> bits).expect("invariant: below a usize")
}
