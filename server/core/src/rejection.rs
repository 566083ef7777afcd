//! Expected refusals. Each variant is explained to users in docs/ERRORS.md.

use std::fmt;

use crate::model::{
    AllocationId, MAX_AMOUNT, MAX_TENANT_DEPTH, Millis, Name, Period, Priority, QuotaExcess,
    Revision,
};

/// Why a command was refused. Nothing of it was done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// No such node.
    #[error("node {0:?} does not exist")]
    NodeNotFound(String),
    /// No node names the owner and nothing was asked of it.
    #[error("owner {0:?} does not exist: no node names it")]
    OwnerNotFound(String),
    /// No such tenant.
    #[error("tenant {0:?} does not exist")]
    TenantNotFound(String),
    /// No such job of this tenant.
    #[error("job {job:?} of tenant {tenant:?} does not exist")]
    JobNotFound {
        /// The tenant asked for.
        tenant: String,
        /// The job asked for.
        job: String,
    },
    /// The name is taken.
    #[error("node {0:?} is registered already")]
    NodeExists(Name),
    /// The name is taken.
    #[error("tenant {0:?} exists already")]
    TenantExists(Name),
    /// The name is taken.
    #[error("tenant {tenant:?} has a job {job:?} already")]
    JobExists {
        /// The tenant.
        tenant: Name,
        /// The job.
        job: Name,
    },
    /// One request names a node twice.
    #[error("node {0:?} is named twice in this request")]
    DuplicateNode(Name),
    /// The object changed since the revision that was expected.
    #[error("{object} is at revision {found}, not {expected}: read it again and retry")]
    StaleRevision {
        /// What was to be changed.
        object: String,
        /// As given.
        expected: Revision,
        /// As it is.
        found: Revision,
    },
    /// The request id was used for something else.
    #[error("request id {0:?} was used for another request")]
    RequestIdReused(String),
    /// A new quota lies below what the tenant's unfinished tasks ask for.
    #[error("tenant {tenant:?} uses {} of {}, more than the new quota of {}", .excess.wanted, .excess.dimension, .excess.limit)]
    QuotaBelowUse {
        /// The tenant.
        tenant: Name,
        /// What is exceeded.
        excess: QuotaExcess,
    },
    /// The job would exceed its tenant's quota.
    #[error("tenant {tenant:?} would use {} of {}, more than its quota of {}", .excess.wanted, .excess.dimension, .excess.limit)]
    QuotaExceeded {
        /// The tenant.
        tenant: Name,
        /// What is exceeded.
        excess: QuotaExcess,
    },
    /// The tenant has spent so much that it gets no new work.
    #[error(
        "tenant {tenant:?} has spent {} of the {} at which its budget stops new work: wait for the next {period}, \
         or raise the budget",
        Money(*.spent), Money(*.limit)
    )]
    BudgetUsedUp {
        /// The tenant.
        tenant: Name,
        /// In millionths of the currency's unit.
        spent: u64,
        /// In millionths of the currency's unit.
        limit: u64,
        /// After which it begins anew.
        period: Period,
    },
    /// Prices stay in the currency in which the ledger is kept.
    #[error("prices are in {kept} and cannot change to {wanted}: sums would mean nothing")]
    CurrencyChanged {
        /// As it is.
        kept: Name,
        /// As asked.
        wanted: Name,
    },
    /// Every price book that is kept still prices something.
    #[error(
        "{kept} price books are in use, one for each time at which something was placed: wait until old tasks end"
    )]
    TooManyPriceBooks {
        /// How many there are.
        kept: usize,
    },
    /// The job's priority is above what its tenant may use.
    #[error("priority {} is above the ceiling of tenant {tenant:?}, which is {}", .wanted.0, .ceiling.0)]
    PriorityAboveCeiling {
        /// The tenant.
        tenant: Name,
        /// As asked.
        wanted: Priority,
        /// The most that is allowed.
        ceiling: Priority,
    },
    /// The whole of a job is more than can be counted.
    #[error(
        "{count} tasks of this request overflow a dimension; {} is the most of any one",
        MAX_AMOUNT
    )]
    RequestOverflow {
        /// The job's count.
        count: u32,
    },
    /// The deadline has passed.
    #[error("the deadline has passed already")]
    DeadlinePassed,
    /// Tasks that started now could not be complete in time.
    #[error("tasks run longer than there is time left until complete_by")]
    CannotComplete,
    /// Nothing says any more how long a task runs that must be complete by a time.
    #[error("max_runtime must be given where complete_by is and min_runtime is not")]
    RuntimeUnknown,
    /// The node still has allocations.
    #[error("node {node:?} has {allocations} allocations: drain it first, or force the removal")]
    NodeInUse {
        /// The node.
        node: Name,
        /// How many.
        allocations: usize,
    },
    /// The tenant still has unfinished jobs.
    #[error("tenant {tenant:?} has {jobs} unfinished jobs: cancel them first")]
    TenantInUse {
        /// The tenant.
        tenant: Name,
        /// How many.
        jobs: u64,
    },
    /// A tenant's parent is not there.
    #[error("tenant {tenant:?} cannot be a child of tenant {parent:?}, which does not exist")]
    ParentNotFound {
        /// The tenant.
        tenant: Name,
        /// The parent asked for.
        parent: Name,
    },
    /// A tenant would stand above itself.
    #[error(
        "tenant {tenant:?} cannot be a child of tenant {parent:?}, which is itself or below it"
    )]
    TenantCycle {
        /// The tenant.
        tenant: Name,
        /// The parent asked for.
        parent: Name,
    },
    /// Too many tenants would stand above each other.
    #[error(
        "tenant {tenant:?} below {parent:?} would make {depth} levels of tenants, more than the {MAX_TENANT_DEPTH} allowed"
    )]
    TenantsTooDeep {
        /// The tenant.
        tenant: Name,
        /// The parent asked for.
        parent: Name,
        /// How many levels there would be.
        depth: usize,
    },
    /// The children of a tenant would be promised more than it is promised itself.
    #[error("the children of tenant {tenant:?} would be guaranteed {} of {}, more than its own guarantee of {}", .excess.wanted, .excess.dimension, .excess.limit)]
    GuaranteeExceeded {
        /// The parent.
        tenant: Name,
        /// What is exceeded.
        excess: QuotaExcess,
    },
    /// A tenant would be promised more than it may use.
    #[error("tenant {tenant:?} would be guaranteed {} of {}, more than its quota of {}", .excess.wanted, .excess.dimension, .excess.limit)]
    GuaranteeAboveQuota {
        /// The tenant.
        tenant: Name,
        /// What is exceeded.
        excess: QuotaExcess,
    },
    /// The tenant has children.
    #[error(
        "tenant {tenant:?} has {children} children: delete them first, or give them another parent"
    )]
    TenantHasChildren {
        /// The tenant.
        tenant: Name,
        /// How many.
        children: usize,
    },
    /// The job has ended.
    #[error("job {job:?} of tenant {tenant:?} has ended")]
    JobEnded {
        /// The tenant.
        tenant: Name,
        /// The job.
        job: Name,
    },
    /// The job was cancelled with grace and comes to an end.
    #[error("job {job:?} of tenant {tenant:?} is being cancelled")]
    JobCancelled {
        /// The tenant.
        tenant: Name,
        /// The job.
        job: Name,
    },
    /// A job that another one is to wait for is not there; ended jobs are kept for a while only.
    #[error(
        "tenant {tenant:?} has no job {dependency:?} to wait for, or it ended and is no longer kept"
    )]
    DependencyNotFound {
        /// The tenant.
        tenant: Name,
        /// The job asked for.
        dependency: Name,
    },
    /// A task is released before its notice ends, and has none.
    #[error(
        "allocation {0} is not under notice: a task can be released only while one is announced"
    )]
    NotUnderNotice(AllocationId),
    /// Tasks under notice are to move one by one, and may not.
    #[error(
        "on_notice cannot be MOVE {}: only STAY is accepted",
        if *.gang { "for a gang, which goes as a whole" } else { "beside complete_by, as such work is laid out anew" }
    )]
    CannotMove {
        /// They are a gang; otherwise they must be complete by a time.
        gang: bool,
    },
    /// Tasks may not run as long as they must be left alone.
    #[error("max_runtime must not be less than min_runtime, which is {} ms", .min_runtime.0)]
    RuntimeBelowMinimum {
        /// Of the job.
        min_runtime: Millis,
    },
    /// GPUs and GPU model do not go together.
    #[error("node {0:?} must have a GPU model exactly when its capacity has GPUs")]
    GpuModelMismatch(Name),
    /// More is reserved than there is.
    #[error("node {node:?} reserves more {dimension} than its capacity")]
    ReservationAboveCapacity {
        /// The node.
        node: Name,
        /// What there is too little of.
        dimension: String,
    },
    /// A load sample lies further ahead than clocks may differ.
    #[error("the load sample of node {0:?} lies more than a minute in the future")]
    LoadFromFuture(Name),
}

/// Millionths of the currency's unit, as people write it.
struct Money(u64);

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, part) = (self.0 / 1_000_000, self.0 % 1_000_000);
        let part = format!("{part:06}");
        let zeros = part.len() - part.trim_end_matches('0').len();
        write!(f, "{whole}.{}", &part[..(6 - zeros).max(2)])
    }
}
