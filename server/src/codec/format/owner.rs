use prost::{Message, Oneof};

use super::Pair;

/// What an owner is.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct OwnerSpec {
    #[prost(string, tag = "1")]
    pub(crate) name: String,
    #[prost(uint32, tag = "2")]
    pub(crate) risk_ppm: u32,
    #[prost(message, repeated, tag = "3")]
    pub(crate) calendar: Vec<CalendarEntry>,
    #[prost(uint64, optional, tag = "4")]
    pub(crate) shortfall_budget_ms: Option<u64>,
    #[prost(message, repeated, tag = "12")]
    pub(crate) annotations: Vec<Pair>,
    #[prost(message, repeated, tag = "13")]
    pub(crate) labels: Vec<Pair>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct RiskCurbed {
    #[prost(string, tag = "1")]
    pub(crate) owner: String,
    #[prost(uint32, tag = "2")]
    pub(crate) quarters: u32,
}

/// What came of lending in one region, as columns; the days are differences to the day before.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Scorecard {
    #[prost(string, tag = "1")]
    pub(crate) region: String,
    #[prost(sint64, repeated, tag = "2")]
    pub(crate) days: Vec<i64>,
    #[prost(uint64, repeated, tag = "3")]
    pub(crate) samples: Vec<u64>,
    #[prost(uint64, repeated, tag = "4")]
    pub(crate) exceeded: Vec<u64>,
    #[prost(uint64, repeated, tag = "5")]
    pub(crate) short: Vec<u64>,
    #[prost(uint64, repeated, tag = "6")]
    pub(crate) short_for_ms: Vec<u64>,
    #[prost(uint64, repeated, tag = "7")]
    pub(crate) missing_ppm: Vec<u64>,
    #[prost(uint64, repeated, tag = "8")]
    pub(crate) idle: Vec<u64>,
    #[prost(uint64, repeated, tag = "9")]
    pub(crate) harvested: Vec<u64>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct CalendarEntry {
    #[prost(string, tag = "1")]
    pub(crate) name: String,
    #[prost(oneof = "When", tags = "2, 3, 4, 5")]
    pub(crate) when: Option<When>,
    /// Of what recurs: the minute of the day.
    #[prost(uint32, tag = "6")]
    pub(crate) start_minute: u32,
    /// Of what recurs.
    #[prost(uint32, tag = "7")]
    pub(crate) length_minutes: u32,
    #[prost(string, tag = "8")]
    pub(crate) time_zone: String,
    #[prost(message, required, tag = "9")]
    pub(crate) share: HeldShare,
    #[prost(string, repeated, tag = "10")]
    pub(crate) regions: Vec<String>,
    #[prost(message, repeated, tag = "11")]
    pub(crate) labels: Vec<Pair>,
}

#[derive(Clone, PartialEq, Oneof)]
pub(crate) enum When {
    /// Bit 0 is Monday.
    #[prost(uint32, tag = "2")]
    Weekly(u32),
    /// Bit 1 is the first, bit 0 the last day.
    #[prost(uint32, tag = "3")]
    Monthly(u32),
    /// The month times 100 and the day.
    #[prost(uint32, tag = "4")]
    Yearly(u32),
    #[prost(message, tag = "5")]
    Once(Once),
}

/// Minutes on a wall clock since it showed the beginning of 1970.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Once {
    #[prost(uint32, tag = "1")]
    pub(crate) start: u32,
    #[prost(uint32, tag = "2")]
    pub(crate) end: u32,
}

/// Thousandths.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct HeldShare {
    #[prost(uint32, tag = "1")]
    pub(crate) cpu: u32,
    #[prost(uint32, tag = "2")]
    pub(crate) memory: u32,
    #[prost(uint32, tag = "3")]
    pub(crate) disk: u32,
    #[prost(uint32, tag = "4")]
    pub(crate) network: u32,
    #[prost(uint32, tag = "5")]
    pub(crate) gpu: u32,
    #[prost(uint32, tag = "6")]
    pub(crate) counts: u32,
}

/// Windows as columns, one a row. Starts are differences to the row before, lengths milliseconds.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Windows {
    #[prost(uint64, tag = "1")]
    pub(crate) through: u64,
    #[prost(sint64, repeated, tag = "2")]
    pub(crate) starts: Vec<i64>,
    #[prost(uint64, repeated, tag = "3")]
    pub(crate) lengths: Vec<u64>,
    #[prost(uint32, repeated, tag = "4")]
    pub(crate) entries: Vec<u32>,
}
