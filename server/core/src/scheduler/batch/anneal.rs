//! Closes one bin after the other and finds room elsewhere for what it held.
//!
//! The state never overfills a bin; what fits nowhere waits in the pool. Moves are drawn at random. An item of the
//! pool enters a bin and up to two items of that bin leave for the pool. Or two items of different bins change places,
//! often such as are alike (`near.rs`), or one item moves over. A move's gain is what it takes out of the pool, at a fixed price, and what
//! it adds to the squares of what the bins hold: uneven bins leave room in one piece. A loss is accepted with a
//! probability that falls with the loss and, as effort is spent, with the temperature.

use super::{
    bins::Bins,
    effort::{Chance, Draw, Effort, test_cost},
    near::Near,
    scaled::{Scaled, Vector, WEIGHT_SHIFT, fits, give, take},
};

/// What weight in the pool costs beside the squares.
const POOL_PRICE: i64 = 2;

/// The temperature at first, in 2^-20 of a full bin.
const TEMPERATURE: i64 = 32_000;

/// How often the temperature halves.
const HALVINGS: u64 = 6;

/// Of 256 moves, those that start from the pool.
const POOL_MOVES: u64 = 64;

/// Of 256 moves, those that exchange items that are alike.
const NEAR_MOVES: u64 = 96;

/// Moves between two looks at the effort.
const MOVES_PER_LOOK: u64 = 256;

/// Pairs of items tried when no single item of a bin makes enough room.
const PAIRS_TRIED: usize = 6;

/// What it costs to keep a bin of the best packing, in units.
const COPY_COST_PER_BIN: usize = 64;

/// What a move that is made costs, in comparisons.
const MOVE_MADE_TESTS: u64 = 4;

/// What a move costs beside its comparisons, in units.
const MOVE_COST: u64 = 15;

/// The best packing that the effort finds, from a partial one on. `None` when the pool was never empty.
pub(super) fn improve<'a, const N: usize>(
    scaled: &'a Scaled<N>,
    start: Bins<'a, N>,
    effort: &mut Effort,
) -> Option<Bins<'a, N>> {
    let near = Near::new(scaled, effort);
    let mut search =
        Search { bins: start, near, chance: Chance::new(), temperature: TEMPERATURE, tests: 0 };
    let mut best = None;
    loop {
        if !search.empty_pool(scaled, effort) {
            return best;
        }
        best = Some(search.bins.clone());
        let copied = scaled.items.len() + COPY_COST_PER_BIN * search.bins.len();
        effort.spend(copied as u64);
        if search.bins.opened() <= scaled.least_opened {
            return best;
        }
        let Some(weakest) = search.weakest_opened(scaled) else { return best };
        search.bins.close(weakest);
    }
}

/// Where the search stands.
struct Search<'a, const N: usize> {
    bins: Bins<'a, N>,
    near: Near,
    chance: Chance,
    temperature: i64,
    /// Items compared with rooms since effort was last spent.
    tests: u64,
}

impl<const N: usize> Search<'_, N> {
    /// The opened bin that holds least, those in use before aside.
    fn weakest_opened(&self, scaled: &Scaled<N>) -> Option<usize> {
        let opened = (0..self.bins.len()).filter(|&bin| !scaled.used[self.bins.class(bin)]);
        opened.min_by_key(|&bin| self.bins.fill(bin))
    }

    /// Whether the effort sufficed to place the whole pool.
    fn empty_pool(&mut self, scaled: &Scaled<N>, effort: &mut Effort) -> bool {
        while !self.bins.pool().is_empty() {
            if effort.left() == 0 || self.bins.len() == 0 {
                return false;
            }
            self.temperature = temperature(effort);
            for _ in 0..MOVES_PER_LOOK {
                self.step(scaled);
                if self.bins.pool().is_empty() {
                    break;
                }
            }
            effort.spend(MOVES_PER_LOOK * MOVE_COST + self.tests * test_cost::<N>());
            self.tests = 0;
        }
        true
    }

    fn step(&mut self, scaled: &Scaled<N>) {
        let draw = self.chance.draw();
        let items = scaled.items.len();
        let one = draw.first(items);
        if draw.choice() < POOL_MOVES {
            self.enter(draw);
        } else if draw.choice() >= POOL_MOVES + NEAR_MOVES {
            self.rearrange(scaled, one, draw.second(items + self.bins.len()));
        } else if let Some(like) = self.near.item(scaled.items[one], draw, &mut self.chance) {
            self.rearrange(scaled, one, like);
        }
    }

    /// Tries to have an item of the pool enter a bin.
    fn enter(&mut self, draw: Draw) {
        let pool = self.bins.pool();
        let (item, bin) = (pool[draw.first(pool.len())], draw.second(self.bins.len()));
        let loss = self.loss();
        if !self.bins.allows(item, bin) {
            return;
        }
        let weight = self.bins.weight(item);
        self.tests += 1;
        let leaving = if fits(self.bins.room(bin), self.bins.demand(item)) {
            [None; 2]
        } else {
            let Some(leaving) = self.leaving(item, bin, weight + loss) else { return };
            leaving
        };
        let left: i64 = leaving.iter().flatten().map(|&other| self.bins.weight(other)).sum();
        let fill = self.bins.fill(bin);
        let gain = POOL_PRICE * (weight - left) + square(fill + weight - left) - square(fill);
        if gain + loss < 0 {
            return;
        }
        for other in leaving.into_iter().flatten() {
            self.bins.take_out(other);
        }
        self.bins.put(item, bin);
        self.tests += MOVE_MADE_TESTS;
    }

    /// The lightest item, or else pair of those tried, that has to leave a bin for another item to fit.
    fn leaving(&mut self, item: usize, bin: usize, enough: i64) -> Option<[Option<usize>; 2]> {
        let held = self.bins.held(bin);
        let mut lacking: Vector<N> = *self.bins.demand(item);
        take(&mut lacking, self.bins.room(bin));
        let (mut leaving, mut lightest) = (None, i64::MAX);
        for &other in held {
            let weight = self.bins.weight(other);
            if weight < lightest && fits(self.bins.demand(other), &lacking) {
                (leaving, lightest) = (Some([Some(other), None]), weight);
            }
        }
        self.tests += held.len() as u64;
        if lightest <= enough || held.len() < 2 {
            return leaving;
        }
        let start = self.chance.below(held.len());
        let tried = held.len().min(PAIRS_TRIED);
        for step in 0..tried {
            let first = (start + step) % held.len();
            let second = (first + 1 + self.chance.below(held.len() - 1)) % held.len();
            let (first, second) = (held[first], held[second]);
            let weight = self.bins.weight(first) + self.bins.weight(second);
            let mut both = *self.bins.demand(first);
            give(&mut both, self.bins.demand(second));
            if weight < lightest && fits(&both, &lacking) {
                (leaving, lightest) = (Some([Some(first), Some(second)]), weight);
            }
        }
        self.tests += tried as u64;
        leaving
    }

    /// Tries to have two items of different bins change places, or one move over.
    fn rearrange(&mut self, scaled: &Scaled<N>, one: usize, other: usize) {
        let Some(left) = self.bins.place(one) else { return };
        if let Some(to) = other.checked_sub(scaled.items.len()) {
            self.move_over(one, left, to);
            return;
        }
        let Some(right) = self.bins.place(other) else { return };
        if left == right || scaled.items[one] == scaled.items[other] {
            return;
        }
        self.tests += 2;
        if !self.exchange_fits(one, other, left, right) {
            return;
        }
        let moved = self.bins.weight(one) - self.bins.weight(other);
        if self.gain(left, right, moved) + self.loss() < 0 {
            return;
        }
        if self.bins.allows(one, right) && self.bins.allows(other, left) {
            self.bins.exchange(one, other);
            self.tests += MOVE_MADE_TESTS;
        }
    }

    fn move_over(&mut self, item: usize, from: usize, to: usize) {
        self.tests += 1;
        if from == to || !fits(self.bins.room(to), self.bins.demand(item)) {
            return;
        }
        if self.gain(from, to, self.bins.weight(item)) + self.loss() < 0
            || !self.bins.allows(item, to)
        {
            return;
        }
        self.bins.take_out(item);
        self.bins.put(item, to);
        self.tests += MOVE_MADE_TESTS;
    }

    /// A loss that is accepted now.
    fn loss(&mut self) -> i64 {
        (self.temperature * self.chance.patience()) >> 16
    }

    fn exchange_fits(&self, one: usize, other: usize, left: usize, right: usize) -> bool {
        let mut moved = *self.bins.demand(one);
        take(&mut moved, self.bins.demand(other));
        let (left, right) = (self.bins.room(left), self.bins.room(right));
        let mut signs = 0;
        for lane in 0..N {
            signs |= (left[lane] + moved[lane]) | (right[lane] - moved[lane]);
        }
        signs >= 0
    }

    /// What moving weight from one bin to another adds to the squares.
    fn gain(&self, from: usize, to: usize, moved: i64) -> i64 {
        let (from, to) = (self.bins.fill(from), self.bins.fill(to));
        square(from - moved) + square(to + moved) - square(from) - square(to)
    }
}

/// The square of a weight, in units of a full bin.
fn square(weight: i64) -> i64 {
    (weight * weight) >> WEIGHT_SHIFT
}

/// The temperature that suits what is spent: it halves [`HALVINGS`] times, linearly between two halvings.
fn temperature(effort: &Effort) -> i64 {
    let halved = effort.spent_of(HALVINGS << 16);
    let within = i64::try_from(halved & 0xFFFF).expect("invariant: 16 bits");
    let whole = TEMPERATURE >> (halved >> 16);
    whole - ((whole * within) >> 17)
}
