use offpeak::v1::{self, event::Kind};
use offpeak_core::model::{AllocationRef, EvictionReason, Notice, Preemptor, TaskEnd, Time};

use crate::{
    api::convert::{eviction_reason, notice, timestamp},
    record::{JobName, NodeName},
};

/// A task on a node, by names.
pub(super) struct Place<'r> {
    pub(super) job: &'r JobName,
    pub(super) node: &'r NodeName,
    pub(super) at: AllocationRef,
}

macro_rules! task_event {
    ($place:ident, $kind:ident { $($field:ident: $value:expr),* $(,)? }) => {
        Kind::$kind(v1::$kind {
            tenant: $place.job.tenant.to_string(),
            job: $place.job.name.to_string(),
            task: $place.at.task.0,
            allocation_id: $place.at.id.0,
            node: $place.node.name.to_string(),
            $($field: $value,)*
        })
    };
}

impl Place<'_> {
    pub(super) fn started(&self) -> Kind {
        task_event!(self, TaskStarted {})
    }

    pub(super) fn ended(&self, end: TaskEnd, message: &str) -> Kind {
        task_event!(
            self,
            TaskEnded {
                count: 1,
                delayed: false,
                end: task_end(end).into(),
                message: message.to_owned(),
            }
        )
    }

    pub(super) fn delayed(&self, end: TaskEnd, message: &str, until: Time) -> Kind {
        task_event!(
            self,
            TaskDelayed {
                end: task_end(end).into(),
                message: message.to_owned(),
                retry_time: Some(timestamp(until)),
            }
        )
    }

    pub(super) fn noticed(&self, given: Notice, by: Option<&Preemptor>) -> Kind {
        task_event!(self, NoticeGiven { notice: Some(notice(given, by)) })
    }

    pub(super) fn notice_withdrawn(&self) -> Kind {
        task_event!(self, NoticeWithdrawn {})
    }

    pub(super) fn advised(&self, expected_by: Time) -> Kind {
        task_event!(self, AdvisoryGiven { expected_by: Some(timestamp(expected_by)) })
    }

    pub(super) fn evicted(
        &self,
        reason: EvictionReason,
        released: bool,
        moved_to: Option<&NodeName>,
    ) -> Kind {
        task_event!(
            self,
            TaskEvicted {
                reason: eviction_reason(reason).into(),
                released: released,
                moved_to: moved_to.map(|node| node.name.to_string()).unwrap_or_default(),
            }
        )
    }
}

pub(super) fn task_end(end: TaskEnd) -> v1::TaskEnd {
    match end {
        TaskEnd::Succeeded => v1::TaskEnd::Succeeded,
        TaskEnd::Failed => v1::TaskEnd::Failed,
        TaskEnd::Cancelled => v1::TaskEnd::Cancelled,
        TaskEnd::TimedOut => v1::TaskEnd::TimedOut,
        TaskEnd::MissedDeadline => v1::TaskEnd::MissedDeadline,
        TaskEnd::Evicted => v1::TaskEnd::Evicted,
        TaskEnd::DependencyFailed => v1::TaskEnd::DependencyFailed,
    }
}
