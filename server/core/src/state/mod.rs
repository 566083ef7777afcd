//! All that a cell knows: the fold of its events.
//!
//! [`State::fold`] is the only thing that changes it. `apply.rs` says what each event does, and the files beside it do it
//! for what they are named after; `objects.rs` finds things. It runs alike in the engine, in the view that answers readers,
//! on recovery and in tests. A copy shares its pages with the original, so copying is cheap. `restore.rs` builds a state
//! from a checkpoint. Nothing here decides or validates.

mod ahead;
mod apply;
mod check;
mod delay;
mod hold;
mod ledger;
mod objects;
mod owners;
mod profile;
mod quotes;
mod requests;
mod restore;
mod run_times;
mod starts;
mod tenancy;

use std::sync::Arc;

use imbl::{OrdMap, OrdSet};

pub(crate) use ahead::{AHEAD, ended};
pub use profile::{DemandKey, Profile, Seen};
pub(crate) use quotes::OPEN;
pub use quotes::{ERROR_BOUNDS, Outturn, QuoteRecord, Quotes};
pub use requests::Remembered;
use requests::Requests;
pub use restore::{
    Header, Restore, RestoreError, RestoredAllocation, RestoredJob, RestoredNode, RestoredOwner,
    RestoredTenant,
};
pub use run_times::{Alike, Expectations, Known, Ran, RunTimes};

use crate::{
    billing::Accounts,
    lookup::Lookup,
    model::{
        Allocation, AllocationId, EvictionReason, Job, JobId, Name, Node, NodeId, Owner,
        PlannedStart, Policy, Preemptor, Resources, Revision, TaskIndex, Tenant, TenantId, Time,
        Tries,
    },
    table::Table,
};

/// All that a cell knows.
#[derive(Clone, Debug)]
pub struct State {
    revision: Revision,
    now: Time,
    policy: Policy,
    nodes: Table<Node>,
    node_names: OrdMap<Name, NodeId>,
    next_node: NodeId,
    /// Capacities summed over all nodes, the measure of shares.
    fleet: Resources,
    owners: OrdMap<Name, Owner>,
    tenants: Table<Tenant>,
    tenant_names: OrdMap<Name, TenantId>,
    next_tenant: TenantId,
    guaranteed_tenants: usize,
    jobs: Table<Job>,
    next_job: JobId,
    /// Those jobs by tenant and name that are not called after their own ids.
    job_names: Lookup,
    allocations: Table<Allocation>,
    next_allocation: AllocationId,
    /// For whom allocations are being preempted, and for whom tasks of a job last were.
    preemptors: OrdMap<AllocationId, Arc<Preemptor>>,
    preempted: OrdMap<JobId, (Arc<Preemptor>, Time)>,
    requests: Requests,
    waiting: Waiting,
    /// What the unfinished tasks of jobs with a retry policy have been through, if anything.
    tries: OrdMap<(JobId, TaskIndex), Tries>,
    /// Jobs that have not ended, each with one that waits for it.
    dependents: OrdSet<(JobId, JobId)>,
    /// What unfinished tasks ask for, all tenants together; what waits is part of it.
    requested: Resources,
    profile: Arc<Profile>,
    accounts: Accounts,
    /// What is planned for pending tasks.
    planned: OrdMap<JobId, PlannedStart>,
    run_times: RunTimes,
    quotes: Quotes,
}

/// The empty cell. Jobs and allocations are numbered from 1, so that 0 can mean none where they are shown.
impl Default for State {
    fn default() -> Self {
        Self {
            revision: Default::default(),
            now: Default::default(),
            policy: Default::default(),
            nodes: Default::default(),
            node_names: Default::default(),
            next_node: Default::default(),
            fleet: Default::default(),
            owners: Default::default(),
            tenants: Default::default(),
            tenant_names: Default::default(),
            next_tenant: Default::default(),
            guaranteed_tenants: 0,
            jobs: Default::default(),
            next_job: JobId(1),
            job_names: Default::default(),
            allocations: Default::default(),
            next_allocation: AllocationId(1),
            preemptors: Default::default(),
            preempted: Default::default(),
            requests: Default::default(),
            waiting: Default::default(),
            tries: Default::default(),
            dependents: Default::default(),
            requested: Default::default(),
            profile: Default::default(),
            accounts: Default::default(),
            planned: Default::default(),
            run_times: Default::default(),
            quotes: Default::default(),
        }
    }
}

/// What waits for a place, all tenants together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Waiting {
    /// What the tasks ask for.
    pub resources: Resources,
    /// How many tasks.
    pub tasks: u64,
    /// How many jobs have such tasks.
    pub jobs: u64,
}

impl State {
    /// The newest revision folded in.
    #[must_use]
    pub fn revision(&self) -> Revision {
        self.revision
    }

    /// The time of the newest revision.
    #[must_use]
    pub fn now(&self) -> Time {
        self.now
    }

    /// The cell's settings.
    #[must_use]
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Whether room for work of higher priority is being made on the node.
    #[must_use]
    pub fn is_preempting(&self, node: &Node) -> bool {
        node.noticed > 0
            && node.allocations.iter().any(|id| {
                let notice = self.allocation(*id).and_then(|allocation| allocation.notice);
                notice.is_some_and(|notice| notice.reason == EvictionReason::Preempted)
            })
    }

    /// The answer given to a request id.
    #[must_use]
    pub fn remembered(&self, request_id: &str) -> Option<&Remembered> {
        self.requests.get(request_id)
    }

    /// Remembered answers, oldest first.
    pub fn remembered_by_age(&self) -> impl Iterator<Item = (&Arc<str>, &Remembered)> {
        self.requests.iter()
    }

    /// How many answers are remembered.
    #[must_use]
    pub fn remembered_count(&self) -> usize {
        self.requests.len()
    }

    /// What waits for a place.
    #[must_use]
    pub fn waiting(&self) -> &Waiting {
        &self.waiting
    }

    /// What unfinished tasks ask for, all tenants together.
    #[must_use]
    pub fn requested(&self) -> &Resources {
        &self.requested
    }

    /// What tenants ask for.
    #[must_use]
    pub fn profile(&self) -> &Profile {
        &self.profile
    }

    /// How long tasks ran.
    #[must_use]
    pub fn run_times(&self) -> &RunTimes {
        &self.run_times
    }

    /// What was quoted, and how quotes came out.
    #[must_use]
    pub fn quotes(&self) -> &Quotes {
        &self.quotes
    }

    /// The ids that come next.
    #[must_use]
    pub fn next_ids(&self) -> (NodeId, TenantId, JobId, AllocationId) {
        (self.next_node, self.next_tenant, self.next_job, self.next_allocation)
    }
}

#[cfg(test)]
mod tests {
    use crate::model::{Allocation, Job, Node};

    /// What a cell needs for each of the things it has most of, in the form in which its tables hold them.
    #[test]
    fn what_there_are_millions_of_is_small() {
        assert_eq!(size_of::<Option<Allocation>>(), 64);
        assert!(size_of::<Option<Job>>() <= 136);
        assert!(size_of::<Option<Node>>() <= 192);
    }
}
