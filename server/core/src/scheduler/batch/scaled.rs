//! The problem in the numbers of the search: small integers of about the same size in every dimension.

use super::Problem;

/// Bits of what the largest room is scaled to: two rooms can be added without overflow.
pub(super) const FULL_BITS: u32 = 29;

/// What the largest room is scaled to.
const FULL: i32 = 1 << FULL_BITS;

/// Items up to which two dimensions together are looked at for a bound.
const ITEMS_PAIRED: usize = 2_000;

/// The weight of what fills the largest room in every dimension, in the same units as [`Scaled::weights`].
pub(super) const WEIGHT_SHIFT: u32 = 20;

/// A demand or a room, one number for each dimension and zero in lanes beyond.
pub(super) type Vector<const N: usize> = [i32; N];

/// A problem whose numbers are small.
#[derive(Clone, Debug)]
pub(super) struct Scaled<const N: usize> {
    /// The demand of each kind.
    pub(super) demands: Vec<Vector<N>>,
    /// The size of each kind in one number: its demands weighted by how much of the dimension is wanted in all.
    pub(super) weights: Vec<i64>,
    /// How many items of each kind.
    pub(super) counts: Vec<u32>,
    /// The kind of each item, ascending.
    pub(super) items: Vec<usize>,
    /// What one bin of each class has room for.
    pub(super) rooms: Vec<Vector<N>>,
    /// How many bins of each class there are, as far as items could fill them.
    pub(super) bins: Vec<usize>,
    /// Whether the bins of a class are in use.
    pub(super) used: Vec<bool>,
    /// No packing opens fewer bins that are not in use.
    pub(super) least_opened: usize,
    allowed: Vec<bool>,
}

impl<const N: usize> Scaled<N> {
    /// `None` when an item fits nowhere.
    pub(super) fn new(problem: &Problem) -> Option<Self> {
        let mut items = Vec::new();
        for (kind, wanted) in problem.kinds.iter().enumerate() {
            items.extend((0..wanted.count).map(|_| kind));
        }
        let mut demands = vec![[0; N]; problem.kinds.len()];
        let mut rooms = vec![[0; N]; problem.classes.len()];
        for lane in 0..problem.classes.first()?.room.len() {
            scale_lane(problem, lane, &mut demands, &mut rooms);
        }
        let limit = |bins: u32| items.len().min(usize::try_from(bins).unwrap_or(usize::MAX));
        let mut scaled = Self {
            weights: Vec::new(),
            counts: problem.kinds.iter().map(|kind| kind.count).collect(),
            bins: problem.classes.iter().map(|class| limit(class.bins)).collect(),
            used: problem.classes.iter().map(|class| class.used).collect(),
            allowed: problem.allowed.clone(),
            least_opened: 0,
            demands,
            items,
            rooms,
        };
        let totals = scaled.totals();
        scaled.weights = scaled.demands.iter().map(|demand| weight(demand, &totals)).collect();
        scaled.least_opened = scaled.bound_by_sum(&totals).max(scaled.bound_by_count());
        let all_fit = (0..scaled.demands.len()).all(|kind| scaled.fits_somewhere(kind));
        all_fit.then_some(scaled)
    }

    pub(super) fn allows(&self, kind: usize, class: usize) -> bool {
        self.allowed.is_empty() || self.allowed[kind * self.rooms.len() + class]
    }

    fn fits_somewhere(&self, kind: usize) -> bool {
        let wants = |class: usize| {
            self.bins[class] > 0
                && self.allows(kind, class)
                && fits(&self.rooms[class], &self.demands[kind])
        };
        self.counts[kind] == 0 || (0..self.rooms.len()).any(wants)
    }

    /// What all items want together.
    pub(super) fn totals(&self) -> [i64; N] {
        let mut totals = [0_i64; N];
        for (demand, &count) in self.demands.iter().zip(&self.counts) {
            for (total, &wanted) in totals.iter_mut().zip(demand) {
                *total = total.saturating_add(i64::from(wanted) * i64::from(count));
            }
        }
        totals
    }

    /// In each dimension, what does not fit into the bins in use needs its share of the largest other bins.
    fn bound_by_sum(&self, totals: &[i64; N]) -> usize {
        let mut bound = 0;
        for (lane, &total) in totals.iter().enumerate() {
            let (mut rest, mut largest) = (total, 0_i64);
            for (class, room) in self.rooms.iter().enumerate() {
                let room = i64::from(room[lane]);
                if self.used[class] {
                    let bins = i64::try_from(self.bins[class]).unwrap_or(i64::MAX);
                    rest = rest.saturating_sub(room.saturating_mul(bins));
                } else {
                    largest = largest.max(room);
                }
            }
            let needed = if largest > 0 { (rest + largest - 1).max(0) / largest } else { 0 };
            bound = bound.max(usize::try_from(needed).unwrap_or(usize::MAX));
        }
        bound
    }

    /// No bin holds more items than the smallest that fill the largest room, in any dimension or any two together.
    fn bound_by_count(&self) -> usize {
        if self.used.iter().zip(&self.bins).any(|(&used, &bins)| used && bins > 0) {
            return 0;
        }
        let mut most = self.items.len().max(1);
        for one in 0..N {
            let others = if self.items.len() > ITEMS_PAIRED { one..=one } else { one..=N - 1 };
            for other in others {
                let both =
                    |numbers: &Vector<N>| i64::from(numbers[one]) + i64::from(numbers[other]);
                let largest = self.rooms.iter().map(both).max().unwrap_or(0);
                let wanted = self.items.iter().map(|&kind| both(&self.demands[kind]));
                most = most.min(smallest_within(wanted.collect(), largest).max(1));
            }
        }
        self.items.len().div_ceil(most)
    }
}

/// How many of these numbers, the smallest first, have a sum within a limit.
fn smallest_within(mut numbers: Vec<i64>, limit: i64) -> usize {
    numbers.sort_unstable();
    let mut sum = 0_i64;
    let within = numbers.iter().take_while(|&&number| {
        sum += number;
        sum <= limit
    });
    within.count()
}

/// Whether the room is enough. Without a branch for each lane: the sign of any difference is the sign of all.
pub(super) fn fits<const N: usize>(room: &Vector<N>, demand: &Vector<N>) -> bool {
    let mut signs = 0;
    for lane in 0..N {
        signs |= room[lane] - demand[lane];
    }
    signs >= 0
}

pub(super) fn take<const N: usize>(room: &mut Vector<N>, demand: &Vector<N>) {
    for lane in 0..N {
        room[lane] -= demand[lane];
    }
}

pub(super) fn give<const N: usize>(room: &mut Vector<N>, demand: &Vector<N>) {
    for lane in 0..N {
        room[lane] += demand[lane];
    }
}

/// Brings one dimension to the scale of all. What divides all demands divides what of a room can be used, so nothing
/// is lost unless the numbers stay large: then demands are rounded up and rooms down.
fn scale_lane<const N: usize>(
    problem: &Problem,
    lane: usize,
    demands: &mut [Vector<N>],
    rooms: &mut [Vector<N>],
) {
    let wanted = || problem.kinds.iter().filter(|kind| kind.count > 0);
    let divisor = wanted().fold(0, |divisor, kind| greatest_common(divisor, kind.demand[lane]));
    let divisor = divisor.max(1);
    let total = wanted().fold(0_u64, |total, kind| {
        total.saturating_add((kind.demand[lane] / divisor).saturating_mul(u64::from(kind.count)))
    });
    let usable = |room: u64| (room / divisor).min(total);
    let largest = problem.classes.iter().map(|class| usable(class.room[lane])).max();
    let largest = largest.unwrap_or(0).max(1);
    let full = u64::from(FULL.unsigned_abs());
    let (times, parts) =
        if largest <= full { (full / largest, 1) } else { (1, largest.div_ceil(full)) };
    let small = |number: u64| {
        let more_than_any = full.saturating_add(1);
        i32::try_from(number.min(more_than_any)).expect("invariant: at most FULL + 1")
    };
    for (demand, kind) in demands.iter_mut().zip(&problem.kinds) {
        let units = kind.demand[lane].div_ceil(divisor);
        demand[lane] = small(units.saturating_mul(times).div_ceil(parts));
    }
    for (room, class) in rooms.iter_mut().zip(&problem.classes) {
        room[lane] = small(usable(class.room[lane]).saturating_mul(times) / parts);
    }
}

fn greatest_common(mut one: u64, mut other: u64) -> u64 {
    while other > 0 {
        (one, other) = (other, one % other);
    }
    one
}

/// The mean of the demands, a dimension counting as much as is wanted of it, in 2^-20 of a full bin.
fn weight<const N: usize>(demand: &Vector<N>, totals: &[i64; N]) -> i64 {
    let all: i128 = totals.iter().map(|&total| i128::from(total)).sum();
    let weighted: i128 =
        demand.iter().zip(totals).map(|(&one, &total)| i128::from(one) * i128::from(total)).sum();
    let share = ((weighted / all.max(1)) << WEIGHT_SHIFT) / i128::from(FULL);
    i64::try_from(share).expect("invariant: at most a full bin")
}
