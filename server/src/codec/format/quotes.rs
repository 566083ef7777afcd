use prost::Message;

use super::Resources;

/// Quotes as columns, ascending by job.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Quotes {
    /// Differences to the row before.
    #[prost(sint64, repeated, tag = "1")]
    pub(crate) jobs: Vec<i64>,
    /// When they were made; differences to the row before.
    #[prost(sint64, repeated, tag = "2")]
    pub(crate) made: Vec<i64>,
    /// Waits in the middle of what was foreseen, in milliseconds.
    #[prost(uint64, repeated, tag = "3")]
    pub(crate) middle: Vec<u64>,
    /// The longest waits.
    #[prost(uint64, repeated, tag = "4")]
    pub(crate) longest: Vec<u64>,
    /// From the making until half of such jobs start, and one more; 0: unknown.
    #[prost(uint64, repeated, tag = "5")]
    pub(crate) p50: Vec<u64>,
    /// From then until 95 of 100 do.
    #[prost(uint64, repeated, tag = "6")]
    pub(crate) p95: Vec<u64>,
    /// In a checkpoint, and alone in its entry: how quotes came out.
    #[prost(message, optional, tag = "7")]
    pub(crate) record: Option<QuoteRecord>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct QuoteRecord {
    #[prost(uint64, tag = "1")]
    pub(crate) made: u64,
    #[prost(uint64, tag = "2")]
    pub(crate) started: u64,
    #[prost(uint64, tag = "3")]
    pub(crate) by_p95: u64,
    #[prost(uint64, tag = "4")]
    pub(crate) by_p50: u64,
    #[prost(uint64, tag = "5")]
    pub(crate) unknown: u64,
    #[prost(uint64, tag = "6")]
    pub(crate) withdrawn: u64,
    #[prost(uint64, repeated, tag = "7")]
    pub(crate) errors: Vec<u64>,
    #[prost(message, required, tag = "8")]
    pub(crate) recent_errors: Sketch,
    #[prost(message, repeated, tag = "9")]
    pub(crate) classes: Vec<Outturn>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Outturn {
    #[prost(message, required, tag = "1")]
    pub(crate) middle: Sketch,
    #[prost(message, required, tag = "2")]
    pub(crate) longest: Sketch,
}

/// Buckets, ascending, and their weights.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Sketch {
    #[prost(uint32, repeated, tag = "1")]
    pub(crate) buckets: Vec<u32>,
    #[prost(uint32, repeated, tag = "2")]
    pub(crate) weights: Vec<u32>,
}

/// How long tasks ran.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct RunTimes {
    #[prost(message, repeated, tag = "1")]
    pub(crate) kinds: Vec<Ran>,
}

/// How long the tasks of like jobs ran.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Ran {
    #[prost(uint32, tag = "1")]
    pub(crate) tenant: u32,
    #[prost(message, required, tag = "2")]
    pub(crate) request: Resources,
    #[prost(uint64, optional, tag = "3")]
    pub(crate) max_runtime_ms: Option<u64>,
    #[prost(uint32, tag = "4")]
    pub(crate) gang_size: u32,
    #[prost(message, required, tag = "5")]
    pub(crate) sketch: Sketch,
    #[prost(uint64, tag = "6")]
    pub(crate) last: u64,
}
