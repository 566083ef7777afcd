use super::day_ahead::{DAYS, DayAhead, HOURS, TAILS_PERMILLE};

/// How many deviations above the mean a sum of many lies as often as [`TAILS_PERMILLE`] says, in thousandths.
const DEVIATIONS_MILLE: [i128; TAILS_PERMILLE.len()] = [0, 1645, 2326];

const MILLION: i128 = 1_000_000;

/// What the owners of many nodes will need of one resource together, hour by hour.
///
/// Not all are busy in the same hours, so that together they need less than the sum of what each may need, and more of
/// them are somewhat busy than one would think of each. How much they swing together is seen in the last seven days of
/// these very nodes: by how much their sum swings, beside the sum of by how much each does. That part is one if they are
/// all alike and near nothing if many are busy at random. What is told lies as many deviations above the mean as belong to
/// a sum of many, and the nearer that part is to one the more it is what the nodes' own figures add up to.
#[derive(Clone, Debug)]
pub struct Together {
    capacity: u128,
    hours: [Sum; HOURS],
    /// How far the sum was from its mean in each hour of each day, in thousandths as the next.
    swings: [[i128; DAYS]; HOURS],
    /// The sum of the deviations of each, of so many.
    apart: u128,
    swinging: u64,
}

/// Of all parts, in one hour.
#[derive(Clone, Copy, Debug, Default)]
struct Sum {
    quantiles: [u128; TAILS_PERMILLE.len()],
    floor: u128,
    /// In millionths, as the next.
    mean: i128,
    deviation: u128,
}

/// One node's part.
#[derive(Clone, Copy, Debug)]
pub struct Part<'a> {
    /// What is expected of it.
    pub day: Option<&'a DayAhead>,
    /// What it has.
    pub capacity: u64,
    /// What is held back in each hour in any case.
    pub floors: [u64; HOURS],
    /// What is held back in hours of which nothing is known.
    pub otherwise: u64,
    /// Whether what one node has left can make up for what another lacks.
    pub divisible: bool,
}

impl Default for Together {
    fn default() -> Self {
        Self {
            capacity: 0,
            hours: [Sum::default(); HOURS],
            swings: [[0; DAYS]; HOURS],
            apart: 0,
            swinging: 0,
        }
    }
}

impl Together {
    /// Adds a node. `amount_of` says what so many thousandths of its capacity come to.
    pub fn add(&mut self, part: &Part<'_>, amount_of: impl Fn(u16) -> u64) {
        self.capacity += u128::from(part.capacity);
        let (sums, floors) = (self.hours.iter_mut(), part.floors);
        for (hour, (sum, floor)) in sums.zip(floors).enumerate() {
            let floor = floor.min(part.capacity);
            sum.floor += u128::from(floor);
            let Some(load) = part.day.and_then(|day| day.hour(hour)) else {
                let held = u128::from(part.otherwise.max(floor).min(part.capacity));
                sum.quantiles = sum.quantiles.map(|sum| sum + held);
                sum.mean += signed(held) * MILLION;
                continue;
            };
            let quantiles = load.quantiles().map(|share| amount_of(share).max(floor));
            for (sum, quantile) in sum.quantiles.iter_mut().zip(quantiles) {
                *sum += u128::from(quantile);
            }
            sum.mean += i128::from(part.capacity)
                * i128::from(load.mean_ppm(permille_of(floor, part.capacity)));
            // A load that hardly ever exceeds the floor does not swing as far as that matters.
            if quantiles[TAILS_PERMILLE.len() - 1] > floor {
                sum.deviation += u128::from(part.capacity) * u128::from(load.deviation_ppm());
            }
        }
        // Where nothing is known of how they swing, they are taken to be all alike.
        if let Some(day) = part.day.filter(|_| part.divisible) {
            self.swing(day, part.capacity);
        }
    }

    /// Adds all nodes of another one.
    pub fn add_all(&mut self, other: &Self) {
        self.capacity += other.capacity;
        for (sum, other) in self.hours.iter_mut().zip(&other.hours) {
            for (sum, other) in sum.quantiles.iter_mut().zip(other.quantiles) {
                *sum += other;
            }
            sum.mean += other.mean;
            sum.deviation += other.deviation;
            sum.floor += other.floor;
        }
        for (sum, other) in self.swings.iter_mut().flatten().zip(other.swings.iter().flatten()) {
            *sum += other;
        }
        self.apart += other.apart;
        self.swinging += other.swinging;
    }

    fn swing(&mut self, day: &DayAhead, capacity: u64) {
        let swings = day.swings();
        self.swinging += u64::from(swings.deviation > 0);
        self.apart += u128::from(capacity) * u128::from(swings.deviation);
        for (sums, days) in self.swings.iter_mut().zip(&swings.by_hour) {
            for (sum, swing) in sums.iter_mut().zip(days) {
                let Some(swing) = swing else { continue };
                *sum += i128::from(capacity) * i128::from(i64::from(*swing) - swings.mean);
            }
        }
    }

    /// What all of them hold back, by hour: exceeded as often as [`TAILS_PERMILLE`] says.
    #[must_use]
    pub fn held_back(&self) -> [[u64; TAILS_PERMILLE.len()]; HOURS] {
        let alike = self.alike_mille();
        self.hours.map(|sum| {
            let mut least = sum.floor;
            let mut held = [0; TAILS_PERMILLE.len()];
            for (at, held) in held.iter_mut().enumerate() {
                let (mean, deviation) = (sum.mean / MILLION, signed(sum.deviation) / MILLION);
                let alone = signed(sum.quantiles[at]) - mean;
                let many = deviation * DEVIATIONS_MILLE[at] / 1000;
                let above = (alike * alone + (1000 - alike) * many) / 1000 * alike / 1000;
                let amount = u128::try_from(mean + above).unwrap_or(0);
                least = amount.clamp(least, self.capacity.max(least));
                *held = u64::try_from(least).unwrap_or(u64::MAX);
            }
            held
        })
    }

    /// How much they swing together, in thousandths: 1000 if all swing as one does, or nothing is known of it.
    fn alike_mille(&self) -> i128 {
        if self.swinging < 2 {
            return 1000;
        }
        let count = u128::try_from(HOURS * DAYS).expect("invariant: it is small");
        let swings = self.swings.iter().flatten();
        let squares = swings.map(|sum| (sum.unsigned_abs() / 1000).saturating_pow(2) / count);
        let together = squares.fold(0, u128::saturating_add).isqrt();
        // Thousandths of what is in thousandths.
        signed(together.saturating_mul(1_000_000) / self.apart).min(1000)
    }
}

/// At most all of it.
fn permille_of(part: u64, whole: u64) -> u16 {
    if part == 0 {
        return 0;
    }
    let permille = u128::from(part) * 1000 / u128::from(whole.max(1));
    u16::try_from(permille).expect("invariant: at most all of it")
}

fn signed(amount: u128) -> i128 {
    i128::try_from(amount).unwrap_or(i128::MAX)
}
