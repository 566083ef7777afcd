//! Work that is within a guarantee and waits: it may take back what others borrowed, goes first where there is room, and
//! is asked again when it may take more than before. Costs nothing where no tenant is guaranteed anything.

use std::mem;

use super::{Scheduler, queue::Lane, shape::ShapeId};
use crate::{
    fairness,
    model::{JobId, Priority, Resources, TenantId},
    state::State,
};

impl Scheduler {
    /// Whether work of the lane may take back what others of its priority or less borrowed.
    pub(super) fn claims(&self, state: &State, lane: Lane) -> bool {
        state.guaranteed_tenants() > 0
            && self.has_at_most(lane.priority)
            && fairness::claims(state, lane.tenant, &self.index.shape(lane.shape).key.request)
    }

    fn has_at_most(&self, priority: Priority) -> bool {
        self.running.first_key_value().is_some_and(|(least, _)| *least <= priority)
    }

    /// The lanes of a shape whose work may.
    pub(super) fn claiming(&self, state: &State, shape: ShapeId) -> Vec<Lane> {
        if state.guaranteed_tenants() == 0 {
            return Vec::new();
        }
        let lanes = self.queue.known_lanes(shape).map(|(lane, _)| lane);
        lanes.filter(|lane| self.claims(state, *lane)).collect()
    }

    /// Wakes parked shapes of which some work may take back more than it could before.
    pub(super) fn wake_claims(&mut self, state: &State) {
        if !mem::take(&mut self.claims_grew) || state.guaranteed_tenants() == 0 {
            return;
        }
        let parked: Vec<ShapeId> = self.queue.parked().iter().copied().collect();
        for shape in parked {
            self.queue.settle(shape);
            if !self.claiming(state, shape).is_empty() {
                self.wake_shape(state, shape);
            }
        }
    }

    /// Whether work came to be within a guarantee that the next pass has to ask again.
    pub(crate) fn has_claims_to_ask(&self, state: &State) -> bool {
        self.claims_grew && state.guaranteed_tenants() > 0
    }

    /// Tasks of the job were placed: somebody may have come to hold more than is guaranteed.
    pub(super) fn holds_more(&mut self, state: &State, id: JobId, tasks: u32) {
        if state.guaranteed_tenants() == 0 {
            return;
        }
        let job = state.job(id).expect("invariant: the event's job exists");
        let request = &job.spec.request;
        let more = request.checked_mul(u64::from(tasks)).unwrap_or_default();
        self.claims_grew |= state.lineage(job.tenant).any(|tenant| {
            tenant.covers(request, &more) && !tenant.covers(request, &Resources::NOTHING)
        });
    }

    /// A task of the tenant gave its room up: it may be within a guarantee again.
    pub(super) fn holds_less(&mut self, state: &State, tenant: TenantId) {
        self.claims_grew |= state.guaranteed_tenants() > 0
            && state.lineage(tenant).any(|above| !above.spec.guarantee.is_zero());
    }
}
