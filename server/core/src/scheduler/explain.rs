//! Why a job's pending tasks wait: every blocker at once, counted over the nodes and kept for each shape.
//!
//! Nothing is counted before somebody asks. Counts are kept by page of the node table: copies of a state share the pages
//! that neither has written since, so a later question about a shape counts the pages again that are not those of the
//! last one and adds up the rest. An answer is exactly that of the state it is asked of.

use hashbrown::HashMap;
use rustc_hash::FxBuildHasher;

use super::{
    Blocker, PendingReason, filter,
    shape::{KeyRef, ShapeKey},
};
use crate::{
    model::{Constraints, Dimension, Horizon, Job, JobSpec, Node, NodeId, Resources},
    state::State,
    table::Table,
};

/// Counts of single pages that are kept at most, all shapes together; the shapes asked for least recently go first.
const PAGES_KEPT: usize = 1 << 18;

/// What keeps tasks off a node, whatever they ask for.
const RULES: [Blocker; 6] = [
    Blocker::NodeState,
    Blocker::Region,
    Blocker::Zone,
    Blocker::Labels,
    Blocker::Taints,
    Blocker::GpuModel,
];
/// What lies between tasks.
const BETWEEN_TASKS: [Blocker; 4] =
    [Blocker::Gang, Blocker::Spread, Blocker::Preemption, Blocker::Queue];
/// One more than the last of them.
const RULES_END: usize = Blocker::GpuModel as usize + 1;

/// Answers why tasks wait, and keeps what it counted for that.
#[derive(Clone, Debug, Default)]
pub struct Reasons {
    /// The nodes of the last question.
    nodes: Table<Node>,
    /// In which question each of their pages was last found changed.
    changed: Vec<u64>,
    questions: u64,
    kept: HashMap<ShapeKey, Kept, FxBuildHasher>,
}

/// Why tasks wait, and how near they are to a place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Explanation {
    /// Every blocker at once.
    pub reasons: Vec<PendingReason>,
    /// Nodes that would take the tasks, were they empty or not.
    pub allowed: u32,
    /// Those of them whose whole capacity is enough for one task.
    pub large_enough: u32,
    /// The node that lacks least for one task, as a part of what is asked for; of those that are large enough if any is.
    pub nearest: Option<NodeId>,
}

/// What was counted for a shape.
#[derive(Clone, Debug, Default)]
struct Kept {
    /// The question that it was last counted for.
    question: u64,
    pages: Vec<Tally>,
}

/// What a shape's tasks ask of a node.
struct Wish<'a> {
    request: &'a Resources,
    horizon: Horizon,
    constraints: &'a Constraints,
    amounts: Vec<(Dimension, u64)>,
}

/// What was counted over some nodes.
#[derive(Clone, Debug, Default)]
struct Tally {
    /// By blocker: how many nodes it rules out.
    ruled_out: [u32; RULES_END],
    /// By amount asked for: the nodes that are too small and, in those that are not, too full.
    lacks: Vec<[Lack; 2]>,
    allowed: u32,
    large_enough: u32,
    nearest: Option<Nearness>,
    /// Some node has no blocker.
    has_free: bool,
    /// On some node room is being made.
    makes_room: bool,
}

/// Least is nearest: too small or not, what is missing in millionths of what is asked for, which node.
type Nearness = (bool, u64, NodeId);

/// Nodes that lack something, and how much those of them lack that lack least.
#[derive(Clone, Copy, Debug)]
struct Lack {
    nodes: u32,
    least: u64,
}

impl Reasons {
    /// Why the job's pending and delayed tasks wait; empty when there are none.
    ///
    /// A node counts for every blocker that it has. When some node has none, what is left are the reasons that lie
    /// between tasks: the gang, the spread, the evictions under way, the queue.
    pub fn explain(&mut self, state: &State, job: &Job) -> Vec<PendingReason> {
        self.explain_fully(state, job).reasons
    }

    /// The same, and how near the tasks are to a place.
    pub fn explain_fully(&mut self, state: &State, job: &Job) -> Explanation {
        let mut reasons = Vec::new();
        if job.waits_for_jobs() {
            reasons.push(PendingReason::of(Blocker::Dependency));
        } else if job.counts.delayed > 0 {
            reasons.push(PendingReason::of(Blocker::Backoff));
        }
        let tenant = state.tenant(job.tenant).expect("invariant: a job has a tenant");
        let is_stopped = tenant.budget_level.stops_new();
        if is_stopped && job.counts.pending > 0 {
            reasons.push(PendingReason::of(Blocker::Budget));
        }
        if job.is_ready() && state.node_count() == 0 {
            reasons.push(PendingReason::of(Blocker::NoNodes));
        }
        if !job.is_ready() || state.node_count() == 0 {
            return Explanation { reasons, ..Explanation::default() };
        }
        self.follow(state);
        let wish = Wish::of(&job.spec);
        let sum = self.count(state, KeyRef::alike(job), &wish);
        // Tasks that may not be placed do not wait for other tasks.
        let between_tasks = |reason: &PendingReason| BETWEEN_TASKS.contains(&reason.blocker);
        let counted = sum.reasons(&job.spec, &wish).into_iter();
        reasons.extend(counted.filter(|reason| !is_stopped || !between_tasks(reason)));
        if state.planned_start(job.id).is_some() {
            reasons.push(PendingReason::of(Blocker::PlannedStart));
        }
        Explanation {
            reasons,
            allowed: sum.allowed,
            large_enough: sum.large_enough,
            nearest: sum.nearest.map(|(.., node)| node),
        }
    }

    /// Notes which pages are not those of the last question.
    fn follow(&mut self, state: &State) {
        self.questions += 1;
        for page in state.node_table().pages_changed(&self.nodes) {
            if self.changed.len() <= page {
                self.changed.resize(page + 1, 0);
            }
            self.changed[page] = self.questions;
        }
        self.nodes = state.node_table().clone();
    }

    /// Counts what is not counted yet and adds everything up.
    fn count(&mut self, state: &State, key: KeyRef<'_>, wish: &Wish<'_>) -> Tally {
        if !self.kept.contains_key(&key) {
            self.forget_surplus();
            self.kept.insert(ShapeKey::from(key), Kept::default());
        }
        let kept = self.kept.get_mut(&key).expect("invariant: it was just inserted");
        kept.pages.resize_with(self.changed.len(), Tally::default);
        let mut sum = Tally::of(wish);
        for (page, (tally, changed)) in kept.pages.iter_mut().zip(&self.changed).enumerate() {
            if *changed > kept.question {
                *tally = Tally::of(wish);
                self.nodes.page(page).for_each(|node| tally.count(state, node, wish));
            }
            sum.add(tally);
        }
        kept.question = self.questions;
        sum
    }

    /// Makes room for one more shape.
    fn forget_surplus(&mut self) {
        while !self.kept.is_empty() && (self.kept.len() + 1) * self.changed.len() > PAGES_KEPT {
            let oldest = self.kept.values().map(|kept| kept.question).min();
            self.kept.retain(|_, kept| Some(kept.question) != oldest);
        }
    }
}

/// What keeps a task of such a job off one node, and how much is missing there; nothing if it could go there.
#[must_use]
pub fn blockers_on(state: &State, node: &Node, spec: &JobSpec) -> Vec<PendingReason> {
    let wish = Wish::of(spec);
    let mut tally = Tally::of(&wish);
    tally.count(state, node, &wish);
    if tally.has_free { Vec::new() } else { tally.reasons(spec, &wish) }
}

impl<'a> Wish<'a> {
    fn of(spec: &'a JobSpec) -> Self {
        let (request, constraints) = (&spec.request, &spec.constraints);
        Self { request, horizon: spec.horizon(), constraints, amounts: request.amounts().collect() }
    }
}

impl Tally {
    fn of(wish: &Wish<'_>) -> Self {
        let none = Lack { nodes: 0, least: u64::MAX };
        Self { lacks: vec![[none; 2]; wish.amounts.len()], ..Self::default() }
    }

    fn count(&mut self, state: &State, node: &Node, wish: &Wish<'_>) {
        let mut allowed = true;
        for blocker in filter::blockers(node, wish.constraints) {
            self.ruled_out[blocker as usize] += 1;
            allowed = false;
        }
        let (too_small, missing) = self.count_lacks(node, wish);
        let lacks = missing > 0;
        self.has_free |= allowed && !lacks;
        self.makes_room |= allowed && lacks && state.is_preempting(node);
        if allowed {
            self.allowed += 1;
            self.large_enough += u32::from(!too_small);
            self.approach(Some((too_small, missing, node.id)));
        }
    }

    fn approach(&mut self, other: Option<Nearness>) {
        self.nearest = match (self.nearest, other) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
    }

    /// Counts in what the node is too small, or else in what it is too full. Whether it is too small, and the greatest
    /// part that is missing of anything asked for, in millionths.
    fn count_lacks(&mut self, node: &Node, wish: &Wish<'_>) -> (bool, u64) {
        let whole = &node.spec.capacity;
        let fits = wish.request.fits_in(whole);
        let mut missing = 0;
        for ((dimension, wanted), counted) in wish.amounts.iter().zip(&mut self.lacks) {
            let available = match dimension {
                _ if !fits => whole.amount(dimension),
                Dimension::Gpu => node.gpu_millis_in_reach(*wanted, wish.horizon),
                _ => {
                    let held_back = node.held_back.over(wish.horizon).amount(dimension);
                    let lendable = whole.amount(dimension).saturating_sub(held_back);
                    lendable.saturating_sub(node.lent.amount(dimension))
                }
            };
            if available < *wanted {
                let lack = &mut counted[usize::from(fits)];
                lack.nodes += 1;
                lack.least = lack.least.min(wanted - available);
                missing = missing.max(millionths(wanted - available, *wanted));
            }
        }
        (!fits, missing)
    }

    fn add(&mut self, other: &Self) {
        for (sum, more) in self.ruled_out.iter_mut().zip(other.ruled_out) {
            *sum += more;
        }
        for (sum, more) in self.lacks.iter_mut().flatten().zip(other.lacks.iter().flatten()) {
            sum.nodes += more.nodes;
            sum.least = sum.least.min(more.least);
        }
        self.allowed += other.allowed;
        self.large_enough += other.large_enough;
        self.approach(other.nearest);
        self.has_free |= other.has_free;
        self.makes_room |= other.makes_room;
    }

    fn reasons(&self, spec: &JobSpec, wish: &Wish<'_>) -> Vec<PendingReason> {
        let mut reasons = Vec::new();
        if self.has_free {
            reasons.push(PendingReason::of(match () {
                () if spec.gang => Blocker::Gang,
                () if !spec.constraints.spreads.is_empty() => Blocker::Spread,
                () => Blocker::Queue,
            }));
        } else if self.makes_room {
            reasons.push(PendingReason::of(Blocker::Preemption));
        }
        for blocker in RULES {
            let nodes = self.ruled_out[blocker as usize];
            if nodes > 0 {
                reasons.push(PendingReason { nodes, ..PendingReason::of(blocker) });
            }
        }
        for (at, blocker) in [Blocker::Capacity, Blocker::Headroom].into_iter().enumerate() {
            for ((dimension, _), lacks) in wish.amounts.iter().zip(&self.lacks) {
                let Lack { nodes, least: smallest_shortfall } = lacks[at];
                if nodes > 0 {
                    let dimension = Some(dimension.clone());
                    reasons.push(PendingReason { blocker, dimension, nodes, smallest_shortfall });
                }
            }
        }
        reasons
    }
}

/// At least 1 when anything is missing.
fn millionths(missing: u64, of: u64) -> u64 {
    let part = u128::from(missing) * 1_000_000 / u128::from(of.max(1));
    u64::try_from(part).unwrap_or(u64::MAX).max(1)
}
