//! Ruin and recreate: take some tasks off a few sites, lay them out again together with some that have no room, keep
//! what is better, and early on what is a little worse.

use super::{
    layout::{Ground, Layout},
    random::Random,
};

/// Sites ruined at once, at most.
const SITES: usize = 3;
/// Tasks without room that are tried at once: at least, and how many more at most.
const TRIED: usize = 2;
const TRIED_MORE: usize = 12;
/// Sites compared for the one with the most GPU to gain.
const COMPARED: usize = 3;

/// What a worsening that is taken at the beginning costs on average.
const WARM: i64 = 20 * 1000;

/// Betters the layout by so many attempts.
pub(super) fn improve(layout: &mut Layout, attempts: u64, seed: u64) {
    if layout.grounds.is_empty() {
        return;
    }
    let mut search = Search {
        random: Random::new(seed),
        saved: vec![Ground::default(); SITES],
        sites: Vec::new(),
        off: Vec::new(),
        tried: Vec::new(),
        order: Vec::new(),
    };
    for attempt in 0..attempts {
        let left = i64::try_from((attempts - attempt) * 1024 / attempts).unwrap_or(0);
        search.attempt(layout, WARM * left / 1024);
    }
}

struct Search {
    random: Random,
    saved: Vec<Ground>,
    sites: Vec<usize>,
    /// Tasks taken off, and those tried that had no room.
    off: Vec<u32>,
    tried: Vec<u32>,
    order: Vec<(u64, u32)>,
}

impl Search {
    fn attempt(&mut self, layout: &mut Layout, warmth: i64) {
        self.choose_sites(layout);
        self.off.clear();
        let quarters = [1, 2, 2, 4][self.random.below(4)];
        for (at, site) in self.sites.iter().enumerate() {
            self.saved[at].copy(&layout.grounds[*site]);
            layout.ruin(*site, quarters, &mut self.random, &mut self.off);
        }
        self.draw(layout);
        let before: i64 = self.off.iter().map(|demand| layout.worth(*demand)).sum();
        self.order.clear();
        for demand in self.off.iter().chain(&self.tried) {
            let noise = 768 + self.random.next() % 512;
            let size = layout.size(*demand).saturating_mul(noise);
            self.order.push((size, *demand));
        }
        self.order.sort_unstable_by(|a, b| b.cmp(a));
        let mut after = 0;
        let first_left = layout.pool.len();
        for (_, demand) in &self.order {
            if layout.lay(*demand, &self.sites) {
                after += layout.worth(*demand);
            } else {
                layout.pool.push(*demand);
            }
        }
        // Leading zeros of a random number are distributed nearly as a logarithm is.
        let grace = warmth * i64::from((self.random.next() | 1).leading_zeros());
        if after < before - grace {
            layout.pool.truncate(first_left);
            layout.pool.append(&mut self.tried);
            for (at, site) in self.sites.iter().enumerate() {
                layout.grounds[*site].copy(&self.saved[at]);
            }
        }
    }

    fn choose_sites(&mut self, layout: &Layout) {
        let count = layout.grounds.len();
        self.sites.clear();
        let wanted = (1 + self.random.below(SITES)).min(count);
        let drawn = (0..COMPARED).map(|_| self.random.below(count));
        let first = drawn.max_by_key(|site| layout.gpu_left(*site));
        self.sites.extend(first);
        while self.sites.len() < wanted {
            let site = self.random.below(count);
            if !self.sites.contains(&site) {
                self.sites.push(site);
            }
        }
    }

    /// Draws some tasks that have no room.
    fn draw(&mut self, layout: &mut Layout) {
        self.tried.clear();
        let wanted = TRIED + self.random.below(TRIED_MORE);
        for _ in 0..wanted.min(layout.pool.len()) {
            let at = self.random.below(layout.pool.len());
            self.tried.push(layout.pool.swap_remove(at));
        }
    }
}
