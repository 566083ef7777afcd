//! Batches of about three items a bin that leave next to no room: which triples fill a bin to the brim, and a choice
//! of them. Swaps hardly ever find such packings, since on the way to them nothing is gained.
//!
//! If a packing with the fewest bins there can be exists, none of its bins leaves more room than all of them may leave
//! together. Where that is next to nothing in several dimensions, few triples are that tight, and a search for an
//! exact cover (`cover.rs`) is short.

use super::{
    cover::{Cover, Triple},
    effort::Effort,
    scaled::{Scaled, Vector, fits, give, take},
};

/// Triples among which one chooses at most; with more, the batch is not tight.
const MAX_TRIPLES: usize = 100_000;

/// The share of the effort that triples may cost, as a divisor.
const SHARE: u64 = 2;

/// What a triple may leave of a bin in each dimension, as a power of two.
const BRIM_SHIFT: u32 = 10;

/// Triples that fill bins of the only class. `None` when the batch is not of that sort.
pub(super) fn choose_triples<const N: usize>(
    scaled: &Scaled<N>,
    effort: &mut Effort,
) -> Option<Vec<Triple>> {
    let mut classes = (0..scaled.bins.len()).filter(|&class| scaled.bins[class] > 0);
    let (class, None) = (classes.next()?, classes.next()) else { return None };
    let everywhere = (0..scaled.counts.len()).all(|kind| scaled.allows(kind, class));
    let (items, places) = (scaled.items.len(), scaled.least_opened.saturating_mul(3));
    let mut own = Effort::new(effort.left() / SHARE);
    let pairs = items.saturating_mul(items) as u64;
    if !everywhere || items > places || places > items + items / 8 || pairs > own.left() {
        return None;
    }
    let chosen = tight_triples(scaled, class, &mut own).map(|triples| {
        let mut cover = Cover::new(&triples, items);
        if items < places || !cover.search(&mut own) {
            cover.fill(&mut own);
        }
        cover.chosen()
    });
    effort.spend(effort.left() / SHARE - own.left());
    chosen.filter(|triples| triples.len() > items / 6)
}

/// What a triple may leave in each dimension: next to nothing, and no more than all bins together.
fn slack<const N: usize>(scaled: &Scaled<N>, class: usize) -> Vector<N> {
    let totals = scaled.totals();
    let bins = i64::try_from(scaled.least_opened).unwrap_or(i64::MAX);
    let mut slack = scaled.rooms[class];
    for (room, &total) in slack.iter_mut().zip(&totals) {
        let all = i64::from(*room).saturating_mul(bins).saturating_sub(total);
        *room = i32::try_from(all).unwrap_or(i32::MAX).min(*room >> BRIM_SHIFT);
    }
    slack
}

/// The triples that leave no more than the slack. `None` when there are many.
fn tight_triples<const N: usize>(
    scaled: &Scaled<N>,
    class: usize,
    effort: &mut Effort,
) -> Option<Vec<Triple>> {
    let full = scaled.rooms[class];
    let slack = slack(scaled, class);
    let lane = (0..N).filter(|&lane| full[lane] > 0).min_by_key(|&lane| slack[lane])?;
    let demand = |item: usize| &scaled.demands[scaled.items[item]];
    let mut order: Vec<usize> = (0..scaled.items.len()).collect();
    order.sort_by_key(|&item| (demand(item)[lane], item));
    let mut triples = Vec::new();
    for (rank, &first) in order.iter().enumerate() {
        let mut rest = &order[rank + 1..];
        while let [second, thirds @ ..] = rest {
            rest = thirds;
            let mut room = full;
            take(&mut room, demand(first));
            take(&mut room, demand(*second));
            let start = thirds.partition_point(|&it| demand(it)[lane] < room[lane] - slack[lane]);
            for &third in &thirds[start..] {
                if demand(third)[lane] > room[lane] {
                    break;
                }
                effort.spend(N as u64);
                let mut brim = *demand(third);
                give(&mut brim, &slack);
                if fits(&room, demand(third)) && fits(&brim, &room) {
                    triples.push([first, *second, third]);
                }
            }
            if triples.len() > MAX_TRIPLES || effort.left() == 0 {
                return None;
            }
        }
        effort.spend((order.len() - rank) as u64);
    }
    Some(triples)
}
