//! What can go wrong between a client and its cell.

use std::{collections::BTreeMap, fmt, time::Duration};

use tonic::{Code, Status, TimeoutExpired};
use tonic_types::StatusExt as _;

/// The `ErrorInfo` reasons and metadata keys that the client itself acts on.
pub mod reason {
    /// The server stops; a watch resumes elsewhere or later.
    pub const SERVER_STOPPING: &str = "SERVER_STOPPING";
    /// The revision asked for is no longer in the log.
    pub const COMPACTED: &str = "COMPACTED";
    /// Metadata of [`COMPACTED`]: the first revision that is still there.
    pub const FIRST_AVAILABLE: &str = "first_available";
}

/// Why a request or a watch failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The endpoint is not an address of the form `http://HOST:PORT`.
    #[error("invalid endpoint {endpoint:?}: {why}")]
    InvalidEndpoint {
        /// As it was given.
        endpoint: String,
        /// What is wrong with it.
        why: String,
    },
    /// No connection could be made.
    #[error("cannot reach the server at {endpoint}: {why}")]
    Unreachable {
        /// Where it was tried.
        endpoint: String,
        /// The deepest cause, such as a refused connection.
        why: String,
    },
    /// The connection broke before an answer was complete.
    #[error("lost the connection to the server: {message}")]
    Disconnected {
        /// What the transport said.
        message: String,
    },
    /// No answer came in time.
    #[error("the server did not answer within {after:?}")]
    Timeout {
        /// The deadline that was set.
        after: Duration,
    },
    /// The watch cannot go on from its revision, because the log no longer reaches back that far.
    #[error("revision {after} is no longer in the log{}", first_available_hint(.first_available))]
    Compacted {
        /// The revision after which events were asked for.
        after: u64,
        /// The first revision that is still there, when the server named it: a watch can begin after the one before.
        first_available: Option<u64>,
    },
    /// The server answered with a status.
    #[error("{0}")]
    Refused(Box<Refusal>),
}

/// A status with its details decoded.
#[derive(Clone, Debug)]
pub struct Refusal {
    /// The gRPC code.
    pub code: Code,
    /// For people.
    pub message: String,
    /// The `ErrorInfo` reason; empty when there was none.
    pub reason: String,
    /// The `ErrorInfo` metadata.
    pub metadata: BTreeMap<String, String>,
    /// From `BadRequest`: which fields were wrong, and why.
    pub fields: Vec<FieldViolation>,
    /// From `QuotaFailure` and `PreconditionFailure`.
    pub violations: Vec<Violation>,
    /// From `RetryInfo`: the same request may succeed after this long.
    pub retry_after: Option<Duration>,
}

/// One wrong field of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldViolation {
    /// Its path, such as `job.spec.count`.
    pub field: String,
    /// What is wrong with it.
    pub description: String,
}

/// One quota or precondition that did not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// What it is about.
    pub subject: String,
    /// What did not hold.
    pub description: String,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.message.is_empty() {
            write!(f, "{}", self.code.description())
        } else {
            f.write_str(&self.message)
        }
    }
}

impl std::error::Error for Refusal {}

impl Error {
    /// Decodes a status. One that the transport made up counts as a lost connection. `deadline` is what the call was
    /// given, for [`Error::Timeout`].
    #[must_use]
    pub fn from_status(status: &Status, deadline: Duration) -> Self {
        if is_timeout(status) {
            return Self::Timeout { after: deadline };
        }
        // Only a status made on this side carries the transport's error as its source.
        let missing_trailers =
            status.code() == Code::Unknown && status.message().contains("missing grpc-status");
        if std::error::Error::source(status).is_some() || missing_trailers {
            return Self::Disconnected { message: deepest_cause(status) };
        }
        Self::Refused(Box::new(Refusal::from_status(status)))
    }

    /// The gRPC code that says the same; for errors of the connection the one that gRPC prescribes.
    #[must_use]
    pub fn code(&self) -> Code {
        match self {
            Self::InvalidEndpoint { .. } => Code::InvalidArgument,
            Self::Unreachable { .. } | Self::Disconnected { .. } => Code::Unavailable,
            Self::Timeout { .. } => Code::DeadlineExceeded,
            Self::Compacted { .. } => Code::OutOfRange,
            Self::Refused(refusal) => refusal.code,
        }
    }

    /// The `ErrorInfo` reason; empty when the server gave none.
    #[must_use]
    pub fn reason(&self) -> &str {
        match self {
            Self::Compacted { .. } => reason::COMPACTED,
            Self::Refused(refusal) => &refusal.reason,
            _ => "",
        }
    }

    /// How long the server asked to wait before the same request is sent again.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Refused(refusal) => refusal.retry_after,
            _ => None,
        }
    }
}

impl Refusal {
    fn from_status(status: &Status) -> Self {
        let details = status.get_error_details();
        let (reason, metadata) = details.error_info().map_or_else(Default::default, |info| {
            let metadata = info.metadata.clone().into_iter().collect();
            (info.reason.clone(), metadata)
        });
        let mut fields = Vec::new();
        if let Some(bad) = details.bad_request() {
            fields.extend(bad.field_violations.iter().map(|v| FieldViolation {
                field: v.field.clone(),
                description: v.description.clone(),
            }));
        }
        let mut violations = Vec::new();
        if let Some(quota) = details.quota_failure() {
            violations.extend(quota.violations.iter().map(|v| Violation {
                subject: v.subject.clone(),
                description: v.description.clone(),
            }));
        }
        if let Some(precondition) = details.precondition_failure() {
            violations.extend(precondition.violations.iter().map(|v| Violation {
                subject: v.subject.clone(),
                description: v.description.clone(),
            }));
        }
        Self {
            code: status.code(),
            message: status.message().to_owned(),
            reason,
            metadata,
            fields,
            violations,
            retry_after: details.retry_info().and_then(|info| info.retry_delay),
        }
    }
}

fn first_available_hint(first_available: &Option<u64>) -> String {
    first_available
        .map_or_else(String::new, |revision| format!("; the first one available is {revision}"))
}

fn is_timeout(status: &Status) -> bool {
    causes(status).any(|cause| cause.is::<TimeoutExpired>())
}

/// The innermost error is the one that says what happened ("Connection refused").
pub(crate) fn deepest_cause(error: &(dyn std::error::Error + 'static)) -> String {
    let cause = causes(error).last().unwrap_or(error);
    match cause.downcast_ref::<Status>() {
        Some(status) => status.message().to_owned(),
        None => cause.to_string(),
    }
}

fn causes<'a>(
    error: &'a (dyn std::error::Error + 'static),
) -> impl Iterator<Item = &'a (dyn std::error::Error + 'static)> {
    std::iter::successors(Some(error), |error| error.source())
}
