use prost::Message;

use super::Count;

/// What a tenant may spend; an absent limit is none.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Budget {
    /// 1 a day, 2 a month.
    #[prost(uint32, tag = "1")]
    pub(crate) period: u32,
    #[prost(uint64, optional, tag = "2")]
    pub(crate) warn: Option<u64>,
    #[prost(uint64, optional, tag = "3")]
    pub(crate) stop_new: Option<u64>,
    #[prost(uint64, optional, tag = "4")]
    pub(crate) stop_all: Option<u64>,
}

/// What a tenant with a budget spends. Exact money takes two numbers, the low one first.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Spending {
    #[prost(uint64, tag = "1")]
    pub(crate) period_start: u64,
    #[prost(uint64, repeated, tag = "2")]
    pub(crate) rate: Vec<u64>,
    #[prost(uint64, tag = "3")]
    pub(crate) since: u64,
    #[prost(uint64, repeated, tag = "4")]
    pub(crate) spent: Vec<u64>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct BudgetTurned {
    #[prost(uint32, tag = "1")]
    pub(crate) tenant: u32,
    #[prost(uint32, tag = "2")]
    pub(crate) level: u32,
    #[prost(uint64, tag = "3")]
    pub(crate) spent: u64,
}

/// A price book and since when it holds.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct PriceBook {
    #[prost(uint64, tag = "1")]
    pub(crate) since: u64,
    #[prost(string, tag = "2")]
    pub(crate) currency: String,
    #[prost(message, required, tag = "3")]
    pub(crate) everywhere: Prices,
    #[prost(message, repeated, tag = "4")]
    pub(crate) regions: Vec<RegionPrices>,
    #[prost(uint32, tag = "5")]
    pub(crate) interruptible_permille: u32,
    /// One a horizon, the shortest first.
    #[prost(uint32, repeated, tag = "6")]
    pub(crate) horizon_permille: Vec<u32>,
    #[prost(uint32, tag = "7")]
    pub(crate) owner_permille: u32,
    /// The revision that set it; in checkpoints only.
    #[prost(uint64, tag = "8")]
    pub(crate) revision: u64,
    /// How prices follow demand: from which share on how much is paid, in thousandths, one after the other.
    #[prost(uint32, repeated, tag = "9")]
    pub(crate) demand: Vec<u32>,
}

/// What demand makes of the prices of a region.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct DemandPriced {
    #[prost(uint64, tag = "1")]
    pub(crate) since: u64,
    #[prost(string, tag = "2")]
    pub(crate) region: String,
    #[prost(uint32, tag = "3")]
    pub(crate) factor_permille: u32,
    #[prost(uint32, optional, tag = "4")]
    pub(crate) lent_permille: Option<u32>,
    /// The revision that set it; in checkpoints only.
    #[prost(uint64, tag = "5")]
    pub(crate) revision: u64,
}

/// Region by region, each in order.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct DemandFactors {
    #[prost(message, repeated, tag = "1")]
    pub(crate) factors: Vec<DemandPriced>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct RegionPrices {
    #[prost(string, tag = "1")]
    pub(crate) region: String,
    #[prost(message, required, tag = "2")]
    pub(crate) prices: Prices,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Prices {
    #[prost(uint64, optional, tag = "1")]
    pub(crate) core: Option<u64>,
    #[prost(uint64, optional, tag = "2")]
    pub(crate) memory_gib: Option<u64>,
    #[prost(uint64, optional, tag = "3")]
    pub(crate) disk_gib: Option<u64>,
    #[prost(uint64, optional, tag = "4")]
    pub(crate) network_gbps: Option<u64>,
    #[prost(uint64, optional, tag = "5")]
    pub(crate) gpu: Option<u64>,
    #[prost(message, repeated, tag = "6")]
    pub(crate) gpu_models: Vec<Count>,
    #[prost(message, repeated, tag = "7")]
    pub(crate) counts: Vec<Count>,
}

/// What the rows of the ledger speak of, and how many there are.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct LedgerHead {
    #[prost(message, repeated, tag = "1")]
    pub(crate) sites: Vec<Site>,
    #[prost(message, repeated, tag = "2")]
    pub(crate) payers: Vec<Payer>,
    /// Nodes that have changed hands, differences to the one before.
    #[prost(sint64, repeated, tag = "3")]
    pub(crate) moved_nodes: Vec<i64>,
    /// When they did.
    #[prost(sint64, repeated, tag = "4")]
    pub(crate) moved: Vec<i64>,
    #[prost(uint64, tag = "5")]
    pub(crate) rows: u64,
    #[prost(uint64, tag = "6")]
    pub(crate) jobs: u64,
    #[prost(uint64, tag = "7")]
    pub(crate) books: u64,
    #[prost(uint64, tag = "8")]
    pub(crate) factors: u64,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Site {
    #[prost(uint32, tag = "1")]
    pub(crate) id: u32,
    #[prost(string, tag = "2")]
    pub(crate) owner: String,
    #[prost(string, tag = "3")]
    pub(crate) region: String,
    #[prost(string, tag = "4")]
    pub(crate) gpu_model: String,
}

/// A tenant with rows, which may be gone.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Payer {
    #[prost(uint32, tag = "1")]
    pub(crate) tenant: u32,
    #[prost(string, tag = "2")]
    pub(crate) name: String,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct LedgerRows {
    #[prost(message, repeated, tag = "1")]
    pub(crate) rows: Vec<LedgerRow>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct LedgerRow {
    #[prost(uint32, tag = "1")]
    pub(crate) day: u32,
    #[prost(uint32, tag = "2")]
    pub(crate) tenant: u32,
    #[prost(uint32, tag = "3")]
    pub(crate) site: u32,
    #[prost(uint64, tag = "4")]
    pub(crate) task_ms: u64,
    /// CPU, memory, disk, network, GPU, list, charged, credited: two numbers each, the low one first.
    #[prost(uint64, repeated, tag = "5")]
    pub(crate) sums: Vec<u64>,
    #[prost(message, repeated, tag = "6")]
    pub(crate) counts: Vec<CountSum>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct CountSum {
    #[prost(string, tag = "1")]
    pub(crate) name: String,
    #[prost(uint64, repeated, tag = "2")]
    pub(crate) sum: Vec<u64>,
}

/// What is booked of jobs, as columns. Ids are differences to the row before; charges two numbers each, the low one
/// first, absent when all are zero.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct JobTotals {
    #[prost(sint64, repeated, tag = "1")]
    pub(crate) jobs: Vec<i64>,
    #[prost(uint64, repeated, tag = "2")]
    pub(crate) task_ms: Vec<u64>,
    #[prost(uint64, repeated, tag = "3")]
    pub(crate) charged: Vec<u64>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct PriceBooks {
    #[prost(message, repeated, tag = "1")]
    pub(crate) books: Vec<PriceBook>,
}
