use std::time::Duration;

use offpeak_core::{
    model::{AllocationId, Name, Priority, QuotaExcess, Revision},
    rejection::Rejection,
};
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use super::ApiError;
use crate::api::convert::{At, Violations};

fn name(text: &str) -> Name {
    Name::parse(text).expect("a name")
}

fn excess() -> QuotaExcess {
    QuotaExcess { dimension: "cpu_millis".into(), limit: 1, wanted: 2 }
}

fn rejections() -> Vec<(Rejection, Code, &'static str)> {
    let (tenant, job, node) = (name("t"), name("j"), name("n"));
    let excess = excess();
    let stale = Rejection::StaleRevision {
        object: "node n".into(),
        expected: Revision(1),
        found: Revision(2),
    };
    let ceiling = Rejection::PriorityAboveCeiling {
        tenant: tenant.clone(),
        wanted: Priority(2),
        ceiling: Priority(1),
    };
    let exists = Rejection::JobExists { tenant: tenant.clone(), job: job.clone() };
    let missing = Rejection::JobNotFound { tenant: "t".into(), job: "j".into() };
    let below = Rejection::QuotaBelowUse { tenant: tenant.clone(), excess: excess.clone() };
    let exceeded = Rejection::QuotaExceeded { tenant: tenant.clone(), excess };
    let in_use = Rejection::TenantInUse { tenant: tenant.clone(), jobs: 1 };
    let reserved =
        Rejection::ReservationAboveCapacity { node: node.clone(), dimension: "d".into() };
    let released = Rejection::NotUnderNotice(AllocationId(4));
    let lent = Rejection::NodeInUse { node: node.clone(), allocations: 1 };
    let ended = Rejection::JobEnded { tenant: tenant.clone(), job };
    vec![
        (Rejection::NodeNotFound("n".into()), Code::NotFound, "NODE_NOT_FOUND"),
        (Rejection::OwnerNotFound("o".into()), Code::NotFound, "OWNER_NOT_FOUND"),
        (Rejection::TenantNotFound("t".into()), Code::NotFound, "TENANT_NOT_FOUND"),
        (missing, Code::NotFound, "JOB_NOT_FOUND"),
        (Rejection::NodeExists(node.clone()), Code::AlreadyExists, "NODE_EXISTS"),
        (Rejection::TenantExists(tenant), Code::AlreadyExists, "TENANT_EXISTS"),
        (exists, Code::AlreadyExists, "JOB_EXISTS"),
        (Rejection::RequestIdReused("r".into()), Code::AlreadyExists, "REQUEST_ID_REUSED"),
        (stale, Code::Aborted, "STALE_REVISION"),
        (below, Code::FailedPrecondition, "QUOTA_BELOW_USE"),
        (ceiling, Code::FailedPrecondition, "PRIORITY_ABOVE_CEILING"),
        (lent, Code::FailedPrecondition, "NODE_IN_USE"),
        (in_use, Code::FailedPrecondition, "TENANT_IN_USE"),
        (ended, Code::FailedPrecondition, "JOB_ENDED"),
        (exceeded, Code::ResourceExhausted, "QUOTA_EXCEEDED"),
        (Rejection::DuplicateNode(node.clone()), Code::InvalidArgument, "DUPLICATE_NODE"),
        (Rejection::RequestOverflow { count: 2 }, Code::InvalidArgument, "REQUEST_OVERFLOW"),
        (Rejection::DeadlinePassed, Code::InvalidArgument, "DEADLINE_PASSED"),
        (Rejection::CannotMove { gang: true }, Code::InvalidArgument, "CANNOT_MOVE"),
        (released, Code::FailedPrecondition, "NOT_UNDER_NOTICE"),
        (Rejection::RuntimeUnknown, Code::InvalidArgument, "RUNTIME_UNKNOWN"),
        (Rejection::CannotComplete, Code::InvalidArgument, "CANNOT_COMPLETE"),
        (Rejection::GpuModelMismatch(node.clone()), Code::InvalidArgument, "GPU_MODEL_MISMATCH"),
        (reserved, Code::InvalidArgument, "RESERVATION_ABOVE_CAPACITY"),
        (Rejection::LoadFromFuture(node), Code::InvalidArgument, "LOAD_FROM_FUTURE"),
    ]
}

#[test]
fn every_refusal_has_its_code_its_reason_and_the_details_that_fit() {
    for (rejection, code, reason) in rejections() {
        let status = Status::from(ApiError::from(rejection));
        let details = status.get_error_details();
        let info = details.error_info().expect("every status has an ErrorInfo");
        assert_eq!((status.code(), info.reason.as_str()), (code, reason));
        assert_eq!(info.domain, "offpeak.dev");
        assert_eq!(details.bad_request().is_some(), code == Code::InvalidArgument);
        assert_eq!(details.quota_failure().is_some(), code == Code::ResourceExhausted);
        let unfit = details.precondition_failure().is_some();
        assert_eq!(unfit, code == Code::FailedPrecondition);
    }
}

#[test]
fn wrong_fields_are_named_in_the_details() {
    let mut violations = Violations::default();
    violations.refuse(&At::Root.field("nodes").index(3).field("name"), "must not be empty");
    let status = Status::from(ApiError::from(violations));
    assert_eq!(status.code(), Code::InvalidArgument);
    assert_eq!(status.message(), "nodes[3].name: must not be empty");
    let details = status.get_error_details();
    let fields = &details.bad_request().expect("a BadRequest").field_violations;
    assert_eq!(fields[0].field, "nodes[3].name");
}

#[tokio::test]
async fn a_task_that_panics_is_a_defect_and_one_that_is_given_up_is_not() {
    let panicked = tokio::spawn(async { panic!("as this test wants") });
    let error = ApiError::from(panicked.await.expect_err("it panicked"));
    assert_eq!(Status::from(error).code(), Code::Internal);
    let pending = tokio::spawn(std::future::pending::<()>());
    pending.abort();
    let error = ApiError::from(pending.await.expect_err("it was given up"));
    assert_eq!(Status::from(error).code(), Code::Unavailable);
}

#[test]
fn an_overloaded_cell_says_when_to_come_back() {
    let retry_after = Duration::from_millis(50);
    let status = Status::from(ApiError::Overloaded { retry_after });
    assert_eq!(status.code(), Code::ResourceExhausted);
    let details = status.get_error_details();
    assert_eq!(details.retry_info().expect("a RetryInfo").retry_delay, Some(retry_after));
}

#[test]
fn what_concerns_revisions_and_the_server_has_its_code_and_metadata() {
    let told = |error: ApiError, key: &str| {
        let status = Status::from(error);
        let info = status.get_error_details().error_info().expect("an ErrorInfo").clone();
        (status.code(), info.reason, info.metadata.get(key).cloned())
    };
    let compacted = ApiError::Compacted { first_available: Revision(7) };
    assert_eq!(
        told(compacted, "first_available"),
        (Code::OutOfRange, "COMPACTED".into(), Some("7".into()))
    );
    assert_eq!(
        told(ApiError::NotYet { newest: Revision(5) }, "newest"),
        (Code::OutOfRange, "FUTURE_REVISION".into(), Some("5".into()))
    );
    assert_eq!(told(ApiError::Stopping, ""), (Code::Unavailable, "SERVER_STOPPING".into(), None));
    assert_eq!(told(ApiError::Broken, ""), (Code::Internal, "BROKEN_DOWN".into(), None));
    let missing = ApiError::AllocationNotFound(AllocationId(3));
    assert_eq!(told(missing, "").0, Code::NotFound);
}
