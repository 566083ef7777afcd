//! What tenants held of late, and for whom what is preempted.

use std::sync::Arc;

use offpeak_core::{
    model::{
        AllocationId, Decayed, JobId, PreemptedFor, Preemptor, SHARED, Tenant, TenantId, Time,
    },
    state::{Restore, State},
};

use super::{CodecError, format, model::name};

pub(super) fn share(tenant: &Tenant) -> format::Share {
    format::Share {
        tenant: tenant.id.0,
        own: decayed(&tenant.usage.decayed),
        below: decayed(&tenant.below.decayed),
    }
}

fn decayed(decayed: &Decayed) -> format::Decayed {
    let fine = decayed.fine();
    format::Decayed {
        as_of: decayed.as_of().0,
        whole: fine.iter().map(|fine| u64::try_from(fine >> 32).unwrap_or(u64::MAX)).collect(),
        parts: fine.iter().map(|fine| u32::try_from(fine & 0xffff_ffff).unwrap_or(0)).collect(),
    }
}

fn decayed_back(message: &format::Decayed) -> Result<Decayed, CodecError> {
    if message.whole.len() != SHARED || message.parts.len() != SHARED {
        return Err(CodecError::Columns("shares"));
    }
    let fine = |at: usize| u128::from(message.whole[at]) << 32 | u128::from(message.parts[at]);
    Ok(Decayed::restore(std::array::from_fn(fine), Time(message.as_of)))
}

pub(super) fn add_share(restore: &mut Restore, share: &format::Share) -> Result<(), CodecError> {
    let decayed = [decayed_back(&share.own)?, decayed_back(&share.below)?];
    restore.decayed(TenantId(share.tenant), decayed)?;
    Ok(())
}

/// All preemptions, those under way first.
pub(super) fn preemptions(state: &State) -> impl Iterator<Item = format::Preemption> {
    let now = state.preemptors().map(|(id, by)| format::Preemption {
        id: id.0,
        when: None,
        by: by.as_ref().into(),
    });
    let past = state.preempted_jobs().map(|(id, (by, when))| format::Preemption {
        id: id.0,
        when: Some(when.0),
        by: by.as_ref().into(),
    });
    now.chain(past)
}

pub(super) fn add_preemption(
    restore: &mut Restore,
    message: format::Preemption,
) -> Result<(), CodecError> {
    let by = Arc::new(message.by.try_into()?);
    match message.when {
        None => restore.preemptor(AllocationId(message.id), by)?,
        Some(when) => restore.preempted(JobId(message.id), by, Time(when))?,
    }
    Ok(())
}

impl From<&Preemptor> for format::Preemptor {
    fn from(by: &Preemptor) -> Self {
        Self {
            job: by.job.0,
            tenant: by.tenant.to_string(),
            name: by.name.to_string(),
            is_guaranteed: by.right == PreemptedFor::Guarantee,
        }
    }
}

impl TryFrom<format::Preemptor> for Preemptor {
    type Error = CodecError;

    fn try_from(message: format::Preemptor) -> Result<Self, CodecError> {
        let right =
            if message.is_guaranteed { PreemptedFor::Guarantee } else { PreemptedFor::Priority };
        Ok(Self {
            job: JobId(message.job),
            tenant: name("tenant", &message.tenant)?,
            name: name("job", &message.name)?,
            right,
        })
    }
}
