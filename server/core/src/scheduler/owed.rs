//! Whose work goes first because room is being made for it within a guarantee: lest others take that room and are
//! preempted in turn.
//!
//! It follows from the notices that are out, and lasts until the pass is over that comes when they have gone: whoever is
//! owed room then has it, or asks for it again. So what is called off, or made for a job that does not wait any more, is
//! owed to nobody, and a scheduler that takes over knows as much as the one before.

use std::collections::{BTreeMap, BTreeSet};

use super::Scheduler;
use crate::{
    event::{Event, Placement},
    fairness,
    model::{JobId, NodeId, PreemptedFor, Preemptor, TenantId},
    state::State,
};

#[derive(Clone, Debug, Default)]
pub(super) struct Owed {
    /// By job how many allocations are under notice for it within a guarantee.
    pub(super) leaving: BTreeMap<JobId, u32>,
    /// By job and node how many of them have gone since the last pass was over, or from a node that takes no tasks until
    /// others have gone, less what was placed of the job.
    gone: BTreeMap<(JobId, NodeId), u32>,
    /// Tenants of such jobs, and those above them, when shares were last measured.
    tenants: BTreeSet<TenantId>,
}

fn one_less(counts: &mut BTreeMap<JobId, u32>, job: JobId) {
    if let Some(count) = counts.get_mut(&job) {
        *count -= 1;
        if *count == 0 {
            counts.remove(&job);
        }
    }
}

impl Owed {
    /// From the notices that are out.
    pub(super) fn of(state: &State) -> Self {
        let mut owed = Self::default();
        state.preemptors().for_each(|(_, by)| owed.add(by));
        owed
    }

    fn add(&mut self, by: &Preemptor) {
        if by.right == PreemptedFor::Guarantee {
            *self.leaving.entry(by.job).or_default() += 1;
        }
    }

    /// What must be known before an event is applied.
    pub(super) fn before(&mut self, state: &State, event: &Event) {
        let (at, has_gone, next) = match event {
            Event::TaskEnded { at, .. }
            | Event::TaskEvicted { at, .. }
            | Event::TaskDelayed { at, .. } => (at, true, None),
            Event::NoticeGiven { at, by, .. } => (at, false, by.as_ref()),
            Event::NoticeWithdrawn { at } => (at, false, None),
            _ => return,
        };
        if !self.leaving.is_empty()
            && let Some(by) = state.preemptor(at.id)
            && by.right == PreemptedFor::Guarantee
        {
            one_less(&mut self.leaving, by.job);
            if has_gone {
                *self.gone.entry((by.job, at.node)).or_default() += 1;
            }
        }
        next.into_iter().for_each(|by| self.add(by));
    }

    pub(super) fn placed(&mut self, job: JobId, placements: &[Placement]) {
        if self.gone.is_empty() {
            return;
        }
        for placement in placements {
            if let Some(count) = self.gone.get_mut(&(job, placement.node)) {
                *count = count.saturating_sub(placement.count);
            }
        }
    }

    /// A pass is over: whatever room there was is given.
    pub(super) fn pass_is_over(&mut self, state: &State) {
        self.gone.retain(|(_, node), count| {
            *count > 0 && state.node(*node).is_some_and(|node| state.is_preempting(node))
        });
    }

    pub(super) fn has(&self, tenant: TenantId) -> bool {
        self.tenants.contains(&tenant)
    }
}

impl Scheduler {
    /// Tenants that have come to be owed room or are not any more since this was last asked.
    pub(super) fn owed_anew(&mut self, state: &State) -> Vec<TenantId> {
        let owed = &self.owed;
        if owed.leaving.is_empty() && owed.gone.is_empty() && owed.tenants.is_empty() {
            return Vec::new();
        }
        let claims = |id: &&JobId| {
            let Some(lane) = self.queue.lane_of(**id) else { return false };
            fairness::claims(state, lane.tenant, &self.index.shape(lane.shape).key.request)
        };
        let gone = owed.gone.iter().filter(|(_, count)| **count > 0).map(|((job, _), _)| job);
        let jobs = owed.leaving.keys().chain(gone).filter(claims);
        let tenants = jobs.filter_map(|id| Some(state.job(*id)?.tenant));
        let families = tenants.flat_map(|tenant| state.lineage(tenant));
        let tenants: BTreeSet<TenantId> = families.map(|tenant| tenant.id).collect();
        let changed = tenants.symmetric_difference(&owed.tenants).copied().collect();
        self.owed.tenants = tenants;
        changed
    }
}
