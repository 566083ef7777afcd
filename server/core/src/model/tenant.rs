use std::sync::Arc;

use imbl::OrdMap;

use super::{
    Annotations, Budget, BudgetLevel, Counts, JobId, JobIds, Labels, Name, Priority, Resources,
    Revision, Spending, TenantId, Time,
};

/// What a tenant is, as asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TenantSpec {
    /// Unique in the cell.
    pub name: Name,
    /// Hard limits.
    pub quota: Quota,
    /// The tenant's part when capacity is short, relative to others; at least 1.
    pub weight: u32,
    /// No job may have a higher priority.
    pub priority_ceiling: Priority,
    /// Free for the tenant's use.
    pub labels: Labels,
    /// What it may spend.
    pub budget: Budget,
    /// Free text for people.
    pub annotations: Annotations,
}

/// Hard limits on what a tenant's unfinished tasks ask for in all; `None` is no limit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Quota {
    /// Thousandths of a core.
    pub cpu_millis: Option<u64>,
    /// Bytes of memory.
    pub memory_bytes: Option<u64>,
    /// Bytes of disk.
    pub disk_bytes: Option<u64>,
    /// Bits per second.
    pub network_bps: Option<u64>,
    /// Thousandths of a GPU device.
    pub gpu_millis: Option<u64>,
    /// Named countables; those not named here are not limited. A limit of zero stays.
    pub counts: std::collections::BTreeMap<Name, u64>,
    /// Number of unfinished tasks.
    pub tasks: Option<u64>,
}

/// A dimension of a quota that is exceeded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuotaExcess {
    /// The dimension, or `tasks`.
    pub dimension: String,
    /// The limit.
    pub limit: u64,
    /// What was wanted in all.
    pub wanted: u64,
}

/// What a tenant's unfinished tasks ask for and hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Of pending and placed tasks.
    pub requested: Resources,
    /// Number of pending and placed tasks.
    pub requested_tasks: u64,
    /// Of placed tasks.
    pub held: Resources,
    /// Number of placed tasks.
    pub held_tasks: u64,
}

/// An isolated customer.
#[derive(Clone, Debug)]
pub struct Tenant {
    /// Its id.
    pub id: TenantId,
    /// What was asked for.
    pub spec: Arc<TenantSpec>,
    /// What its tasks ask for and hold.
    pub usage: Usage,
    /// Its jobs, the ended ones that are still kept included.
    pub(crate) jobs: JobIds,
    /// Those of its jobs by name that are not called after their own ids.
    pub(crate) job_names: OrdMap<Name, JobId>,
    /// How many of its jobs are not ended.
    pub unfinished_jobs: u64,
    /// What it spends; only of a tenant that has a budget.
    pub spending: Option<Spending>,
    /// How far it has come in its budget.
    pub budget_level: BudgetLevel,
    /// When it was created.
    pub created: Time,
    /// The last change of its description.
    pub revision: Revision,
}

impl Quota {
    /// The first dimension in which `wanted` exceeds the quota.
    #[must_use]
    pub fn excess(&self, wanted: &Resources, tasks: u64) -> Option<QuotaExcess> {
        let fixed = [
            ("cpu_millis", self.cpu_millis, wanted.cpu_millis),
            ("memory_bytes", self.memory_bytes, wanted.memory_bytes),
            ("disk_bytes", self.disk_bytes, wanted.disk_bytes),
            ("network_bps", self.network_bps, wanted.network_bps),
            ("gpu_millis", self.gpu_millis, wanted.gpu_millis),
            ("tasks", self.tasks, tasks),
        ];
        for (dimension, limit, wanted) in fixed {
            if let Some(limit) = limit.filter(|limit| wanted > *limit) {
                return Some(QuotaExcess { dimension: dimension.to_owned(), limit, wanted });
            }
        }
        self.excess_count(&wanted.counts)
    }

    fn excess_count(&self, wanted: &Counts) -> Option<QuotaExcess> {
        for (name, limit) in &self.counts {
            let wanted = wanted.get(name.as_str());
            if wanted > *limit {
                return Some(QuotaExcess { dimension: name.to_string(), limit: *limit, wanted });
            }
        }
        None
    }
}
