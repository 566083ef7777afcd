//! Tenants: who stands above whom, what each and its descendants ask for, hold and held, and who was preempted for whom.

use std::sync::Arc;

use super::{State, apply::tenant_mut};
use crate::{
    model::{
        AllocationId, Decayed, JobId, MAX_TENANT_DEPTH, Millis, Name, Preemptor, Tenant, TenantId,
        TenantSpec, Time, Usage,
    },
    table::Table,
};

/// What a change of what is held must know of the time; absent where nobody's share matters.
pub(super) type Clock = Option<(Time, Millis)>;

impl State {
    /// The tenant and those above it, the lowest first.
    pub fn lineage(&self, id: TenantId) -> impl Iterator<Item = &Tenant> {
        let mut next = self.tenant(id);
        std::iter::from_fn(move || {
            let tenant = next?;
            next = tenant.parent.and_then(|parent| self.tenant(parent));
            Some(tenant)
        })
    }

    /// How many tenants are sure to get something.
    #[must_use]
    pub fn guaranteed_tenants(&self) -> usize {
        self.guaranteed_tenants
    }

    /// For whom an allocation is being preempted.
    #[must_use]
    pub fn preemptor(&self, id: AllocationId) -> Option<&Arc<Preemptor>> {
        self.preemptors.get(&id)
    }

    /// For whom a task of the job was last preempted, and when.
    #[must_use]
    pub fn preempted(&self, id: JobId) -> Option<&(Arc<Preemptor>, Time)> {
        self.preempted.get(&id)
    }

    /// All that are being preempted, by allocation.
    pub fn preemptors(&self) -> impl ExactSizeIterator<Item = (&AllocationId, &Arc<Preemptor>)> {
        self.preemptors.iter()
    }

    /// All jobs of which something was preempted.
    pub fn preempted_jobs(
        &self,
    ) -> impl ExactSizeIterator<Item = (&JobId, &(Arc<Preemptor>, Time))> {
        self.preempted.iter()
    }

    /// A tenant alone needs no share: what it held is not followed until there is another.
    pub(super) fn clock(&self) -> Clock {
        (self.tenants.len() > 1).then_some((self.now, self.policy.share_half_life))
    }

    pub(super) fn add_tenant(&mut self, id: TenantId, spec: &Arc<TenantSpec>) {
        if self.tenants.len() == 1 {
            self.bring_all(|now, _, usage| {
                let held = usage.held.clone();
                usage.decayed.settle(now, &held);
            });
        }
        let usage = Usage { decayed: Decayed::restore([0; 5], self.now), ..Usage::default() };
        self.insert_tenant(Tenant {
            id,
            spec: Arc::clone(spec),
            below: usage.clone(),
            usage,
            parent: None,
            children: Default::default(),
            jobs: Default::default(),
            unfinished_jobs: 0,
            spending: None,
            budget_level: Default::default(),
            quota_low: false,
            created: self.now,
            revision: self.revision,
        });
        self.link_tenant(id);
    }

    /// Also for recovery, where parents are found later.
    pub(super) fn insert_tenant(&mut self, tenant: Tenant) {
        self.guaranteed_tenants += usize::from(!tenant.spec.guarantee.is_zero());
        self.tenant_names.insert(tenant.spec.name.clone(), tenant.id);
        self.next_tenant = self.next_tenant.max(tenant.id.next());
        self.tenants.insert(u64::from(tenant.id.0), tenant);
    }

    /// Finds the tenant's parent by its name. What it uses is not counted there yet.
    pub(super) fn link_tenant(&mut self, id: TenantId) {
        let tenant = tenant_mut(&mut self.tenants, id);
        let parent = self.tenant_names.get(tenant.spec.parent.as_str().as_bytes()).copied();
        tenant.parent = parent;
        if let Some(parent) = parent {
            tenant_mut(&mut self.tenants, parent).children.insert(id);
        }
    }

    pub(super) fn update_tenant(&mut self, id: TenantId, spec: &Arc<TenantSpec>) {
        let revision = self.revision;
        let tenant = tenant_mut(&mut self.tenants, id);
        let old = std::mem::replace(&mut tenant.spec, Arc::clone(spec));
        tenant.revision = revision;
        self.guaranteed_tenants -= usize::from(!old.guarantee.is_zero());
        self.guaranteed_tenants += usize::from(!spec.guarantee.is_zero());
        if old.parent != spec.parent {
            self.move_tenant(id);
        }
    }

    fn move_tenant(&mut self, id: TenantId) {
        self.bring_everything();
        let tenant = tenant_mut(&mut self.tenants, id);
        let (mut usage, old) = (tenant.usage.clone(), tenant.parent);
        usage.join(&tenant.below);
        if let Some(old) = old {
            tenant_mut(&mut self.tenants, old).children.remove(&id);
            self.for_each_above(id, |above| above.below.part(&usage));
        }
        self.link_tenant(id);
        self.for_each_above(id, |above| above.below.join(&usage));
    }

    /// Brings what all tenants held of late up to now.
    pub(super) fn bring_everything(&mut self) {
        self.bring_all(|now, half_life, usage| usage.bring(now, half_life));
    }

    fn bring_all(&mut self, bring: impl Fn(Time, Millis, &mut Usage)) {
        let (now, half_life) = (self.now, self.policy.share_half_life);
        let ids: Vec<TenantId> = self.tenants().map(|tenant| tenant.id).collect();
        for id in ids {
            let tenant = tenant_mut(&mut self.tenants, id);
            bring(now, half_life, &mut tenant.usage);
            bring(now, half_life, &mut tenant.below);
        }
    }

    fn for_each_above(&mut self, id: TenantId, mut change: impl FnMut(&mut Tenant)) {
        let mut next = tenant_mut(&mut self.tenants, id).parent;
        while let Some(above) = next {
            let tenant = tenant_mut(&mut self.tenants, above);
            change(tenant);
            next = tenant.parent;
        }
    }

    pub(super) fn turn_quota(&mut self, id: TenantId, low: bool) {
        tenant_mut(&mut self.tenants, id).quota_low = low;
    }

    pub(super) fn remove_tenant(&mut self, id: TenantId, name: &[u8]) {
        let tenant = self.tenants.remove(u64::from(id.0)).expect("invariant: the tenant exists");
        self.guaranteed_tenants -= usize::from(!tenant.spec.guarantee.is_zero());
        self.tenant_names.remove(name);
        if let Some(parent) = tenant.parent {
            tenant_mut(&mut self.tenants, parent).children.remove(&id);
        }
    }

    /// For recovery, when the usage of all tenants is known: finds parents and sums up what is below them. The error is a
    /// tenant whose parent is not there, or that has more above it than there can be, itself among them.
    pub(super) fn settle_tenants(&mut self) -> Result<(), Name> {
        let ids: Vec<TenantId> = self.tenants().map(|tenant| tenant.id).collect();
        ids.iter().for_each(|id| self.link_tenant(*id));
        for tenant in self.tenants() {
            let lacks_parent = tenant.parent.is_none() && !tenant.spec.parent.is_empty();
            if lacks_parent || self.lineage(tenant.id).nth(MAX_TENANT_DEPTH).is_some() {
                return Err(tenant.spec.name.clone());
            }
        }
        for id in ids {
            let mut usage = tenant_mut(&mut self.tenants, id).usage.clone();
            usage.decayed = Decayed::default();
            self.for_each_above(id, |above| above.below.join(&usage));
        }
        Ok(())
    }

    /// For recovery: what a tenant itself and those below it held of late; as what they hold where nothing is known.
    pub(super) fn settle_shares(&mut self, of: impl Fn(TenantId) -> Option<[Decayed; 2]>) {
        let now = self.now;
        let ids: Vec<TenantId> = self.tenants().map(|tenant| tenant.id).collect();
        for id in ids {
            let known = of(id);
            let tenant = tenant_mut(&mut self.tenants, id);
            match known {
                Some([own, below]) => {
                    (tenant.usage.decayed, tenant.below.decayed) = (own, below);
                }
                None => {
                    for usage in [&mut tenant.usage, &mut tenant.below] {
                        let held = usage.held.clone();
                        usage.decayed.settle(now, &held);
                    }
                }
            }
        }
    }
}

/// Changes what a tenant uses, also as those above it see it. With a clock, what was held until now is taken in before.
#[inline]
pub(super) fn charge(
    tenants: &mut Table<Tenant>,
    id: TenantId,
    clock: Clock,
    change: impl Fn(&mut Usage),
) {
    let above = charge_one(tenant_mut(tenants, id), clock, &change);
    charge_above(tenants, above, clock, &change);
}

/// As `charge`, but for those above the tenant. Who is next above it.
#[inline]
pub(super) fn charge_one(
    tenant: &mut Tenant,
    clock: Clock,
    change: impl Fn(&mut Usage),
) -> Option<TenantId> {
    change_usage(&mut tenant.usage, clock, change);
    tenant.parent
}

/// As `charge`, for a tenant and those above it, of what a tenant below it uses.
#[inline]
pub(super) fn charge_above(
    tenants: &mut Table<Tenant>,
    mut next: Option<TenantId>,
    clock: Clock,
    change: impl Fn(&mut Usage),
) {
    while let Some(above) = next {
        let tenant = tenant_mut(tenants, above);
        change_usage(&mut tenant.below, clock, &change);
        next = tenant.parent;
    }
}

#[inline]
fn change_usage(usage: &mut Usage, clock: Clock, change: impl Fn(&mut Usage)) {
    if let Some((now, half_life)) = clock {
        usage.bring(now, half_life);
    }
    change(usage);
}
