use prost::Message;

use super::Event;

/// One group commit.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Record {
    #[prost(uint32, tag = "1")]
    pub(crate) version: u32,
    #[prost(uint64, tag = "2")]
    pub(crate) first_revision: u64,
    /// One a commit: the time since the commit before.
    #[prost(sint64, repeated, tag = "3")]
    pub(crate) times: Vec<i64>,
    /// One a commit: how many events are its own.
    #[prost(uint64, repeated, tag = "4")]
    pub(crate) event_counts: Vec<u64>,
    #[prost(message, repeated, tag = "5")]
    pub(crate) events: Vec<Event>,
    #[prost(message, required, tag = "6")]
    pub(crate) names: Names,
}

/// Some events of a record: messages of one kind merge when their bytes follow each other, so a record may be written
/// piece by piece.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct RecordPiece {
    #[prost(message, repeated, tag = "5")]
    pub(crate) events: Vec<Event>,
}

/// The names behind the ids, as columns. Ids are differences to the one before.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Names {
    #[prost(sint64, repeated, tag = "1")]
    pub(crate) node_ids: Vec<i64>,
    #[prost(string, repeated, tag = "2")]
    pub(crate) node_names: Vec<String>,
    /// Positions in `regions`.
    #[prost(uint32, repeated, tag = "3")]
    pub(crate) node_regions: Vec<u32>,
    #[prost(string, repeated, tag = "4")]
    pub(crate) regions: Vec<String>,
    #[prost(sint64, repeated, tag = "5")]
    pub(crate) tenant_ids: Vec<i64>,
    #[prost(string, repeated, tag = "6")]
    pub(crate) tenant_names: Vec<String>,
    #[prost(sint64, repeated, tag = "7")]
    pub(crate) job_ids: Vec<i64>,
    #[prost(string, repeated, tag = "8")]
    pub(crate) job_names: Vec<String>,
    /// Positions in `owners`.
    #[prost(uint32, repeated, tag = "9")]
    pub(crate) job_tenants: Vec<u32>,
    /// Names of the jobs' tenants.
    #[prost(string, repeated, tag = "10")]
    pub(crate) owners: Vec<String>,
}
