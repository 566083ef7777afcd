//! Work that is within a guarantee and waits: it may take back what others borrowed, goes first where there is room, and
//! is asked again when it may take more than before. Costs nothing where no tenant is guaranteed anything.

use std::{collections::BTreeSet, mem};

use super::{Scheduler, queue::Lane, shape::ShapeId};
use crate::{
    fairness,
    model::{JobId, Priority, Resources, TenantId},
    state::State,
};

/// Who may be able to take back more than when it was last asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Grown {
    /// Nobody.
    #[default]
    None,
    /// These tenants and those below them.
    Of(BTreeSet<TenantId>),
    /// Whoever is guaranteed anything.
    All,
}

impl Scheduler {
    /// Whether work of the lane may take back what others of its priority or less borrowed.
    pub(super) fn claims(&self, state: &State, lane: Lane) -> bool {
        state.guaranteed_tenants() > 0
            && self.has_at_most(lane.priority)
            && fairness::claims(state, lane.tenant, &self.index.shape(lane.shape).key.request)
    }

    fn has_at_most(&self, priority: Priority) -> bool {
        self.running.least().is_some_and(|least| least <= priority)
    }

    /// The lanes of a shape whose work may.
    pub(super) fn claiming(&self, state: &State, shape: ShapeId) -> Vec<Lane> {
        if state.guaranteed_tenants() == 0 {
            return Vec::new();
        }
        let lanes = self.queue.known_lanes(shape).map(|(lane, _)| lane);
        lanes.filter(|lane| self.claims(state, *lane)).collect()
    }

    /// Wakes parked shapes of which some work may take back more than it could before. What waits is known by lane only
    /// when the last pass came to its end; until then this waits.
    pub(super) fn wake_claims(&mut self, state: &State) {
        if !mem::take(&mut self.pass_is_over) || !self.has_claims_to_ask(state) {
            return;
        }
        let grown = mem::take(&mut self.claims);
        for shape in self.claiming_parked(state, &grown) {
            self.wake_shape(state, shape);
        }
    }

    /// Whether work came to be within a guarantee that the next pass has to ask again.
    pub(crate) fn has_claims_to_ask(&self, state: &State) -> bool {
        self.claims != Grown::None && state.guaranteed_tenants() > 0
    }

    /// Parked shapes of which some work may take back what others borrowed, among the families that are asked.
    pub(super) fn claiming_parked(&self, state: &State, grown: &Grown) -> BTreeSet<ShapeId> {
        let mut left: Vec<TenantId> = match grown {
            _ if state.guaranteed_tenants() == 0 => Vec::new(),
            Grown::None => Vec::new(),
            Grown::Of(tenants) => tenants.iter().copied().collect(),
            Grown::All => {
                let sure = state.tenants().filter(|tenant| !tenant.spec.guarantee.is_zero());
                sure.map(|tenant| tenant.id).collect()
            }
        };
        let (mut seen, mut claiming) = (BTreeSet::new(), BTreeSet::new());
        while let Some(id) = left.pop() {
            let Some(tenant) = state.tenant(id).filter(|_| seen.insert(id)) else { continue };
            left.extend(tenant.children.iter().copied());
            let lanes = self.queue.parked_lanes(id).filter(|lane| self.claims(state, *lane));
            claiming.extend(lanes.map(|lane| lane.shape));
        }
        claiming
    }

    /// Tasks of the job were placed: somebody may have come to hold more than is guaranteed.
    pub(super) fn holds_more(&mut self, state: &State, id: JobId, tasks: u32) {
        if state.guaranteed_tenants() == 0 {
            return;
        }
        let job = state.job(id).expect("invariant: the event's job exists");
        let request = &job.spec.request;
        let more = request.checked_mul(u64::from(tasks)).unwrap_or_default();
        let borrows = state.lineage(job.tenant).any(|tenant| {
            tenant.covers(request, &more) && !tenant.covers(request, &Resources::NOTHING)
        });
        if borrows {
            self.claims = Grown::All;
        }
    }

    /// A task of the tenant gave its room up: it may be within a guarantee again, with all below whom that is given.
    pub(super) fn holds_less(&mut self, state: &State, tenant: TenantId) {
        if state.guaranteed_tenants() == 0 || self.claims == Grown::All {
            return;
        }
        for above in state.lineage(tenant).filter(|above| above.has_guarantee_left()) {
            if let Grown::Of(tenants) = &mut self.claims {
                tenants.insert(above.id);
            } else {
                self.claims = Grown::Of(BTreeSet::from([above.id]));
            }
        }
    }
}
