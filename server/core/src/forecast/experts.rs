use borsh::{BorshDeserialize, BorshSerialize};

use super::{
    season::{Season, decode},
    slot::{DAY_SLOTS, HOUR_SLOTS, Slot, UNKNOWN},
};

/// Guesses for each horizon.
pub(super) const FIVE_MINUTES: usize = 5;
pub(super) const HOUR: usize = 5;
pub(super) const SIX_HOURS: usize = 3;
pub(super) const DAY: usize = 2;

/// The guess of the coming hour by its time of day and the last hour, and that by its time of day alone.
pub(super) const NEAR: usize = 1;
pub(super) const USUAL: usize = 3;

const SIX_HOUR_SLOTS: u32 = 6 * HOUR_SLOTS;

/// Loads of the last hour, by slot modulo twelve.
#[derive(BorshDeserialize, BorshSerialize, Clone, Debug)]
pub(super) struct LastHour([u16; HOUR_SLOTS as usize]);

impl Default for LastHour {
    fn default() -> Self {
        Self([UNKNOWN; HOUR_SLOTS as usize])
    }
}

impl LastHour {
    /// Takes note of a load, `skipped` slots after the one before.
    pub(super) fn enter(&mut self, slot: Slot, skipped: u32, load: u16) {
        for back in 1..skipped.min(HOUR_SLOTS) {
            *self.cell(slot.0 - back) = UNKNOWN;
        }
        *self.cell(slot.0) = load;
    }

    fn cell(&mut self, slot: u32) -> &mut u16 {
        &mut self.0[usize::try_from(slot % HOUR_SLOTS).expect("invariant: below twelve")]
    }

    pub(super) fn peak(&self) -> u16 {
        self.0.iter().copied().filter(|load| *load != UNKNOWN).max().unwrap_or(0)
    }
}

/// What was seen of a node up to now, from which guesses are made.
pub(super) struct Seen {
    /// The greatest load of the last hour, six hours, day and week.
    pub(super) hour: u16,
    pub(super) six_hours: u16,
    pub(super) day: u16,
    pub(super) week: u16,
    /// The two greatest loads of the coming hour, six hours and day, at the same time of the last seven days.
    coming_hour: [u16; 2],
    coming_six_hours: [u16; 2],
    coming_day: [u16; 2],
}

impl Seen {
    pub(super) fn of(last_hour: &LastHour, season: &Season, slot: Slot) -> Self {
        let hour = last_hour.peak();
        let past = |slots: u32| {
            let today = season.window(slot.0 - slots, slot.0)[0];
            decode(today).unwrap_or(0).max(hour)
        };
        let coming = |slots: u32| two_greatest(&season.window(slot.0 + 1, slot.0 + slots)[1..]);
        Self {
            hour,
            six_hours: past(SIX_HOUR_SLOTS),
            day: past(DAY_SLOTS - 1),
            week: season.weekly_peak(),
            coming_hour: coming(HOUR_SLOTS),
            coming_six_hours: coming(SIX_HOUR_SLOTS),
            coming_day: coming(DAY_SLOTS),
        }
    }

    /// Guesses of the peak until the next sample.
    pub(super) fn for_five_minutes(&self) -> [u16; FIVE_MINUTES] {
        let [first, second] = self.coming_hour;
        [self.hour, self.six_hours, self.day, greater(first, self.hour), greater(second, self.hour)]
    }

    /// Guesses of the peak of the coming hour.
    pub(super) fn for_an_hour(&self) -> [u16; HOUR] {
        let [first, second] = self.coming_hour;
        [self.hour, greater(first, self.hour), greater(second, self.hour), first, self.six_hours]
    }

    /// Guesses of the peak of the coming six hours.
    pub(super) fn for_six_hours(&self) -> [u16; SIX_HOURS] {
        let [first, second] = self.coming_six_hours;
        [greater(first, self.hour), greater(second, self.hour), self.six_hours]
    }

    /// Guesses of the peak of the coming day.
    pub(super) fn for_a_day(&self) -> [u16; DAY] {
        self.coming_day.map(|peak| greater(peak, self.hour))
    }
}

/// The two greatest of some days; of a single one, that day twice.
pub(super) fn two_greatest(days: &[u8]) -> [u16; 2] {
    let (mut first, mut second) = (0, 0);
    for code in days {
        if *code > first {
            second = first;
            first = *code;
        } else {
            second = second.max(*code);
        }
    }
    let Some(greatest) = decode(first) else { return [UNKNOWN; 2] };
    [greatest, decode(second).unwrap_or(greatest)]
}

/// The greater of what may be unknown and what is not.
fn greater(perhaps: u16, known: u16) -> u16 {
    // What is unknown is greater than anything, and stays unknown.
    perhaps.max(known)
}
