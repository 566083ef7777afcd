use prost::{Message, Oneof};

use super::{
    BudgetTurned, DemandPriced, JobSpec, NodeSpec, Outcome, OwnerSpec, Policy, Preemptor,
    PriceBook, Quotes, ResourceColumns, RiskCurbed, TenantSpec, Windows,
};

/// What happened.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Event {
    #[prost(
        oneof = "EventKind",
        tags = "1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 34, 35, 42, 43, 44, 45, 47, 48, 49, 50"
    )]
    pub(crate) kind: Option<EventKind>,
}

/// The numbers up to 15 take one byte: they stand for what happens most.
#[derive(Clone, PartialEq, Oneof)]
pub(crate) enum EventKind {
    #[prost(message, tag = "1")]
    JobSubmitted(JobSubmitted),
    #[prost(message, tag = "2")]
    TasksPlaced(TasksPlaced),
    #[prost(message, tag = "3")]
    TaskStarted(AllocationRef),
    #[prost(message, tag = "4")]
    TaskEnded(TaskEnded),
    #[prost(message, tag = "5")]
    JobEnded(JobEnded),
    #[prost(message, tag = "6")]
    JobForgotten(JobForgotten),
    #[prost(message, tag = "7")]
    RequestRemembered(RequestRemembered),
    #[prost(uint64, tag = "8")]
    RequestsForgotten(u64),
    #[prost(message, tag = "9")]
    NoticeGiven(NoticeGiven),
    #[prost(message, tag = "10")]
    NoticeWithdrawn(AllocationRef),
    #[prost(message, tag = "11")]
    TaskEvicted(TaskEvicted),
    #[prost(message, tag = "12")]
    TasksDropped(TasksDropped),
    #[prost(message, tag = "13")]
    LoadReported(Samples),
    #[prost(message, tag = "14")]
    NodeRegistered(NodeDescribed),
    #[prost(message, tag = "15")]
    JobResized(JobResized),
    #[prost(message, tag = "16")]
    NodeUpdated(NodeDescribed),
    #[prost(message, tag = "17")]
    NodeModeChanged(NodeModeChanged),
    #[prost(uint32, tag = "18")]
    NodeLost(u32),
    #[prost(message, tag = "19")]
    NodeFound(NodeModeChanged),
    #[prost(message, tag = "20")]
    NodeRemoved(Removed),
    #[prost(message, tag = "21")]
    TenantCreated(TenantDescribed),
    #[prost(message, tag = "22")]
    TenantUpdated(TenantDescribed),
    #[prost(message, tag = "23")]
    TenantDeleted(Removed),
    #[prost(message, tag = "24")]
    PolicyChanged(Policy),
    #[prost(message, tag = "25")]
    OwnerUpdated(OwnerDescribed),
    #[prost(message, tag = "26")]
    WindowsRenewed(WindowsRenewed),
    #[prost(string, tag = "27")]
    OwnerTurned(String),
    #[prost(message, tag = "28")]
    ForecastMade(ForecastMade),
    #[prost(message, tag = "29")]
    AdvisoryGiven(AdvisoryGiven),
    #[prost(message, tag = "30")]
    StartPlanned(PlannedStart),
    #[prost(uint64, tag = "31")]
    StartUnplanned(u64),
    #[prost(message, tag = "34")]
    PriceBookChanged(PriceBook),
    #[prost(message, tag = "35")]
    BudgetTurned(BudgetTurned),
    #[prost(message, tag = "42")]
    TaskDelayed(TaskDelayed),
    #[prost(message, tag = "43")]
    TasksResumed(Tasks),
    #[prost(message, tag = "44")]
    TasksDelayed(Tasks),
    #[prost(message, tag = "45")]
    JobUpdated(JobDescribed),
    #[prost(message, tag = "47")]
    RiskCurbed(RiskCurbed),
    #[prost(message, tag = "48")]
    JobsQuoted(Quotes),
    #[prost(message, tag = "49")]
    DemandPriced(DemandPriced),
    #[prost(message, tag = "50")]
    QuotaTurned(QuotaTurned),
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct QuotaTurned {
    #[prost(uint32, tag = "1")]
    pub(crate) tenant: u32,
    #[prost(bool, tag = "2")]
    pub(crate) low: bool,
    #[prost(uint32, tag = "3")]
    pub(crate) used_permille: u32,
}

/// Consecutive tasks of a job.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Tasks {
    #[prost(uint64, tag = "1")]
    pub(crate) job: u64,
    #[prost(uint32, tag = "2")]
    pub(crate) first: u32,
    #[prost(uint32, tag = "3")]
    pub(crate) count: u32,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct TaskDelayed {
    #[prost(message, required, tag = "1")]
    pub(crate) at: AllocationRef,
    #[prost(uint32, tag = "2")]
    pub(crate) end: u32,
    #[prost(string, tag = "3")]
    pub(crate) message: String,
    #[prost(uint64, tag = "4")]
    pub(crate) until: u64,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct JobDescribed {
    #[prost(uint64, tag = "1")]
    pub(crate) id: u64,
    #[prost(message, required, tag = "2")]
    pub(crate) spec: JobSpec,
}

/// When and where pending tasks of a job are to start.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct PlannedStart {
    #[prost(uint64, tag = "1")]
    pub(crate) job: u64,
    #[prost(uint64, tag = "2")]
    pub(crate) start: u64,
    #[prost(uint32, tag = "3")]
    pub(crate) node: u32,
    #[prost(uint32, tag = "4")]
    pub(crate) tasks: u32,
    /// Where else.
    #[prost(message, repeated, tag = "5")]
    pub(crate) more: Vec<StartPlace>,
}

#[derive(Clone, Copy, PartialEq, Message)]
pub(crate) struct StartPlace {
    #[prost(uint32, tag = "1")]
    pub(crate) node: u32,
    #[prost(uint32, tag = "2")]
    pub(crate) tasks: u32,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct AdvisoryGiven {
    #[prost(message, required, tag = "1")]
    pub(crate) at: AllocationRef,
    #[prost(uint64, tag = "2")]
    pub(crate) expected_by: u64,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct ForecastMade {
    #[prost(message, repeated, tag = "1")]
    pub(crate) bounds: Vec<NodeBounds>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct NodeBounds {
    #[prost(uint32, tag = "1")]
    pub(crate) node: u32,
    #[prost(message, required, tag = "2")]
    pub(crate) bounds: Bounds,
}

/// One a resource and horizon.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Bounds {
    /// Numbers of resources.
    #[prost(uint32, repeated, tag = "1")]
    pub(crate) dimensions: Vec<u32>,
    /// Of the countables among them.
    #[prost(string, repeated, tag = "2")]
    pub(crate) names: Vec<String>,
    /// Of each resource, the shortest horizon first.
    #[prost(uint32, repeated, tag = "3")]
    pub(crate) permille: Vec<u32>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct AllocationRef {
    #[prost(uint64, tag = "1")]
    pub(crate) id: u64,
    #[prost(uint64, tag = "2")]
    pub(crate) job: u64,
    #[prost(uint32, tag = "3")]
    pub(crate) task: u32,
    #[prost(uint32, tag = "4")]
    pub(crate) node: u32,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct NodeDescribed {
    #[prost(uint32, tag = "1")]
    pub(crate) id: u32,
    #[prost(message, required, tag = "2")]
    pub(crate) spec: NodeSpec,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct NodeModeChanged {
    #[prost(uint32, tag = "1")]
    pub(crate) id: u32,
    #[prost(uint32, tag = "2")]
    pub(crate) mode: u32,
    /// Of a node that is drained.
    #[prost(uint64, tag = "3")]
    pub(crate) deadline: u64,
    #[prost(bool, tag = "4")]
    pub(crate) lost: bool,
}

/// Of a node or a tenant.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Removed {
    #[prost(uint32, tag = "1")]
    pub(crate) id: u32,
    /// Absent when the names of the record tell it.
    #[prost(string, optional, tag = "2")]
    pub(crate) name: Option<String>,
    /// Of a node; absent as the name.
    #[prost(string, optional, tag = "3")]
    pub(crate) region: Option<String>,
}

/// Load samples as columns; nodes and times are differences to the row before.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Samples {
    #[prost(sint64, repeated, tag = "1")]
    pub(crate) nodes: Vec<i64>,
    #[prost(sint64, repeated, tag = "2")]
    pub(crate) times: Vec<i64>,
    #[prost(message, required, tag = "3")]
    pub(crate) loads: ResourceColumns,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct TenantDescribed {
    #[prost(uint32, tag = "1")]
    pub(crate) id: u32,
    #[prost(message, required, tag = "2")]
    pub(crate) spec: TenantSpec,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct JobSubmitted {
    #[prost(uint64, tag = "1")]
    pub(crate) id: u64,
    #[prost(uint32, tag = "2")]
    pub(crate) tenant: u32,
    /// Absent when the names of the record tell it.
    #[prost(string, optional, tag = "3")]
    pub(crate) name: Option<String>,
    #[prost(message, required, tag = "4")]
    pub(crate) spec: JobSpec,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct JobResized {
    #[prost(uint64, tag = "1")]
    pub(crate) id: u64,
    #[prost(uint32, tag = "2")]
    pub(crate) count: u32,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct TasksPlaced {
    #[prost(uint64, tag = "1")]
    pub(crate) job: u64,
    /// Per placement the numbers that `codec::runs` describes.
    #[prost(uint64, repeated, tag = "2")]
    pub(crate) runs: Vec<u64>,
    /// Why there: pairs of a reason and how many placements in a row have it. Empty: not on record.
    #[prost(uint32, repeated, tag = "3")]
    pub(crate) reasons: Vec<u32>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct TaskEnded {
    #[prost(message, required, tag = "1")]
    pub(crate) at: AllocationRef,
    #[prost(uint32, tag = "2")]
    pub(crate) end: u32,
    #[prost(string, tag = "3")]
    pub(crate) message: String,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct TasksDropped {
    #[prost(uint64, tag = "1")]
    pub(crate) job: u64,
    #[prost(uint32, tag = "2")]
    pub(crate) first: u32,
    #[prost(uint32, tag = "3")]
    pub(crate) count: u32,
    #[prost(uint32, tag = "4")]
    pub(crate) end: u32,
    #[prost(bool, tag = "5")]
    pub(crate) delayed: bool,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct NoticeGiven {
    #[prost(message, required, tag = "1")]
    pub(crate) at: AllocationRef,
    #[prost(uint32, tag = "2")]
    pub(crate) reason: u32,
    #[prost(uint64, tag = "3")]
    pub(crate) deadline: u64,
    /// Of a preemption, but not in records of releases that did not tell.
    #[prost(message, optional, tag = "4")]
    pub(crate) by: Option<Preemptor>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct TaskEvicted {
    #[prost(message, required, tag = "1")]
    pub(crate) at: AllocationRef,
    #[prost(uint32, tag = "2")]
    pub(crate) reason: u32,
    #[prost(bool, tag = "3")]
    pub(crate) released: bool,
    #[prost(uint32, optional, tag = "4")]
    pub(crate) moved_to: Option<u32>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct JobEnded {
    #[prost(uint64, tag = "1")]
    pub(crate) id: u64,
    #[prost(uint32, tag = "2")]
    pub(crate) state: u32,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct JobForgotten {
    #[prost(uint64, tag = "1")]
    pub(crate) id: u64,
    /// Absent when the names of the record tell it.
    #[prost(string, optional, tag = "2")]
    pub(crate) tenant: Option<String>,
    /// Absent when the names of the record tell it.
    #[prost(string, optional, tag = "3")]
    pub(crate) name: Option<String>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct RequestRemembered {
    #[prost(string, tag = "1")]
    pub(crate) id: String,
    #[prost(fixed64, tag = "2")]
    pub(crate) fingerprint_high: u64,
    #[prost(fixed64, tag = "3")]
    pub(crate) fingerprint_low: u64,
    #[prost(message, required, tag = "4")]
    pub(crate) outcome: Outcome,
}

/// An owner's whole description and its calendar as stretches of time.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct OwnerDescribed {
    #[prost(message, required, tag = "1")]
    pub(crate) spec: OwnerSpec,
    #[prost(message, required, tag = "2")]
    pub(crate) windows: Windows,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct WindowsRenewed {
    #[prost(string, tag = "1")]
    pub(crate) owner: String,
    #[prost(message, required, tag = "2")]
    pub(crate) windows: Windows,
}
