//! A first packing: bins are filled one at a time, those in use first, each with whatever scores best at every step.
//! Batches of too many kinds for that are packed first-fit, the heaviest kind first.

use std::cmp::Reverse;

use super::{
    bins::Bins,
    effort::{Effort, test_cost},
    scaled::{FULL_BITS, Scaled, Vector, fits, take},
};

/// Bits of a number that a score keeps: sums of products of three stay far below 2^63.
const SCORE_BITS: u32 = 14;

/// Classes among which the one is opened that would hold most.
const CLASSES_TRIED: usize = 4;

/// The share of the effort that filling by score may cost, as a divisor.
const SHARE: u64 = 4;

/// Kinds packed first-fit between two looks at which bins are too full for all that come.
const KINDS_PER_SIEVE: usize = 64;

/// How an item is scored for a bin.
#[derive(Clone, Copy, Debug)]
enum Score {
    /// The item that is large where much room is left.
    Product,
    /// The item after which least is left.
    Distance,
    /// The largest item.
    Size,
}

/// The packing that leaves least in the pool and then opens fewest bins, of one for each score.
pub(super) fn construct<'a, const N: usize>(
    scaled: &'a Scaled<N>,
    effort: &mut Effort,
) -> Bins<'a, N> {
    let scores = [Score::Product, Score::Distance, Score::Size];
    let looks = (scaled.items.len() as u64).saturating_mul(scaled.demands.len() as u64);
    let cost = looks.saturating_mul((N as u64 + test_cost::<N>()) * scores.len() as u64);
    if cost > effort.left() / SHARE {
        return Filling::new(scaled).first_fit(effort);
    }
    let packings = scores.map(|score| Filling::new(scaled).by_score(score, effort));
    let best = packings.into_iter().min_by_key(|bins| (bins.pool().len(), bins.opened()));
    best.expect("invariant: there are scores")
}

/// A packing in the making.
struct Filling<'a, const N: usize> {
    scaled: &'a Scaled<N>,
    bins: Bins<'a, N>,
    /// Kinds of which items are left, and how many.
    left: Vec<(usize, usize)>,
    /// The next item of each kind.
    next: Vec<usize>,
    /// What all items that are left want together.
    wanted: [i64; N],
    /// Bins of each class that are not opened yet.
    closed: Vec<usize>,
}

impl<'a, const N: usize> Filling<'a, N> {
    fn new(scaled: &'a Scaled<N>) -> Self {
        let (mut next, mut left, mut items) = (Vec::new(), Vec::new(), 0);
        for (kind, &count) in scaled.counts.iter().enumerate() {
            let count = usize::try_from(count).expect("invariant: a usize has 32 bits");
            next.push(items);
            items += count;
            if count > 0 {
                left.push((kind, count));
            }
        }
        let (bins, wanted) = (Bins::new(scaled), scaled.totals());
        Self { scaled, bins, left, next, wanted, closed: scaled.bins.clone() }
    }

    fn by_score(mut self, score: Score, effort: &mut Effort) -> Bins<'a, N> {
        let (used, unused) = self.classes();
        for class in used {
            while let Some(pattern) = self.pattern(class, score, effort) {
                self.open_all(class, &pattern);
            }
        }
        loop {
            let mut best: Option<(i64, usize, Pattern)> = None;
            let mut tried = 0;
            for &class in &unused {
                let Some(pattern) = self.pattern(class, score, effort) else { continue };
                if best.as_ref().is_none_or(|(weight, ..)| pattern.weight > *weight) {
                    best = Some((pattern.weight, class, pattern));
                }
                tried += 1;
                if tried == CLASSES_TRIED {
                    break;
                }
            }
            let Some((_, class, pattern)) = best else { return self.bins };
            self.open_all(class, &pattern);
        }
    }

    /// Every kind, the heaviest first, into the first bin that has room. A bin that was once too full for a kind
    /// stays so: none is asked twice, and none at all that is too full for any kind to come.
    fn first_fit(mut self, effort: &mut Effort) -> Bins<'a, N> {
        let (used, unused) = self.classes();
        let order: Vec<usize> = used.into_iter().chain(unused).collect();
        let mut kinds = self.left.clone();
        kinds.sort_by_key(|&(kind, _)| (Reverse(self.scaled.weights[kind]), kind));
        let mut asked: Vec<usize> = Vec::new();
        for (rank, &(kind, mut count)) in kinds.iter().enumerate() {
            if rank % KINDS_PER_SIEVE == 0 {
                let least = self.least(&kinds[rank..]);
                asked.retain(|&bin| fits(self.bins.room(bin), &least));
            }
            let mut at = 0;
            while count > 0 {
                while at < asked.len() && !self.takes(asked[at], kind) {
                    at += 1;
                }
                effort.spend(test_cost::<N>());
                if at == asked.len() {
                    let Some(class) = self.class_for(kind, &order) else { break };
                    self.closed[class] -= 1;
                    asked.push(self.bins.open(class));
                }
                self.put(kind, asked[at]);
                count -= 1;
            }
            effort.spend(at as u64 * test_cost::<N>());
        }
        self.bins
    }

    /// The least that any of these kinds wants, in each dimension.
    fn least(&self, kinds: &[(usize, usize)]) -> Vector<N> {
        let mut least = [i32::MAX; N];
        for &(kind, _) in kinds {
            for (least, &wanted) in least.iter_mut().zip(&self.scaled.demands[kind]) {
                *least = wanted.min(*least);
            }
        }
        least
    }

    /// The first class of which a bin can be opened for a kind.
    fn class_for(&self, kind: usize, order: &[usize]) -> Option<usize> {
        let demand = &self.scaled.demands[kind];
        let suits = |class: usize| {
            self.closed[class] > 0
                && self.scaled.allows(kind, class)
                && fits(&self.scaled.rooms[class], demand)
        };
        order.iter().copied().find(|&class| suits(class))
    }

    fn takes(&self, bin: usize, kind: usize) -> bool {
        fits(self.bins.room(bin), &self.scaled.demands[kind])
            && self.scaled.allows(kind, self.bins.class(bin))
    }

    fn put(&mut self, kind: usize, bin: usize) {
        self.bins.put(self.next[kind], bin);
        self.next[kind] += 1;
    }

    /// Classes in use, the smallest room first, and the others, the largest first.
    fn classes(&self) -> (Vec<usize>, Vec<usize>) {
        let size =
            |class: &usize| self.scaled.rooms[*class].iter().map(|&room| i64::from(room)).sum();
        let all = 0..self.closed.len();
        let (mut used, mut unused): (Vec<usize>, Vec<usize>) =
            all.partition(|&class| self.scaled.used[class]);
        used.sort_by_key(|class| -> (i64, usize) { (size(class), *class) });
        unused.sort_by_key(|class| -> (Reverse<i64>, usize) { (Reverse(size(class)), *class) });
        (used, unused)
    }

    /// What one bin of a class would be filled with. `None` when nothing is left for it.
    fn pattern(&self, class: usize, score: Score, effort: &mut Effort) -> Option<Pattern> {
        if self.closed[class] == 0 {
            return None;
        }
        let shares = self.shares();
        let mut room = self.scaled.rooms[class];
        let mut pattern = Pattern { kinds: Vec::new(), weight: 0 };
        let mut fitting: Vec<(usize, usize)> = self.left.clone();
        fitting.retain(|&(kind, _)| self.scaled.allows(kind, class));
        loop {
            effort.spend(fitting.len() as u64 * (N as u64 + test_cost::<N>()));
            fitting.retain(|&(kind, count)| count > 0 && fits(&room, &self.scaled.demands[kind]));
            let value =
                |&(kind, _): &(usize, usize)| score.of(&shares, &room, &self.scaled.demands[kind]);
            let Some(at) = (0..fitting.len()).max_by_key(|&at| (value(&fitting[at]), Reverse(at)))
            else {
                break;
            };
            let (kind, count) = &mut fitting[at];
            *count -= 1;
            take(&mut room, &self.scaled.demands[*kind]);
            pattern.weight += self.scaled.weights[*kind];
            match pattern.kinds.iter_mut().find(|(other, _)| other == kind) {
                Some((_, times)) => *times += 1,
                None => pattern.kinds.push((*kind, 1)),
            }
        }
        (!pattern.kinds.is_empty()).then_some(pattern)
    }

    /// How much of each dimension is wanted, the most wanted being 2^14.
    fn shares(&self) -> [i64; N] {
        let most = self.wanted.iter().copied().max().unwrap_or(0).max(1);
        self.wanted.map(|wanted| {
            let share = (i128::from(wanted) << SCORE_BITS) / i128::from(most);
            i64::try_from(share).expect("invariant: at most 2^14")
        })
    }

    /// Opens bins of a class and fills them alike, half as often as the items allow: then the pattern is asked anew.
    fn open_all(&mut self, class: usize, pattern: &Pattern) {
        let mut times = self.closed[class];
        for &(kind, held) in &pattern.kinds {
            let at = self.left.binary_search_by_key(&kind, |&(kind, _)| kind);
            let count = self.left[at.expect("invariant: patterns are of what is left")].1;
            times = times.min((count / held).div_ceil(2));
        }
        for _ in 0..times {
            let bin = self.bins.open(class);
            for &(kind, held) in &pattern.kinds {
                for _ in 0..held {
                    self.put(kind, bin);
                    take_from(&mut self.wanted, &self.scaled.demands[kind]);
                }
            }
        }
        self.closed[class] -= times;
        for &(kind, held) in &pattern.kinds {
            if let Ok(at) = self.left.binary_search_by_key(&kind, |&(kind, _)| kind) {
                self.left[at].1 -= held * times;
            }
        }
        self.left.retain(|&(_, count)| count > 0);
    }
}

/// What a bin is filled with.
struct Pattern {
    /// Kinds and how many items of each.
    kinds: Vec<(usize, usize)>,
    weight: i64,
}

impl Score {
    fn of<const N: usize>(self, shares: &[i64; N], room: &Vector<N>, demand: &Vector<N>) -> i64 {
        let short = |number: i32| i64::from(number >> (FULL_BITS - SCORE_BITS));
        let mut sum = 0;
        for lane in 0..N {
            let (room, demand) = (short(room[lane]), short(demand[lane]));
            sum += shares[lane]
                * match self {
                    Self::Product => room * demand,
                    Self::Distance => -(room - demand) * (room - demand),
                    Self::Size => demand,
                };
        }
        sum
    }
}

fn take_from<const N: usize>(wanted: &mut [i64; N], demand: &Vector<N>) {
    for lane in 0..N {
        wanted[lane] -= i64::from(demand[lane]);
    }
}
