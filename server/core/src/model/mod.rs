//! The nouns of a cell as plain data, in the words of the design: nothing here decides.

mod allocation;
mod bounds;
mod horizon;
mod ids;
mod job;
mod job_ids;
mod name;
mod node;
mod owner;
mod policy;
mod quote;
mod resources;
mod scorecard;
mod sketch;
mod tasks;
mod tenant;
mod time;

pub use allocation::{Allocation, AllocationRef, DeviceSet, EvictionReason, Notice};
pub use bounds::Bounds;
pub use horizon::{HeldBack, Horizon};
pub use ids::{AllocationId, JobId, NodeId, Revision, TaskIndex, TenantId};
pub use job::{
    Constraints, Job, JobSpec, JobState, LabelSelector, Priority, SelectorOperator, Spread, Task,
    TaskCounts, TaskEnd, TaskPhase, Toleration, Topology,
};
pub(crate) use job_ids::JobIds;
pub use name::{Label, Labels, Name, TextError};
pub use node::{
    GpuDevices, LoadHistory, LoadSample, Node, NodeBounds, NodeMode, NodeSpec, SharedHistory, Taint,
};
pub use owner::{
    CalendarEntry, Days, HeldShare, Owner, OwnerSpec, Risk, WallTime, When, Window, Windows,
};
pub use policy::Policy;
pub use quote::Quote;
pub use resources::{Counts, Dimension, GPU_MILLIS_PER_DEVICE, MAX_AMOUNT, Resources};
pub use scorecard::{Curb, LendingRecord, Lent, Scorecard};
pub use sketch::{Part, Sketch};
pub(crate) use sketch::{remaining, scale};
pub use tasks::Tasks;
pub use tenant::{Quota, QuotaExcess, Tenant, TenantSpec, Usage};
pub use time::{Millis, Time};
