//! Builds a state from the parts of a checkpoint. What can be derived from other parts is not stored but derived.

use std::{collections::BTreeMap, sync::Arc};

use super::{Profile, Quotes, Remembered, RunTimes, State, hold::counter};
use crate::billing::{Accounts, RestoredAccounts};
use crate::model::{
    Allocation, AllocationId, AllocationRef, Bounds, BudgetLevel, Decayed, DeviceSet, GpuDevices,
    HeldBack, Job, JobId, JobIds, JobSpec, JobState, LendingRecord, LoadHistory, Name, Node,
    NodeId, NodeMode, NodeSpec, Notice, Owner, OwnerSpec, PlannedStart, Policy, Preemptor,
    Resources, Revision, SiteId, Spending, Task, TaskCounts, TaskIndex, TaskPhase, Tasks, Tenant,
    TenantId, TenantSpec, Time, Tries, Usage, Windows,
};

/// A checkpoint whose parts do not fit together.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RestoreError {
    /// An allocation on a node that is not there.
    #[error("allocation {0} is on a node that the checkpoint lacks")]
    NoNode(AllocationId),
    /// An allocation of a task that is not there, not free or on another attempt.
    #[error("allocation {0} is of a task that the checkpoint lacks")]
    NoTask(AllocationId),
    /// An allocation of devices that others hold.
    #[error("allocation {0} holds devices that others hold in the checkpoint")]
    NoDevice(AllocationId),
    /// A job that asks for more than can be counted.
    #[error("job {0} asks for more than can be counted")]
    Overflow(JobId),
    /// An id that is taken or was not given out yet.
    #[error("{kind} {id} is there twice in the checkpoint, or was not given out yet")]
    BadId {
        /// What it is the id of.
        kind: &'static str,
        /// The id.
        id: u64,
    },
    /// An owner that is there already, or that comes after nodes that need it.
    #[error("owner {0:?} is there twice in the checkpoint, or comes too late")]
    BadOwner(Name),
    /// What a task has been through that is not there, has ended or is never tried again, or that is told twice.
    #[error("the checkpoint tells of retries of a task of job {0} that can have none")]
    BadTries(JobId),
    /// A planned start of a job or on a node that is not there, or a second one.
    #[error(
        "the planned start of job {0} is there twice, or its job or node is not in the checkpoint"
    )]
    BadPlan(JobId),
    /// A tenant whose parent is not there, or is below it, or that has too many above it.
    #[error("tenant {0:?} cannot have the parent that the checkpoint gives it")]
    BadParent(Name),
    /// A job of a tenant that is not there.
    #[error("job {0} is of a tenant that the checkpoint lacks")]
    NoTenant(JobId),
    /// A ledger whose parts do not fit together, or that comes after nodes.
    #[error("the ledger of the checkpoint contradicts itself, or comes too late")]
    BadLedger,
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
    /// What a forecaster found of the owner.
    pub bounds: Option<Bounds>,
    pub created: Time,
    pub revision: Revision,
}

/// An owner of whom something was asked, without its nodes.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "as in Owner")]
pub struct RestoredOwner {
    pub spec: Arc<OwnerSpec>,
    pub windows: Arc<Windows>,
    pub record: LendingRecord,
    pub turned: Time,
    pub revision: Revision,
}

/// A tenant without what its jobs tell.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "as in Tenant")]
pub struct RestoredTenant {
    pub id: TenantId,
    pub spec: TenantSpec,
    pub spending: Option<Spending>,
    pub budget_level: BudgetLevel,
    pub quota_low: bool,
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
    pub evictions: u32,
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

/// A state in the making: the ledger and owners first, then nodes and tenants, then jobs, then allocations.
#[derive(Debug)]
pub struct Restore {
    state: State,
    decayed: BTreeMap<TenantId, [Decayed; 2]>,
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
            decayed: BTreeMap::new(),
        }
    }

    /// Sets the ledger.
    pub fn accounts(&mut self, parts: RestoredAccounts) -> Result<(), RestoreError> {
        let state = &self.state;
        let is_known = parts.jobs.iter().all(|(job, ..)| *job < state.next_job)
            && parts.payers.iter().all(|(tenant, _)| *tenant < state.next_tenant)
            && parts.moved.iter().all(|(node, _)| *node < state.next_node);
        if !is_known || state.node_count() > 0 {
            return Err(RestoreError::BadLedger);
        }
        let accounts = Accounts::restore(parts);
        self.state.accounts = accounts.ok_or(RestoreError::BadLedger)?;
        Ok(())
    }

    /// Adds an owner.
    pub fn owner(&mut self, owner: RestoredOwner) -> Result<(), RestoreError> {
        let name = owner.spec.name.clone();
        if self.state.owner(&name).is_some() || self.state.node_count() > 0 {
            return Err(RestoreError::BadOwner(name));
        }
        let mut restored = Owner::new(name);
        restored.spec = owner.spec;
        restored.windows = owner.windows;
        restored.record = owner.record;
        restored.revision = owner.revision;
        restored.turn(owner.turned);
        self.state.insert_owner(restored);
        Ok(())
    }

    /// Adds a node.
    pub fn node(&mut self, node: RestoredNode) -> Result<(), RestoreError> {
        if self.state.node(node.id).is_some() || node.id >= self.state.next_node {
            return Err(RestoreError::BadId { kind: "node", id: node.id.0.into() });
        }
        self.state.insert_node(Node {
            id: node.id,
            spec: node.spec,
            mode: node.mode,
            lost: node.lost,
            last_report: node.last_report,
            history: node.history.into(),
            bounds: node.bounds.map(Arc::new),
            held_back: HeldBack::default(),
            lent: Resources::default(),
            noticed: 0,
            devices: GpuDevices::default(),
            site: SiteId::default(),
            allocations: Vec::new(),
            created: node.created,
            revision: node.revision,
        });
        Ok(())
    }

    /// Adds a tenant.
    pub fn tenant(&mut self, tenant: RestoredTenant) -> Result<(), RestoreError> {
        if self.state.tenant(tenant.id).is_some() || tenant.id >= self.state.next_tenant {
            return Err(RestoreError::BadId { kind: "tenant", id: tenant.id.0.into() });
        }
        self.state.insert_tenant(Tenant {
            id: tenant.id,
            spec: Arc::new(tenant.spec),
            usage: Usage::default(),
            below: Usage::default(),
            parent: None,
            children: Default::default(),
            jobs: JobIds::default(),
            unfinished_jobs: 0,
            spending: tenant.spending,
            budget_level: tenant.budget_level,
            quota_low: tenant.quota_low,
            created: tenant.created,
            revision: tenant.revision,
        });
        Ok(())
    }

    /// Adds a job.
    pub fn job(&mut self, job: RestoredJob) -> Result<(), RestoreError> {
        if self.state.tenant(job.tenant).is_none() {
            return Err(RestoreError::NoTenant(job.id));
        }
        if self.state.job(job.id).is_some() || job.id >= self.state.next_job {
            return Err(RestoreError::BadId { kind: "job", id: job.id.0 });
        }
        if job.spec.request.checked_mul(job.tasks.len() as u64).is_none() {
            return Err(RestoreError::Overflow(job.id));
        }
        let mut counts = TaskCounts::default();
        let mut first_pending = None;
        for (index, task) in (0..).zip(&job.tasks) {
            match task.phase {
                TaskPhase::Pending | TaskPhase::Placed(_) => {
                    first_pending.get_or_insert(index);
                    counts.pending += 1;
                }
                TaskPhase::Delayed => counts.delayed += 1,
                TaskPhase::Ended(end) => *counter(&mut counts, end) += 1,
            }
        }
        self.state.insert_job(Job {
            id: job.id,
            tenant: job.tenant,
            name: job.name,
            spec: job.spec,
            tasks: job.tasks.into_iter().collect(),
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
        let known = at.id < self.state.next_allocation && Tasks::can_name(at.id);
        if !known || self.state.allocation(at.id).is_some() {
            return Err(RestoreError::BadId { kind: "allocation", id: at.id.0 });
        }
        let node = self.state.node(at.node).ok_or(RestoreError::NoNode(at.id))?;
        let job = self.state.job(at.job).ok_or(RestoreError::NoTask(at.id))?;
        let free = Task { phase: TaskPhase::Pending, attempts: allocation.attempt };
        if job.tasks.get(at.task) != Some(free) {
            return Err(RestoreError::NoTask(at.id));
        }
        if !node.devices.can_hold(allocation.devices, job.spec.request.gpu_millis) {
            return Err(RestoreError::NoDevice(at.id));
        }
        let RestoredAllocation { devices, placed, started, notice, .. } = allocation;
        let mut allocation = Allocation::new(at, devices, placed);
        allocation.notice = notice;
        if let Some(started) = started {
            allocation.start(started);
        }
        self.state.insert_allocation(allocation);
        Ok(())
    }

    /// Adds what a task of a job with a retry policy has been through.
    pub fn tries(&mut self, job: JobId, task: TaskIndex, tries: Tries) -> Result<(), RestoreError> {
        let found = self.state.job(job).filter(|job| job.spec.retry().is_some());
        let phase = found.and_then(|job| job.tasks.get(task)).map(|task| task.phase);
        let unfinished = phase.is_some_and(|phase| !matches!(phase, TaskPhase::Ended(_)));
        if !unfinished || self.state.tries.insert((job, task), tries).is_some() {
            return Err(RestoreError::BadTries(job));
        }
        Ok(())
    }

    /// Tells what a tenant itself and those below it held of late.
    pub fn decayed(&mut self, id: TenantId, decayed: [Decayed; 2]) -> Result<(), RestoreError> {
        if self.state.tenant(id).is_none() || self.decayed.insert(id, decayed).is_some() {
            return Err(RestoreError::BadId { kind: "share of tenant", id: id.0.into() });
        }
        Ok(())
    }

    /// Tells for whom an allocation is being preempted.
    pub fn preemptor(&mut self, id: AllocationId, by: Arc<Preemptor>) -> Result<(), RestoreError> {
        if self.state.allocation(id).is_none() {
            return Err(RestoreError::BadId { kind: "preempted allocation", id: id.0 });
        }
        self.state.preemptors.insert(id, by);
        Ok(())
    }

    /// Tells for whom a task of a job was last preempted.
    pub fn preempted(
        &mut self,
        id: JobId,
        by: Arc<Preemptor>,
        when: Time,
    ) -> Result<(), RestoreError> {
        if self.state.job(id).is_none() {
            return Err(RestoreError::BadId { kind: "preempted job", id: id.0 });
        }
        self.state.preempted.insert(id, (by, when));
        Ok(())
    }

    /// Adds what is planned for a job.
    pub fn planned(&mut self, job: JobId, planned: PlannedStart) -> Result<(), RestoreError> {
        let known = self.state.job(job).is_some()
            && planned.nodes().all(|node| self.state.node(node).is_some());
        if !known || self.state.planned_start(job).is_some() {
            return Err(RestoreError::BadPlan(job));
        }
        self.state.plan_start(job, planned);
        Ok(())
    }

    /// Sets what tenants ask for.
    pub fn profile(&mut self, profile: Profile) {
        self.state.profile = Arc::new(profile);
    }

    /// Sets how long tasks ran, and what was quoted.
    pub fn quotes(&mut self, run_times: RunTimes, quotes: Quotes) {
        self.state.run_times = run_times;
        self.state.quotes = quotes;
    }

    /// Adds a remembered answer.
    pub fn request(&mut self, id: &Arc<str>, remembered: Remembered) {
        self.state.requests.add(id, remembered);
    }

    /// The state.
    pub fn finish(mut self) -> Result<State, RestoreError> {
        let jobs: Vec<JobId> = self.state.jobs_from(JobId(0)).map(|job| job.id).collect();
        for job in jobs {
            self.state.settle_placed(job);
            self.state.await_jobs(job);
        }
        self.state.settle_moves();
        self.state.settle_tenants().map_err(RestoreError::BadParent)?;
        self.state.settle_shares(|id| self.decayed.get(&id).copied());
        Ok(self.state)
    }
}
