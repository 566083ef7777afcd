//! Committed facts. Applying one cannot fail; the log is made of them, and so is the watch stream.

use std::sync::Arc;

use crate::{
    command::Outcome,
    model::{
        Allocation, AllocationId, AllocationRef, BudgetLevel, Curb, DeviceSet, Early,
        EvictionReason, JobId, JobSpec, JobState, LoadSample, Name, NodeBounds, NodeId, NodeMode,
        NodeSpec, Notice, OwnerSpec, PlannedStart, Policy, Preemptor, PriceBook, Quote, Revision,
        TaskEnd, TaskIndex, TenantId, TenantSpec, Time, Windows,
    },
};

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The cell's settings changed.
    PolicyChanged(Policy),
    /// A node joined.
    NodeRegistered {
        /// The next free id.
        id: NodeId,
        /// What was registered.
        spec: Arc<NodeSpec>,
    },
    /// A node's description changed.
    NodeUpdated {
        /// The node.
        id: NodeId,
        /// Its whole new description.
        spec: Arc<NodeSpec>,
    },
    /// What is wanted of a node changed.
    NodeModeChanged {
        /// The node.
        id: NodeId,
        /// From now on.
        mode: NodeMode,
        /// Whether it is lost all the while.
        lost: bool,
    },
    /// A node has not reported within its time.
    NodeLost {
        /// The node.
        id: NodeId,
    },
    /// A lost node reported again.
    NodeFound {
        /// The node.
        id: NodeId,
        /// What is wanted of it, as before.
        mode: NodeMode,
    },
    /// A node left.
    NodeRemoved {
        /// The node.
        id: NodeId,
        /// What it was called.
        name: Name,
        /// Where it was.
        region: Name,
    },
    /// Owners' load, each sample newer than the last one of its node.
    LoadReported {
        /// In the order reported.
        samples: Vec<LoadSample>,
    },
    /// An owner's description changed.
    OwnerUpdated {
        /// Its whole new description.
        spec: Arc<OwnerSpec>,
        /// Its calendar as stretches of time.
        windows: Arc<Windows>,
    },
    /// The cell looked further ahead in an owner's calendar.
    WindowsRenewed {
        /// Whose.
        owner: Name,
        /// From now on.
        windows: Arc<Windows>,
    },
    /// What an owner's windows hold back over some horizon has changed, because time went on.
    OwnerTurned {
        /// The owner.
        owner: Name,
    },
    /// More or less of an owner's risk is taken, because more or less of its shortfall budget is spent.
    RiskCurbed {
        /// The owner.
        owner: Name,
        /// From now on.
        curb: Curb,
    },
    /// A forecaster bounded what owners will use.
    ForecastMade {
        /// Ascending by node.
        bounds: Vec<NodeBounds>,
    },
    /// Prices changed, for what is placed from a time on.
    PriceBookChanged {
        /// From when on.
        since: Time,
        /// The whole new book.
        book: Arc<PriceBook>,
    },
    /// Demand made a region dearer or cheaper, for what is placed from a time on.
    DemandPriced {
        /// From when on.
        since: Time,
        /// Where; may be empty.
        region: Name,
        /// What is paid, in thousandths of what would be paid else.
        factor_permille: u32,
        /// How much was lent of what could be, in thousandths; none if prices ceased to follow demand.
        lent_permille: Option<u32>,
    },
    /// A tenant reached a limit of its budget, or is below it again.
    BudgetTurned {
        /// The tenant.
        tenant: TenantId,
        /// How far it has come.
        level: BudgetLevel,
        /// What it has spent in the period, in millionths of the currency's unit.
        spent: u64,
    },
    /// Little of a tenant's quota is left, or enough again.
    QuotaTurned {
        /// The tenant.
        tenant: TenantId,
        /// Whether little is.
        low: bool,
        /// The greatest part of a limit that is asked for, in thousandths.
        used_permille: u32,
    },
    /// A tenant joined.
    TenantCreated {
        /// The next free id.
        id: TenantId,
        /// What was asked for.
        spec: Arc<TenantSpec>,
    },
    /// A tenant's description changed.
    TenantUpdated {
        /// The tenant.
        id: TenantId,
        /// Its whole new description.
        spec: Arc<TenantSpec>,
    },
    /// A tenant left.
    TenantDeleted {
        /// The tenant.
        id: TenantId,
        /// What it was called.
        name: Name,
    },
    /// A job was taken on; all its tasks are pending.
    JobSubmitted {
        /// The next free id.
        id: JobId,
        /// Whose it is.
        tenant: TenantId,
        /// What it is called.
        name: Name,
        /// What was asked for.
        spec: Arc<JobSpec>,
    },
    /// A job's count changed. Tasks that are cut off have ended before.
    JobResized {
        /// The job.
        id: JobId,
        /// Its new count.
        count: u32,
    },
    /// A job's description changed, its count aside.
    JobUpdated {
        /// The job.
        id: JobId,
        /// Its whole new description, with the count as it is.
        spec: Arc<JobSpec>,
    },
    /// Pending tasks of one job do not wait for a place until the jobs have ended that theirs waits for.
    TasksDelayed {
        /// The job.
        job: JobId,
        /// The first of them.
        first: TaskIndex,
        /// How many, consecutive.
        count: u32,
    },
    /// Delayed tasks of one job are pending.
    TasksResumed {
        /// The job.
        job: JobId,
        /// The first of them.
        first: TaskIndex,
        /// How many, consecutive.
        count: u32,
    },
    /// A placed task failed and its allocation ended; the task is tried again.
    TaskDelayed {
        /// Its allocation.
        at: AllocationRef,
        /// How it failed.
        end: TaskEnd,
        /// For people; empty unless reported.
        message: Arc<str>,
        /// When it is pending again.
        until: Time,
    },
    /// Pending tasks of one job were placed.
    TasksPlaced {
        /// The job.
        job: JobId,
        /// Ascending by task.
        placements: Vec<Placement>,
    },
    /// A placed task was reported as started.
    TaskStarted {
        /// Its allocation.
        at: AllocationRef,
    },
    /// A placed task ended and its allocation with it.
    TaskEnded {
        /// Its allocation.
        at: AllocationRef,
        /// How.
        end: TaskEnd,
        /// For people; empty unless reported.
        message: Arc<str>,
    },
    /// Pending tasks of one job ended, or delayed ones.
    TasksDropped {
        /// The job.
        job: JobId,
        /// The first of them.
        first: TaskIndex,
        /// How many, consecutive.
        count: u32,
        /// Whether they were delayed.
        delayed: bool,
        /// How.
        end: TaskEnd,
    },
    /// The forecast turned: the owner is likely to want the room before long. Nothing is announced yet.
    AdvisoryGiven {
        /// To this allocation.
        at: AllocationRef,
        /// By when the owner may want it.
        expected_by: Time,
    },
    /// An eviction was announced.
    NoticeGiven {
        /// Of this allocation.
        at: AllocationRef,
        /// Why and when.
        notice: Notice,
        /// For whom, if it is preempted.
        by: Option<Arc<Preemptor>>,
    },
    /// An announced eviction was called off.
    NoticeWithdrawn {
        /// Of this allocation.
        at: AllocationRef,
    },
    /// An allocation was taken back and its task is pending again.
    TaskEvicted {
        /// The allocation.
        at: AllocationRef,
        /// Why.
        reason: EvictionReason,
        /// How it came to go before its notice ended, if it did.
        early: Option<Early>,
    },
    /// The last task of a job ended.
    JobEnded {
        /// The job.
        id: JobId,
        /// How.
        state: JobState,
    },
    /// Pending tasks of a job are to start, or are to start elsewhere or at another time than was planned.
    StartPlanned {
        /// The job.
        job: JobId,
        /// When and where.
        planned: PlannedStart,
    },
    /// What was planned for a job's pending tasks cannot be, and nothing else is planned for them.
    StartUnplanned {
        /// The job.
        job: JobId,
    },
    /// Jobs that wait were told when they would start.
    JobsQuoted {
        /// Ascending by job.
        quotes: Vec<(JobId, Quote)>,
    },
    /// An ended job is no longer kept.
    JobForgotten {
        /// The job.
        id: JobId,
        /// Whose it was.
        tenant: Name,
        /// What it was called.
        name: Name,
    },
    /// The answer to a request id, kept for retries.
    RequestRemembered {
        /// The request id.
        id: Arc<str>,
        /// Of the request's body.
        fingerprint: u128,
        /// The answer.
        outcome: Outcome,
    },
    /// Answers given up to this revision are no longer kept.
    RequestsForgotten {
        /// Inclusive.
        through: Revision,
    },
}

/// Tasks `task .. task + count` on one node, with the allocations `allocation ..` in the same order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placement {
    /// The first task.
    pub task: TaskIndex,
    /// How many tasks; 1 when devices are held.
    pub count: u32,
    /// The node.
    pub node: NodeId,
    /// The first task's allocation.
    pub allocation: AllocationId,
    /// What the one task holds.
    pub devices: DeviceSet,
    /// Why there.
    pub reason: PlacementReason,
}

/// Why a task was placed on just that node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PlacementReason {
    /// Not on record: an older server placed it.
    #[default]
    Unknown,
    /// Room was kept there for tasks like it.
    Kept,
    /// Of the nodes with room beside what is kept, it leaves the least there.
    Tightest,
    /// There was room only where it is kept for other tasks to come.
    LastRoom,
    /// The best of the nodes that keep it apart from its job's other tasks.
    Spread,
    /// It was packed together with what came at the same time, on as few nodes as were found to do.
    Batch,
    /// Its start there was planned.
    Planned,
}

/// The events of some consecutive revisions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    /// One a revision, ascending without a gap.
    pub commits: Vec<Commit>,
    /// Of all commits, in order.
    pub events: Vec<Event>,
}

/// One committed command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Commit {
    /// Its number.
    pub revision: Revision,
    /// When it was decided.
    pub time: Time,
    /// Where its events end in the batch; they begin where those of the commit before end.
    pub end: usize,
}

impl Event {
    /// That an allocation is taken back: its task is pending again, unless its job was cancelled.
    #[must_use]
    pub fn taken_back(
        allocation: &Allocation,
        reason: EvictionReason,
        early: Option<Early>,
    ) -> Self {
        let at = allocation.at;
        if allocation.is_cancelled() {
            return Self::TaskEnded { at, end: TaskEnd::Cancelled, message: Arc::default() };
        }
        Self::TaskEvicted { at, reason, early }
    }

    /// The owner whose description or windows it changes.
    #[must_use]
    pub fn owner(&self) -> Option<&Name> {
        match self {
            Self::OwnerUpdated { spec, .. } => Some(&spec.name),
            Self::WindowsRenewed { owner, .. }
            | Self::OwnerTurned { owner }
            | Self::RiskCurbed { owner, .. } => Some(owner),
            _ => None,
        }
    }
}

impl Batch {
    /// Each commit with its events.
    pub fn iter(&self) -> impl Iterator<Item = (&Commit, &[Event])> {
        let mut begin = 0;
        self.commits.iter().map(move |commit| {
            let events = &self.events[begin..commit.end];
            begin = commit.end;
            (commit, events)
        })
    }

    /// The first and the last revision, unless it is empty.
    #[must_use]
    pub fn revisions(&self) -> Option<(Revision, Revision)> {
        Some((self.commits.first()?.revision, self.commits.last()?.revision))
    }
}
