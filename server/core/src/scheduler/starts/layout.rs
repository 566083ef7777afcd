//! Jobs laid out one after the other over what nodes have free from now on, each where it starts first.

use std::collections::BTreeMap;

use super::{Effort, candidates::Candidate, order::worth, profile::Profile};
use crate::model::{JobId, Millis, NodeId, PlannedStart, StartPlace, Time};

/// A start is moved forward only if it comes so much sooner.
pub(super) const WORTH_MOVING: Millis = Millis::MINUTE;

/// Where and when a task could start, the better the less.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Opening {
    pub(super) start: Time,
    /// What would stay free beside it, in parts of the fleet.
    pub(super) left: u64,
    pub(super) node: NodeId,
    /// Where the node's profile stands.
    pub(super) at: usize,
}

#[derive(Clone, Default)]
pub(super) struct Layout {
    /// Tasks that start now.
    pub(super) starts: BTreeMap<(JobId, NodeId), u32>,
    pub(super) planned: BTreeMap<JobId, PlannedStart>,
    pub(super) worth: u128,
}

/// A layout that is being made.
#[derive(Clone)]
pub(super) struct Laying {
    pub(super) now: Time,
    /// By what each resource is measured, whole devices last.
    pub(super) scale: [u64; 5],
    /// With what is laid out already.
    pub(super) profiles: Vec<Profile>,
    pub(super) layout: Layout,
    /// What was looked at so far.
    pub(super) looks: u64,
    /// Nothing more is laid out when so much has been looked at.
    pub(super) limit: u64,
    /// What the round may cost in all.
    pub(super) effort: Effort,
    /// So many more starts may be planned where only what is expected makes room for them.
    pub(super) expecting: usize,
}

/// Before which times nothing like a job could start, by profile. That what is laid out only takes room away lets it be
/// learned from one job to the next. Apart for jobs that may start on what is expected. Where it is not kept, nothing is known.
#[derive(Clone, Debug, Default)]
pub(super) struct Floors([Vec<Time>; 2]);

/// What became of a job's tasks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Laid {
    /// So many start now or are planned.
    pub(super) tasks: u32,
    pub(super) end: End,
}

/// Why no more of a job's tasks were laid out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum End {
    /// These were all.
    #[default]
    All,
    /// The next ones start later: that is as far as is planned.
    Later,
    /// There is no room in time.
    NoRoom,
    /// Enough was looked at.
    Spent,
}

impl Laying {
    /// Nothing is known yet.
    pub(super) fn floors(&self) -> Floors {
        let none = vec![self.now; self.profiles.len()];
        Floors([none.clone(), none])
    }

    pub(super) fn is_spent(&self) -> bool {
        self.looks >= self.limit
    }

    /// Lays up to `tasks` tasks of a job out; all that are pending must be asked for where it is a gang.
    pub(super) fn lay(
        &mut self,
        candidate: &mut Candidate<'_>,
        tasks: u32,
        floors: &mut Floors,
    ) -> Laid {
        if let Some(mut together) = candidate.together.take() {
            let laid = self.lay_together(candidate, &mut together, tasks);
            candidate.together = Some(together);
            return laid;
        }
        let mut laid = Laid::default();
        while laid.tasks < tasks {
            if self.is_spent() {
                return Laid { end: End::Spent, ..laid };
            }
            let Some(opening) = self.first_opening(candidate, floors) else {
                return Laid { end: End::NoRoom, ..laid };
            };
            let is_later = opening.start > self.now;
            if is_later && self.is_not_worth_a_guess(candidate, opening) {
                candidate.need.trusts = false;
                continue;
            }
            if is_later && self.layout.planned.len() >= self.effort.planned {
                return Laid { end: End::Later, ..laid };
            }
            let opening = if is_later { self.keep(candidate, opening) } else { opening };
            if candidate.planned.is_none() && self.rests_on_expected(candidate, opening) {
                self.expecting -= 1;
            }
            let (profile, need) = (&mut self.profiles[opening.at], &candidate.need);
            // The next ones go there too, until it is full: this one makes it the fullest.
            profile.reserve(opening.start, need, 1);
            let more = profile.admits_times(opening.start, need, tasks - laid.tasks - 1);
            if more > 0 {
                profile.reserve(opening.start, need, more);
            }
            let more = more + 1;
            if let Some(claim) = &candidate.claim {
                self.layout.worth += worth(claim, self.now, opening.start) * u128::from(more);
            }
            laid.tasks += more;
            let (job, node, start) = (candidate.job.id, opening.node, opening.start);
            if is_later {
                self.layout.planned.insert(job, PlannedStart::on(node, start, more));
                return Laid { end: End::Later, ..laid };
            }
            *self.layout.starts.entry((job, node)).or_default() += more;
        }
        laid
    }

    /// Keeps what was planned for a job if it can still be, without a look for anything sooner.
    pub(super) fn lay_as_planned(&mut self, candidate: &Candidate<'_>, tasks: u32) -> Option<Laid> {
        let is_ahead = |planned: &&PlannedStart| {
            planned.start > self.now
                && planned.start <= candidate.latest
                && planned.tasks() <= tasks
                && (planned.tasks() == tasks || !candidate.job.spec.gang)
        };
        let planned = candidate.planned.filter(is_ahead)?;
        for (at, tasks) in self.still(candidate, planned)? {
            self.profiles[at].reserve(planned.start, &candidate.need, tasks);
        }
        self.layout.planned.insert(candidate.job.id, planned.clone());
        Some(Laid { tasks: planned.tasks(), end: End::Later })
    }

    /// By profile, where tasks are planned, if there is still room then.
    pub(super) fn still(
        &mut self,
        candidate: &Candidate<'_>,
        planned: &PlannedStart,
    ) -> Option<Vec<(usize, u32)>> {
        self.looks += self.profiles.len() as u64;
        let place = |place: &StartPlace| {
            let at = self.profiles.iter().position(|profile| profile.node == place.node)?;
            let room = self.profiles[at].room_at(planned.start, &candidate.need, place.tasks);
            (candidate.allowed[at] && room == place.tasks).then_some((at, place.tasks))
        };
        planned.places.iter().map(place).collect()
    }

    /// Where a task of the job could start first; of several such nodes the one that is left the fullest.
    pub(super) fn first_opening(
        &mut self,
        candidate: &Candidate<'_>,
        floors: &mut Floors,
    ) -> Option<Opening> {
        let mut best: Option<Opening> = None;
        let floors = &mut floors.0[usize::from(candidate.need.trusts)];
        for (at, profile) in self.profiles.iter().enumerate() {
            if !candidate.allowed[at] {
                continue;
            }
            let latest = best.map_or(candidate.latest, |best| best.start);
            let (need, looks) = (&candidate.need, &mut self.looks);
            let mut floor = floors.get(at).copied().unwrap_or(self.now);
            let start = profile.earliest(need, &mut floor, latest, looks);
            if let Some(known) = floors.get_mut(at) {
                *known = floor;
            }
            let Some(start) = start else { continue };
            let opening = profile.opening(at, start, need, &self.scale, &mut self.looks);
            if best.is_none_or(|best| opening < best) {
                best = Some(opening);
            }
        }
        best
    }

    fn rests_on_expected(&self, candidate: &Candidate<'_>, opening: Opening) -> bool {
        let (need, profile) = (&candidate.need, &self.profiles[opening.at]);
        need.trusts && profile.rests_on_expected(opening.start, need)
    }

    /// Whether a start is not planned because it rests on what is only expected: enough such starts are planned, or it waits
    /// for a single end, with which its turn comes in the queue without a plan. Where one is planned already it is not
    /// given up for either.
    fn is_not_worth_a_guess(&self, candidate: &Candidate<'_>, opening: Opening) -> bool {
        let (need, profile) = (&candidate.need, &self.profiles[opening.at]);
        if !self.rests_on_expected(candidate, opening) {
            return false;
        }
        let Some(planned) = candidate.planned else {
            return self.expecting == 0 || (candidate.claim.is_none() && !profile.gathers(need));
        };
        let there =
            self.profiles.iter().find(|profile| planned.nodes().any(|node| node == profile.node));
        let is_guess = there.is_none_or(|there| there.rests_on_expected(planned.start, need));
        !is_guess && candidate.claim.is_none() && !profile.gathers(need)
    }

    /// What was planned before, unless it cannot be any more or another start comes much sooner.
    fn keep(&mut self, candidate: &Candidate<'_>, opening: Opening) -> Opening {
        let Some(planned) = candidate.planned.filter(|planned| planned.start > self.now) else {
            return opening;
        };
        let sooner = opening.start.after(WORTH_MOVING) < planned.start;
        let is_there = |profile: &Profile| planned.nodes().any(|node| node == profile.node);
        let Some(at) = self.profiles.iter().position(is_there) else { return opening };
        let holds = !sooner
            && candidate.allowed[at]
            && planned.start <= candidate.latest
            && self.profiles[at].admits(planned.start, &candidate.need);
        if holds {
            Opening { start: planned.start, node: self.profiles[at].node, at, ..opening }
        } else {
            opening
        }
    }
}
