//! What a round looks at: the first of those that wait in the queue, and the most urgent of what must be complete by a
//! time. What does not wait, or may not start because its tenant's budget stops it, is in neither, whatever is planned
//! for it.

use std::cmp::Reverse;

use super::{
    super::{Scheduler, filter},
    order::Claim,
    profile::{Need, Profile},
};
use crate::{
    fairness::dominant,
    model::{Job, JobId, PlannedStart, Priority, Time, shared},
    state::State,
};

/// Jobs that wait in the queue and jobs that must be complete by a time.
const HEADS: usize = 64;
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
    pub(super) planned: Option<PlannedStart>,
    /// By profile, whether the job may go there.
    pub(super) allowed: Vec<bool>,
}

impl Urgency {
    pub(super) fn of(job: &Job) -> Self {
        Self { priority: Reverse(job.spec.priority), latest: job.spec.latest_start() }
    }
}

impl Scheduler {
    /// Jobs that wait in the queue, in its order, and those that must be complete by a time. What is planned for others
    /// will not come to pass.
    pub(super) fn candidates<'a>(
        &mut self,
        state: &'a State,
        now: Time,
        profiles: &[Profile],
        looks: &mut u64,
    ) -> (Vec<Candidate<'a>>, Vec<Candidate<'a>>) {
        let planned = || state.planned_starts().map(|(job, _)| job);
        let mut queued = self.queue.parked_heads(HEADS, |job| {
            let spec = &state.job(job).expect("invariant: a waiting job exists").spec;
            (spec.min_runtime, spec.max_runtime)
        });
        queued.extend(planned().filter(|job| self.queue.lane_of(*job).is_some()));
        queued.sort_unstable();
        queued.dedup();
        let urgent = self.starts.by_urgency.iter().map(|(_, job)| *job).take(TIMED);
        let mut timed: Vec<JobId> = urgent.collect();
        timed.extend(planned().filter(|job| self.starts.has(*job)));
        timed.sort_unstable();
        timed.dedup();
        let mut candidate = |id: JobId| {
            let job = state.job(id).expect("invariant: a waiting job exists");
            let spec = &job.spec;
            if spec.gang || !spec.constraints.spreads.is_empty() {
                return None;
            }
            *looks += profiles.len() as u64;
            let latest = spec.latest_start();
            let need = Need::of(spec, &mut self.index.names);
            let allowed = profiles.iter().map(|profile| {
                profile.could_hold(&need) && {
                    let node = state.node(profile.node).expect("invariant: it was just seen");
                    filter::allows(&node.spec, &spec.constraints)
                }
            });
            let allowed = allowed.collect();
            Some(Candidate {
                job,
                need,
                // What may start until then has started before.
                latest: latest.map_or(Time(u64::MAX), |latest| Time(latest.0.saturating_sub(1))),
                claim: latest.filter(|_| spec.is_timed()).map(|latest| Claim {
                    share: dominant(&shared(&spec.request), &shared(state.fleet())),
                    run: spec.runtime(),
                    latest: latest.max(now),
                }),
                planned: state.planned_start(id),
                allowed,
            })
        };
        let mut queued: Vec<Candidate<'a>> =
            queued.into_iter().filter_map(&mut candidate).collect();
        queued.sort_by_key(|candidate| (Reverse(candidate.job.spec.priority), candidate.job.id));
        (queued, timed.into_iter().filter_map(&mut candidate).collect())
    }
}
