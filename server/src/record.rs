//! What one group commit leaves behind: the events, and the names of all that they speak of.
//!
//! Events carry ids. The names stand beside them, as they were then, because by the time a slow watcher reads the
//! record the job may be forgotten and the node gone.

use offpeak_core::{
    event::Batch,
    model::{JobId, Name, NodeId, TenantId},
};

/// One group commit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// What happened.
    pub batch: Batch,
    /// What it happened to.
    pub names: Names,
}

/// The names behind the ids of a batch; each list is sorted by id without repeats.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    /// Nodes with their regions.
    pub nodes: Vec<(NodeId, NodeName)>,
    /// Tenants.
    pub tenants: Vec<(TenantId, Name)>,
    /// Jobs with their tenants.
    pub jobs: Vec<(JobId, JobName)>,
}

/// What a node is called and where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeName {
    /// Its name.
    pub name: Name,
    /// Its region, empty if it has none.
    pub region: Name,
}

/// What a job is called and whose it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobName {
    /// The tenant's name.
    pub tenant: Name,
    /// The job's name.
    pub name: Name,
}
