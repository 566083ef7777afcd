use super::{
    NodeForecast,
    calibration::CLASSES,
    experts::{self, two_greatest},
    misses::Pool,
    season::{Season, decode},
    slot::{DAY_SLOTS, HOUR_SLOTS, Slot, UNKNOWN},
    spread::Spread,
};
use crate::model::{Horizon, Millis, Time};

/// So many hours are told.
pub const HOURS: usize = 24;

/// How often the greatest load of an hour exceeds what is told of it, in thousandths of the times: the half, the 95th
/// and the 99th hundredth.
pub const TAILS_PERMILLE: [u64; 3] = [500, 50, 10];

/// Days of which swings are known.
pub(super) const DAYS: usize = 7;

/// The last hour says something of so many hours, the one under way included. Of later ones it says no more than a
/// promise of one in a hundred can bear.
const NEAR_HOURS: usize = 2;

/// All of a node's capacity, in thousandths.
const FULL: i32 = 1000;

/// What the nodes of a fleet know together of how hours turn out.
#[derive(Clone, Debug)]
pub struct Kin {
    near: Pool,
    usual: Pool,
}

/// The coming day of one resource of a node: what is expected of the greatest load of each hour of the clock, in
/// universal time. The hour under way is the first.
#[derive(Clone, Debug)]
pub struct DayAhead {
    /// In thousandths of capacity; `UNKNOWN` where nothing was seen at that time of day.
    guesses: [u16; HOURS],
    /// By how much guesses were greater on average when it was learned what they miss, in millionths.
    more_ppm: i64,
    near: Option<Spread>,
    usual: Option<Spread>,
    swings: Swings,
}

/// By how much each hour of the last days differed from the greatest of the other days at that time; in thousandths of
/// capacity, less than nothing where it was quieter. Days of which nothing is known are left out.
#[derive(Clone, Debug)]
pub(super) struct Swings {
    pub(super) by_hour: [[Option<i16>; DAYS]; HOURS],
    /// Their mean, and by how much they deviate from it.
    pub(super) mean: i64,
    pub(super) deviation: u64,
}

/// What is expected of the greatest load of an hour.
#[derive(Clone, Copy, Debug)]
pub struct HourLoad<'a> {
    guess: u16,
    more_ppm: i64,
    spread: &'a Spread,
}

/// When the hour under way began.
#[must_use]
pub fn hour_of(now: Time) -> Time {
    Time(now.0 - now.0 % Millis::HOUR.0)
}

impl Kin {
    /// From what each guess of an hour missed, by how quiet the nodes were then: it is not known how quiet they will be.
    pub(super) fn of(pools: &[[Pool; CLASSES]; experts::HOUR]) -> Self {
        let merged = |guess: usize| Pool::merged(&pools[guess]);
        Self { near: merged(experts::NEAR), usual: merged(experts::USUAL) }
    }
}

impl NodeForecast {
    /// What is to be expected of the coming day, from the memory of the last week and from what the guesses of an hour
    /// missed, on this node and on its kin. `None` if the newest sample is as old as two hours.
    ///
    /// The guess of an hour needs nothing that is seen in the day before it, so it is as good a day ahead as it is when
    /// the hour begins, and the same counts tell how often it is off.
    #[must_use]
    pub fn day_ahead(&self, kin: &Kin, now: Time) -> Option<DayAhead> {
        let age = now.since(self.newest?);
        if age >= Self::good_for(Horizon::Day) {
            return None;
        }
        let slot = Slot::of(now);
        let season = self.season.as_of(slot);
        let pace = Horizon::Hour.pace();
        let (mut guesses, mut by_hour) = ([UNKNOWN; HOURS], [[None; DAYS]; HOURS]);
        // The same hours of the day before have passed, or are under way.
        let mut before = slot.0 - slot.0 % HOUR_SLOTS - DAY_SLOTS;
        let mut longer = Longer::default();
        for (guess, swings) in guesses.iter_mut().zip(&mut by_hour) {
            let days: [u8; DAYS] = week(season.window(before, before + HOUR_SLOTS - 1));
            let [greatest, second] = two_greatest(&days);
            longer.compare(&season, before, greatest);
            *guess = greatest;
            *swings = swings_of(&days, greatest, second);
            before += HOUR_SLOTS;
        }
        let near = if age < Millis::HOUR {
            let peak = self.last_hour.peak();
            for guess in guesses[..NEAR_HOURS].iter_mut() {
                // What is unknown is greater than anything, and stays unknown.
                *guess = (*guess).max(peak);
            }
            self.hour.spread(experts::NEAR, &kin.near, pace, slot)
        } else {
            None
        };
        let usual = self.hour.spread(experts::USUAL, &kin.usual, pace, slot);
        let more_ppm = longer.by_ppm();
        Some(DayAhead { guesses, more_ppm, near, usual, swings: Swings::of(by_hour) })
    }
}

/// The last seven days of a window that the current day has not reached.
fn week(days: [u8; DAYS + 1]) -> [u8; DAYS] {
    *days.first_chunk().expect("invariant: a week and a day")
}

/// Guesses are learned of hours that begin at any quarter and, for what is seen next is in the slot after, reach into a
/// fifth one. An hour of the clock has four, so that none is told to be as busy as the next one begins. By how much that
/// lowers guesses on average over the day belongs to the mean: it would add up over many nodes.
#[derive(Clone, Copy, Debug, Default)]
struct Longer {
    more: i64,
    hours: i64,
}

impl Longer {
    fn compare(&mut self, season: &Season, start: u32, greatest: u16) {
        let [learned, _] = two_greatest(&week(season.window(start, start + HOUR_SLOTS)));
        if greatest != UNKNOWN {
            self.more += i64::from(learned) - i64::from(greatest);
            self.hours += 1;
        }
    }

    fn by_ppm(self) -> i64 {
        self.more * 1000 / self.hours.max(1)
    }
}

/// Against the greatest of the other days; of a single day nothing can be told.
fn swings_of(days: &[u8; DAYS], greatest: u16, second: u16) -> [Option<i16>; DAYS] {
    let known = days.iter().filter(|code| **code > 0).count();
    if known < 2 {
        return [None; DAYS];
    }
    days.map(|code| {
        let load = decode(code)?;
        let others = if load == greatest { second } else { greatest };
        let swing = i32::from(load) - i32::from(others);
        Some(i16::try_from(swing).expect("invariant: both are shares"))
    })
}

impl Swings {
    fn of(by_hour: [[Option<i16>; DAYS]; HOURS]) -> Self {
        let (mut count, mut sum, mut squares) = (0, 0, 0);
        for swing in by_hour.iter().flatten().flatten() {
            let swing = i64::from(*swing);
            count += 1;
            sum += swing;
            squares += swing * swing;
        }
        let mean = sum / i64::max(count, 1);
        let variance = squares / i64::max(count, 1) - mean * mean;
        Self { by_hour, mean, deviation: variance.max(0).unsigned_abs().isqrt() }
    }
}

impl DayAhead {
    /// What is expected of an hour, the one under way being 0; `None` where nothing is known of that time of day yet, or
    /// of how often guesses are off.
    #[must_use]
    pub fn hour(&self, hour: usize) -> Option<HourLoad<'_>> {
        let guess = *self.guesses.get(hour).filter(|guess| **guess != UNKNOWN)?;
        let near = self.near.as_ref().filter(|_| hour < NEAR_HOURS);
        let spread = near.or(self.usual.as_ref())?;
        Some(HourLoad { guess, more_ppm: self.more_ppm, spread })
    }

    pub(super) fn swings(&self) -> &Swings {
        &self.swings
    }
}

impl HourLoad<'_> {
    /// What is exceeded as often as [`TAILS_PERMILLE`] says, in thousandths of capacity.
    #[must_use]
    pub fn quantiles(&self) -> [u16; TAILS_PERMILLE.len()] {
        self.spread.misses().map(|miss| {
            let load = i32::from(self.guess) + i32::from(miss);
            u16::try_from(load.clamp(0, FULL)).expect("invariant: a share")
        })
    }

    /// What the larger of the load and a floor is on average, in millionths of capacity. Over many hours the errors of
    /// this cancel out; for one it may be less than nothing.
    pub(super) fn mean_ppm(&self, floor_permille: u16) -> i64 {
        let mean = i64::from(self.guess) * 1000 + self.more_ppm + self.spread.mean_ppm();
        if floor_permille == 0 {
            return mean;
        }
        mean + self.spread.lift_ppm(self.guess, floor_permille)
    }

    /// By how much the load deviates from its mean, in millionths of capacity.
    pub(super) fn deviation_ppm(&self) -> u64 {
        self.spread.deviation_ppm()
    }
}
