//! The nouns of a cell as plain data, in the words of the design: nothing here decides.

mod ids;

pub use ids::{AllocationId, JobId, NodeId, Revision, TaskIndex, TenantId};
