use super::{Millis, Resources, Time};

/// The resources of which shares are reckoned: CPU, memory, disk, network and GPUs. Named countables have no whole that
/// means the same everywhere, so they take no part.
pub const SHARED: usize = 5;

/// One amount for each of the resources of which shares are reckoned.
pub type Amounts = [u64; SHARED];

/// Binary places beyond one unit of each resource: without them what is small would never decay in short steps.
const PLACES: u32 = 32;

/// 2^(-i/64) in 2^-32 parts, for i from 0 to 64: what is left after so many parts of a half-life.
const POWERS: [u64; 65] = powers();

/// What was held of late, as a mean whose weights halve each half-life back: a burst is remembered and forgiven. It is
/// brought up to a time only when what is held changes or somebody asks.
///
/// The mean is `m(t) = m(s) f + held (1 - f)` with `f = 2^(-(t - s) / half-life)` for as long as nothing changes, which is
/// an exponentially weighted moving average over irregular steps; `f` is read from a table of 64 steps a half-life and
/// interpolated between, so that all machines reckon alike.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Decayed {
    /// In 2^-32 parts of a unit.
    fine: [u128; SHARED],
    as_of: Time,
}

/// The amounts of which shares are reckoned.
#[must_use]
#[inline]
pub fn shared(resources: &Resources) -> Amounts {
    [
        resources.cpu_millis,
        resources.memory_bytes,
        resources.disk_bytes,
        resources.network_bps,
        resources.gpu_millis,
    ]
}

impl Decayed {
    /// As kept in a checkpoint: 2^-32 parts of a unit, and as of when.
    #[must_use]
    pub fn restore(fine: [u128; SHARED], as_of: Time) -> Self {
        Self { fine, as_of }
    }

    /// In 2^-32 parts of a unit, for a checkpoint.
    #[must_use]
    pub fn fine(&self) -> [u128; SHARED] {
        self.fine
    }

    /// As of when it is known.
    #[must_use]
    pub fn as_of(&self) -> Time {
        self.as_of
    }

    /// The mean at `now`, when so much has been held since it was last brought up to date; in whole units.
    #[must_use]
    pub fn at(&self, now: Time, held: &Resources, half_life: Millis) -> Amounts {
        let mut then = *self;
        then.bring(now, held, half_life);
        then.fine.map(|fine| u64::try_from(fine >> PLACES).unwrap_or(u64::MAX))
    }

    /// Brings it up to `now`, since when something else is held.
    #[inline]
    pub(crate) fn bring(&mut self, now: Time, held: &Resources, half_life: Millis) {
        let passed = now.since(self.as_of);
        if passed.0 == 0 {
            return;
        }
        self.as_of = now;
        let left = u128::from(left_after(passed, half_life));
        for (fine, held) in self.fine.iter_mut().zip(shared(held)) {
            let held = u128::from(held.min(MOST));
            let (whole, parts) = (*fine >> PLACES, *fine & MASK);
            *fine = whole * left + ((parts * left) >> PLACES) + held * (ONE_WIDE - left);
        }
    }

    /// As if what is held had always been held.
    pub(crate) fn settle(&mut self, now: Time, held: &Resources) {
        self.as_of = now;
        self.fine = shared(held).map(|held| u128::from(held.min(MOST)) << PLACES);
    }

    /// Adds what another remembers; both must be of one time.
    pub(crate) fn join(&mut self, other: &Self) {
        for (fine, more) in self.fine.iter_mut().zip(other.fine) {
            *fine = fine.saturating_add(more);
        }
    }

    /// Takes out what another remembers; both must be of one time.
    pub(crate) fn part(&mut self, other: &Self) {
        for (fine, less) in self.fine.iter_mut().zip(other.fine) {
            *fine = fine.saturating_sub(less);
        }
    }
}

const ONE: u64 = 1 << 32;
const ONE_WIDE: u128 = 1 << 32;
const MASK: u128 = ONE_WIDE - 1;

/// More of anything than is counted here.
const MOST: u64 = 1 << 62;

/// What is left of a weight after a time, in 2^-32 parts.
fn left_after(passed: Millis, half_life: Millis) -> u64 {
    if half_life.0 == 0 {
        return 0;
    }
    let halves = passed.0 / half_life.0;
    if halves >= 32 {
        return 0;
    }
    // Parts of 1/64 of a half-life, in 2^-32 of such a part.
    let parts = (u128::from(passed.0 % half_life.0) << 38) / u128::from(half_life.0);
    let parts = u64::try_from(parts).unwrap_or(0);
    let at = usize::try_from(parts >> 32).unwrap_or(0);
    let (above, below) = (POWERS[at], POWERS[at + 1]);
    (above - (((above - below) * (parts % ONE)) >> 32)) >> halves
}

/// Each entry is the one before times 2^(-1/64), reckoned with 60 binary places.
#[expect(clippy::cast_possible_truncation, reason = "each is at most 2^32")]
const fn powers() -> [u64; 65] {
    // 2^(-1/64) with 60 binary places.
    const STEP: u128 = 1_140_502_249_370_840_087;
    let mut powers = [0; 65];
    let mut power: u128 = 1 << 60;
    let mut at = 0;
    while at < 64 {
        powers[at] = (power >> 28) as u64;
        power = (power * STEP) >> 60;
        at += 1;
    }
    powers[64] = ONE / 2;
    powers
}

#[cfg(test)]
mod tests {
    use super::{Decayed, Millis, ONE, POWERS, Resources, Time, left_after};

    #[test]
    fn a_weight_halves_each_half_life() {
        let hour = Millis::HOUR;
        assert_eq!(left_after(Millis(0), hour), ONE);
        assert_eq!(left_after(hour, hour), ONE / 2);
        assert_eq!(left_after(Millis(3 * hour.0), hour), ONE / 8);
        assert_eq!(left_after(Millis(100 * hour.0), hour), 0);
        // 2^(-1/2) and 2^(-1/4).
        assert_eq!(left_after(Millis(hour.0 / 2), hour) * 100_000_000 / ONE, 70_710_678);
        assert_eq!(POWERS[16] * 100_000_000 / ONE, 84_089_641);
        assert!(POWERS.is_sorted_by(|a, b| a > b));
    }

    #[test]
    fn what_is_held_for_long_is_the_mean_however_often_it_is_brought_up() {
        let held = Resources { cpu_millis: 7, memory_bytes: 1 << 50, ..Resources::default() };
        let (mut often, mut once) = (Decayed::default(), Decayed::default());
        for second in 1..=36_000 {
            often.bring(Time(second * 1_000), &held, Millis::HOUR);
        }
        once.bring(Time(36_000_000), &held, Millis::HOUR);
        let (often, once) = (often.fine, once.fine);
        assert!(once[0].abs_diff(often[0]) <= once[0] / 1_000, "{once:?} {often:?}");
        assert!(once[1].abs_diff(often[1]) <= once[1] / 1_000, "{once:?} {often:?}");
    }
}
