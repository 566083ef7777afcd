//! Validated intents. A command may still be refused, with a Rejection.

use std::sync::Arc;

use crate::model::{
    AllocationId, Annotations, CalendarEntry, JobId, JobSpec, Labels, Millis, Name, NodeSpec,
    OnNotice, Priority, Quota, Resources, Revision, Risk, Taint, Time, Windows,
};

/// A command and how it was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// What is wanted.
    pub command: Command,
    /// Remembers the answer for retries.
    pub request_id: Option<RequestId>,
    /// Answer as if, change nothing.
    pub validate_only: bool,
}

/// What makes a retry safe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestId {
    /// Chosen by the client.
    pub id: Arc<str>,
    /// Of the request's body: another body under the same id is refused.
    pub fingerprint: u128,
}

/// What is wanted. What is large and rare is boxed, since requests wait in long queues.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Register nodes, all or none.
    RegisterNodes(Vec<NodeSpec>),
    /// Change a node's description.
    UpdateNode {
        /// Which and when.
        target: Target,
        /// What to change.
        patch: Box<NodePatch>,
    },
    /// Take no new tasks.
    CordonNode(Target),
    /// Take tasks again.
    UncordonNode(Target),
    /// Take no new tasks and evict the others after `grace`.
    DrainNode {
        /// Which and when.
        target: Target,
        /// `None`: the cell's default notice.
        grace: Option<Millis>,
    },
    /// Remove a node.
    RemoveNode {
        /// Which and when.
        target: Target,
        /// Evict what runs at once.
        force: bool,
    },
    /// Change an owner's description, or describe one that no node names yet.
    UpdateOwner {
        /// Which and when.
        target: Target,
        /// What to change.
        patch: Box<OwnerPatch>,
    },
    /// Look further ahead in an owner's calendar.
    RenewWindows {
        /// Whose.
        owner: Name,
        /// The revision of the description that they were worked out from; they are void if it has changed.
        of: Revision,
        /// From now on.
        windows: Windows,
    },
    /// Report owners' load.
    ReportLoad(Vec<LoadReport>),
    /// Bound what owners will use, as a forecaster found.
    Forecast(Vec<crate::model::NodeBounds>),
    /// Change prices.
    SetPriceBook {
        /// The whole new book.
        book: Box<crate::model::PriceBook>,
        /// The book in force must be of this revision.
        expected: Option<Revision>,
    },
    /// Keep what a look ahead told of jobs that wait. Of one that waits no more, or was quoted before, nothing is kept.
    Quote(Vec<(JobId, crate::model::Quote)>),
    /// Create a tenant.
    CreateTenant(Box<crate::model::TenantSpec>),
    /// Change a tenant's description.
    UpdateTenant {
        /// Which and when.
        target: Target,
        /// What to change.
        patch: Box<TenantPatch>,
    },
    /// Delete a tenant without unfinished jobs.
    DeleteTenant(Target),
    /// Take on a job.
    SubmitJob {
        /// Whose.
        tenant: Name,
        /// Empty: the cell chooses.
        name: Name,
        /// What.
        spec: Arc<JobSpec>,
    },
    /// Change a job's description.
    UpdateJob {
        /// Whose.
        tenant: Name,
        /// Which and when.
        target: Target,
        /// What to change.
        patch: Box<JobPatch>,
    },
    /// End every unfinished task of a job.
    CancelJob {
        /// Whose.
        tenant: Name,
        /// Which and when.
        target: Target,
        /// How long its placed tasks may go on; `None`: not at all.
        grace: Option<Millis>,
    },
    /// Report on tasks.
    ReportTasks(Vec<TaskReport>),
    /// Set the cell's policy.
    SetPolicy(crate::model::Policy),
    /// Keep room for tasks to come, as a planner found best. Changes nothing that is committed.
    Promise(crate::planner::Promises),
}

/// An object by name, at a known revision if one is given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The object.
    pub name: Name,
    /// It must still be at this revision.
    pub expected: Option<Revision>,
}

/// What to change of a node; `None` stays.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "as in NodeSpec")]
pub struct NodePatch {
    pub owner: Option<Name>,
    pub region: Option<Name>,
    pub zone: Option<Name>,
    pub labels: Option<Labels>,
    pub taints: Option<Vec<Taint>>,
    pub capacity: Option<Resources>,
    pub gpu_model: Option<Name>,
    pub reservation: Option<Resources>,
    pub report_ttl: Option<Option<Millis>>,
    pub annotations: Option<Annotations>,
}

/// What to change of an owner; `None` stays.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OwnerPatch {
    /// As in `OwnerSpec`.
    pub risk: Option<Risk>,
    /// The new budget, or none.
    pub shortfall_budget: Option<Option<Millis>>,
    /// The whole calendar, and its entries as stretches of time.
    pub calendar: Option<(Vec<CalendarEntry>, Windows)>,
    /// As in `OwnerSpec`.
    pub labels: Option<Labels>,
    /// As in `OwnerSpec`.
    pub annotations: Option<Annotations>,
}

/// What to change of a tenant; `None` stays.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "as in TenantSpec")]
pub struct TenantPatch {
    pub parent: Option<Name>,
    pub guarantee: Option<Resources>,
    pub quota: Option<Quota>,
    pub weight: Option<u32>,
    pub priority_ceiling: Option<Priority>,
    pub labels: Option<Labels>,
    pub budget: Option<crate::model::Budget>,
    pub annotations: Option<Annotations>,
}

/// What to change of a job; `None` stays.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "as in JobSpec")]
pub struct JobPatch {
    pub count: Option<u32>,
    pub priority: Option<Priority>,
    pub max_runtime: Option<Option<Millis>>,
    pub on_notice: Option<OnNotice>,
    pub labels: Option<Labels>,
    pub annotations: Option<Annotations>,
}

/// What an owner uses on a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadReport {
    /// The node.
    pub node: Name,
    /// `None`: now.
    pub time: Option<Time>,
    /// How much.
    pub load: Resources,
}

/// What became of a placed task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskReport {
    /// Its allocation.
    pub allocation: AllocationId,
    /// What became of it.
    pub outcome: TaskOutcome,
    /// For people.
    pub message: Arc<str>,
}

/// What became of a placed task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TaskOutcome {
    /// It runs.
    Started,
    /// It ended well.
    Succeeded,
    /// It ended otherwise.
    Failed,
    /// It is under notice, has saved its work and may go now.
    Released,
}

/// The answer to an accepted command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Of the command, or the newest one if nothing had to change.
    pub revision: Revision,
    /// What else there is to say.
    pub detail: Detail,
}

/// What else there is to say of an accepted command.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Detail {
    /// Nothing.
    #[default]
    Done,
    /// The job taken on.
    Job {
        /// Its id.
        id: JobId,
        /// Its name, chosen by the cell if it had none.
        name: Name,
    },
    /// How many allocations were given notice.
    Notices(u32),
    /// How many load samples were taken, and how many were not newer than what was known.
    Load {
        /// Taken.
        accepted: u64,
        /// Not newer.
        ignored: u64,
    },
    /// Reports on allocations that are not live.
    Ignored(Vec<AllocationId>),
}
