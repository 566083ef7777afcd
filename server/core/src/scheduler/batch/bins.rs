//! Opened bins, what each holds, and the pool of items that are in none.

use super::scaled::{Scaled, Vector, fits, give, take};

/// Where an item is that is in no bin.
const POOL: usize = usize::MAX;

/// A partial packing that never overfills a bin.
#[derive(Clone, Debug)]
pub(super) struct Bins<'a, const N: usize> {
    scaled: &'a Scaled<N>,
    /// The class of each bin.
    class: Vec<usize>,
    /// What is left in each bin.
    room: Vec<Vector<N>>,
    /// The weight that each bin holds.
    fill: Vec<i64>,
    held: Vec<Vec<usize>>,
    pool: Vec<usize>,
    /// The bin of each item, or [`POOL`].
    place: Vec<usize>,
    /// Where each item stands in what its bin holds, or in the pool.
    spot: Vec<usize>,
    /// Bins that were not in use before.
    opened: usize,
}

impl<'a, const N: usize> Bins<'a, N> {
    /// No bins, all items in the pool.
    pub(super) fn new(scaled: &'a Scaled<N>) -> Self {
        let items = scaled.items.len();
        Self {
            scaled,
            class: Vec::new(),
            room: Vec::new(),
            fill: Vec::new(),
            held: Vec::new(),
            pool: (0..items).collect(),
            place: vec![POOL; items],
            spot: (0..items).collect(),
            opened: 0,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.class.len()
    }

    /// How many bins are opened that were not in use: what a packing costs.
    pub(super) fn opened(&self) -> usize {
        self.opened
    }

    pub(super) fn class(&self, bin: usize) -> usize {
        self.class[bin]
    }

    pub(super) fn room(&self, bin: usize) -> &Vector<N> {
        &self.room[bin]
    }

    pub(super) fn fill(&self, bin: usize) -> i64 {
        self.fill[bin]
    }

    pub(super) fn held(&self, bin: usize) -> &[usize] {
        &self.held[bin]
    }

    pub(super) fn pool(&self) -> &[usize] {
        &self.pool
    }

    /// The bin of an item that is in one.
    pub(super) fn place(&self, item: usize) -> Option<usize> {
        Some(self.place[item]).filter(|&bin| bin != POOL)
    }

    pub(super) fn demand(&self, item: usize) -> &'a Vector<N> {
        &self.scaled.demands[self.scaled.items[item]]
    }

    pub(super) fn weight(&self, item: usize) -> i64 {
        self.scaled.weights[self.scaled.items[item]]
    }

    /// Whether the rules, room aside, let an item into a bin.
    pub(super) fn allows(&self, item: usize, bin: usize) -> bool {
        self.scaled.allows(self.scaled.items[item], self.class[bin])
    }

    /// A new, empty bin.
    pub(super) fn open(&mut self, class: usize) -> usize {
        self.class.push(class);
        self.room.push(self.scaled.rooms[class]);
        self.fill.push(0);
        self.held.push(Vec::new());
        self.opened += usize::from(!self.scaled.used[class]);
        self.class.len() - 1
    }

    /// Empties a bin into the pool and gives it up. The last bin takes its number.
    pub(super) fn close(&mut self, bin: usize) {
        while let Some(&item) = self.held[bin].last() {
            self.take_out(item);
        }
        self.opened -= usize::from(!self.scaled.used[self.class[bin]]);
        self.class.swap_remove(bin);
        self.room.swap_remove(bin);
        self.fill.swap_remove(bin);
        self.held.swap_remove(bin);
        if let Some(moved) = self.held.get(bin) {
            for &item in moved {
                self.place[item] = bin;
            }
        }
    }

    /// Puts an item of the pool into a bin that has room.
    pub(super) fn put(&mut self, item: usize, bin: usize) {
        debug_assert!(fits(&self.room[bin], self.demand(item)), "the bin has room");
        unlist(&mut self.pool, &mut self.spot, item);
        list(&mut self.held[bin], &mut self.spot, item);
        self.place[item] = bin;
        let demand = self.demand(item);
        take(&mut self.room[bin], demand);
        self.fill[bin] += self.weight(item);
    }

    /// Takes an item out of its bin into the pool.
    pub(super) fn take_out(&mut self, item: usize) {
        let bin = self.place[item];
        unlist(&mut self.held[bin], &mut self.spot, item);
        list(&mut self.pool, &mut self.spot, item);
        self.place[item] = POOL;
        let demand = self.demand(item);
        give(&mut self.room[bin], demand);
        self.fill[bin] -= self.weight(item);
    }

    /// Has two items of different bins change places, which must leave room in both.
    pub(super) fn exchange(&mut self, one: usize, other: usize) {
        let (left, right) = (self.place[one], self.place[other]);
        let (leaving, coming) = (self.demand(one), self.demand(other));
        give(&mut self.room[left], leaving);
        take(&mut self.room[left], coming);
        give(&mut self.room[right], coming);
        take(&mut self.room[right], leaving);
        let moved = self.weight(one) - self.weight(other);
        self.fill[left] -= moved;
        self.fill[right] += moved;
        self.held[left][self.spot[one]] = other;
        self.held[right][self.spot[other]] = one;
        self.place.swap(one, other);
        self.spot.swap(one, other);
    }
}

fn list(into: &mut Vec<usize>, spot: &mut [usize], item: usize) {
    spot[item] = into.len();
    into.push(item);
}

fn unlist(from: &mut Vec<usize>, spot: &mut [usize], item: usize) {
    let at = spot[item];
    from.swap_remove(at);
    if let Some(&moved) = from.get(at) {
        spot[moved] = at;
    }
}
