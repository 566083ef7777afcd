//! Makes room for work of higher priority and for work within a guarantee: which allocations get notice.
//!
//! Work within a guarantee takes back what others of its priority or less hold beyond theirs (`fairness.rs`); of what that
//! leaves them short is reckoned with what is being taken already. So of two jobs at most one may ever preempt the other:
//! the one of higher priority, or of equal priority the one that is guaranteed what the other borrowed.
//! Least priority goes first, then least work lost, never a task inside its `min_runtime`, no more than needed. What
//! is announced for one plan leaves at one time, so that nothing else moves into the half of the room that is free
//! before the other half. A node where such room is being made takes no tasks until then (`room.rs`). Room that is kept for
//! a planned start or a gang is left to it, unless its work comes after the one that asks: that plan is then dropped.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::{
    Eviction, filter,
    future::Future,
    offers::Offers,
    running::{Holder, Running},
    spread::Spread,
    starts::Held,
    take_back,
};
use crate::{
    fairness,
    model::{
        Allocation, AllocationId, EvictionReason, Horizon, Job, JobId, Node, NodeId, Notice,
        Preemptor, Priority, Resources, TenantId, Time,
    },
    state::State,
};

/// Tasks of one shape that one plan makes room for; the rest follow when these evictions are done. A gang is served
/// whole.
pub(super) const TASKS_PER_PLAN: u32 = 16;

/// Nodes with room to make that are compared; on a larger fleet the look begins at another node for each job and ends
/// when there are so many. More than the tasks of a plan, so that none is refused for it.
const OFFERS: usize = 128;

/// What to announce, and when more could be.
#[derive(Debug, Default)]
pub(super) struct Preemption {
    pub(super) notices: Vec<Eviction>,
    /// Nodes whose free room a gang counts on until the rest of its room is made.
    pub(super) counts_on: BTreeSet<NodeId>,
    /// When a task that is inside its `min_runtime` now, and in the way, leaves it.
    pub(super) retry: Option<Time>,
    /// The priority that got nothing, unless all were served: no more of it or below needs to ask again.
    pub(super) refused: Option<Priority>,
}

/// Nodes whose room is kept: for planned starts, and for gangs, those of lower priority than work that comes aside, which
/// have let go.
#[derive(Clone, Copy)]
pub(super) struct Kept<'a> {
    pub(super) starts: &'a Held,
    pub(super) gangs: &'a BTreeSet<NodeId>,
}

impl Kept<'_> {
    /// The highest priority of others than the job for which the node's room is kept. What is kept for itself is kept from
    /// nobody.
    fn from(&self, job: JobId, node: NodeId) -> Option<Priority> {
        if self.gangs.contains(&node) {
            return Some(Priority(i32::MAX));
        }
        self.starts.priority_but_of(job, node)
    }
}

/// Who goes first is least.
type Turn = (Priority, Reverse<Time>, Reverse<AllocationId>);

/// The notices that would let pending tasks of these jobs in, so many of each, the highest priority first. All jobs
/// are of one shape; a gang comes alone and gets all of its tasks in or none.
pub(super) fn preempt(
    state: &State,
    now: Time,
    demands: &[(&Job, u32)],
    kept: Kept<'_>,
    running: &Running,
) -> Preemption {
    let going = take_back::going(state);
    let mut making =
        Making { kept: Some(kept), running: Some(running), ..Making::new(state, now, going) };
    let mut refused = None;
    let mut offers = Offers::default();
    for (job, tasks) in demands {
        let served = making.serve(job, *tasks, &mut offers);
        if served < *tasks {
            if job.spec.gang {
                making.chosen.clear();
            }
            refused.get_or_insert(job.spec.priority);
            if state.guaranteed_tenants() == 0 {
                break;
            }
        }
    }
    if refused.is_some() {
        let (notices, retry) = (making.notices(), making.mature);
        return Preemption { notices, retry, refused, ..Preemption::default() };
    }
    let gang = demands.iter().any(|(job, _)| job.spec.gang);
    let counts_on = making.futures.keys().copied().filter(|_| gang).collect();
    Preemption { notices: making.notices(), counts_on, ..Preemption::default() }
}

/// Whether room for one task could be made on the node, or is being made, or might be when a task leaves its
/// `min_runtime`; by priority alone, or also by the guarantee of a tenant, given what all lose already.
pub(super) fn could_make_room(
    state: &State,
    now: Time,
    node: &Node,
    (request, horizon): (&Resources, Horizon),
    priority: Priority,
    taker: Option<(TenantId, &BTreeMap<TenantId, Resources>)>,
) -> bool {
    let going = taker.map(|(_, going)| going.clone()).unwrap_or_default();
    let mut making = Making::new(state, now, going);
    making.taker = taker.map(|(taker, _)| taker);
    let future = Future::of(state, now, node, horizon);
    let victims = making.victims(node, future, request, priority);
    victims.is_some() || making.mature.is_some()
}

/// A plan in the making.
pub(super) struct Making<'a> {
    pub(super) state: &'a State,
    now: Time,
    /// Nodes whose room is kept for others, if that matters.
    kept: Option<Kept<'a>>,
    /// What runs in the whole cell, if that matters.
    running: Option<&'a Running>,
    futures: BTreeMap<NodeId, Future>,
    pub(super) chosen: Vec<(Allocation, Arc<Preemptor>)>,
    /// The tenant within whose guarantee something may be taken back, if it has one.
    pub(super) taker: Option<TenantId>,
    /// What tenants with all below them will hold more and less of, by what is decided.
    pub(super) coming: BTreeMap<TenantId, Resources>,
    pub(super) going: BTreeMap<TenantId, Resources>,
    /// Whether the taker may take from whom, by what is decided.
    pub(super) verdicts: BTreeMap<Holder, bool>,
    /// Until when the allocations of a gang are left alone.
    promises: BTreeMap<JobId, Time>,
    mature: Option<Time>,
}

impl<'a> Making<'a> {
    fn new(state: &'a State, now: Time, going: BTreeMap<TenantId, Resources>) -> Self {
        Self {
            state,
            now,
            kept: None,
            running: None,
            futures: BTreeMap::new(),
            chosen: Vec::new(),
            taker: None,
            coming: BTreeMap::new(),
            going,
            verdicts: BTreeMap::new(),
            promises: BTreeMap::new(),
            mature: None,
        }
    }

    /// Makes room for up to `tasks` tasks of the job. For how many it did. What was left over for a job before may do for
    /// this one, which is of the same shape.
    fn serve(&mut self, job: &Job, tasks: u32, offers: &mut Offers) -> u32 {
        self.taker = (self.state.guaranteed_tenants() > 0).then_some(job.tenant);
        let for_all_of = self.is_like_any(job).then_some((job.tenant, job.spec.priority));
        if for_all_of.is_none() || offers.for_all_of != for_all_of {
            *offers = Offers::of(for_all_of);
            self.verdicts.clear();
            if !alone(job) {
                self.look_where_room_is_made(offers, job);
            }
        }
        let mut spread = Spread::of(self.state, job);
        let mut served = 0;
        while served < tasks {
            if !offers.all && !offers.has_free() {
                self.look_everywhere(offers, job);
            }
            let Some((node, victims)) = offers.best(&spread) else { return served };
            let node = self.state.node(node).expect("invariant: it was just seen");
            if !self.may_go(job, &victims) {
                self.offer(offers, job, node);
                continue;
            }
            served += 1;
            self.choose(job, &victims);
            let mut future = self.future(node, job);
            future.release_all(self.state, &victims);
            future.take(&job.spec.request);
            self.futures.insert(node.id, future);
            spread.add_in(self.state, node.id);
            self.offer(offers, job, node);
        }
        tasks
    }

    /// Whether what can be done for the job can be done for any of its shape, tenant and priority.
    fn is_like_any(&self, job: &Job) -> bool {
        !alone(job) && self.kept.is_none_or(|kept| !kept.starts.has(job.id))
    }

    /// Looks where nobody else need go: most of the time those who wait ask again although room is being made for them.
    fn look_where_room_is_made(&mut self, offers: &mut Offers, job: &Job) {
        let leaving = self.state.preemptors().filter_map(|(id, _)| self.state.allocation(*id));
        let nodes = leaving.map(|allocation| allocation.at.node);
        let nodes: BTreeSet<NodeId> = nodes.chain(self.futures.keys().copied()).collect();
        for node in nodes.iter().filter_map(|id| self.state.node(*id)) {
            self.look_at(offers, job, node);
        }
    }

    fn look_everywhere(&mut self, offers: &mut Offers, job: &Job) {
        offers.begin_anew();
        if !alone(job) && self.running.is_some_and(|running| !self.may_take_anything(job, running))
        {
            return;
        }
        let (first, ..) = self.state.next_ids();
        let begin = NodeId(u32::try_from(job.id.0 % u64::from(first.0.max(1))).unwrap_or(0));
        let before = self.state.nodes().take_while(|node| node.id < begin);
        let mut enough = if alone(job) { usize::MAX } else { OFFERS };
        for node in self.state.nodes_from(begin).chain(before) {
            if enough == 0 {
                break;
            }
            enough -= usize::from(self.look_at(offers, job, node));
        }
    }

    /// Whether room for a task of the job can be made on the node, by all that is known of it.
    fn look_at(&mut self, offers: &mut Offers, job: &Job, node: &Node) -> bool {
        node.is_open()
            && job.spec.request.fits_in(&node.lendable(job.spec.horizon()))
            && !self.is_kept_from(job, node.id)
            && filter::allows(&node.spec, &job.spec.constraints)
            && self.offer(offers, job, node)
    }

    /// Whether the node has room for one more task, or can have it.
    fn offer(&mut self, offers: &mut Offers, job: &Job, node: &Node) -> bool {
        let future = self.futures.get(&node.id).cloned();
        let future = future.unwrap_or_else(|| self.fresh_future(node, job));
        let priority = job.spec.priority;
        let Some(victims) = self.victims(node, future, &job.spec.request, priority) else {
            return false;
        };
        if victims.is_empty() && !self.counts_free(job, node.id) {
            return false;
        }
        let worst = victims.iter().map(|victim| priority_of(self.state, victim)).max();
        let lost = victims.iter().map(|victim| self.now.since(victim.placed).0).sum();
        let place = super::shape::place_of(&job.spec.constraints, &node.spec);
        offers.add(place, (worst, lost, victims.len(), node.id), victims);
        true
    }

    fn kept_from(&self, job: &Job, node: NodeId) -> Option<Priority> {
        self.kept.and_then(|kept| kept.from(job.id, node))
    }

    /// Whether the room of the node is kept for work that goes first.
    fn is_kept_from(&self, job: &Job, node: NodeId) -> bool {
        let own = job.spec.priority;
        let claims = || fairness::claims(self.state, job.tenant, &job.spec.request);
        self.kept_from(job, node).is_some_and(|kept| kept > own || kept == own && !claims())
    }

    /// Whether the job may count on what is free on the node already: where it is kept for others, only the rounds that
    /// plan starts give it away, by priority. A gang has the node kept for itself.
    fn counts_free(&self, job: &Job, node: NodeId) -> bool {
        let is_first = |kept: Priority| kept < job.spec.priority;
        job.spec.gang
            || self.futures.contains_key(&node)
            || self.kept_from(job, node).is_none_or(is_first)
    }

    fn future(&mut self, node: &Node, job: &Job) -> Future {
        self.futures.remove(&node.id).unwrap_or_else(|| self.fresh_future(node, job))
    }

    fn fresh_future(&self, node: &Node, job: &Job) -> Future {
        Future::of(self.state, self.now, node, job.spec.horizon())
    }

    /// The fewest allocations that must go from the node so that one task fits; `None` if it never does.
    fn victims(
        &mut self,
        node: &Node,
        mut future: Future,
        request: &Resources,
        priority: Priority,
    ) -> Option<Vec<Allocation>> {
        if future.fits(request) {
            return Some(Vec::new());
        }
        let mut candidates: Vec<(Turn, Allocation)> = Vec::new();
        let most = if self.taker.is_some() { priority.0.saturating_add(1) } else { priority.0 };
        for id in &node.allocations {
            let allocation = self.state.allocation(*id).expect("invariant: it is live");
            let job = self.state.job(allocation.at.job).expect("invariant: it is live");
            let theirs = job.spec.priority;
            if theirs.0 >= most || allocation.notice.is_some() || future.gone.contains(id) {
                continue;
            }
            if theirs == priority && !self.may_be_taken((request, priority), Holder::of(job)) {
                continue;
            }
            let promised = self.promised_until(job, allocation);
            if promised > self.now {
                self.mature = Some(self.mature.map_or(promised, |mature| mature.min(promised)));
                continue;
            }
            candidates.push(((theirs, Reverse(allocation.placed), Reverse(*id)), *allocation));
        }
        candidates.sort_unstable_by_key(|(turn, _)| *turn);
        let mut victims: Vec<Allocation> = Vec::new();
        let mut going = self.taker.map(|_| self.going.clone()).unwrap_or_default();
        for (_, candidate) in candidates {
            if self.taker.is_some() {
                let job = self.state.job(candidate.at.job).expect("invariant: it is live");
                if !self.may_take((request, priority), &Holder::of(job), &going) {
                    continue;
                }
                take_back::lose(&mut going, self.state, &candidate);
            }
            future.release(self.state, &candidate);
            victims.push(candidate);
            if future.fits(request) {
                let mut needed = spare(self.state, future, request, victims);
                if self.taker.is_some() {
                    // What one tenant may lose is counted in the order in which they were found.
                    needed.reverse();
                }
                return Some(needed);
            }
        }
        None
    }

    /// Until when the allocation is left alone: a gang as long as its youngest member.
    fn promised_until(&mut self, job: &Job, allocation: &Allocation) -> Time {
        let min_runtime = job.spec.min_runtime;
        if !job.spec.gang || min_runtime.0 == 0 {
            return allocation.placed.after(min_runtime);
        }
        let state = self.state;
        *self.promises.entry(job.id).or_insert_with(|| {
            let placed = state.allocations_of(job);
            placed.map(|member| member.placed.after(min_runtime)).max().unwrap_or_default()
        })
    }

    /// All at the time at which the last of them may be evicted and the last of those that leave anyway is gone.
    fn notices(&self) -> Vec<Eviction> {
        let standard = self.state.policy().notice;
        let deadlines = self.chosen.iter().map(|(victim, _)| {
            let job = self.state.job(victim.at.job).expect("invariant: it is live");
            self.now.after(job.spec.notice.unwrap_or(standard))
        });
        let leaving = self.futures.values().flat_map(|future| &future.gone);
        let leaving = leaving.filter_map(|id| self.state.allocation(*id)?.notice);
        let leaving = leaving.map(|notice| notice.deadline);
        let Some(deadline) = deadlines.chain(leaving).max() else { return Vec::new() };
        let notice = Notice { reason: EvictionReason::Preempted, deadline };
        let eviction = |(victim, by): &(Allocation, Arc<Preemptor>)| Eviction {
            at: victim.at,
            notice,
            by: Arc::clone(by),
        };
        self.chosen.iter().map(eviction).collect()
    }
}

pub(super) fn priority_of(state: &State, allocation: &Allocation) -> Priority {
    state.job(allocation.at.job).expect("invariant: it is live").spec.priority
}

/// Drops those victims, the costliest first, that the task does not need.
fn spare(
    state: &State,
    mut future: Future,
    request: &Resources,
    victims: Vec<Allocation>,
) -> Vec<Allocation> {
    let mut needed = Vec::with_capacity(victims.len());
    for victim in victims.into_iter().rev() {
        let mut without = future.clone();
        without.hold(state, &victim);
        if without.fits(request) {
            future = without;
        } else {
            needed.push(victim);
        }
    }
    needed
}

/// Whether it matters for the job where each of its tasks goes: then all nodes are compared.
fn alone(job: &Job) -> bool {
    job.spec.gang || !job.spec.constraints.spreads.is_empty()
}
