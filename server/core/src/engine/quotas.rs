//! Quotas: when little of one is left, and when enough is again. Whoever is told so can wait, or ask for more, before a
//! job is refused.

use super::Engine;
use crate::{
    event::Event,
    model::{AllocationRef, JobId, TenantId},
};

/// The part of a limit, in thousandths, from which on little of a quota is left, and below which enough is again.
const LITTLE: u32 = 900;
const ENOUGH: u32 = 800;

impl Engine {
    /// Remembers of whose quota an event may take or give back a part.
    pub(super) fn touch_quota(&mut self, event: &Event) {
        match event {
            Event::JobSubmitted { tenant, .. } => self.touch_quotas_of(*tenant),
            Event::JobResized { id: job, .. }
            | Event::TaskEnded { at: AllocationRef { job, .. }, .. }
            | Event::TasksDropped { job, .. } => self.touch_quotas_above(*job),
            // Another parent has what it asks for below it then.
            Event::TenantUpdated { id, .. } => {
                let limited = self.state.tenants().filter(|tenant| !tenant.spec.quota.is_empty());
                self.touched_quotas.extend(limited.map(|tenant| tenant.id).chain([*id]));
            }
            _ => {}
        }
    }

    fn touch_quotas_above(&mut self, job: JobId) {
        if let Some(tenant) = self.state.job(job).map(|job| job.tenant) {
            self.touch_quotas_of(tenant);
        }
    }

    fn touch_quotas_of(&mut self, tenant: TenantId) {
        let limited = self.state.lineage(tenant).filter(|above| !above.spec.quota.is_empty());
        self.touched_quotas.extend(limited.map(|above| above.id));
    }

    /// Tells of each quota that may have turned whether little of it is left.
    pub(super) fn settle_quotas(&mut self) {
        while let Some(id) = self.touched_quotas.pop_first() {
            let Some(tenant) = self.state.tenant(id) else { continue };
            let (asked, tasks) = tenant.requested();
            let used_permille = tenant.spec.quota.used_permille(&asked, tasks);
            let low = used_permille >= if tenant.quota_low { ENOUGH } else { LITTLE };
            if low != tenant.quota_low {
                self.emit(Event::QuotaTurned { tenant: id, low, used_permille });
            }
        }
    }
}
