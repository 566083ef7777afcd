//! The one place that chooses gRPC codes. docs/ERRORS.md explains each reason to users.

#[cfg(test)]
mod tests;

use std::{collections::HashMap, time::Duration};

use offpeak::v1;
use offpeak_core::{
    model::{AllocationId, QuotaExcess, Revision},
    rejection::Rejection,
};
use tokio::task::JoinError;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _};

use super::convert::Violations;
use crate::{
    calendar::UnknownZone,
    cell::{CellError, FeedError},
};

/// Of every ErrorInfo.
const DOMAIN: &str = "offpeak.dev";

/// Why a call fails.
#[derive(Clone, Debug)]
pub(crate) enum ApiError {
    /// The request is wrong whatever the cell knows.
    Invalid(Violations),
    /// The command was refused, or an object to be read is not there.
    Rejected(Rejection),
    /// No such live allocation.
    AllocationNotFound(AllocationId),
    /// The queue is full.
    Overloaded {
        /// When to come back.
        retry_after: Duration,
    },
    /// The revision asked for has not come.
    NotYet {
        /// The newest there is.
        newest: Revision,
    },
    /// The revision asked for is gone.
    Compacted {
        /// The first that is still there; a watch begins after the one before it.
        first_available: Revision,
    },
    /// The timeout of the call is no timeout.
    MalformedTimeout,
    /// The server stops.
    Stopping,
    /// The store failed; the log of the server says how.
    StoreFailed,
    /// A defect: the task that was to answer broke down.
    Broken,
}

/// What a status says, before it is one.
struct Answer {
    code: Code,
    reason: &'static str,
    metadata: HashMap<String, String>,
    details: ErrorDetails,
}

impl From<Violations> for ApiError {
    fn from(violations: Violations) -> Self {
        Self::Invalid(violations)
    }
}

impl From<Rejection> for ApiError {
    fn from(rejection: Rejection) -> Self {
        Self::Rejected(rejection)
    }
}

/// Zones are checked before a calendar is stored, so that only a poorer release than the one that stored it lacks one.
impl From<UnknownZone> for ApiError {
    fn from(error: UnknownZone) -> Self {
        tracing::error!(%error, "a stored calendar cannot be read");
        Self::Broken
    }
}

impl From<CellError> for ApiError {
    fn from(error: CellError) -> Self {
        match error {
            CellError::Rejected(rejection) => Self::Rejected(rejection),
            CellError::Overloaded { retry_after } => Self::Overloaded { retry_after },
            CellError::NotYet { newest } => Self::NotYet { newest },
            CellError::Stopping => Self::Stopping,
            CellError::Checkpoint(source) => {
                tracing::error!(error = %source, "the checkpoint could not be written");
                Self::StoreFailed
            }
        }
    }
}

impl From<FeedError> for ApiError {
    fn from(error: FeedError) -> Self {
        match error {
            FeedError::Compacted { first_available } => Self::Compacted { first_available },
            FeedError::Stopping => Self::Stopping,
            FeedError::Log(source) => {
                tracing::error!(error = %source, "the log could not be read for a watch");
                Self::StoreFailed
            }
        }
    }
}

impl From<JoinError> for ApiError {
    fn from(error: JoinError) -> Self {
        // What did not panic was given up because the runtime ends.
        if error.is_panic() { Self::Broken } else { Self::Stopping }
    }
}

impl From<ApiError> for Status {
    fn from(error: ApiError) -> Self {
        let message = error.message();
        let Answer { code, reason, metadata, mut details } = error.answer(&message);
        details.set_error_info(reason, DOMAIN, metadata);
        Self::with_error_details(code, message, details)
    }
}

impl From<ApiError> for v1::SubmitRefusal {
    fn from(error: ApiError) -> Self {
        let message = error.message();
        let Answer { code, reason, .. } = error.answer(&message);
        Self { code: code.into(), message, reason: reason.to_owned() }
    }
}

impl ApiError {
    fn message(&self) -> String {
        match self {
            Self::Invalid(violations) => violations.to_string(),
            Self::Rejected(rejection) => rejection.to_string(),
            Self::AllocationNotFound(id) => format!("allocation {id} is not live"),
            Self::Overloaded { retry_after } => {
                format!("the cell is overloaded: retry after {} ms", retry_after.as_millis())
            }
            Self::NotYet { newest } => {
                format!("this revision has not been committed: the newest one is {newest}")
            }
            Self::Compacted { first_available } => format!(
                "this revision is no longer kept: begin with a snapshot or resume after {}, as the first \
                 one that is still there is {first_available}",
                first_available.0.saturating_sub(1)
            ),
            Self::MalformedTimeout => {
                "the header grpc-timeout must be 1 to 8 digits and one of H, M, S, m, u, n".into()
            }
            Self::Stopping => "the server stops: connect again".into(),
            Self::StoreFailed => "the store failed: the log of the server says how".into(),
            Self::Broken => "the server broke down over this call, which is a defect of it".into(),
        }
    }

    fn answer(self, message: &str) -> Answer {
        match self {
            Self::Invalid(violations) => {
                let mut answer = Answer::new(Code::InvalidArgument, "INVALID_FIELD");
                for violation in violations.iter() {
                    let (field, description) = (&violation.field, &violation.description);
                    answer.details.add_bad_request_violation(field, description);
                }
                answer
            }
            Self::Rejected(rejection) => rejected(rejection, message),
            Self::AllocationNotFound(id) => {
                Answer::new(Code::NotFound, "ALLOCATION_NOT_FOUND").with("allocation_id", id)
            }
            Self::Overloaded { retry_after } => {
                let mut answer = Answer::new(Code::ResourceExhausted, "OVERLOADED");
                answer.details.set_retry_info(Some(retry_after));
                answer
            }
            Self::NotYet { newest } => {
                Answer::new(Code::OutOfRange, "FUTURE_REVISION").with("newest", newest)
            }
            Self::Compacted { first_available } => {
                Answer::new(Code::OutOfRange, "COMPACTED").with("first_available", first_available)
            }
            Self::MalformedTimeout => Answer::new(Code::InvalidArgument, "MALFORMED_TIMEOUT"),
            Self::Stopping => Answer::new(Code::Unavailable, "SERVER_STOPPING"),
            Self::StoreFailed => Answer::new(Code::Internal, "STORE_FAILED"),
            Self::Broken => Answer::new(Code::Internal, "BROKEN_DOWN"),
        }
    }
}

impl Answer {
    fn new(code: Code, reason: &'static str) -> Self {
        Self { code, reason, metadata: HashMap::new(), details: ErrorDetails::new() }
    }

    /// With one more entry of the ErrorInfo's metadata.
    fn with(mut self, key: &str, value: impl ToString) -> Self {
        self.metadata.insert(key.to_owned(), value.to_string());
        self
    }

    /// Wrong in itself, though only the cell could tell.
    fn invalid(reason: &'static str, field: &str, message: &str) -> Self {
        let mut answer = Self::new(Code::InvalidArgument, reason);
        answer.details.add_bad_request_violation(field, message);
        answer
    }

    /// Right in itself, but not as the cell stands.
    fn precondition(reason: &'static str, subject: impl ToString, message: &str) -> Self {
        let mut answer = Self::new(Code::FailedPrecondition, reason);
        answer.details.add_precondition_failure_violation(reason, subject.to_string(), message);
        answer
    }

    fn with_excess(self, excess: &QuotaExcess) -> Self {
        self.with("dimension", &excess.dimension)
            .with("limit", excess.limit)
            .with("wanted", excess.wanted)
    }
}

/// The code for every refusal of the core.
///
/// A priority above the ceiling is FAILED_PRECONDITION and not PERMISSION_DENIED: what stands against it is the
/// tenant's setting, whoever asks.
fn rejected(rejection: Rejection, message: &str) -> Answer {
    use Code::{Aborted, AlreadyExists, NotFound, ResourceExhausted};
    match rejection {
        Rejection::NodeNotFound(node) => Answer::new(NotFound, "NODE_NOT_FOUND").with("node", node),
        Rejection::OwnerNotFound(owner) => {
            Answer::new(NotFound, "OWNER_NOT_FOUND").with("owner", owner)
        }
        Rejection::TenantNotFound(tenant) => {
            Answer::new(NotFound, "TENANT_NOT_FOUND").with("tenant", tenant)
        }
        Rejection::JobNotFound { tenant, job } => {
            Answer::new(NotFound, "JOB_NOT_FOUND").with("tenant", tenant).with("job", job)
        }
        Rejection::DependencyNotFound { tenant, dependency } => {
            Answer::new(NotFound, "DEPENDENCY_NOT_FOUND")
                .with("tenant", tenant)
                .with("dependency", dependency)
        }
        Rejection::NodeExists(node) => Answer::new(AlreadyExists, "NODE_EXISTS").with("node", node),
        Rejection::TenantExists(tenant) => {
            Answer::new(AlreadyExists, "TENANT_EXISTS").with("tenant", tenant)
        }
        Rejection::JobExists { tenant, job } => {
            Answer::new(AlreadyExists, "JOB_EXISTS").with("tenant", tenant).with("job", job)
        }
        Rejection::RequestIdReused(id) => {
            Answer::new(AlreadyExists, "REQUEST_ID_REUSED").with("request_id", id)
        }
        Rejection::StaleRevision { object, expected, found } => {
            Answer::new(Aborted, "STALE_REVISION")
                .with("object", object)
                .with("expected", expected)
                .with("found", found)
        }
        Rejection::QuotaExceeded { tenant, excess } => {
            let mut answer = Answer::new(ResourceExhausted, "QUOTA_EXCEEDED").with_excess(&excess);
            answer.details.add_quota_failure_violation(format!("tenants/{tenant}"), message);
            answer.with("tenant", tenant)
        }
        Rejection::BudgetUsedUp { tenant, spent, limit, .. } => {
            let mut answer = Answer::new(ResourceExhausted, "BUDGET_USED_UP")
                .with("spent_micros", spent)
                .with("limit_micros", limit);
            answer.details.add_quota_failure_violation(format!("tenants/{tenant}"), message);
            answer.with("tenant", tenant)
        }
        Rejection::ParentNotFound { tenant, parent } => {
            Answer::new(NotFound, "PARENT_NOT_FOUND").with("tenant", tenant).with("parent", parent)
        }
        other => unfit(other, message),
    }
}

/// The refusals about who stands above whom and what is guaranteed; the others are handed back.
fn unfit_family(rejection: Rejection, message: &str) -> Result<Answer, Rejection> {
    Ok(match rejection {
        Rejection::TenantCycle { tenant, parent } => {
            Answer::precondition("TENANT_CYCLE", tenant, message).with("parent", parent)
        }
        Rejection::TenantsTooDeep { tenant, parent, depth } => {
            let answer = Answer::precondition("TENANTS_TOO_DEEP", tenant, message);
            answer.with("parent", parent).with("depth", depth)
        }
        Rejection::GuaranteeExceeded { tenant, excess } => {
            Answer::precondition("GUARANTEE_EXCEEDED", tenant, message).with_excess(&excess)
        }
        Rejection::GuaranteeAboveQuota { tenant, excess } => {
            Answer::precondition("GUARANTEE_ABOVE_QUOTA", tenant, message).with_excess(&excess)
        }
        Rejection::TenantHasChildren { tenant, children } => {
            let answer = Answer::precondition("TENANT_HAS_CHILDREN", tenant, message);
            answer.with("children", children)
        }
        other => return Err(other),
    })
}

/// The refusals that are not about whether something exists, is new or is used up.
fn unfit(rejection: Rejection, message: &str) -> Answer {
    let rejection = match unfit_family(rejection, message) {
        Ok(answer) => return answer,
        Err(other) => other,
    };
    let (reason, field) = match rejection {
        Rejection::QuotaBelowUse { tenant, excess } => {
            return Answer::precondition("QUOTA_BELOW_USE", tenant, message).with_excess(&excess);
        }
        Rejection::PriorityAboveCeiling { tenant, ceiling, .. } => {
            return Answer::precondition("PRIORITY_ABOVE_CEILING", tenant, message)
                .with("ceiling", ceiling.0);
        }
        Rejection::NodeInUse { node, allocations } => {
            return Answer::precondition("NODE_IN_USE", node, message)
                .with("allocations", allocations);
        }
        Rejection::TenantInUse { tenant, jobs } => {
            return Answer::precondition("TENANT_IN_USE", tenant, message).with("jobs", jobs);
        }
        Rejection::JobEnded { job, .. } => {
            return Answer::precondition("JOB_ENDED", job, message);
        }
        Rejection::CurrencyChanged { kept, .. } => {
            return Answer::precondition("CURRENCY_CHANGED", "the price book", message)
                .with("currency", kept);
        }
        Rejection::TooManyPriceBooks { kept } => {
            return Answer::precondition("TOO_MANY_PRICE_BOOKS", "the price book", message)
                .with("kept", kept);
        }
        Rejection::NotUnderNotice(id) => {
            return Answer::precondition("NOT_UNDER_NOTICE", id, message).with("allocation_id", id);
        }
        Rejection::CannotMove { .. } => ("CANNOT_MOVE", "job.spec.on_notice"),
        Rejection::JobCancelled { job, .. } => {
            return Answer::precondition("JOB_CANCELLED", job, message);
        }
        Rejection::DuplicateNode(_) => ("DUPLICATE_NODE", "nodes"),
        Rejection::RequestOverflow { .. } => ("REQUEST_OVERFLOW", "job.spec.request"),
        Rejection::RuntimeBelowMinimum { .. } => ("RUNTIME_BELOW_MINIMUM", "job.spec.max_runtime"),
        Rejection::RuntimeUnknown => ("RUNTIME_UNKNOWN", "job.spec.max_runtime"),
        Rejection::DeadlinePassed => ("DEADLINE_PASSED", "job.spec.deadline"),
        Rejection::CannotComplete => ("CANNOT_COMPLETE", "job.spec.complete_by"),
        Rejection::GpuModelMismatch(_) => ("GPU_MODEL_MISMATCH", "node.gpu_model"),
        Rejection::ReservationAboveCapacity { .. } => {
            ("RESERVATION_ABOVE_CAPACITY", "node.reservation")
        }
        Rejection::LoadFromFuture(_) => ("LOAD_FROM_FUTURE", "samples.time"),
        Rejection::NodeNotFound(_)
        | Rejection::OwnerNotFound(_)
        | Rejection::TenantNotFound(_)
        | Rejection::JobNotFound { .. }
        | Rejection::DependencyNotFound { .. }
        | Rejection::NodeExists(_)
        | Rejection::TenantExists(_)
        | Rejection::JobExists { .. }
        | Rejection::RequestIdReused(_)
        | Rejection::StaleRevision { .. }
        | Rejection::QuotaExceeded { .. }
        | Rejection::BudgetUsedUp { .. }
        | Rejection::ParentNotFound { .. }
        | Rejection::TenantCycle { .. }
        | Rejection::TenantsTooDeep { .. }
        | Rejection::GuaranteeExceeded { .. }
        | Rejection::GuaranteeAboveQuota { .. }
        | Rejection::TenantHasChildren { .. } => unreachable!("invariant: answered above"),
    };
    Answer::invalid(reason, field, message)
}
