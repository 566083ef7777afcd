//! Quotes: when jobs that wait would begin, and how likely it is that they are left alone.
//!
//! Several looks ahead from one fork, each with its own draw of how long tasks run, give each job a middle and a longest
//! wait. What came of earlier quotes corrects both: work that comes later and overtakes, owners that return, and whatever
//! else a look ahead leaves out. Learning that from outcomes, instead of also drawing arrivals, needs no model of who
//! will ask for what, and is right about whatever the reason is; it is slow to notice a change, which the record shows.
//!
//! Deliberately absent: when to quote, and for how much of the time. That is for whoever has a clock.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    engine::{Ahead, Began, Fork},
    model::{Horizon, JobId, Millis, NodeId, Quote, Time},
    state::State,
};

/// Looks ahead for a quote: enough for a middle and for a longest that about one in eight exceeds.
pub const LOOKS: u64 = 7;

/// What the looks told of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Foreseen {
    /// What to tell.
    pub quote: Quote,
    /// Where its first task went, look by look.
    pub nodes: Vec<NodeId>,
}

/// What to quote to each of these jobs.
#[must_use]
pub fn quotes(fork: &Fork, wanted: &BTreeSet<JobId>, limits: Ahead) -> BTreeMap<JobId, Foreseen> {
    let now = fork.now();
    let looks: Vec<BTreeMap<JobId, Began>> =
        (0..LOOKS).map(|draw| fork.look_ahead(wanted, limits, draw)).collect();
    let foreseen = |id: &JobId| {
        let began: Vec<&Began> = looks.iter().filter_map(|look| look.get(id)).collect();
        let nodes = began.iter().map(|began| began.node).collect();
        let mut waits: Vec<Millis> = began.iter().map(|began| began.time.since(now)).collect();
        waits.sort_unstable();
        (*id, Foreseen { quote: of_waits(fork.state(), now, &waits), nodes })
    };
    wanted.iter().map(foreseen).collect()
}

/// Waits ascend. Where some look did not see the beginning, at least so long is told; where most did not, nothing is.
fn of_waits(state: &State, now: Time, waits: &[Millis]) -> Quote {
    let looks = usize::try_from(LOOKS).expect("invariant: few");
    let (Some(middle), Some(longest)) = (waits.get(looks / 2), waits.last()) else {
        return Quote { made: now, ..Quote::default() };
    };
    let (p50, p95) = state.quotes().record().correct(*middle, *longest);
    let times = Some((now.after(p50), now.after(p95)));
    Quote { made: now, middle: *middle, longest: *longest, times }
}

/// How likely it is, in parts per million, that a task which is placed on one of these nodes, each as likely as the others,
/// is not reclaimed by the owner within `span`. None without a node.
///
/// What an owner holds back over the horizon that covers the span is exceeded with the risk that it accepts, or as often
/// as its load exceeded it in the last thirty days if that is more; each further day is another such chance. Where no
/// load was ever reported nothing is known to come. Windows of calendars are no risk: work that must be left alone is not
/// placed in their way. Preemption by other work is not counted.
#[must_use]
pub fn left_alone_ppm(state: &State, nodes: &[NodeId], span: Millis, now: Time) -> Option<u32> {
    let sum: u64 = nodes.iter().map(|node| left_alone_on(state, *node, span, now)).sum();
    let mean = sum.checked_div(nodes.len() as u64)?;
    u32::try_from(mean).ok()
}

const WHOLE: u64 = 1_000_000;

fn left_alone_on(state: &State, node: NodeId, span: Millis, now: Time) -> u64 {
    let Some(node) = state.node(node).filter(|node| node.history.newest.is_some()) else {
        return WHOLE;
    };
    let owner = state.owner(&node.spec.owner);
    let accepted = owner.map_or(crate::model::Risk::default(), |owner| owner.risk());
    let lent = owner.map(|owner| owner.record.up_to(now)).unwrap_or_default();
    let realised = (lent.exceeded * WHOLE).checked_div(lent.samples).unwrap_or(0);
    let risk = u64::from(accepted.parts_per_million()).max(realised).min(WHOLE);
    let chances = span.0.div_ceil(Horizon::Day.length().0).clamp(1, 365);
    (0..chances).fold(WHOLE, |left, _| left * (WHOLE - risk) / WHOLE)
}
