use borsh::{BorshDeserialize, BorshSerialize};

use super::{
    edges::{BINS, EDGES, bin_of},
    fixed::{OCTAVE, exp2},
    slot::Slot,
    spread::Spread,
};

/// Half of what a node missed is forgotten after so many slots: nearly ten days.
const HALF_LIFE_SLOTS: u32 = 2_792;

/// A fleet's misses weigh as much as so many of the node's own.
const POOL_WEIGHT: u64 = 300;

/// A fleet that made fewer guesses than this knows nothing yet.
const POOL_LEAST: u32 = 50;

/// What all counts together weigh: one, with 40 fractional bits.
const ALL: u64 = 1 << 40;

/// Counts of a fleet are halved when there are so many.
const POOL_MOST: u32 = 1 << 21;

/// What a miss that is made now counts: twice as much at the end of a half-life as at its beginning. Then all counts are
/// halved.
fn unit(unit_log: i32, slot: Slot) -> u64 {
    let age = i32::try_from(slot.0 % HALF_LIFE_SLOTS).expect("invariant: less than a half-life");
    let half_life = i32::try_from(HALF_LIFE_SLOTS).expect("invariant: it is small");
    exp2(unit_log * OCTAVE + age * OCTAVE / half_life)
}

/// Half-lives until now.
pub(super) fn epoch(slot: Slot) -> u32 {
    slot.0 / HALF_LIFE_SLOTS
}

/// How often one kind of guess was off by how much on a node, the newest counting most.
#[derive(BorshDeserialize, BorshSerialize, Clone, Debug)]
pub(super) struct Misses([u16; BINS]);

impl Default for Misses {
    fn default() -> Self {
        Self([0; BINS])
    }
}

/// The same for all nodes of a fleet.
#[derive(BorshDeserialize, BorshSerialize, Clone, Debug)]
pub(super) struct Pool {
    counts: [u32; BINS],
    total: u32,
}

impl Default for Pool {
    fn default() -> Self {
        Self { counts: [0; BINS], total: 0 }
    }
}

/// What to add to a guess.
#[derive(BorshDeserialize, BorshSerialize, Clone, Copy, Debug)]
pub(super) struct Margin {
    /// In thousandths of capacity.
    pub(super) permille: i16,
    /// The chance that the peak exceeds guess and margin, with 16 fractional bits.
    pub(super) chance: u16,
    /// The margin and the price of that chance together, in thousandths of capacity.
    pub(super) cost: i32,
}

impl Margin {
    /// That of a guess of which nothing is known: too dear for any.
    pub(super) const UNKNOWN: Self = Self { permille: 1000, chance: 0, cost: i32::MAX };
}

impl Misses {
    pub(super) fn learn(&mut self, unit_log: i32, slot: Slot, peak: u16, guess: u16) {
        let count = &mut self.0[bin_of(peak, guess)];
        *count = count
            .saturating_add(u16::try_from(unit(unit_log, slot)).expect("invariant: at most 128"));
    }

    /// Forgets half.
    pub(super) fn halve(&mut self) {
        for count in &mut self.0 {
            *count /= 2;
        }
    }

    /// The margin that costs least, given what a violation costs in thousandths of capacity.
    pub(super) fn margin(&self, pool: &Pool, unit_log: i32, slot: Slot, price: u64) -> Margin {
        if pool.total < POOL_LEAST {
            return Margin::UNKNOWN;
        }
        let (own_weight, pool_weight) = self.weights(pool, unit_log, slot);
        let price = i64::try_from(price).unwrap_or(i64::MAX).min(1 << 34);
        let (mut best, mut least) = (Margin::UNKNOWN, i64::MAX);
        let mut above = 0;
        for bin in (0..BINS).rev() {
            // Costs have eight fractional bits, the chance 24.
            let chance = i64::try_from(above >> 16).expect("invariant: at most one");
            let cost = (i64::from(EDGES[bin]) << 8) + ((price * chance) >> 16);
            if cost < least {
                least = cost;
                best.permille = EDGES[bin];
                best.chance = u16::try_from(chance >> 8).unwrap_or(u16::MAX);
            }
            above +=
                u64::from(self.0[bin]) * own_weight + u64::from(pool.counts[bin]) * pool_weight;
        }
        best.cost = i32::try_from(least >> 8).unwrap_or(i32::MAX);
        best
    }

    /// The same after so many half-lives more.
    pub(super) fn faded(&self, half_lives: u32) -> Self {
        let mut faded = self.clone();
        for _ in 0..half_lives.min(u16::BITS) {
            faded.halve();
        }
        faded
    }

    /// The weights of a count of the node and of one of its fleet: all counts together weigh [`ALL`].
    fn weights(&self, pool: &Pool, unit_log: i32, slot: Slot) -> (u64, u64) {
        let own: u64 = self.0.iter().map(|count| u64::from(*count)).sum();
        let pooled = POOL_WEIGHT * unit(unit_log, slot);
        let own_weight = ALL / (own + pooled);
        (own_weight, own_weight * pooled / u64::from(pool.total))
    }

    /// How likely each miss is, if the fleet knows enough.
    pub(super) fn spread(&self, pool: &Pool, unit_log: i32, slot: Slot) -> Option<Spread> {
        if pool.total < POOL_LEAST {
            return None;
        }
        let (own_weight, pool_weight) = self.weights(pool, unit_log, slot);
        let counts = self.0.iter().zip(&pool.counts);
        let mut chances = [0; BINS];
        for (chance, (own, pooled)) in chances.iter_mut().zip(counts) {
            *chance = u64::from(*own) * own_weight + u64::from(*pooled) * pool_weight;
        }
        Some(Spread::new(chances))
    }
}

impl Pool {
    /// All of them together.
    pub(super) fn merged(pools: &[Self]) -> Self {
        // A dozen pools of at most two million counts fit.
        let mut merged = Self::default();
        for pool in pools {
            for (count, more) in merged.counts.iter_mut().zip(&pool.counts) {
                *count += more;
            }
            merged.total += pool.total;
        }
        merged
    }

    pub(super) fn learn(&mut self, peak: u16, guess: u16) {
        self.counts[bin_of(peak, guess)] += 1;
        self.total += 1;
        if self.total >= POOL_MOST {
            self.total = 0;
            for count in &mut self.counts {
                *count /= 2;
                self.total += *count;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Misses, Pool, Slot};

    #[test]
    fn dear_violations_ask_for_more_margin_and_a_node_outweighs_its_fleet_in_time() {
        let (mut misses, mut pool) = (Misses::default(), Pool::default());
        for round in 0..1_000 {
            pool.learn(if round % 50 == 0 { 400 } else { 102 }, 100);
        }
        let slot = Slot(3_000);
        let cheap = misses.margin(&pool, 4, slot, 1_000);
        let dear = misses.margin(&pool, 4, slot, 100_000);
        assert_eq!((cheap.permille, dear.permille), (2, 300));
        assert!((1_250..=1_311).contains(&cheap.chance), "{}", cheap.chance);
        assert_eq!(dear.chance, 0);
        // The node itself never rises.
        for _ in 0..3_000 {
            misses.learn(4, slot, 100, 100);
        }
        assert_eq!(misses.margin(&pool, 4, slot, 10_000).permille, 2);
    }

    #[test]
    fn nothing_is_known_before_the_fleet_has_seen_some() {
        let margin = Misses::default().margin(&Pool::default(), 4, Slot(0), 1);
        assert_eq!((margin.permille, margin.cost), (1000, i32::MAX));
    }
}
