//! Jobs as a round lays them out, and which of those that must be complete by a time it looks at: the most urgent. What
//! does not wait, or may not start because its tenant's budget stops it, is not among them, whatever is planned for it.

use std::{cmp::Reverse, collections::BTreeSet};

use super::{
    super::{Scheduler, filter, wake::gang_waits},
    layout::Laying,
    need::Need,
    order::Claim,
    together::{Together, start_together},
};
use crate::{
    fairness::dominant,
    model::{Job, JobId, PlannedStart, Priority, Time, shared},
    state::State,
};

/// Jobs that must be complete by a time.
const TIMED: usize = 2_048;

/// Which of the jobs that must be complete by a time are looked at: the least go first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Urgency {
    priority: Reverse<Priority>,
    /// When it must have started.
    latest: Option<Time>,
}

/// A job that is laid out.
pub(super) struct Candidate<'a> {
    pub(super) job: &'a Job,
    pub(super) need: Need,
    pub(super) latest: Time,
    pub(super) claim: Option<Claim>,
    pub(super) planned: Option<&'a PlannedStart>,
    /// By profile, whether the job may go there.
    pub(super) allowed: Vec<bool>,
    /// Set where its tasks cannot be laid out one by one.
    pub(super) together: Option<Together>,
}

impl Urgency {
    pub(super) fn of(job: &Job) -> Self {
        Self { priority: Reverse(job.spec.priority), latest: job.spec.latest_start() }
    }
}

impl Scheduler {
    /// The most urgent of what must be complete by a time, and whatever else of it has a planned start.
    pub(super) fn timed_candidates<'a>(
        &mut self,
        state: &'a State,
        laying: &mut Laying,
    ) -> Vec<Candidate<'a>> {
        let urgent = self.starts.by_urgency.iter().map(|(_, job)| *job).take(TIMED);
        let planned = state.planned_starts().map(|(job, _)| job);
        let timed: BTreeSet<JobId> =
            urgent.chain(planned.filter(|job| self.starts.has(*job))).collect();
        let job_of = |id: JobId| state.job(id).expect("invariant: a waiting job exists");
        timed
            .into_iter()
            .filter_map(|id| self.candidate(state, job_of(id), laying, false))
            .collect()
    }

    /// The job as it is laid out, perhaps only for starts `at_once`, unless room is being made for it already or the rest of
    /// a gang has yet to go.
    pub(super) fn candidate<'a>(
        &mut self,
        state: &'a State,
        job: &'a Job,
        laying: &mut Laying,
        at_once: bool,
    ) -> Option<Candidate<'a>> {
        let spec = &job.spec;
        let lane = self.queue.lane_of(job.id);
        let is_made = lane.is_some_and(|lane| self.counted_on.contains_key(&lane.shape));
        if is_made || gang_waits(state, job) {
            return None;
        }
        laying.looks += laying.profiles.len() as u64;
        let together = start_together(job).then(|| Together::of(state, job, laying));
        let latest = spec.latest_start();
        let planned = state.planned_start(job.id);
        let expected = state.run_times().expected(job.tenant, spec);
        let need = Need {
            trusts: laying.expecting > 0 || planned.is_some(),
            ..Need::of(spec, expected, &mut self.index.names)
        };
        let allowed = laying.profiles.iter().map(|profile| {
            (if at_once { profile.has_now(&need) } else { profile.could_hold(&need) }) && {
                let node = state.node(profile.node).expect("invariant: it was just seen");
                filter::allows(&node.spec, &spec.constraints)
            }
        });
        let allowed = allowed.collect();
        // What may start until then has started before.
        let before = latest.map_or(Time(u64::MAX), |latest| Time(latest.0.saturating_sub(1)));
        Some(Candidate {
            job,
            need,
            latest: if at_once { laying.now } else { before },
            claim: latest.filter(|_| spec.is_timed()).map(|latest| Claim {
                share: dominant(&shared(&spec.request), &shared(state.fleet())),
                run: spec.runtime(),
                latest: latest.max(laying.now),
            }),
            planned,
            allowed,
            together,
        })
    }
}
