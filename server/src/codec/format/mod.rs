//! What is stored, as protobuf messages. They are ours alone and change apart from the public API.
//!
//! A field number is never used again for something else, and a change that older releases would misread raises
//! [`RECORD_VERSION`] or [`CHECKPOINT_VERSION`]. Columns (`repeated` numbers of one meaning, one per row) stand where
//! there are many rows: an absent column means zero in every row.

mod checkpoint;
mod event;
mod extras;
mod ledger;
mod model;
mod owner;
mod quotes;
mod record;

pub(crate) use checkpoint::{
    Allocations, Decayed, Demand, Entry, EntryKind, Header, Job, Jobs, Loads, Node, Nodes, Owner,
    Owners, PlannedStarts, Preemption, Preemptions, Remembered, Requests, Share, Shares, TaskKind,
    Tenant, Tenants,
};
pub(crate) use event::{
    AdvisoryGiven, AllocationRef, Bounds, Event, EventKind, ForecastMade, JobDescribed, JobEnded,
    JobForgotten, JobResized, JobSubmitted, NodeBounds, NodeDescribed, NodeModeChanged,
    NoticeGiven, OwnerDescribed, PlannedStart, QuotaTurned, Removed, RequestRemembered, Samples,
    StartPlace, TaskDelayed, TaskEnded, TaskEvicted, Tasks, TasksDropped, TasksPlaced,
    TenantDescribed, WindowsRenewed,
};
pub(crate) use extras::{AllTries, Dependency, Extras, Payload, RetryPolicy, Tries};
pub(crate) use ledger::{
    Budget, BudgetTurned, CountSum, DemandFactors, DemandPriced, JobTotals, LedgerHead, LedgerRow,
    LedgerRows, Payer, PriceBook, PriceBooks, Prices, RegionPrices, Site, Spending,
};
pub(crate) use model::{
    Constraints, Count, CountAt, DetailKind, Ids, JobDetail, JobSpec, LoadDetail, NodeSpec,
    Outcome, Pair, Policy, Preemptor, Quota, ResourceColumns, Resources, Selector, Spread,
    TenantSpec, Toleration,
};
pub(crate) use owner::{
    CalendarEntry, HeldShare, Once, OwnerSpec, RiskCurbed, Scorecard, When, Windows,
};
pub(crate) use quotes::{Outturn, QuoteRecord, Quotes, Ran, RunTimes, Sketch};
pub(crate) use record::{Names, Record, RecordPiece};

/// The version of records that this release writes, and the newest that it reads.
pub(crate) const RECORD_VERSION: u32 = 1;

/// The version of checkpoints that this release writes, and the newest that it reads.
pub(crate) const CHECKPOINT_VERSION: u32 = 1;
