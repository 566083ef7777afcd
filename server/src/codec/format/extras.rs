use prost::Message;

use super::Pair;

/// What few jobs ask for.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Extras {
    #[prost(message, optional, tag = "1")]
    pub(crate) retry: Option<RetryPolicy>,
    #[prost(message, repeated, tag = "2")]
    pub(crate) dependencies: Vec<Dependency>,
    #[prost(message, optional, tag = "3")]
    pub(crate) payload: Option<Payload>,
    #[prost(message, repeated, tag = "4")]
    pub(crate) annotations: Vec<Pair>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct RetryPolicy {
    #[prost(uint32, tag = "1")]
    pub(crate) failures: u32,
    #[prost(uint32, tag = "2")]
    pub(crate) timeouts: u32,
    #[prost(uint32, optional, tag = "3")]
    pub(crate) evictions: Option<u32>,
    #[prost(uint32, optional, tag = "4")]
    pub(crate) node_losses: Option<u32>,
    #[prost(uint64, tag = "5")]
    pub(crate) backoff_ms: u64,
    #[prost(uint64, tag = "6")]
    pub(crate) max_backoff_ms: u64,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Dependency {
    #[prost(uint64, tag = "1")]
    pub(crate) job: u64,
    #[prost(string, tag = "2")]
    pub(crate) name: String,
    #[prost(uint32, tag = "3")]
    pub(crate) condition: u32,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Payload {
    #[prost(string, repeated, tag = "1")]
    pub(crate) command: Vec<String>,
    #[prost(string, repeated, tag = "2")]
    pub(crate) arguments: Vec<String>,
    #[prost(message, repeated, tag = "3")]
    pub(crate) environment: Vec<Pair>,
    #[prost(string, tag = "4")]
    pub(crate) image: String,
    #[prost(uint32, tag = "5")]
    pub(crate) first_index: u32,
    #[prost(uint32, tag = "6")]
    pub(crate) index_step: u32,
}

/// What tasks of jobs with a retry policy have been through.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct AllTries {
    #[prost(message, repeated, tag = "1")]
    pub(crate) tries: Vec<Tries>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Tries {
    #[prost(uint64, tag = "1")]
    pub(crate) job: u64,
    #[prost(uint32, tag = "2")]
    pub(crate) task: u32,
    #[prost(uint32, tag = "3")]
    pub(crate) failures: u32,
    #[prost(uint32, tag = "4")]
    pub(crate) timeouts: u32,
    #[prost(uint32, tag = "5")]
    pub(crate) evictions: u32,
    #[prost(uint32, tag = "6")]
    pub(crate) node_losses: u32,
    /// While the task waits out its back-off.
    #[prost(uint64, optional, tag = "7")]
    pub(crate) until: Option<u64>,
}
