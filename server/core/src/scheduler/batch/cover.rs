//! A choice of triples in which no item is twice and as many as possible are once.

use super::effort::{Chance, Effort};

/// Three items that fill a bin.
pub(super) type Triple = [usize; 3];

/// Choices after which a search that found no cover of all items starts again.
const CHOICES_PER_TRY: u32 = 4096;

/// What a choice costs for each item, and for each triple it rules out, in units.
const CHOICE_COST: u64 = 3;

/// Triples chosen and what they rule out.
pub(super) struct Cover<'a> {
    triples: &'a [Triple],
    /// The triples of each item.
    of_item: Vec<Vec<usize>>,
    covered: Vec<bool>,
    /// How many items of each triple are covered.
    blocked: Vec<u8>,
    /// How many triples of each item have no item covered.
    free: Vec<usize>,
    chosen: Vec<usize>,
    chance: Chance,
}

impl<'a> Cover<'a> {
    pub(super) fn new(triples: &'a [Triple], items: usize) -> Self {
        let mut of_item = vec![Vec::new(); items];
        for (number, triple) in triples.iter().enumerate() {
            for &item in triple {
                of_item[item].push(number);
            }
        }
        Self {
            triples,
            covered: vec![false; items],
            blocked: vec![0; triples.len()],
            free: of_item.iter().map(Vec::len).collect(),
            of_item,
            chosen: Vec::new(),
            chance: Chance::new(),
        }
    }

    /// The triples chosen.
    pub(super) fn chosen(&self) -> Vec<Triple> {
        self.chosen.iter().map(|&number| self.triples[number]).collect()
    }

    /// Whether triples were found within the effort that hold every item once. Always the item next that is in the
    /// fewest triples, and back where an item is in none (Knuth, "Dancing links", 2000).
    pub(super) fn search(&mut self, effort: &mut Effort) -> bool {
        loop {
            // At each depth, the triples that remain to be tried.
            let mut untried: Vec<Vec<usize>> = Vec::new();
            for _ in 0..CHOICES_PER_TRY {
                let Some(rarest) = self.rarest(0, effort) else { return true };
                untried.push(self.candidates(rarest));
                let next = loop {
                    let Some(depth) = untried.last_mut() else { return false };
                    if let Some(next) = depth.pop() {
                        break next;
                    }
                    untried.pop();
                    self.take_back(effort);
                };
                self.choose(next, effort);
            }
            while !self.chosen.is_empty() {
                self.take_back(effort);
            }
            if effort.left() == 0 {
                return false;
            }
        }
    }

    /// Chooses triples until none is free, always one of an item that is in the fewest.
    pub(super) fn fill(&mut self, effort: &mut Effort) {
        while let Some(rarest) = self.rarest(1, effort) {
            let Some(next) = self.candidates(rarest).pop() else { return };
            self.choose(next, effort);
        }
    }

    /// The item not covered that is in the fewest free triples, but in so many.
    fn rarest(&self, at_least: usize, effort: &mut Effort) -> Option<usize> {
        effort.spend(self.covered.len() as u64 * CHOICE_COST);
        let open = (0..self.covered.len())
            .filter(|&item| !self.covered[item] && self.free[item] >= at_least);
        open.min_by_key(|&item| self.free[item])
    }

    /// The free triples of an item, the one that rules out fewest others last, more or less.
    fn candidates(&mut self, item: usize) -> Vec<usize> {
        let mut ranked: Vec<(usize, usize)> = Vec::new();
        for &number in &self.of_item[item] {
            if self.blocked[number] == 0 {
                let ruled_out: usize = self.triples[number].iter().map(|&it| self.free[it]).sum();
                ranked.push((ruled_out + self.chance.below(1 + ruled_out / 2), number));
            }
        }
        ranked.sort_unstable_by(|one, other| other.cmp(one));
        ranked.into_iter().map(|(_, number)| number).collect()
    }

    fn choose(&mut self, number: usize, effort: &mut Effort) {
        self.chosen.push(number);
        for item in self.triples[number] {
            self.covered[item] = true;
            for &other in &self.of_item[item] {
                self.blocked[other] += 1;
                if self.blocked[other] == 1 {
                    for &ruled_out in &self.triples[other] {
                        self.free[ruled_out] -= 1;
                    }
                }
            }
            effort.spend(self.of_item[item].len() as u64 * CHOICE_COST);
        }
    }

    fn take_back(&mut self, effort: &mut Effort) {
        let Some(number) = self.chosen.pop() else { return };
        for item in self.triples[number] {
            self.covered[item] = false;
            for &other in &self.of_item[item] {
                self.blocked[other] -= 1;
                if self.blocked[other] == 0 {
                    for &let_in in &self.triples[other] {
                        self.free[let_in] += 1;
                    }
                }
            }
            effort.spend(self.of_item[item].len() as u64 * CHOICE_COST);
        }
    }
}
