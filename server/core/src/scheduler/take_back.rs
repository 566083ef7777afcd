//! Who must make way for whom, and by what right: priority, or a guarantee.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    preempt::{Making, priority_of},
    running::{Holder, Running},
};
use crate::{
    fairness,
    model::{Allocation, Job, PreemptedFor, Preemptor, Priority, Resources, TenantId},
    state::State,
};

impl Making<'_> {
    /// Whether the task of a taker may have the room of a task of `theirs`, when tenants lose so much already.
    pub(super) fn may_take(
        &self,
        (request, priority): (&Resources, Priority),
        theirs: &Holder,
        going: &BTreeMap<TenantId, Resources>,
    ) -> bool {
        if theirs.priority < priority {
            return true;
        }
        let Some(taker) = self.taker.filter(|_| theirs.priority == priority) else { return false };
        let (coming, going) = (|id| self.coming.get(&id), |id| going.get(&id));
        let holder = (theirs.tenant, &theirs.kinds);
        fairness::may_take_back(self.state, (taker, request), holder, coming, going)
    }

    /// The same, by what is decided.
    pub(super) fn may_be_taken(&mut self, wanted: (&Resources, Priority), theirs: Holder) -> bool {
        if let Some(may) = self.verdicts.get(&theirs) {
            return *may;
        }
        let may = self.may_take(wanted, &theirs, &self.going);
        self.verdicts.insert(theirs, may);
        may
    }

    /// Whether anybody holds something that may be taken for the job.
    pub(super) fn may_take_anything(&self, job: &Job, running: &Running) -> bool {
        let wanted = (&job.spec.request, job.spec.priority);
        running.least().is_some_and(|least| least < job.spec.priority)
            || self.taker.is_some()
                && running
                    .holders_at(job.spec.priority)
                    .any(|holder| self.may_take(wanted, holder, &self.going))
    }

    /// Whether what was found for a node may still be taken after what was decided since.
    pub(super) fn may_go(&self, job: &Job, victims: &[Allocation]) -> bool {
        if self.taker.is_none() {
            return true;
        }
        let wanted = (&job.spec.request, job.spec.priority);
        let mut going = self.going.clone();
        victims.iter().all(|victim| {
            let theirs = self.state.job(victim.at.job).expect("invariant: it is live");
            let may = self.may_take(wanted, &Holder::of(theirs), &going);
            lose(&mut going, self.state, victim);
            may
        })
    }

    /// Decides that these go, for one task of the job.
    pub(super) fn choose(&mut self, job: &Job, victims: &[Allocation]) {
        let tenant = self.state.tenant(job.tenant).expect("invariant: a job has a tenant");
        for victim in victims {
            let right = if priority_of(self.state, victim) < job.spec.priority {
                PreemptedFor::Priority
            } else {
                PreemptedFor::Guarantee
            };
            let (tenant, name) = (tenant.spec.name.clone(), job.name.clone());
            let by = Preemptor { job: job.id, tenant, name, right };
            self.chosen.push((*victim, Arc::new(by)));
            if self.taker.is_some() {
                lose(&mut self.going, self.state, victim);
            }
        }
        self.verdicts.clear();
        if self.taker.is_some() {
            for above in self.state.lineage(job.tenant) {
                self.coming.entry(above.id).or_default().add(&job.spec.request, 1);
            }
        }
    }
}

/// What tenants with all below them lose by what is being preempted.
pub(super) fn going(state: &State) -> BTreeMap<TenantId, Resources> {
    let mut going = BTreeMap::new();
    if state.guaranteed_tenants() > 0 {
        let allocations = state.preemptors().filter_map(|(id, _)| state.allocation(*id));
        allocations.for_each(|allocation| lose(&mut going, state, allocation));
    }
    going
}

pub(super) fn lose(
    going: &mut BTreeMap<TenantId, Resources>,
    state: &State,
    allocation: &Allocation,
) {
    let job = state.job(allocation.at.job).expect("invariant: it is live");
    for above in state.lineage(job.tenant) {
        going.entry(above.id).or_default().add(&job.spec.request, 1);
    }
}
