use std::sync::Arc;

use imbl::OrdSet;

use super::{
    Annotations, Budget, BudgetLevel, Counts, Decayed, Dimension, JobIds, Labels, Millis, Name,
    Priority, Resources, Revision, Spending, TenantId, Time,
};

/// How many tenants may stand above each other, the topmost and the lowest included.
pub const MAX_TENANT_DEPTH: usize = 8;

/// What a tenant is, as asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TenantSpec {
    /// Unique in the cell.
    pub name: Name,
    /// Its parent; empty at the top.
    pub parent: Name,
    /// Hard limits on what it and its descendants ask for.
    pub quota: Quota,
    /// What it and its descendants are sure to get; zero: nothing is promised of this. Others may borrow what is not used,
    /// and it is taken back for work of the same or a higher priority.
    pub guarantee: Resources,
    /// Its part when capacity is short, relative to its siblings; at least 1.
    pub weight: u32,
    /// No job of it or its descendants may have a higher priority.
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
    /// What was held of late.
    pub decayed: Decayed,
}

/// An isolated customer.
#[derive(Clone, Debug)]
pub struct Tenant {
    /// Its id.
    pub id: TenantId,
    /// What was asked for.
    pub spec: Arc<TenantSpec>,
    /// What its own tasks ask for and hold.
    pub usage: Usage,
    /// The same of all its descendants together.
    pub below: Usage,
    /// Its parent's id.
    pub parent: Option<TenantId>,
    /// Its children.
    pub children: OrdSet<TenantId>,
    /// Its jobs, the ended ones that are still kept included.
    pub(crate) jobs: JobIds,
    /// How many of its jobs are not ended.
    pub unfinished_jobs: u64,
    /// What it spends; only of a tenant that has a budget.
    pub spending: Option<Spending>,
    /// How far it has come in its budget.
    pub budget_level: BudgetLevel,
    /// Little of its quota is left, and it was told so.
    pub quota_low: bool,
    /// When it was created.
    pub created: Time,
    /// The last change of its description.
    pub revision: Revision,
}

impl Tenant {
    /// What it and its descendants ask for, and how many tasks that are.
    #[must_use]
    pub fn requested(&self) -> (Resources, u64) {
        let (own, below) = (&self.usage, &self.below);
        let tasks = own.requested_tasks.saturating_add(below.requested_tasks);
        (own.requested.saturating_add(&below.requested), tasks)
    }

    /// What it and its descendants hold.
    #[must_use]
    pub fn held(&self) -> Resources {
        self.usage.held.saturating_add(&self.below.held)
    }

    /// Whether one more task would be within its guarantee, beside what is coming: whatever the task asks for that is
    /// guaranteed at all must be covered, and something of it must be.
    #[must_use]
    pub fn is_guaranteed(&self, task: &Resources, coming: &Resources) -> bool {
        self.is_within(task, &task.saturating_add(coming), &Resources::NOTHING)
    }

    /// Whether what it holds of the kinds of resources that the task has is within its guarantee, less what is going.
    #[must_use]
    pub fn covers(&self, task: &Resources, less: &Resources) -> bool {
        self.is_within(task, &Resources::NOTHING, less)
    }

    /// Whether anything of its guarantee is left.
    #[must_use]
    pub fn has_guarantee_left(&self) -> bool {
        self.spec.guarantee.amounts().any(|(dimension, guaranteed)| {
            let held = self.usage.held.amount(&dimension);
            held.saturating_add(self.below.held.amount(&dimension)) < guaranteed
        })
    }

    /// Compares what of the guarantee a task needs with what there will be.
    fn is_within(&self, task: &Resources, more: &Resources, less: &Resources) -> bool {
        let mut any = false;
        for (dimension, guaranteed) in self.spec.guarantee.amounts() {
            if task.amount(&dimension) == 0 {
                continue;
            }
            let held = self.usage.held.amount(&dimension);
            let held = held.saturating_add(self.below.held.amount(&dimension));
            let held = held.saturating_sub(less.amount(&dimension));
            if held.saturating_add(more.amount(&dimension)) > guaranteed {
                return false;
            }
            any = true;
        }
        any
    }

    /// What it and its descendants hold beyond the guarantee.
    #[must_use]
    pub fn borrowed(&self) -> Resources {
        self.held().saturating_sub(&self.spec.guarantee)
    }
}

impl Usage {
    /// Brings what was held of late up to `now`, from when on something else is held.
    #[inline]
    pub(crate) fn bring(&mut self, now: Time, half_life: Millis) {
        self.decayed.bring(now, &self.held, half_life);
    }

    /// Takes in what another asks for, holds and held; both must be of one time.
    pub(crate) fn join(&mut self, other: &Self) {
        self.requested.add(&other.requested, 1);
        self.requested_tasks += other.requested_tasks;
        self.held.add(&other.held, 1);
        self.held_tasks += other.held_tasks;
        self.decayed.join(&other.decayed);
    }

    /// Takes out what [`Self::join`] took in.
    pub(crate) fn part(&mut self, other: &Self) {
        self.requested.remove(&other.requested, 1);
        self.requested_tasks -= other.requested_tasks;
        self.held.remove(&other.held, 1);
        self.held_tasks -= other.held_tasks;
        self.decayed.part(&other.decayed);
    }
}

impl Quota {
    /// The limit on a dimension.
    #[must_use]
    pub fn limit(&self, dimension: &Dimension) -> Option<u64> {
        match dimension {
            Dimension::Cpu => self.cpu_millis,
            Dimension::Memory => self.memory_bytes,
            Dimension::Disk => self.disk_bytes,
            Dimension::Network => self.network_bps,
            Dimension::Gpu => self.gpu_millis,
            Dimension::Count(name) => self.counts.get(name).copied(),
        }
    }

    /// Whether nothing is limited.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The greatest part of a limit that is asked for, in thousandths.
    #[must_use]
    pub fn used_permille(&self, asked: &Resources, tasks: u64) -> u32 {
        let fixed = [
            (self.cpu_millis, asked.cpu_millis),
            (self.memory_bytes, asked.memory_bytes),
            (self.disk_bytes, asked.disk_bytes),
            (self.network_bps, asked.network_bps),
            (self.gpu_millis, asked.gpu_millis),
            (self.tasks, tasks),
        ];
        let named =
            self.counts.iter().map(|(name, limit)| (*limit, asked.counts.get(name.as_str())));
        let limits =
            fixed.into_iter().filter_map(|(limit, asked)| Some((limit?, asked))).chain(named);
        let parts = limits.map(|(limit, asked)| {
            let permille = u128::from(asked) * 1_000 / u128::from(limit.max(1));
            u32::try_from(permille).unwrap_or(u32::MAX)
        });
        parts.max().unwrap_or(0)
    }

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
