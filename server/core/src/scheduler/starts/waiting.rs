//! What waits in the queue, laid out in its order.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    super::{Scheduler, queue::Lane, shape::ShapeId, shares},
    candidates::Candidate,
    layout::{End, Floors, Laying},
    turns::Turns,
};
use crate::{
    model::{Job, JobId, Millis},
    state::State,
};

/// Tasks of one job that one round lays out, unless it is a gang.
pub(super) const TASKS: u32 = 64;

fn tasks_of(job: &Job) -> u32 {
    if job.spec.gang { job.counts.pending } else { job.counts.pending.min(TASKS) }
}

impl Scheduler {
    /// Lays out the first jobs of those that wait. What does not wait, or may not start because its tenant's budget stops it,
    /// is not among them, whatever is planned for it.
    pub(super) fn lay_out_waiting(&mut self, state: &State, laying: &mut Laying) {
        let planned = state.planned_starts();
        let planned = planned.filter_map(|(id, _)| Some((id, self.queue.lane_of(id)?)));
        let lanes: BTreeMap<JobId, Lane> =
            self.queue.parked_fronts().into_iter().chain(planned).collect();
        if lanes.is_empty() {
            return;
        }
        let owed = self.owed_anew(state);
        self.unmeasured.extend(owed);
        let as_of = self.moment(state, laying.now);
        let job_of = |id: JobId| state.job(id).expect("invariant: a waiting job exists");
        let mut turns = Turns::new(self, state, as_of, lanes.keys().map(|id| job_of(*id)));
        // Of jobs that are alike the next one is not asked when one could not start now.
        let mut full: BTreeSet<(Lane, Millis, Option<Millis>)> = BTreeSet::new();
        let mut begun: BTreeMap<JobId, (Candidate<'_>, u32)> = BTreeMap::new();
        let mut floors: BTreeMap<(ShapeId, Millis), Floors> = BTreeMap::new();
        let mut heads = 0;
        let half = laying.looks + laying.limit.saturating_sub(laying.looks) / 2;
        while let Some(id) = turns.next() {
            let job = job_of(id);
            let kind = (lanes[&id], job.spec.min_runtime, job.spec.max_runtime);
            let was_planned = state.planned_start(id).is_some();
            if !was_planned && (full.contains(&kind) || laying.is_spent()) {
                turns.done(job);
                continue;
            }
            // When enough is planned the others may still go beside it, and what was planned stays if it can.
            let is_enough = laying.looks >= half;
            let at_once = !was_planned && (is_enough || heads >= laying.effort.heads);
            let (mut candidate, left) = match begun.remove(&id) {
                Some(begun) => begun,
                None => match self.candidate(state, job, laying, at_once) {
                    Some(candidate) => (candidate, tasks_of(job)),
                    None => {
                        turns.done(job);
                        continue;
                    }
                },
            };
            let takes_turns = turns.is_contested() && !job.spec.gang;
            let turn = if takes_turns { shares::turn(state, job) } else { u32::MAX };
            let alike = (lanes[&id].shape, candidate.need.alone);
            let floors = floors.entry(alike).or_insert_with(|| laying.floors());
            let kept = if is_enough { laying.lay_as_planned(&candidate, left) } else { None };
            let laid = kept.unwrap_or_else(|| laying.lay(&mut candidate, left.min(turn), floors));
            turns.laid(self, state, job, laid.tasks);
            let left = left - laid.tasks;
            if laid.end == End::All && left > 0 {
                begun.insert(id, (candidate, left));
                continue;
            }
            if laid.end != End::All {
                full.insert(kind);
                heads += usize::from(!was_planned);
            }
            turns.done(job);
        }
    }
}
