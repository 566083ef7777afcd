//! Builds a state from the parts of a checkpoint. What can be derived from other parts is not stored but derived.

use std::sync::Arc;

use super::{Remembered, State};
use crate::{
    command::Outcome,
    model::{
        Allocation, AllocationId, AllocationRef, DeviceSet, GpuDevices, Job, JobId, JobSpec,
        JobState, LoadHistory, Name, Node, NodeId, NodeMode, NodeSpec, Notice, Policy, Resources,
        Revision, Task, TaskCounts, TaskEnd, TaskIndex, TaskPhase, Tenant, TenantId, TenantSpec,
        Time, Usage,
    },
};

/// A checkpoint whose parts do not fit together.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RestoreError {
    /// An allocation on a node that is not there.
    #[error("allocation {0} is on a node that the checkpoint lacks")]
    NoNode(AllocationId),
    /// An allocation of a task that is not there or not free.
    #[error("allocation {0} is of a task that the checkpoint lacks")]
    NoTask(AllocationId),
    /// A job of a tenant that is not there.
    #[error("job {0} is of a tenant that the checkpoint lacks")]
    NoTenant(JobId),
}

/// What is not an object.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "as in State")]
pub struct Header {
    pub revision: Revision,
    pub now: Time,
    pub policy: Policy,
    pub next_node: NodeId,
    pub next_tenant: TenantId,
    pub next_job: JobId,
    pub next_allocation: AllocationId,
}

/// A node without what its allocations tell.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "as in Node")]
pub struct RestoredNode {
    pub id: NodeId,
    pub spec: Arc<NodeSpec>,
    pub mode: NodeMode,
    pub lost: bool,
    pub last_report: Time,
    pub history: LoadHistory,
    pub created: Time,
    pub revision: Revision,
}

/// A tenant without what its jobs tell.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "as in Tenant")]
pub struct RestoredTenant {
    pub id: TenantId,
    pub spec: TenantSpec,
    pub created: Time,
    pub revision: Revision,
}

/// A job without what its allocations tell: placed tasks stand here as pending.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "as in Job")]
pub struct RestoredJob {
    pub id: JobId,
    pub tenant: TenantId,
    pub name: Name,
    pub spec: Arc<JobSpec>,
    pub tasks: Vec<Task>,
    pub evictions: u64,
    pub created: Time,
    pub ended: Option<(Time, JobState)>,
    pub revision: Revision,
}

/// A live allocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "as in Allocation")]
pub struct RestoredAllocation {
    pub at: AllocationRef,
    pub attempt: u32,
    pub devices: DeviceSet,
    pub placed: Time,
    pub started: Option<Time>,
    pub notice: Option<Notice>,
}

/// A state in the making: nodes and tenants first, then jobs, then allocations.
#[derive(Debug)]
pub struct Restore {
    state: State,
}

impl Restore {
    /// Begins with what is not an object.
    #[must_use]
    pub fn new(header: Header) -> Self {
        Self {
            state: State {
                revision: header.revision,
                now: header.now,
                policy: header.policy,
                next_node: header.next_node,
                next_tenant: header.next_tenant,
                next_job: header.next_job,
                next_allocation: header.next_allocation,
                ..State::default()
            },
        }
    }

    /// Adds a node.
    pub fn node(&mut self, node: RestoredNode) {
        self.state.insert_node(Node {
            id: node.id,
            spec: node.spec,
            mode: node.mode,
            lost: node.lost,
            last_report: node.last_report,
            history: node.history,
            held_back: Resources::default(),
            lent: Resources::default(),
            noticed: Resources::default(),
            devices: GpuDevices::default(),
            allocations: Vec::new(),
            created: node.created,
            revision: node.revision,
        });
    }

    /// Adds a tenant.
    pub fn tenant(&mut self, tenant: RestoredTenant) {
        self.state.insert_tenant(Tenant {
            id: tenant.id,
            spec: tenant.spec,
            usage: Usage::default(),
            jobs: imbl::OrdSet::new(),
            unfinished_jobs: 0,
            created: tenant.created,
            revision: tenant.revision,
        });
    }

    /// Adds a job.
    pub fn job(&mut self, job: RestoredJob) -> Result<(), RestoreError> {
        if self.state.tenant(job.tenant).is_none() {
            return Err(RestoreError::NoTenant(job.id));
        }
        let mut counts = TaskCounts::default();
        let mut first_pending = None;
        for (index, task) in (0..).zip(&job.tasks) {
            match task.phase {
                TaskPhase::Pending | TaskPhase::Placed(_) => {
                    first_pending.get_or_insert(index);
                    counts.pending += 1;
                }
                TaskPhase::Ended(TaskEnd::Succeeded) => counts.succeeded += 1,
                TaskPhase::Ended(TaskEnd::Cancelled) => counts.cancelled += 1,
                TaskPhase::Ended(_) => counts.failed += 1,
            }
        }
        self.state.insert_job(Job {
            id: job.id,
            tenant: job.tenant,
            name: job.name,
            spec: job.spec,
            tasks: job.tasks,
            counts,
            first_pending: TaskIndex(first_pending.unwrap_or(0)),
            evictions: job.evictions,
            created: job.created,
            ended: job.ended,
            revision: job.revision,
        });
        Ok(())
    }

    /// Adds a live allocation.
    pub fn allocation(&mut self, allocation: RestoredAllocation) -> Result<(), RestoreError> {
        let at = allocation.at;
        if self.state.node(at.node).is_none() {
            return Err(RestoreError::NoNode(at.id));
        }
        let task = self.state.job(at.job).and_then(|job| job.tasks.get(at.task.0 as usize));
        if task.is_none_or(|task| task.phase != TaskPhase::Pending) {
            return Err(RestoreError::NoTask(at.id));
        }
        self.state.restore_hold(at.job);
        self.state.insert_allocation(Allocation {
            at,
            attempt: allocation.attempt,
            devices: allocation.devices,
            placed: allocation.placed,
            started: allocation.started,
            notice: allocation.notice,
            slot: 0,
        });
        Ok(())
    }

    /// Adds a remembered answer.
    pub fn request(&mut self, id: Arc<str>, fingerprint: u128, outcome: Outcome, time: Time) {
        let key = (outcome.revision, Arc::clone(&id));
        self.state.requests_by_age.insert(key, time);
        self.state.requests.insert(id, Remembered { fingerprint, outcome, time });
    }

    /// The state.
    #[must_use]
    pub fn finish(self) -> State {
        self.state
    }
}
