use prost::{Message, Oneof};

use super::{
    AllTries, Bounds, Constraints, DemandFactors, JobSpec, JobTotals, LedgerHead, LedgerRows,
    NodeSpec, OwnerSpec, PlannedStart, Policy, Preemptor, PriceBooks, Quotes, RequestRemembered,
    ResourceColumns, Resources, RunTimes, Scorecard, Spending, TenantSpec, Windows,
};

/// One piece of a checkpoint.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Entry {
    #[prost(
        oneof = "EntryKind",
        tags = "1, 2, 3, 4, 5, 6, 7, 8, 12, 13, 15, 16, 17, 18, 19, 20, 21, 23, 24, 25"
    )]
    pub(crate) kind: Option<EntryKind>,
}

/// In the order in which they must come.
#[derive(Clone, PartialEq, Oneof)]
pub(crate) enum EntryKind {
    #[prost(message, tag = "1")]
    Header(Header),
    #[prost(message, tag = "15")]
    Ledger(LedgerHead),
    #[prost(message, tag = "16")]
    LedgerRows(LedgerRows),
    #[prost(message, tag = "17")]
    JobTotals(JobTotals),
    #[prost(message, tag = "18")]
    PriceBooks(PriceBooks),
    #[prost(message, tag = "25")]
    DemandFactors(DemandFactors),
    #[prost(message, tag = "8")]
    Owners(Owners),
    #[prost(message, tag = "2")]
    Nodes(Nodes),
    #[prost(message, tag = "3")]
    Tenants(Tenants),
    #[prost(message, tag = "4")]
    Jobs(Jobs),
    #[prost(message, tag = "5")]
    Allocations(Allocations),
    #[prost(message, tag = "21")]
    Tries(AllTries),
    #[prost(message, tag = "19")]
    Shares(Shares),
    #[prost(message, tag = "20")]
    Preemptions(Preemptions),
    #[prost(message, tag = "13")]
    PlannedStarts(PlannedStarts),
    #[prost(message, tag = "7")]
    Demand(Demand),
    #[prost(message, tag = "23")]
    RunTimes(RunTimes),
    #[prost(message, tag = "24")]
    Quotes(Quotes),
    #[prost(message, tag = "6")]
    Requests(Requests),
    /// A piece of what a forecaster learned.
    #[prost(bytes = "vec", tag = "12")]
    Learned(Vec<u8>),
}

/// What is not an object, and how many objects follow.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Header {
    #[prost(uint32, tag = "1")]
    pub(crate) version: u32,
    #[prost(uint64, tag = "2")]
    pub(crate) revision: u64,
    #[prost(uint64, tag = "3")]
    pub(crate) now: u64,
    #[prost(message, required, tag = "4")]
    pub(crate) policy: Policy,
    #[prost(uint32, tag = "5")]
    pub(crate) next_node: u32,
    #[prost(uint32, tag = "6")]
    pub(crate) next_tenant: u32,
    #[prost(uint64, tag = "7")]
    pub(crate) next_job: u64,
    #[prost(uint64, tag = "8")]
    pub(crate) next_allocation: u64,
    #[prost(uint64, tag = "9")]
    pub(crate) nodes: u64,
    #[prost(uint64, tag = "10")]
    pub(crate) tenants: u64,
    #[prost(uint64, tag = "11")]
    pub(crate) jobs: u64,
    #[prost(uint64, tag = "12")]
    pub(crate) allocations: u64,
    #[prost(uint64, tag = "13")]
    pub(crate) requests: u64,
    /// Absent, as its entries are, in checkpoints of releases that did not know what is asked for.
    #[prost(uint64, tag = "14")]
    pub(crate) task_kinds: u64,
    /// Tasks seen since the weights of their kinds last shrank.
    #[prost(uint64, tag = "15")]
    pub(crate) tasks_seen: u64,
    /// Absent in checkpoints of releases that did not know of owners.
    #[prost(uint64, tag = "16")]
    pub(crate) owners: u64,
    /// Absent, as the two that follow, in checkpoints of releases whose shares remembered nothing.
    #[prost(uint64, tag = "20")]
    pub(crate) shares: u64,
    /// Allocations that are being preempted.
    #[prost(uint64, tag = "21")]
    pub(crate) preemptors: u64,
    /// Jobs of which something was preempted.
    #[prost(uint64, tag = "22")]
    pub(crate) preempted: u64,
    /// Kinds of jobs of which it is known how long their tasks run. Absent, as what follows, in checkpoints of releases
    /// that quoted nothing.
    #[prost(uint64, tag = "23")]
    pub(crate) run_times: u64,
    /// Quotes ever made.
    #[prost(uint64, tag = "24")]
    pub(crate) quotes: u64,
    /// Tasks that have been through something. Absent, as the two that follow, in checkpoints of releases that did not
    /// count them: whatever comes is taken.
    #[prost(uint64, optional, tag = "25")]
    pub(crate) tries: Option<u64>,
    #[prost(uint64, optional, tag = "26")]
    pub(crate) planned_starts: Option<u64>,
    /// What the ledger's head tells of, all together.
    #[prost(uint64, optional, tag = "27")]
    pub(crate) ledger: Option<u64>,
    /// What the tasks seen asked for: thousandths of cores, bytes of memory, thousandths of GPUs. Absent in checkpoints of
    /// releases that only counted tasks.
    #[prost(uint64, repeated, tag = "28")]
    pub(crate) asked_by_seen: Vec<u64>,
}

/// Starts that lie ahead, in the order of their jobs' ids.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct PlannedStarts {
    #[prost(message, repeated, tag = "1")]
    pub(crate) starts: Vec<PlannedStart>,
}

/// Owners of whom something was asked.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Owners {
    #[prost(message, repeated, tag = "1")]
    pub(crate) owners: Vec<Owner>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Owner {
    #[prost(message, required, tag = "1")]
    pub(crate) spec: OwnerSpec,
    #[prost(message, required, tag = "2")]
    pub(crate) windows: Windows,
    #[prost(uint64, tag = "3")]
    pub(crate) turned: u64,
    #[prost(uint64, tag = "4")]
    pub(crate) revision: u64,
    #[prost(uint32, tag = "5")]
    pub(crate) curbed_quarters: u32,
    #[prost(message, repeated, tag = "6")]
    pub(crate) scorecards: Vec<Scorecard>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Nodes {
    #[prost(message, repeated, tag = "1")]
    pub(crate) nodes: Vec<Node>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Node {
    #[prost(uint32, tag = "1")]
    pub(crate) id: u32,
    #[prost(message, required, tag = "2")]
    pub(crate) spec: NodeSpec,
    #[prost(uint32, tag = "3")]
    pub(crate) mode: u32,
    /// Of a node that is drained.
    #[prost(uint64, tag = "4")]
    pub(crate) deadline: u64,
    #[prost(bool, tag = "5")]
    pub(crate) lost: bool,
    #[prost(uint64, tag = "6")]
    pub(crate) last_report: u64,
    /// Absent without telemetry.
    #[prost(message, optional, tag = "7")]
    pub(crate) history: Option<Loads>,
    #[prost(uint64, tag = "8")]
    pub(crate) created: u64,
    #[prost(uint64, tag = "9")]
    pub(crate) revision: u64,
    /// Absent before a forecaster has learned enough.
    #[prost(message, optional, tag = "12")]
    pub(crate) bounds: Option<Bounds>,
}

/// What the owner used: the newest sample, if there is one, and then the hours.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Loads {
    #[prost(uint64, optional, tag = "1")]
    pub(crate) newest: Option<u64>,
    /// Differences to the hour before.
    #[prost(sint64, repeated, tag = "2")]
    pub(crate) hours: Vec<i64>,
    #[prost(message, required, tag = "3")]
    pub(crate) loads: ResourceColumns,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Tenants {
    #[prost(message, repeated, tag = "1")]
    pub(crate) tenants: Vec<Tenant>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Tenant {
    #[prost(uint32, tag = "1")]
    pub(crate) id: u32,
    #[prost(message, required, tag = "2")]
    pub(crate) spec: TenantSpec,
    #[prost(uint64, tag = "3")]
    pub(crate) created: u64,
    #[prost(uint64, tag = "4")]
    pub(crate) revision: u64,
    /// Of a tenant that has a budget.
    #[prost(message, optional, tag = "5")]
    pub(crate) spending: Option<Spending>,
    #[prost(uint32, tag = "6")]
    pub(crate) budget_level: u32,
    #[prost(bool, tag = "7")]
    pub(crate) quota_low: bool,
}

/// What tenants held of late.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Shares {
    #[prost(message, repeated, tag = "1")]
    pub(crate) shares: Vec<Share>,
}

/// What a tenant held of late, and what those below it did.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Share {
    #[prost(uint32, tag = "1")]
    pub(crate) tenant: u32,
    #[prost(message, required, tag = "2")]
    pub(crate) own: Decayed,
    #[prost(message, required, tag = "3")]
    pub(crate) below: Decayed,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Decayed {
    #[prost(uint64, tag = "1")]
    pub(crate) as_of: u64,
    /// Whole units of each resource; CPU, memory, disk, network and GPUs.
    #[prost(uint64, repeated, tag = "2")]
    pub(crate) whole: Vec<u64>,
    /// And 2^-32 parts of a unit.
    #[prost(fixed32, repeated, tag = "3")]
    pub(crate) parts: Vec<u32>,
}

/// Who is being preempted and was, and for whom.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Preemptions {
    #[prost(message, repeated, tag = "1")]
    pub(crate) preemptions: Vec<Preemption>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Preemption {
    /// An allocation that is being preempted, or with a time a job of which a task was.
    #[prost(uint64, tag = "1")]
    pub(crate) id: u64,
    #[prost(uint64, optional, tag = "2")]
    pub(crate) when: Option<u64>,
    #[prost(message, required, tag = "3")]
    pub(crate) by: Preemptor,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Jobs {
    #[prost(message, repeated, tag = "1")]
    pub(crate) jobs: Vec<Job>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Job {
    #[prost(uint64, tag = "1")]
    pub(crate) id: u64,
    #[prost(uint32, tag = "2")]
    pub(crate) tenant: u32,
    #[prost(string, tag = "3")]
    pub(crate) name: String,
    #[prost(message, required, tag = "4")]
    pub(crate) spec: JobSpec,
    /// Runs of like tasks: how many, how often placed, how ended (0: not, 100: not and delayed), and so on. Placed tasks
    /// stand as pending.
    #[prost(uint32, repeated, tag = "5")]
    pub(crate) tasks: Vec<u32>,
    #[prost(uint64, tag = "6")]
    pub(crate) evictions: u64,
    #[prost(uint64, tag = "7")]
    pub(crate) created: u64,
    #[prost(uint64, optional, tag = "8")]
    pub(crate) ended: Option<u64>,
    /// Of an ended job.
    #[prost(uint32, tag = "9")]
    pub(crate) state: u32,
    #[prost(uint64, tag = "10")]
    pub(crate) revision: u64,
}

/// Live allocations as columns. Ids, jobs, tasks, nodes and times are differences to the row before.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Allocations {
    #[prost(sint64, repeated, tag = "1")]
    pub(crate) ids: Vec<i64>,
    #[prost(sint64, repeated, tag = "2")]
    pub(crate) jobs: Vec<i64>,
    #[prost(sint64, repeated, tag = "3")]
    pub(crate) tasks: Vec<i64>,
    #[prost(sint64, repeated, tag = "4")]
    pub(crate) nodes: Vec<i64>,
    #[prost(uint32, repeated, tag = "5")]
    pub(crate) attempts: Vec<u32>,
    #[prost(uint64, repeated, tag = "6")]
    pub(crate) devices: Vec<u64>,
    #[prost(sint64, repeated, tag = "7")]
    pub(crate) placed: Vec<i64>,
    /// Rows that have started, each a difference to the one before.
    #[prost(sint64, repeated, tag = "8")]
    pub(crate) started_rows: Vec<i64>,
    /// When they did.
    #[prost(sint64, repeated, tag = "9")]
    pub(crate) started: Vec<i64>,
    /// Rows under notice, each a difference to the one before.
    #[prost(sint64, repeated, tag = "10")]
    pub(crate) notice_rows: Vec<i64>,
    /// Why.
    #[prost(uint32, repeated, tag = "11")]
    pub(crate) notice_reasons: Vec<u32>,
    /// When.
    #[prost(sint64, repeated, tag = "12")]
    pub(crate) notice_deadlines: Vec<i64>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Requests {
    #[prost(message, repeated, tag = "1")]
    pub(crate) requests: Vec<Remembered>,
}

/// A remembered answer.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Remembered {
    #[prost(message, required, tag = "1")]
    pub(crate) request: RequestRemembered,
    #[prost(uint64, tag = "2")]
    pub(crate) revision: u64,
    #[prost(uint64, tag = "3")]
    pub(crate) time: u64,
}

/// What tenants ask for; a kind's weight means something beside the others only.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Demand {
    #[prost(message, repeated, tag = "1")]
    pub(crate) kinds: Vec<TaskKind>,
}

/// A kind of tasks and how often it was asked for.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct TaskKind {
    #[prost(message, required, tag = "1")]
    pub(crate) request: Resources,
    /// Absent when there are none.
    #[prost(message, optional, tag = "2")]
    pub(crate) constraints: Option<Constraints>,
    #[prost(uint64, tag = "3")]
    pub(crate) weight: u64,
    /// The place of its horizon among all, the shortest first.
    #[prost(uint32, tag = "4")]
    pub(crate) horizon: u32,
}
