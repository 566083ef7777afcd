//! Answers to requests, as they are remembered.

use std::sync::Arc;

use offpeak_core::{
    command::{Detail, Outcome},
    model::{AllocationId, JobId, Name, Revision},
};

use super::{
    CodecError, format,
    names::{fill, omit},
};

/// What a request id stands for.
pub(super) struct Answer {
    pub(super) id: Arc<str>,
    pub(super) fingerprint: u128,
    pub(super) outcome: Outcome,
}

/// `known` is what the reader will know of the name of a job in the outcome.
pub(super) fn to_message<'a>(
    id: &str,
    fingerprint: u128,
    outcome: &Outcome,
    known: impl Fn(JobId) -> Option<&'a Name>,
) -> format::RequestRemembered {
    let detail = match &outcome.detail {
        Detail::Done => None,
        Detail::Job { id, name } => Some(format::DetailKind::Job(format::JobDetail {
            id: id.0,
            name: omit(name, known(*id)),
        })),
        Detail::Notices(count) => Some(format::DetailKind::Notices(*count)),
        Detail::Load { accepted, ignored } => {
            let load = format::LoadDetail { accepted: *accepted, ignored: *ignored };
            Some(format::DetailKind::Load(load))
        }
        Detail::Ignored(ids) => {
            let ids = ids.iter().map(|id| id.0).collect();
            Some(format::DetailKind::Ignored(format::Ids { ids }))
        }
    };
    let half = |bits: u128| u64::try_from(bits & u128::from(u64::MAX)).expect("invariant: 64 bits");
    format::RequestRemembered {
        id: id.to_owned(),
        fingerprint_high: half(fingerprint >> 64),
        fingerprint_low: half(fingerprint),
        outcome: format::Outcome { revision: outcome.revision.0, detail },
    }
}

pub(super) fn from_message<'a>(
    message: format::RequestRemembered,
    known: impl Fn(JobId) -> Option<&'a Name>,
) -> Result<Answer, CodecError> {
    let detail = match message.outcome.detail {
        None => Detail::Done,
        Some(format::DetailKind::Job(job)) => {
            let id = JobId(job.id);
            Detail::Job { id, name: fill("job's name", job.name.as_deref(), known(id))? }
        }
        Some(format::DetailKind::Notices(count)) => Detail::Notices(count),
        Some(format::DetailKind::Load(load)) => {
            Detail::Load { accepted: load.accepted, ignored: load.ignored }
        }
        Some(format::DetailKind::Ignored(ids)) => {
            Detail::Ignored(ids.ids.into_iter().map(AllocationId).collect())
        }
    };
    let (high, low) = (message.fingerprint_high, message.fingerprint_low);
    Ok(Answer {
        id: message.id.into(),
        fingerprint: u128::from(high) << 64 | u128::from(low),
        outcome: Outcome { revision: Revision(message.outcome.revision), detail },
    })
}
