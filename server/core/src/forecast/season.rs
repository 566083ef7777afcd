use borsh::{BorshDeserialize, BorshSerialize};

use super::slot::Slot;

/// Slots of a quarter of an hour, and quarters of a day.
const QUARTER_SLOTS: u32 = 3;
const DAY_QUARTERS: u32 = 96;

/// Days that are remembered, the current one included.
const DAYS: usize = 8;

/// The greatest load of every quarter of an hour of the last seven days, a byte each.
///
/// The days of a time of day stand side by side, so that the greatest of a window is found for all days at once.
#[derive(BorshDeserialize, BorshSerialize, Clone, Debug)]
pub(super) struct Season {
    /// By quarter of the day, then by day modulo eight; 0 where nothing was seen.
    cells: [[u8; DAYS]; DAY_QUARTERS as usize],
    /// The newest quarter; nothing is remembered while it is 0.
    newest: u32,
}

impl Default for Season {
    fn default() -> Self {
        Self { cells: [[0; DAYS]; DAY_QUARTERS as usize], newest: 0 }
    }
}

/// A load as a byte, rounded up by less than 4 thousandths below 400 and 8 above; never 0.
fn encode(load: u16) -> u8 {
    let code = match load {
        0..=99 => load,
        100..=399 => 100 + (load - 100).div_ceil(4),
        _ => 175 + (load.min(1000) - 400).div_ceil(8),
    };
    u8::try_from(code + 1).expect("invariant: at most 251")
}

/// What a byte stands for, in thousandths; `None` if nothing was seen.
pub(super) fn decode(code: u8) -> Option<u16> {
    let code = u16::from(code.checked_sub(1)?);
    Some(match code {
        0..=99 => code,
        100..=175 => 100 + (code - 100) * 4,
        _ => (400 + (code - 175) * 8).min(1000),
    })
}

impl Season {
    /// Takes note of a load; one of the last seven days may come late.
    pub(super) fn enter(&mut self, slot: Slot, load: u16) {
        let quarter = slot.0 / QUARTER_SLOTS;
        self.forget(quarter);
        if self.newest - quarter >= DAY_QUARTERS * 7 {
            return;
        }
        let cell = self.cell(quarter);
        *cell = (*cell).max(encode(load));
    }

    /// As it is remembered later: what was not seen since is not known.
    pub(super) fn as_of(&self, slot: Slot) -> Self {
        let mut later = self.clone();
        later.forget(slot.0 / QUARTER_SLOTS);
        later
    }

    /// Forgets what is eight days old when a quarter begins, if it is a new one.
    fn forget(&mut self, quarter: u32) {
        let skipped = quarter.saturating_sub(self.newest).min(DAY_QUARTERS * 8);
        for back in 0..skipped {
            *self.cell(quarter - back) = 0;
        }
        self.newest = self.newest.max(quarter);
    }

    fn cell(&mut self, quarter: u32) -> &mut u8 {
        &mut self.cells[row_of(quarter)][lane_of(quarter / DAY_QUARTERS)]
    }

    /// The greatest of all that is remembered.
    pub(super) fn weekly_peak(&self) -> u16 {
        let mut lanes = [0; DAYS];
        for row in &self.cells {
            raise(&mut lanes, row);
        }
        decode(lanes.into_iter().max().unwrap_or(0)).unwrap_or(0)
    }

    /// The greatest load from one slot to another and in the same window of each of the seven days before, as bytes.
    /// A window is at most a day long.
    pub(super) fn window(&self, first: u32, last: u32) -> [u8; DAYS] {
        let (first, last) = (first / QUARTER_SLOTS, last / QUARTER_SLOTS);
        let (begin, end) = (row_of(first), row_of(last));
        // The lanes of the day on which the window begins, and of the next.
        let (mut first_day, mut next_day) = ([0; DAYS], [0; DAYS]);
        let wraps = last / DAY_QUARTERS > first / DAY_QUARTERS;
        let until = if wraps { self.cells.len() } else { end + 1 };
        for row in &self.cells[begin..until] {
            raise(&mut first_day, row);
        }
        if wraps {
            for row in &self.cells[..=end] {
                raise(&mut next_day, row);
            }
        }
        let day = first / DAY_QUARTERS;
        let mut days = [0; DAYS];
        for (back, greatest) in (0..).zip(&mut days) {
            let begun = first_day[lane_of(day.saturating_sub(back))];
            let ended = next_day[lane_of((day + 1).saturating_sub(back))];
            *greatest = begun.max(ended);
        }
        days
    }
}

fn row_of(quarter: u32) -> usize {
    usize::try_from(quarter % DAY_QUARTERS).expect("invariant: below 96")
}

fn lane_of(day: u32) -> usize {
    usize::try_from(day).expect("invariant: 32 bits fit") % DAYS
}

fn raise(lanes: &mut [u8; DAYS], row: &[u8; DAYS]) {
    for (lane, cell) in lanes.iter_mut().zip(row) {
        *lane = (*lane).max(*cell);
    }
}

#[cfg(test)]
mod tests {
    use super::{Season, decode, encode};
    use crate::forecast::slot::{DAY_SLOTS, Slot};

    #[test]
    fn a_remembered_load_is_never_less_than_the_load() {
        for load in 0..=1000 {
            let remembered = decode(encode(load)).expect("it was seen");
            assert!(load <= remembered && remembered < load + 8, "{load} {remembered}");
        }
    }

    /// Beside a list of all samples: windows within a day, over midnight and a day long, with gaps.
    #[test]
    fn windows_are_those_of_a_plain_list() {
        let mut season = Season::default();
        let mut list = vec![0_u16; 20 * 288];
        let start = 8 * DAY_SLOTS;
        for step in 0..20 * DAY_SLOTS {
            let slot = start + step;
            let index = usize::try_from(step).expect("small");
            if step % 41 < 30 {
                let load = u16::try_from(step * 7919 % 1000).expect("small");
                list[index] = load + 1;
                season.enter(Slot(slot), load);
            }
            if step < 9 * DAY_SLOTS || step % 41 >= 30 || step % 5 != 0 {
                continue;
            }
            for length in [12, 72, 287] {
                let found = season.window(slot + 1, slot + length);
                for back in 1..8 {
                    // All of the quarters that the window touches.
                    let first = (slot + 1) / 3 * 3 - back * DAY_SLOTS - start;
                    let last = (slot + length) / 3 * 3 + 2 - back * DAY_SLOTS - start;
                    let window = usize::try_from(first).expect("small")
                        ..=usize::try_from(last.min(step)).expect("small");
                    let greatest = list[window].iter().max().expect("some");
                    let expected = greatest.checked_sub(1).map(encode);
                    let day = usize::try_from(back).expect("small");
                    assert_eq!(found[day], expected.unwrap_or(0), "{step} {length} {back}");
                }
            }
        }
    }
}
