//! Expected refusals. Each variant is explained to users in docs/ERRORS.md.

use crate::model::{MAX_AMOUNT, Name, Priority, QuotaExcess, Revision};

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
    /// The job has ended.
    #[error("job {job:?} of tenant {tenant:?} has ended")]
    JobEnded {
        /// The tenant.
        tenant: Name,
        /// The job.
        job: Name,
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
