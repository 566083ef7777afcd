//! Which kinds are like each other: items of such kinds can change places where hardly any room is left.

use super::{
    effort::{Chance, Draw, Effort},
    scaled::Scaled,
};

/// Kinds kept for each kind.
const NEIGHBOURS: usize = 16;

/// The share of the effort that looking for neighbours may cost, as a divisor.
const SHARE: u64 = 16;

/// What comparing two kinds costs beside their dimensions, in units.
const COMPARE_COST: u64 = 4;

/// Kinds of similar demands for each kind, and the items of each.
pub(super) struct Near {
    /// How many neighbours each kind has.
    width: usize,
    /// The neighbours of the first kind, of the second, and so on.
    kinds: Vec<usize>,
    /// The first item of each kind.
    first: Vec<usize>,
    /// How many items of each kind.
    counts: Vec<usize>,
}

impl Near {
    /// Among the kinds of about the same weight, those that differ least in all dimensions together. About the same:
    /// as far as the effort lets one look.
    pub(super) fn new<const N: usize>(scaled: &Scaled<N>, effort: &mut Effort) -> Self {
        let (mut first, mut counts) = (Vec::new(), vec![0; scaled.demands.len()]);
        for (item, &kind) in scaled.items.iter().enumerate() {
            if counts[kind] == 0 {
                first.resize(kind + 1, item);
            }
            counts[kind] += 1;
        }
        first.resize(counts.len(), 0);
        let mut order: Vec<usize> = (0..counts.len()).filter(|&kind| counts[kind] > 0).collect();
        order.sort_by_key(|&kind| (scaled.weights[kind], kind));
        let compare_cost = COMPARE_COST + N as u64;
        let looks = effort.left() / SHARE / compare_cost / (order.len() as u64).max(1);
        let reach = usize::try_from(looks / 2).unwrap_or(usize::MAX).min(order.len());
        let width = NEIGHBOURS.min(order.len().saturating_sub(1)).min(reach);
        let mut kinds = vec![0; counts.len() * width];
        for (rank, &kind) in order.iter().enumerate() {
            let last = rank.saturating_add(reach).min(order.len() - 1);
            let window = &order[rank.saturating_sub(reach)..=last];
            let mut ranked: Vec<(i64, usize)> = Vec::with_capacity(window.len());
            for &other in window.iter().filter(|&&other| other != kind) {
                ranked.push((distance(scaled, kind, other), other));
            }
            effort.spend(ranked.len() as u64 * compare_cost);
            ranked.sort_unstable();
            for (place, &(_, other)) in ranked.iter().take(width).enumerate() {
                kinds[kind * width + place] = other;
            }
        }
        Self { width, kinds, first, counts }
    }

    /// An item of a kind that is like another kind.
    pub(super) fn item(&self, kind: usize, draw: Draw, chance: &mut Chance) -> Option<usize> {
        if self.width == 0 {
            return None;
        }
        let like = self.kinds[kind * self.width + draw.second(self.width)];
        let among = self.counts[like];
        Some(self.first[like] + if among > 1 { chance.below(among) } else { 0 })
    }
}

fn distance<const N: usize>(scaled: &Scaled<N>, one: usize, other: usize) -> i64 {
    let pairs = scaled.demands[one].iter().zip(&scaled.demands[other]);
    pairs.map(|(&left, &right)| i64::from(left.abs_diff(right))).sum()
}
