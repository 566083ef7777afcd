use offpeak_core::{
    forecast::Share,
    model::{Horizon, Millis},
};

use super::{history::History, replay::Bounds};

/// Bounds for longer than the closed loop are looked at this often.
const LOOK_EVERY: Millis = Millis(30 * Millis::MINUTE.0);

/// Work comes in slices of a twentieth of a node.
const SLICES: usize = 20;
const SLICE_PERMILLE: u64 = 50;

/// All of a node's capacity, in thousandths.
const FULL: u64 = 1000;

/// How a node's owner behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Class {
    /// Uses less than a tenth on average.
    Quiet,
    /// Uses more, always about the same: it deviates by less than a tenth of the capacity.
    Even,
    /// Uses more, now less and now more.
    Changing,
    /// Uses four tenths or more on average.
    Busy,
}

impl Class {
    pub(super) const ALL: [Self; 4] = [Self::Quiet, Self::Even, Self::Changing, Self::Busy];
}

/// What became of the bounds of a node; sums of thousandths of capacity.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Score {
    /// Bounds that were looked at, and those that were exceeded, with by how much in all.
    pub(super) bounds: u64,
    pub(super) exceeded: u64,
    pub(super) overshoot: u64,
    /// What stayed idle over the horizon, and what of it was lent.
    pub(super) idle: u64,
    pub(super) harvested: u64,
    /// What was lent at each step, and what was taken back from one to the next.
    pub(super) lent: u64,
    pub(super) taken_back: u64,
    /// Steps of work in tasks of an hour that ended, and what a clairvoyant would have done.
    pub(super) useful: u64,
    pub(super) clairvoyant: u64,
}

/// What became of all bounds.
pub(super) struct Scores {
    pub(super) nodes: Vec<(Class, Score)>,
    pub(super) steps_an_hour: u64,
}

impl Score {
    pub(super) fn add(&mut self, other: &Self) {
        self.bounds += other.bounds;
        self.exceeded += other.exceeded;
        self.overshoot += other.overshoot;
        self.idle += other.idle;
        self.harvested += other.harvested;
        self.lent += other.lent;
        self.taken_back += other.taken_back;
        self.useful += other.useful;
        self.clairvoyant += other.clairvoyant;
    }
}

/// Holds bounds against what came, after the days that do not count.
pub(super) fn score(history: &History, bounds: &Bounds, horizon: Horizon, skip: u32) -> Scores {
    let day = history.steps_in(Millis::DAY);
    let begin = history.rows.first().map_or(0, |row| row.step) + u64::from(skip) * day;
    let steps_an_hour = history.steps_in(Millis::HOUR);
    let nodes = (0..history.names.len())
        .map(|node| {
            let mut score = Score::default();
            look_ahead(&mut score, history, bounds, horizon, begin, node);
            walk(&mut score, history, bounds, begin, node);
            (class(history, begin, node), score)
        })
        .collect();
    Scores { nodes, steps_an_hour }
}

/// Looks at the peak that followed each bound.
fn look_ahead(
    score: &mut Score,
    history: &History,
    bounds: &Bounds,
    horizon: Horizon,
    begin: u64,
    node: usize,
) {
    let span = history.steps_in(horizon.length());
    let every = if horizon == Horizon::FiveMinutes { 1 } else { history.steps_in(LOOK_EVERY) };
    let last = history.rows.last().map_or(0, |row| row.step);
    let least_seen = (span / 2).max(1);
    for (at, row) in history.rows.iter().enumerate() {
        if row.step < begin || !(row.step - begin).is_multiple_of(every) || row.step + span > last {
            continue;
        }
        let coming = history.rows[at + 1..].iter().take_while(|next| next.step <= row.step + span);
        let (mut peak, mut seen) = (0, 0);
        for load in coming.filter_map(|next| next.loads[node]) {
            peak = u64::from(load.get()).max(peak);
            seen += 1;
        }
        if seen < least_seen {
            continue;
        }
        let bound = permille(bounds[at][node]);
        score.bounds += 1;
        score.exceeded += u64::from(peak > bound);
        score.overshoot += peak.saturating_sub(bound);
        score.idle += FULL - peak;
        score.harvested += FULL - peak.max(bound);
    }
}

/// Follows what is lent from step to step, and work of an hour in it.
fn walk(score: &mut Score, history: &History, bounds: &Bounds, begin: u64, node: usize) {
    let hour = history.steps_in(Millis::HOUR);
    let (mut work, mut best) = (Work::new(hour), Work::new(hour));
    let mut before = 0;
    for (at, pair) in history.rows.windows(2).enumerate() {
        let [row, next] = pair else { continue };
        if row.step < begin {
            continue;
        }
        // A bound is in force until the next sample; without one nothing can be told of it.
        let load = next.loads[node].filter(|_| next.step == row.step + 1);
        let lent = load.map_or(0, |_| FULL - permille(bounds[at][node]));
        let idle = load.map_or(0, |load| FULL - u64::from(load.get()));
        score.lent += lent;
        score.taken_back += u64::saturating_sub(before, lent);
        before = lent;
        work.step(if lent > idle { 0 } else { lent });
        best.step(idle);
    }
    score.useful += work.done();
    score.clairvoyant += best.done();
}

fn permille(bound: Option<Share>) -> u64 {
    bound.map_or(FULL, |bound| bound.get().into())
}

/// Tasks of an hour, one a slice, begun anew when their slice is taken.
struct Work {
    hour: u64,
    running: [u64; SLICES],
    done: u64,
}

impl Work {
    fn new(hour: u64) -> Self {
        Self { hour, running: [0; SLICES], done: 0 }
    }

    fn step(&mut self, lent: u64) {
        for (slice, running) in (1..).zip(&mut self.running) {
            if lent < slice * SLICE_PERMILLE {
                *running = 0;
                continue;
            }
            *running += 1;
            if *running == self.hour {
                *running = 0;
                self.done += self.hour;
            }
        }
    }

    fn done(&self) -> u64 {
        self.done
    }
}

fn class(history: &History, begin: u64, node: usize) -> Class {
    let counted = history.rows.iter().filter(|row| row.step >= begin);
    let (mut count, mut sum, mut squares) = (0, 0, 0);
    for load in counted.filter_map(|row| row.loads[node]) {
        let load = u64::from(load.get());
        count += 1;
        sum += load;
        squares += load * load;
    }
    let mean = sum / count.max(1);
    let variance = (squares / count.max(1)).saturating_sub(mean * mean);
    match mean {
        0..100 => Class::Quiet,
        400.. => Class::Busy,
        _ if variance < 100 * 100 => Class::Even,
        _ => Class::Changing,
    }
}
