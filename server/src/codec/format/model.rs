use prost::{Message, Oneof};

use super::Budget;

use super::Extras;

/// An amount of everything.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Resources {
    #[prost(uint64, tag = "1")]
    pub(crate) cpu_millis: u64,
    #[prost(uint64, tag = "2")]
    pub(crate) memory_bytes: u64,
    #[prost(uint64, tag = "3")]
    pub(crate) disk_bytes: u64,
    #[prost(uint64, tag = "4")]
    pub(crate) network_bps: u64,
    #[prost(uint64, tag = "5")]
    pub(crate) gpu_millis: u64,
    #[prost(message, repeated, tag = "6")]
    pub(crate) counts: Vec<Count>,
}

/// The amount of one named countable.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Count {
    #[prost(string, tag = "1")]
    pub(crate) name: String,
    #[prost(uint64, tag = "2")]
    pub(crate) amount: u64,
}

/// Many amounts, one a row.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct ResourceColumns {
    #[prost(uint64, repeated, tag = "1")]
    pub(crate) cpu_millis: Vec<u64>,
    #[prost(uint64, repeated, tag = "2")]
    pub(crate) memory_bytes: Vec<u64>,
    #[prost(uint64, repeated, tag = "3")]
    pub(crate) disk_bytes: Vec<u64>,
    #[prost(uint64, repeated, tag = "4")]
    pub(crate) network_bps: Vec<u64>,
    #[prost(uint64, repeated, tag = "5")]
    pub(crate) gpu_millis: Vec<u64>,
    /// Named countables are rare: they are listed rather than kept in columns.
    #[prost(message, repeated, tag = "6")]
    pub(crate) counts: Vec<CountAt>,
}

/// The amount of one named countable in one row.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct CountAt {
    #[prost(uint64, tag = "1")]
    pub(crate) row: u64,
    #[prost(string, tag = "2")]
    pub(crate) name: String,
    #[prost(uint64, tag = "3")]
    pub(crate) amount: u64,
}

/// A label or a taint.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Pair {
    #[prost(string, tag = "1")]
    pub(crate) key: String,
    #[prost(string, tag = "2")]
    pub(crate) value: String,
}

/// What a node is.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct NodeSpec {
    #[prost(string, tag = "1")]
    pub(crate) name: String,
    #[prost(string, tag = "2")]
    pub(crate) owner: String,
    #[prost(string, tag = "3")]
    pub(crate) region: String,
    #[prost(string, tag = "4")]
    pub(crate) zone: String,
    #[prost(message, repeated, tag = "5")]
    pub(crate) labels: Vec<Pair>,
    #[prost(message, repeated, tag = "6")]
    pub(crate) taints: Vec<Pair>,
    #[prost(message, required, tag = "7")]
    pub(crate) capacity: Resources,
    #[prost(string, tag = "8")]
    pub(crate) gpu_model: String,
    #[prost(message, required, tag = "9")]
    pub(crate) reservation: Resources,
    #[prost(uint64, optional, tag = "10")]
    pub(crate) report_ttl_ms: Option<u64>,
    #[prost(message, repeated, tag = "12")]
    pub(crate) annotations: Vec<Pair>,
}

/// What a tenant is.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct TenantSpec {
    #[prost(string, tag = "1")]
    pub(crate) name: String,
    #[prost(message, required, tag = "2")]
    pub(crate) quota: Quota,
    #[prost(uint32, tag = "3")]
    pub(crate) weight: u32,
    #[prost(sint32, tag = "4")]
    pub(crate) priority_ceiling: i32,
    #[prost(message, repeated, tag = "5")]
    pub(crate) labels: Vec<Pair>,
    /// Absent when there is none.
    #[prost(message, optional, tag = "6")]
    pub(crate) budget: Option<Budget>,
    #[prost(message, repeated, tag = "12")]
    pub(crate) annotations: Vec<Pair>,
    /// Empty at the top.
    #[prost(string, tag = "8")]
    pub(crate) parent: String,
    /// Absent when there is none.
    #[prost(message, optional, tag = "9")]
    pub(crate) guarantee: Option<Resources>,
}

/// Limits; an absent one is no limit.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Quota {
    #[prost(uint64, optional, tag = "1")]
    pub(crate) cpu_millis: Option<u64>,
    #[prost(uint64, optional, tag = "2")]
    pub(crate) memory_bytes: Option<u64>,
    #[prost(uint64, optional, tag = "3")]
    pub(crate) disk_bytes: Option<u64>,
    #[prost(uint64, optional, tag = "4")]
    pub(crate) network_bps: Option<u64>,
    #[prost(uint64, optional, tag = "5")]
    pub(crate) gpu_millis: Option<u64>,
    #[prost(message, repeated, tag = "6")]
    pub(crate) counts: Vec<Count>,
    #[prost(uint64, optional, tag = "7")]
    pub(crate) tasks: Option<u64>,
}

/// What a job is.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct JobSpec {
    #[prost(uint32, tag = "1")]
    pub(crate) count: u32,
    #[prost(message, required, tag = "2")]
    pub(crate) request: Resources,
    /// Absent when there are none.
    #[prost(message, optional, tag = "3")]
    pub(crate) constraints: Option<Constraints>,
    #[prost(sint32, tag = "4")]
    pub(crate) priority: i32,
    #[prost(uint64, tag = "5")]
    pub(crate) min_runtime_ms: u64,
    #[prost(uint64, optional, tag = "6")]
    pub(crate) max_runtime_ms: Option<u64>,
    #[prost(uint64, optional, tag = "7")]
    pub(crate) deadline: Option<u64>,
    #[prost(bool, tag = "8")]
    pub(crate) gang: bool,
    #[prost(message, repeated, tag = "9")]
    pub(crate) labels: Vec<Pair>,
    #[prost(uint64, optional, tag = "10")]
    pub(crate) notice_ms: Option<u64>,
    /// Absent when there are none.
    #[prost(message, optional, tag = "13")]
    pub(crate) extras: Option<Extras>,
    #[prost(uint64, optional, tag = "11")]
    pub(crate) complete_by: Option<u64>,
    /// Absent where tasks stay.
    #[prost(bool, tag = "14")]
    pub(crate) moves: bool,
}

/// Where tasks may go.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Constraints {
    #[prost(string, repeated, tag = "1")]
    pub(crate) regions: Vec<String>,
    #[prost(string, repeated, tag = "2")]
    pub(crate) zones: Vec<String>,
    #[prost(string, repeated, tag = "3")]
    pub(crate) gpu_models: Vec<String>,
    #[prost(message, repeated, tag = "4")]
    pub(crate) labels: Vec<Selector>,
    #[prost(message, repeated, tag = "5")]
    pub(crate) tolerations: Vec<Toleration>,
    #[prost(message, repeated, tag = "6")]
    pub(crate) spreads: Vec<Spread>,
}

/// A demand on a label.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Selector {
    #[prost(string, tag = "1")]
    pub(crate) key: String,
    #[prost(uint32, tag = "2")]
    pub(crate) operator: u32,
    #[prost(string, repeated, tag = "3")]
    pub(crate) values: Vec<String>,
}

/// A taint that does not keep a task off.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Toleration {
    #[prost(string, optional, tag = "1")]
    pub(crate) key: Option<String>,
    #[prost(string, optional, tag = "2")]
    pub(crate) value: Option<String>,
}

/// How the tasks of a job lie to each other.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Spread {
    #[prost(uint32, tag = "1")]
    pub(crate) topology: u32,
    #[prost(uint32, optional, tag = "2")]
    pub(crate) max_per_place: Option<u32>,
    #[prost(uint32, optional, tag = "3")]
    pub(crate) max_skew: Option<u32>,
}

/// The cell's settings.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Policy {
    #[prost(uint32, tag = "1")]
    pub(crate) forecast_margin_permille: u32,
    #[prost(uint64, tag = "2")]
    pub(crate) notice_ms: u64,
    #[prost(uint64, tag = "3")]
    pub(crate) job_retention_ms: u64,
    #[prost(uint64, tag = "4")]
    pub(crate) request_retention_ms: u64,
    #[prost(uint64, tag = "5")]
    pub(crate) request_limit: u64,
    /// Absent in records of releases whose shares remembered nothing.
    #[prost(uint64, optional, tag = "8")]
    pub(crate) share_half_life_ms: Option<u64>,
}

/// For whom an allocation is preempted.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Preemptor {
    #[prost(uint64, tag = "1")]
    pub(crate) job: u64,
    #[prost(string, tag = "2")]
    pub(crate) tenant: String,
    #[prost(string, tag = "3")]
    pub(crate) name: String,
    /// Within a guarantee, not by priority.
    #[prost(bool, tag = "4")]
    pub(crate) is_guaranteed: bool,
}

/// The answer to an accepted command; without a detail there is nothing more to say.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Outcome {
    #[prost(uint64, tag = "1")]
    pub(crate) revision: u64,
    #[prost(oneof = "DetailKind", tags = "2, 3, 4, 5")]
    pub(crate) detail: Option<DetailKind>,
}

#[derive(Clone, PartialEq, Oneof)]
pub(crate) enum DetailKind {
    #[prost(message, tag = "2")]
    Job(JobDetail),
    #[prost(uint32, tag = "3")]
    Notices(u32),
    #[prost(message, tag = "4")]
    Load(LoadDetail),
    #[prost(message, tag = "5")]
    Ignored(Ids),
}

/// A job taken on.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct JobDetail {
    #[prost(uint64, tag = "1")]
    pub(crate) id: u64,
    /// Absent when the names of the record tell it.
    #[prost(string, optional, tag = "2")]
    pub(crate) name: Option<String>,
}

/// Load samples counted.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct LoadDetail {
    #[prost(uint64, tag = "1")]
    pub(crate) accepted: u64,
    #[prost(uint64, tag = "2")]
    pub(crate) ignored: u64,
}

/// Ids of one kind.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Ids {
    #[prost(uint64, repeated, tag = "1")]
    pub(crate) ids: Vec<u64>,
}
