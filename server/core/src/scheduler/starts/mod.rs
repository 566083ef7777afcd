//! Starts that lie ahead: when and where work begins that cannot begin now.
//!
//! Two kinds of work are looked at. The first of those that wait because no node has room (`queue.rs`) get a planned
//! start as soon as it is known when room comes: when a task's `max_runtime` or its notice ends, or a window of an owner's
//! calendar. Work that must be complete by a time (`JobSpec::is_timed`) never enters the queue: all of it is laid out
//! together, in the orders of `order.rs`, and what the best layout starts now is started.
//!
//! A node on which a start is planned is kept out of the index, so that nothing takes the room that is counted on. What
//! would be gone before, or fits beside, still goes there: it is laid out here, too, against the node's steps in time
//! (`profile.rs`). That is reservation-based backfill (Lifka 1995; Mu'alem and Feitelson 2001). It takes its turns as the
//! queue does (`turns.rs`): by priority, share and age, with what is laid out counted as held. Of jobs that are alike the
//! next one is looked at only as long as they start at once (`waiting.rs`).
//!
//! Tasks of a gang and tasks that keep apart are laid out together (`together.rs`): a start of theirs may lie on several
//! nodes, all of which are held.
//!
//! Where nobody says how long work runs, enough like tasks that have ended tell what can be expected (`ends.rs`). Starts are
//! planned by that, too, but more seldom and fewer (`expecting.rs`), and only for work whose room has to gather: what one
//! end makes room for goes with that end, in its turn. What is expected to be gone before a planned start goes first. When a
//! task runs for longer, starts that count on its end move; no task has to go because of that, and what starts now leaves
//! owners what they keep whether it comes true or not.
//!
//! Planned starts are committed as events, and this module derives all else from the state. It looks at a bounded number
//! of jobs and nodes, and not more often than its effort, which is counted, allows. Deliberately absent: starts of
//! gangs that need more nodes than one round looks at, and planned starts by preemption.

mod candidates;
mod ends;
mod expecting;
mod hold;
mod layout;
mod need;
mod order;
mod profile;
mod search;
mod together;
mod turns;
mod waiting;

use std::collections::{BTreeMap, BTreeSet};

use candidates::Urgency;
use ends::Sight;
use expecting::Pace;
pub(super) use hold::Held;
use layout::{Laying, Layout};
use order::Order;
use profile::Profile;
use search::Search;

use super::{Scheduler, find::Spot, place::placements};
use crate::{
    event::{Event, Placement, PlacementReason},
    model::{
        DeviceSet, GPU_MILLIS_PER_DEVICE, Horizon, Job, JobId, Millis, Node, NodeId, PlannedStart,
        Resources, StartPlace, Time,
    },
    state::{Expectations, State},
};

/// Starts are planned at most so often, and again the later the more was looked at.
const EVERY: Millis = Millis::SECOND;
const LOOKS_PER_MILLI: u64 = 5_000;

/// Who looks ahead plans at most so often for the time that it has come: it need not be more exact than that.
const AHEAD_PARTS: u64 = 16;

/// Nodes that are asked whether they should be looked at.
const NODES_ASKED: usize = 4_096;

/// What one round may cost.
#[derive(Clone, Copy, Debug)]
struct Effort {
    /// Steps in time that are looked at, and nodes that jobs are held against.
    looks: u64,
    /// Nodes that are looked at besides those with planned starts.
    nodes: usize,
    /// Jobs of the queue that are given a planned start or found to have none, those aside that had one before.
    heads: usize,
    /// Starts that are planned at a time.
    planned: usize,
}

impl Default for Effort {
    /// About a twentieth of a second.
    fn default() -> Self {
        Self { looks: 3_000_000, nodes: 512, heads: 64, planned: 256 }
    }
}

/// What one round of many may cost in a look ahead.
const EFFORT_AHEAD: Effort = Effort { looks: 400_000, nodes: 64, heads: 16, planned: 32 };

#[derive(Clone, Debug, Default)]
pub(super) struct Starts {
    /// Jobs with tasks that wait and must be complete by a time.
    timed: BTreeMap<JobId, Urgency>,
    by_urgency: BTreeSet<(Urgency, JobId)>,
    pub(super) held: Held,
    /// When the next round is due: a while after the first thing that happened since the last one, so that what is decided
    /// at one moment never depends on when this module last looked.
    due: Option<Time>,
    /// The last round was so long that the next one is not due before.
    not_before: Time,
    pace: Pace,
    /// Where the next look for nodes begins.
    scan_from: usize,
    effort: Effort,
    /// When a look ahead began, if this is one.
    ahead_from: Option<Time>,
}

/// What a round came to.
#[derive(Debug, Default)]
pub struct Round {
    /// Tasks that start now.
    pub starts: Vec<(JobId, Vec<StartPlace>)>,
    /// Starts that are planned anew or moved.
    pub planned: Vec<(JobId, PlannedStart)>,
    /// Jobs for which nothing is planned any more.
    pub unplanned: Vec<JobId>,
}

impl Starts {
    /// A scheduler that takes over looks only when it is time again, as one that has just looked does.
    pub(super) fn new(now: Time) -> Self {
        Self { due: Some(now.after(EVERY)), ..Self::default() }
    }

    /// Adds a job that must be complete by a time, or learns that it is as urgent as it is now.
    pub(super) fn add(&mut self, job: &Job) {
        self.remove(job.id);
        let urgency = Urgency::of(job);
        self.timed.insert(job.id, urgency);
        self.by_urgency.insert((urgency, job.id));
    }

    pub(super) fn remove(&mut self, job: JobId) {
        if !self.timed.is_empty()
            && let Some(urgency) = self.timed.remove(&job)
        {
            self.by_urgency.remove(&(urgency, job));
        }
    }

    pub(super) fn has(&self, job: JobId) -> bool {
        self.timed.contains_key(&job)
    }

    /// Compares it with one that has just been made.
    pub(super) fn check(&self, fresh: &Self) {
        assert_eq!(self.timed, fresh.timed, "what must be complete by a time waits");
        assert_eq!(self.by_urgency, fresh.by_urgency, "and stands where it should");
        assert_eq!(self.held, fresh.held, "nodes are held for planned starts");
    }

    /// So long, but for who looks ahead.
    fn pause(&self, now: Time, least: Millis) -> Millis {
        let come = self.ahead_from.map_or(Millis(0), |from| now.since(from));
        least.max(Millis(come.0 / AHEAD_PARTS))
    }

    /// Whether an event may change what can start when.
    pub(super) fn follow(&mut self, event: &Event, now: Time) {
        if says_nothing(event) || (self.due.is_some() && self.pace.is_due_on_held()) {
            return;
        }
        let due = now.after(self.pause(now, EVERY)).max(self.not_before);
        self.due.get_or_insert(due);
        self.follow_held(event, due);
    }
}

/// Whether an event cannot change where there is room.
pub(super) fn says_nothing(event: &Event) -> bool {
    matches!(
        event,
        Event::StartPlanned { .. }
            | Event::StartUnplanned { .. }
            | Event::JobsQuoted { .. }
            | Event::AdvisoryGiven { .. }
            | Event::RiskCurbed { .. }
            | Event::RequestRemembered { .. }
            | Event::RequestsForgotten { .. }
            | Event::JobForgotten { .. }
    )
}

impl Scheduler {
    /// From now on this looks ahead: starts are planned with less effort, and the more rarely the further it has come.
    pub fn look_ahead_from(&mut self, now: Time) {
        self.starts.effort = EFFORT_AHEAD;
        self.starts.ahead_from = Some(now);
    }

    /// Nothing waits: what happened so far needs no round.
    pub fn rest(&mut self) {
        self.starts.forget_due();
    }

    /// Lays out what waits over the nodes of which something is known to come (`coming`, the first first) and others.
    pub fn plan_starts(&mut self, state: &State, now: Time, coming: Vec<NodeId>) -> Round {
        let mut sight = Sight { state, now, looks: 0, expectations: Expectations::default() };
        let effort = self.starts.effort;
        let expecting = self.expecting(state, now);
        let mut profiles = self.profiles(&mut sight, coming, expecting > 0);
        if expecting > 0 {
            self.add_expecting(&mut sight, &mut profiles);
        }
        let looks = sight.looks;
        let mut laying = Laying {
            now,
            scale: scale(state.fleet()),
            profiles,
            layout: Layout::default(),
            looks,
            limit: looks + effort.looks.saturating_sub(looks) / (Order::ALL.len() as u64 + 1),
            effort,
            expecting,
        };
        self.lay_out_waiting(state, &mut laying);
        let timed = self.timed_candidates(state, &mut laying);
        let mut search = Search { timed, base: laying };
        let best = search.run();
        self.starts.forget_due();
        self.starts.not_before = now.after(Millis(EVERY.0 + search.base.looks / LOOKS_PER_MILLI));
        round(state, best)
    }

    /// Tasks have started where this module said: the index has yet to see it.
    pub fn started(&mut self, state: &State, node: NodeId) {
        self.index.refresh(state, node);
    }

    fn profiles(
        &mut self,
        sight: &mut Sight<'_>,
        coming: Vec<NodeId>,
        guessed: bool,
    ) -> Vec<Profile> {
        let mut nodes: BTreeSet<NodeId> = self.starts.held.nodes().collect();
        nodes.extend(coming.into_iter().take(self.starts.effort.nodes));
        if !self.starts.timed.is_empty() {
            let count = self.index.rooms.len();
            for _ in 0..count.min(NODES_ASKED) {
                if nodes.len() >= self.starts.effort.nodes {
                    break;
                }
                let at = self.starts.scan_from % count;
                self.starts.scan_from = at + 1;
                nodes.extend(u32::try_from(at).map(NodeId));
            }
        }
        self.add_with_room(&mut nodes);
        let mut profiles = Vec::with_capacity(nodes.len());
        for id in nodes {
            let Some(node) = self.usable(sight.state, id) else { continue };
            let guessed = guessed || self.starts.held.priority_on(id).is_some();
            profiles.push(Profile::of(sight, node, &mut self.index.names, guessed));
        }
        profiles
    }

    /// The node if it takes tasks, but for starts that are planned there.
    fn usable<'s>(&self, state: &'s State, id: NodeId) -> Option<&'s Node> {
        let own = u32::from(self.starts.held.priority_on(id).is_some());
        state.node(id).filter(|node| {
            node.is_open() && self.index.holds_on(id) == own && !state.is_preempting(node)
        })
    }
}

/// The placements of pending tasks that start now; where a node lacks devices that nobody else has touched, of fewer tasks,
/// and of a gang none.
#[must_use]
pub fn started(state: &State, job: JobId, places: &[StartPlace]) -> Vec<Placement> {
    let job = state.job(job).expect("invariant: it waits");
    let mut spots = Vec::new();
    for place in places {
        let node = state.node(place.node).expect("invariant: it takes tasks");
        let before = spots.len();
        spots_on(node, job, place.tasks, &mut spots);
        let found: u32 = spots[before..].iter().map(|spot| spot.count).sum();
        if job.spec.gang && found < place.tasks {
            return Vec::new();
        }
    }
    placements(job, &spots, state.next_ids().3)
}

/// Room for tasks of a job on a node, each of them with devices of its own if it asks for any.
fn spots_on(node: &Node, job: &Job, tasks: u32, spots: &mut Vec<Spot>) {
    let gpu_millis = job.spec.request.gpu_millis;
    let spot =
        |count, devices| Spot { node: node.id, count, devices, reason: PlacementReason::Planned };
    if gpu_millis == 0 {
        spots.push(spot(tasks, DeviceSet::default()));
        return;
    }
    let mut devices = node.devices.of_node(node.device_count());
    let lendable = node.lendable_devices(Horizon::FiveMinutes);
    for _ in 0..tasks {
        let Some(chosen) = devices.choose(gpu_millis, lendable) else { break };
        devices.hold(chosen, gpu_millis);
        spots.push(spot(1, chosen));
    }
}

/// What a layout changes.
fn round(state: &State, layout: Layout) -> Round {
    let starting: BTreeSet<JobId> = layout.starts.keys().map(|(job, _)| *job).collect();
    let gone = |job: &JobId| !layout.planned.contains_key(job) && !starting.contains(job);
    let unplanned = state.planned_starts().map(|(job, _)| job).filter(gone).collect();
    let mut starts: Vec<(JobId, Vec<StartPlace>)> = Vec::new();
    for ((job, node), tasks) in layout.starts {
        let place = StartPlace { node, tasks };
        match starts.last_mut() {
            Some((last, places)) if *last == job => places.push(place),
            _ => starts.push((job, vec![place])),
        }
    }
    // A job of which tasks start now loses what was planned, also if it stays as it was.
    let news = layout.planned.into_iter().filter(|(job, planned)| {
        starting.contains(job) || state.planned_start(*job) != Some(planned)
    });
    Round { starts, planned: news.collect(), unplanned }
}

/// By what each resource is measured, whole devices last.
fn scale(fleet: &Resources) -> [u64; 5] {
    let devices = fleet.gpu_millis / GPU_MILLIS_PER_DEVICE;
    [fleet.cpu_millis, fleet.memory_bytes, fleet.disk_bytes, fleet.network_bps, devices]
}
