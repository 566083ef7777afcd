//! Packs a batch of pending work onto as few nodes as possible, or says that it cannot.
//!
//! One [`Problem`] goes in, one [`Packing`] comes out, and nothing else is read: the same problem and effort give the
//! same packing everywhere. The phases, each a file:
//!
//! 1. `scaled.rs` brings demands and rooms to small integers, exactly where that can be, and bounds from below how many
//!    bins have to be opened.
//! 2. `triples.rs` recognizes batches that come down to triples that fill bins to the brim, and `cover.rs` chooses
//!    among those by exact cover (Knuth, "Dancing links", 2000).
//! 3. `construct.rs` fills one bin at a time under several scores and keeps the best packing (bin-centric greedy:
//!    Panigrahy, Talwar, Uyeda, Wieder, "Heuristics for vector bin packing", 2011).
//! 4. `anneal.rs` closes a bin, has its items wait in a pool, and searches for room for them by ejections and swaps
//!    under a falling temperature; when the pool is empty the next bin is closed. The neighbourhood is that of
//!    Buljubasic and Vasquez, "Consistent neighborhood search for one-dimensional bin packing and two-dimensional
//!    vector packing", 2016, which takes the best neighbour and keeps a tabu list where this draws one at random.
//!    `near.rs` knows which items are alike: those can change places where hardly any room is left.
//!
//! Work is counted, never timed: to compare an item with a bin is three to five units of effort, to propose a move
//! fifteen, and a unit costs about the same whatever the items and dimensions, a nanosecond or so.
//! The cost follows the effort, the items and the number of bin classes, never the number of bins.
//!
//! Deliberately absent: everything that a bin's numbers cannot say (single devices of a node, gangs, spreads), the
//! order of tenants, and partial answers: a batch that does not fit as a whole is placed by whoever asked, in an order
//! of their choice.

mod anneal;
mod bins;
mod construct;
mod cover;
mod effort;
mod near;
mod scaled;
#[cfg(test)]
mod tests;
mod triples;

use bins::Bins;
use effort::Effort;
use scaled::Scaled;

/// Dimensions that a problem has at most; with more there is no packing.
const MAX_DIMENSIONS: usize = 16;

/// Items that a problem has at most; with more there is no packing.
const MAX_ITEMS: u64 = 1_000_000;

/// Effort for an item, in units: what a small batch may cost.
const EFFORT_PER_ITEM: u64 = 4_500_000;

/// Effort of the largest batch, in units: about half a second of a core.
const EFFORT_MAX: u64 = 450_000_000;

/// The share of the effort for what is left beside triples that fill bins, as a divisor.
const REST_SHARE: u64 = 4;

/// All that one batch is: what is wanted, and where there is room.
#[derive(Clone, Debug, Default)]
pub(crate) struct Problem {
    /// What is to be packed.
    pub(crate) kinds: Vec<Kind>,
    /// Where there is room. Few: bins that hold the same belong to one class.
    pub(crate) classes: Vec<Class>,
    /// Whether a kind may go into a class, kind by kind; empty where every kind may go everywhere.
    pub(crate) allowed: Vec<bool>,
}

/// Items that want the same.
#[derive(Clone, Debug)]
pub(crate) struct Kind {
    /// One number for each dimension.
    pub(crate) demand: Vec<u64>,
    /// How many items.
    pub(crate) count: u32,
}

/// Bins that have the same room.
#[derive(Clone, Debug)]
pub(crate) struct Class {
    /// What is free in each bin, one number for each dimension.
    pub(crate) room: Vec<u64>,
    /// How many bins.
    pub(crate) bins: u32,
    /// Whether they hold something already: to fill such a bin costs nothing, to open another one does.
    pub(crate) used: bool,
}

/// Every item in a bin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Packing {
    /// The bins that got items, ascending by class.
    pub(crate) bins: Vec<Filled>,
}

/// What one bin got.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Filled {
    /// The bin's class, an index.
    pub(crate) class: usize,
    /// Kinds, ascending by index, and how many items of each.
    pub(crate) held: Vec<(usize, u32)>,
}

/// The effort that suits a batch, in units.
pub(crate) fn default_effort(items: u64) -> u64 {
    items.saturating_mul(EFFORT_PER_ITEM).min(EFFORT_MAX)
}

/// Packs everything, or nothing when room was not found for every item. More effort, in units, finds fuller bins.
///
/// # Panics
///
/// When demands, rooms and `allowed` are not of one shape.
pub(crate) fn pack(problem: &Problem, effort: u64) -> Option<Packing> {
    let dimensions = problem.classes.first()?.room.len();
    assert!(problem.kinds.iter().all(|kind| kind.demand.len() == dimensions), "demands differ");
    assert!(problem.classes.iter().all(|class| class.room.len() == dimensions), "rooms differ");
    let pairs = problem.kinds.len().saturating_mul(problem.classes.len());
    assert!(problem.allowed.is_empty() || problem.allowed.len() == pairs, "allowed is partial");
    let items: u64 = problem.kinds.iter().map(|kind| u64::from(kind.count)).sum();
    if items > MAX_ITEMS || dimensions > MAX_DIMENSIONS {
        return None;
    }
    match dimensions {
        0..=1 => pack_lanes::<1>(problem, effort),
        2..=4 => pack_lanes::<4>(problem, effort),
        5..=8 => pack_lanes::<8>(problem, effort),
        9..=12 => pack_lanes::<12>(problem, effort),
        _ => pack_lanes::<MAX_DIMENSIONS>(problem, effort),
    }
}

/// Packs with vectors of a fixed length, which the compiler turns into vector instructions.
fn pack_lanes<const N: usize>(problem: &Problem, effort: u64) -> Option<Packing> {
    let scaled = Scaled::<N>::new(problem)?;
    let mut effort = Effort::new(effort);
    let brimful = pack_triples(problem, &scaled, &mut effort);
    if let Some(packing) = brimful.as_ref().filter(|it| it.bins.len() <= scaled.least_opened) {
        return Some(packing.clone());
    }
    let found = search(&scaled, &mut effort);
    [found, brimful].into_iter().flatten().min_by_key(|packing| opened(problem, packing))
}

/// Fills bins greedily and then opens fewer.
fn search<const N: usize>(scaled: &Scaled<N>, effort: &mut Effort) -> Option<Packing> {
    let start = construct::construct(scaled, effort);
    let best = anneal::improve(scaled, start, effort)?;
    Some(packing(scaled, &best))
}

/// Triples that fill bins to the brim, and whatever else is wanted beside them.
fn pack_triples<const N: usize>(
    problem: &Problem,
    scaled: &Scaled<N>,
    effort: &mut Effort,
) -> Option<Packing> {
    let triples = triples::choose_triples(scaled, effort)?;
    let class = scaled.bins.iter().position(|&bins| bins > 0)?;
    let mut rest = problem.clone();
    rest.classes[class].bins =
        rest.classes[class].bins.checked_sub(u32::try_from(triples.len()).ok()?)?;
    let mut bins = Vec::new();
    for triple in triples {
        let kinds = triple.map(|item| scaled.items[item]);
        for kind in kinds {
            rest.kinds[kind].count -= 1;
        }
        bins.push(Filled { class, held: counted(kinds.to_vec()) });
    }
    let scaled = Scaled::<N>::new(&rest)?;
    let mut own = Effort::new(effort.left() / REST_SHARE);
    let others = search(&scaled, &mut own)?;
    effort.spend(effort.left() / REST_SHARE - own.left());
    bins.extend(others.bins);
    bins.sort_unstable();
    Some(Packing { bins })
}

/// How many bins a packing opens that were not in use.
fn opened(problem: &Problem, packing: &Packing) -> usize {
    packing.bins.iter().filter(|bin| !problem.classes[bin.class].used).count()
}

fn packing<const N: usize>(scaled: &Scaled<N>, bins: &Bins<'_, N>) -> Packing {
    let mut filled: Vec<Filled> = Vec::with_capacity(bins.len());
    for bin in 0..bins.len() {
        let held = counted(bins.held(bin).iter().map(|&item| scaled.items[item]).collect());
        if !held.is_empty() {
            filled.push(Filled { class: bins.class(bin), held });
        }
    }
    filled.sort_unstable();
    Packing { bins: filled }
}

/// Kinds, ascending, and how often each is there.
fn counted(mut kinds: Vec<usize>) -> Vec<(usize, u32)> {
    kinds.sort_unstable();
    let mut held: Vec<(usize, u32)> = Vec::new();
    for kind in kinds {
        match held.last_mut() {
            Some((last, count)) if *last == kind => *count += 1,
            _ => held.push((kind, 1)),
        }
    }
    held
}
