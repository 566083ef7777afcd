use super::Millis;

/// How numbers are spread, the later ones counting more: a histogram whose buckets grow with what they hold, eight to
/// each doubling, so that a quantile is off by a sixteenth of itself at most. All weights shrink by a quarter when 256
/// numbers are known: half of what is told is of the last 150 or so. It has no more buckets than the numbers need.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sketch {
    /// Ascending by bucket, none without weight.
    buckets: Vec<(u16, u32)>,
    /// All weights together.
    weight: u64,
}

/// A part of the whole in 65,536ths.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Part(pub u16);

/// What a number adds.
const ONE: u32 = 1 << 8;

/// The weight at which all weights shrink.
const MOST: u64 = 256 * ONE as u64;

/// Buckets to each doubling.
const STEPS: u64 = 8;

/// Buckets there can be.
const BUCKETS: u16 = 496;

impl Part {
    /// Half of it.
    pub const HALF: Self = Self(1 << 15);

    /// So many hundredths, below 100.
    #[must_use]
    pub fn percent(percent: u8) -> Self {
        let part = u32::from(percent.min(99)) * 65_536 / 100;
        Self(u16::try_from(part).unwrap_or(u16::MAX))
    }

    /// So much of an amount.
    fn of(self, amount: u64) -> u64 {
        scale(amount, self.0.into(), 1 << 16)
    }
}

impl Sketch {
    /// With these weights, as kept in a checkpoint; none if they are not ascending or one is 0 or out of range.
    #[must_use]
    pub fn restore(buckets: Vec<(u16, u32)>) -> Option<Self> {
        let in_order = buckets.is_sorted_by(|a, b| a.0 < b.0);
        let valid = buckets.iter().all(|(bucket, weight)| *bucket < BUCKETS && *weight > 0);
        let weight = buckets.iter().map(|(_, weight)| u64::from(*weight)).sum();
        (in_order && valid).then_some(Self { buckets, weight })
    }

    /// Buckets and their weights, ascending.
    #[must_use]
    pub fn buckets(&self) -> &[(u16, u32)] {
        &self.buckets
    }

    /// How many numbers it tells of, each counting less the older it is.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.weight / u64::from(ONE)
    }

    /// Whether it surely tells of all numbers that it ever took in, and of each as much.
    pub(crate) fn remembers_all(&self) -> bool {
        self.weight < MOST / 4 * 3
    }

    /// Takes a number in, beside all that are known.
    pub(crate) fn put(&mut self, value: u64) {
        let bucket = bucket_of(value);
        match self.buckets.binary_search_by_key(&bucket, |(bucket, _)| *bucket) {
            Ok(at) => self.buckets[at].1 = self.buckets[at].1.saturating_add(ONE),
            Err(at) => self.buckets.insert(at, (bucket, ONE)),
        }
        self.weight += u64::from(ONE);
    }

    /// Takes a number in, and lets earlier ones count less.
    pub(crate) fn add(&mut self, value: u64) {
        self.put(value);
        if self.weight >= MOST {
            self.buckets.iter_mut().for_each(|(_, weight)| *weight -= weight.div_ceil(4));
            self.buckets.retain(|(_, weight)| *weight > 0);
            self.weight = self.buckets.iter().map(|(_, weight)| u64::from(*weight)).sum();
        }
    }

    /// Takes in all that another tells, at its weights.
    pub(crate) fn merge(&mut self, other: &Self) {
        for (bucket, weight) in &other.buckets {
            match self.buckets.binary_search_by_key(bucket, |(bucket, _)| *bucket) {
                Ok(at) => self.buckets[at].1 = self.buckets[at].1.saturating_add(*weight),
                Err(at) => self.buckets.insert(at, (*bucket, *weight)),
            }
        }
        self.weight = self.buckets.iter().map(|(_, weight)| u64::from(*weight)).sum();
    }

    /// The number that this part of all numbers is below. None if nothing is known.
    #[must_use]
    pub fn quantile(&self, part: Part) -> Option<u64> {
        self.quantile_above(0, part)
    }

    /// The same of those numbers that are greater than `least`. None if none is known.
    #[must_use]
    pub fn quantile_above(&self, least: u64, part: Part) -> Option<u64> {
        let first = self.buckets.partition_point(|(bucket, _)| end(*bucket) <= least);
        let left = || {
            self.buckets[first..].iter().map(|(bucket, weight)| {
                let (begin, end) = (begin(*bucket).max(least), end(*bucket));
                let whole = end - self::begin(*bucket);
                (begin, end, scale((*weight).into(), end - begin, whole))
            })
        };
        let all: u64 = left().map(|(_, _, weight)| weight).sum();
        if all == 0 {
            return None;
        }
        let mut wanted = part.of(all);
        for (begin, end, weight) in left() {
            if wanted < weight {
                return Some(begin + scale(end - begin, wanted, weight));
            }
            wanted -= weight;
        }
        None
    }
}

/// Remaining time of something that ran for `age`, if it is as what the sketch tells of: where it ran longer than all
/// that is known, as long again.
pub(crate) fn remaining(sketch: &Sketch, age: Millis, part: Part) -> Millis {
    let whole = sketch.quantile_above(age.0, part);
    Millis(whole.map_or(age.0.max(1), |whole| whole.saturating_sub(age.0)))
}

/// How long something is expected to run in all: first what this part of its like stays below; once it has run longer, what
/// this part of those stays below that ran longer, too; and so on, ascending, as far as anything is known. So what is expected
/// is corrected when it is overrun and not before (Tsafrir, Etsion and Feitelson 2007). It is rounded up to a bucket, so
/// that what is planned by it need not move for little.
pub(crate) fn expectations(sketch: &Sketch, part: Part) -> Vec<Millis> {
    let mut all = Vec::new();
    let mut last = 0;
    while let Some(next) = sketch.quantile_above(last, part) {
        last = end(bucket_of(next));
        all.push(Millis(last));
    }
    all
}

/// The first of them above `age`; where none is, twice as long and twice again.
pub(crate) fn expected(expectations: &[Millis], age: Millis) -> Millis {
    let above = expectations.partition_point(|expected| *expected <= age);
    if let Some(expected) = expectations.get(above) {
        return *expected;
    }
    let mut last = expectations.last().map_or(1, |last| last.0.max(1));
    while last <= age.0 && last < u64::MAX {
        last = last.saturating_mul(2);
    }
    Millis(last)
}

/// `amount * part / whole` without overflow.
pub(crate) fn scale(amount: u64, part: u64, whole: u64) -> u64 {
    let scaled = u128::from(amount) * u128::from(part) / u128::from(whole.max(1));
    u64::try_from(scaled).unwrap_or(u64::MAX)
}

fn bucket_of(value: u64) -> u16 {
    let Some(doublings) = value.checked_ilog2().and_then(|log| log.checked_sub(3)) else {
        return u16::try_from(value).expect("invariant: it is less than 8");
    };
    let bucket = (u64::from(doublings) + 1) * STEPS + ((value >> doublings) & (STEPS - 1));
    u16::try_from(bucket).expect("invariant: there are few buckets")
}

/// The least number in a bucket.
fn begin(bucket: u16) -> u64 {
    let bucket = u64::from(bucket);
    match (bucket / STEPS).checked_sub(1) {
        None => bucket,
        Some(doublings) => (STEPS + bucket % STEPS) << doublings,
    }
}

/// The least number above a bucket.
fn end(bucket: u16) -> u64 {
    if bucket + 1 < BUCKETS { begin(bucket + 1) } else { u64::MAX }
}

#[cfg(test)]
mod tests {
    use super::{
        BUCKETS, Millis, Part, Sketch, begin, bucket_of, end, expectations, expected, remaining,
    };

    fn of(values: impl IntoIterator<Item = u64>) -> Sketch {
        let mut sketch = Sketch::default();
        values.into_iter().for_each(|value| sketch.add(value));
        sketch
    }

    #[test]
    fn every_number_is_in_one_bucket() {
        for bucket in 0..BUCKETS {
            assert_eq!(bucket_of(begin(bucket)), bucket);
            assert_eq!(bucket_of(end(bucket) - 1), bucket);
        }
        assert_eq!(bucket_of(u64::MAX), BUCKETS - 1);
    }

    #[test]
    fn quantiles_are_near_the_true_ones() {
        let sketch = of((1..=200).map(|n| n * 1_000));
        for (percent, truth) in [(5, 10_000_u64), (50, 100_000), (95, 190_000)] {
            let told = sketch.quantile(Part::percent(percent)).expect("something is known");
            assert!(told.abs_diff(truth) <= truth / 16, "{percent}: {told}");
        }
    }

    #[test]
    fn what_runs_long_is_compared_with_what_ran_as_long() {
        let sketch = of([1_000; 100].into_iter().chain([100_000; 20]));
        let fresh = remaining(&sketch, Millis(0), Part::HALF);
        let old = remaining(&sketch, Millis(5_000), Part::HALF);
        assert!((900..1_200).contains(&fresh.0), "{fresh:?}");
        assert!((90_000..105_000).contains(&old.0), "{old:?}");
        assert_eq!(remaining(&sketch, Millis(500_000), Part::HALF), Millis(500_000));
    }

    #[test]
    fn what_is_expected_stays_until_it_is_overrun() {
        let sketch = of([1_000; 95].into_iter().chain([100_000; 5]));
        let all = expectations(&sketch, Part::percent(90));
        let at = |age| expected(&all, Millis(age)).0;
        assert!((1_000..1_200).contains(&at(0)), "{}", at(0));
        assert_eq!(at(0), at(at(0) - 1));
        assert!((100_000..120_000).contains(&at(at(0))), "{}", at(at(0)));
        for age in [0, 999, 5_000, 1 << 20, 1 << 50, u64::MAX - 1] {
            assert!(at(age) > age, "{age}: {}", at(age));
        }
    }

    #[test]
    fn what_is_old_fades() {
        let mut sketch = of([10; 1_000]);
        (0..400).for_each(|_| sketch.add(1_000));
        assert!(sketch.quantile(Part::HALF).expect("known") > 900);
        assert!(sketch.count() <= 256);
    }

    #[test]
    fn what_is_kept_comes_back_and_nothing_else_is_taken() {
        let sketch = of([1, 5, 77, 1 << 40]);
        assert_eq!(Sketch::restore(sketch.buckets().to_vec()), Some(sketch));
        assert_eq!(Sketch::restore(vec![(2, 1), (1, 1)]), None);
        assert_eq!(Sketch::restore(vec![(2, 0)]), None);
        assert_eq!(Sketch::restore(vec![(BUCKETS, 1)]), None);
    }
}
