//! Tasks that start together: those of a gang at one time or not at all, and those that keep apart, which are counted by
//! where they would lie.
//!
//! When so many could start changes only with the steps of some node, so the steps of all nodes are gone through in the
//! order of time until enough tasks have room at once. Those nodes are taken first that take the most of them, so that
//! few are kept.

use std::{cmp::Reverse, collections::BTreeSet};

use super::{
    super::{
        Scheduler,
        shape::{ShapeId, place_of},
        spread::Spread,
    },
    candidates::Candidate,
    layout::{End, Laid, Laying, WORTH_MOVING},
    profile::Profile,
};
use crate::{
    model::{Job, Name, NodeId, PlannedStart, StartPlace, Time},
    state::State,
};

/// Jobs that are asked on which nodes a task of theirs has room now.
const JOBS_ASKED: usize = 16;

/// What it costs to ask how many tasks have room in a step, in looks at one.
const ASKING: u64 = 3;

/// What must hold between the tasks of a job.
pub(super) struct Together {
    /// Where they lie, with what is laid out.
    spread: Spread,
    /// By profile, the place of the node to which the spread counts.
    places: Vec<(Name, Name)>,
    is_gang: bool,
}

/// Where and when tasks could start: so many on the node of each of these profiles.
struct Start {
    time: Time,
    places: Vec<(usize, u32)>,
}

/// Whether the tasks of a job cannot be laid out one by one.
pub(super) fn start_together(job: &Job) -> bool {
    job.spec.gang || !job.spec.constraints.spreads.is_empty()
}

impl Together {
    pub(super) fn of(state: &State, job: &Job, laying: &mut Laying) -> Self {
        if !job.spec.constraints.spreads.is_empty() {
            laying.looks += u64::from(job.spec.count);
        }
        let place = |profile: &Profile| {
            let node = state.node(profile.node).expect("invariant: it was just seen");
            place_of(&job.spec.constraints, &node.spec)
        };
        Self {
            spread: Spread::of(state, job),
            places: laying.profiles.iter().map(place).collect(),
            is_gang: job.spec.gang,
        }
    }

    /// How many more tasks may lie on a node and in its zone.
    fn room(&self, profile: &Profile, at: usize) -> u32 {
        self.spread.node_room(profile.node).min(self.spread.zone_room(&self.places[at]))
    }
}

impl Start {
    fn tasks(&self) -> u32 {
        self.places.iter().map(|(_, tasks)| tasks).sum()
    }
}

impl Scheduler {
    /// Adds nodes with room for some of the tasks that wait for each other: also what is free already counts for them.
    /// Always the first ones, so that rounds see the same.
    pub(super) fn add_with_room(&mut self, nodes: &mut BTreeSet<NodeId>) {
        let parked = self.queue.parked().iter().copied();
        let waiting = parked.filter(|shape| self.index.shape(*shape).key.job.is_some());
        let mut waiting: Vec<(Reverse<_>, ShapeId)> =
            waiting.map(|shape| (Reverse(self.queue.top_priority(shape)), shape)).collect();
        waiting.sort_unstable();
        let (most, end) = (nodes.len() + self.starts.effort.nodes / 2, self.index.rooms.len());
        for (_, shape) in waiting.into_iter().take(JOBS_ASKED) {
            let mut from = 0;
            while nodes.len() < most
                && let Some(at) = self.index.next_free(shape, None, from, end)
            {
                nodes.extend(u32::try_from(at).map(NodeId));
                from = at + 1;
            }
        }
    }
}

impl Laying {
    /// Lays up to `tasks` tasks of a job out, of a gang all of them.
    pub(super) fn lay_together(
        &mut self,
        candidate: &mut Candidate<'_>,
        together: &mut Together,
        tasks: u32,
    ) -> Laid {
        let mut laid = Laid::default();
        while laid.tasks < tasks {
            if self.is_spent() {
                return Laid { end: End::Spent, ..laid };
            }
            let Some(start) = self.first_start(candidate, together, tasks - laid.tasks) else {
                return Laid { end: End::NoRoom, ..laid };
            };
            let is_later = start.time > self.now;
            if is_later && self.is_guess(candidate, &start) && candidate.planned.is_none() {
                let Some(left) = self.expecting.checked_sub(start.places.len()) else {
                    candidate.need.trusts = false;
                    continue;
                };
                self.expecting = left;
            }
            if is_later && self.layout.planned.len() >= self.effort.planned {
                return Laid { end: End::Later, ..laid };
            }
            let start = if is_later { self.keep_start(candidate, together, start) } else { start };
            self.reserve_start(candidate, together, &start);
            laid.tasks += start.tasks();
            let places = start.places.iter().map(|(at, tasks)| {
                let node = self.profiles[*at].node;
                StartPlace { node, tasks: *tasks }
            });
            if is_later {
                let planned = PlannedStart { start: start.time, places: places.collect() };
                self.layout.planned.insert(candidate.job.id, planned);
                return Laid { end: End::Later, ..laid };
            }
            for StartPlace { node, tasks } in places {
                *self.layout.starts.entry((candidate.job.id, node)).or_default() += tasks;
            }
        }
        laid
    }

    /// When enough tasks could start first, and as many of them as could then.
    fn first_start(
        &mut self,
        candidate: &Candidate<'_>,
        together: &Together,
        tasks: u32,
    ) -> Option<Start> {
        let least = if together.is_gang { tasks } else { 1 };
        let mut changes: Vec<(Time, usize, u32)> = Vec::new();
        for (at, profile) in self.profiles.iter().enumerate() {
            let limit = together.spread.node_room(profile.node).min(tasks);
            if candidate.allowed[at] && limit > 0 {
                let rooms = profile.rooms(&candidate.need, limit, candidate.latest);
                changes.extend(rooms.map(|(time, room)| (time, at, room)));
            }
        }
        self.looks += ASKING * changes.len() as u64;
        changes.sort_unstable();
        let (mut rooms, mut all) = (vec![0; self.profiles.len()], 0);
        for alike in changes.chunk_by(|(one, ..), (other, ..)| one == other) {
            for (_, at, room) in alike {
                all = all + u64::from(*room) - u64::from(rooms[*at]);
                rooms[*at] = *room;
            }
            if all < u64::from(least) {
                continue;
            }
            if self.is_spent() {
                return None;
            }
            let open = rooms.iter().enumerate().filter(|(_, room)| **room > 0).map(|(at, _)| at);
            let start = self.start_at(alike[0].0, candidate, together, (open.collect(), tasks));
            if start.tasks() >= least {
                return Some(start);
            }
        }
        None
    }

    /// Deals up to so many tasks to these profiles, as many as could start at the time.
    fn start_at(
        &mut self,
        time: Time,
        candidate: &Candidate<'_>,
        together: &Together,
        (open, tasks): (Vec<usize>, u32),
    ) -> Start {
        let mut rooms = Vec::with_capacity(open.len());
        for at in open {
            let (profile, need) = (&self.profiles[at], &candidate.need);
            let limit = together.spread.node_room(profile.node).min(tasks);
            let room = profile.room_at(time, need, limit);
            self.looks += ASKING;
            if room > 0 {
                let left = profile.left_beside(time, need, &self.scale, &mut self.looks);
                rooms.push((Reverse(room), left, at));
            }
        }
        rooms.sort_unstable();
        let mut rooms: Vec<(usize, u32)> =
            rooms.into_iter().map(|(Reverse(room), _, at)| (at, room)).collect();
        let mut spread = together.spread.clone();
        let mut places: Vec<(usize, u32)> = Vec::new();
        let mut left = tasks;
        // In turns: a zone may take more once the emptiest one has taken some.
        while left > 0 {
            self.looks += rooms.len() as u64;
            let open = rooms
                .iter()
                .filter(|(at, room)| *room > 0 && spread.zone_room(&together.places[*at]) > 0);
            let emptiest = open.map(|(at, _)| spread.in_zone(&together.places[*at])).min();
            let (Some(emptiest), before) = (emptiest, left) else { break };
            for (at, room) in &mut rooms {
                let (node, zone) = (self.profiles[*at].node, &together.places[*at]);
                let taken = spread.room(node, zone, emptiest).min(*room).min(left);
                if taken > 0 {
                    spread.add(node, zone.clone(), taken);
                    (*room, left) = (*room - taken, left - taken);
                    places.push((*at, taken));
                }
            }
            if left == before {
                break;
            }
        }
        places.sort_unstable();
        places.dedup_by(|next, place| {
            let is_same = next.0 == place.0;
            place.1 += if is_same { next.1 } else { 0 };
            is_same
        });
        Start { time, places }
    }

    fn is_guess(&self, candidate: &Candidate<'_>, start: &Start) -> bool {
        let need = &candidate.need;
        need.trusts
            && start.places.iter().any(|(at, tasks)| {
                self.profiles[*at].rests_on_expected(start.time, &need.times(*tasks))
            })
    }

    /// What was planned before, unless it cannot be any more or tasks could start much sooner.
    fn keep_start(
        &mut self,
        candidate: &Candidate<'_>,
        together: &Together,
        start: Start,
    ) -> Start {
        let Some(planned) = candidate.planned.filter(|planned| {
            planned.start > self.now
                && planned.start <= candidate.latest
                && planned.start <= start.time.after(WORTH_MOVING)
                && planned.tasks() == start.tasks()
        }) else {
            return start;
        };
        let still = self.still(candidate, planned).filter(|places| {
            places.iter().all(|(at, tasks)| *tasks <= together.room(&self.profiles[*at], *at))
        });
        still.map_or(start, |places| Start { time: planned.start, places })
    }

    fn reserve_start(&mut self, candidate: &Candidate<'_>, together: &mut Together, start: &Start) {
        for (at, tasks) in &start.places {
            let profile = &mut self.profiles[*at];
            profile.reserve(start.time, &candidate.need, *tasks);
            together.spread.add(profile.node, together.places[*at].clone(), *tasks);
        }
    }
}
