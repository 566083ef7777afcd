//! The nouns of a cell as plain data, in the words of the design: nothing here decides.

mod allocation;
mod annotations;
mod bounds;
mod budget;
mod calendar;
mod decayed;
mod demand;
mod extras;
mod horizon;
mod ids;
mod job;
mod job_ids;
mod name;
mod node;
mod owner;
mod policy;
mod price;
mod quote;
mod resources;
mod retry;
mod risk;
mod scorecard;
mod sketch;
mod spending;
mod start;
mod tasks;
mod tenant;
mod time;

pub use allocation::{
    Allocation, AllocationRef, DeviceSet, Early, EvictionReason, Notice, PreemptedFor, Preemptor,
};
pub use annotations::Annotations;
pub use bounds::Bounds;
pub use budget::{Budget, BudgetLevel, Period};
pub use calendar::{CalendarEntry, Days, HeldShare, WallTime, When, Window, Windows};
pub use decayed::{Amounts, Decayed, SHARED, shared};
pub use demand::{CurveError, DemandCurve, DemandStep, MAX_DEMAND_STEPS, PLAIN_PERMILLE};
pub use extras::{Dependency, DependencyCondition, JobExtras, Payload};
pub use horizon::{HeldBack, Horizon};
pub use ids::{AllocationId, JobId, NodeId, Revision, SiteId, TaskIndex, TenantId};
pub use job::{
    Constraints, Job, JobSpec, JobState, LabelSelector, OnNotice, Priority, SelectorOperator,
    Spread, Task, TaskCounts, TaskEnd, TaskPhase, Toleration, Topology,
};
pub(crate) use job_ids::JobIds;
pub use name::{Label, Labels, Name, TextError};
pub use node::{
    GpuDevices, LoadHistory, LoadSample, Node, NodeBounds, NodeMode, NodeSpec, SharedHistory, Taint,
};
pub use owner::{Owner, OwnerSpec};
pub use policy::Policy;
pub use price::{MAX_PRICE, MAX_PRICE_PERMILLE, PriceBook, Prices, Rate};
pub use quote::Quote;
pub use resources::{Counts, Dimension, GPU_MILLIS_PER_DEVICE, MAX_AMOUNT, Resources};
pub use retry::{RetryPolicy, Tries};
pub use risk::{Curb, Risk};
pub use scorecard::{LendingRecord, Lent, Scorecard};
pub use sketch::{Part, Sketch};
pub(crate) use sketch::{expectations, expected, remaining, scale};
pub use spending::Spending;
pub use start::{PlannedStart, StartPlace};
pub use tasks::Tasks;
pub use tenant::{MAX_TENANT_DEPTH, Quota, QuotaExcess, Tenant, TenantSpec, Usage};
pub use time::{Millis, Time};
