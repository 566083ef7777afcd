//! All that a cell knows: the fold of its events.
//!
//! [`State::fold`] is the only thing that changes it (`apply.rs`, `hold.rs`, `owners.rs`, `tenancy.rs`); it runs alike in the engine, in the
//! view that answers readers, on recovery and in tests. A copy shares its pages with the original, so copying is cheap.
//! `restore.rs` builds a state from a checkpoint. Nothing here decides or validates.

mod ahead;
mod apply;
mod check;
mod delay;
mod hold;
mod ledger;
mod owners;
mod profile;
mod quotes;
mod restore;
mod run_times;
mod starts;
mod tenancy;

use std::sync::Arc;

use imbl::{OrdMap, OrdSet};

pub(crate) use ahead::{AHEAD, ended};
pub use profile::{DemandKey, Profile};
pub(crate) use quotes::OPEN;
pub use quotes::{ERROR_BOUNDS, Outturn, QuoteRecord, Quotes};
pub use restore::{
    Header, Restore, RestoreError, RestoredAllocation, RestoredJob, RestoredNode, RestoredOwner,
    RestoredTenant,
};
pub use run_times::{Alike, Known, Ran, RunTimes};

use crate::{
    billing::Accounts,
    command::Outcome,
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
    allocations: Table<Allocation>,
    next_allocation: AllocationId,
    /// For whom allocations are being preempted, and for whom tasks of a job last were.
    preemptors: OrdMap<AllocationId, Arc<Preemptor>>,
    preempted: OrdMap<JobId, (Arc<Preemptor>, Time)>,
    requests: OrdMap<Arc<str>, Remembered>,
    requests_by_age: OrdMap<(Revision, Arc<str>), Time>,
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
            allocations: Default::default(),
            next_allocation: AllocationId(1),
            preemptors: Default::default(),
            preempted: Default::default(),
            requests: Default::default(),
            requests_by_age: Default::default(),
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

/// The answer to a request id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remembered {
    /// Of the request's body.
    pub fingerprint: u128,
    /// The answer.
    pub outcome: Outcome,
    /// When it was given.
    pub time: Time,
    /// The revision that remembers it: a command that changed nothing is answered with an earlier one.
    pub revision: Revision,
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

    /// A node by its id.
    #[must_use]
    pub fn node(&self, id: NodeId) -> Option<&Node> {
        self.nodes.get(u64::from(id.0))
    }

    /// A node by its name.
    #[must_use]
    pub fn node_named(&self, name: &str) -> Option<&Node> {
        self.node(*self.node_names.get(name.as_bytes())?)
    }

    /// Nodes in the order of their ids.
    pub fn nodes(&self) -> impl Iterator<Item = &Node> {
        self.nodes.iter()
    }

    /// Nodes from `first` on, in the order of their ids.
    pub fn nodes_from(&self, first: NodeId) -> impl Iterator<Item = &Node> {
        self.nodes.iter_from(u64::from(first.0))
    }

    /// Nodes whose names come after `after`, in the order of their names.
    pub fn nodes_by_name<'a>(&'a self, after: &str) -> impl Iterator<Item = &'a Node> {
        let names = range_after(&self.node_names, after);
        names.filter_map(|id| self.node(*id))
    }

    /// The nodes with the pages that copies of the state share.
    pub(crate) fn node_table(&self) -> &Table<Node> {
        &self.nodes
    }

    /// Capacities summed over all nodes.
    #[must_use]
    pub fn fleet(&self) -> &Resources {
        &self.fleet
    }

    /// How many nodes there are.
    #[must_use]
    pub fn node_count(&self) -> usize {
        self.nodes.len()
    }

    /// An owner that a node names or that was described.
    #[must_use]
    pub fn owner(&self, name: &Name) -> Option<&Owner> {
        self.owners.get(name)
    }

    /// Owners in the order of their names.
    pub fn owners(&self) -> impl Iterator<Item = &Owner> {
        self.owners.values()
    }

    /// Owners whose names come after `after`, in the order of their names.
    pub fn owners_by_name<'a>(&'a self, after: &str) -> impl Iterator<Item = &'a Owner> {
        range_after(&self.owners, after)
    }

    /// A tenant by its id.
    #[must_use]
    pub fn tenant(&self, id: TenantId) -> Option<&Tenant> {
        self.tenants.get(u64::from(id.0))
    }

    /// A tenant by its name.
    #[must_use]
    pub fn tenant_named(&self, name: &str) -> Option<&Tenant> {
        self.tenant(*self.tenant_names.get(name.as_bytes())?)
    }

    /// Tenants in the order of their ids.
    pub fn tenants(&self) -> impl Iterator<Item = &Tenant> {
        self.tenants.iter()
    }

    /// Tenants whose names come after `after`, in the order of their names.
    pub fn tenants_by_name<'a>(&'a self, after: &str) -> impl Iterator<Item = &'a Tenant> {
        let names = range_after(&self.tenant_names, after);
        names.filter_map(|id| self.tenant(*id))
    }

    /// How many tenants there are.
    #[must_use]
    pub fn tenant_count(&self) -> usize {
        self.tenants.len()
    }

    /// A job by its id.
    #[must_use]
    pub fn job(&self, id: JobId) -> Option<&Job> {
        self.jobs.get(id.0)
    }

    /// A job by its tenant and name.
    #[must_use]
    pub fn job_named(&self, tenant: TenantId, name: &Name) -> Option<&Job> {
        let own = name.job_id().and_then(|id| self.job(id));
        if let Some(job) = own.filter(|job| job.tenant == tenant && job.name == *name) {
            return Some(job);
        }
        self.job(*self.tenant(tenant)?.job_names.get(name)?)
    }

    /// Jobs from `first` on, oldest first.
    pub fn jobs_from(&self, first: JobId) -> impl Iterator<Item = &Job> {
        self.jobs.iter_from(first.0)
    }

    /// A tenant's jobs from `first` on, oldest first.
    pub fn jobs_of<'a>(
        &'a self,
        tenant: &'a Tenant,
        first: JobId,
    ) -> impl Iterator<Item = &'a Job> {
        tenant.jobs.from(first).filter_map(|id| self.job(id))
    }

    /// How many jobs are kept, the ended ones included.
    #[must_use]
    pub fn job_count(&self) -> usize {
        self.jobs.len()
    }

    /// A live allocation.
    #[must_use]
    pub fn allocation(&self, id: AllocationId) -> Option<&Allocation> {
        self.allocations.get(id.0)
    }

    /// Live allocations from `first` on, oldest first.
    pub fn allocations_from(&self, first: AllocationId) -> impl Iterator<Item = &Allocation> {
        self.allocations.iter_from(first.0)
    }

    /// How many allocations are live.
    #[must_use]
    pub fn allocation_count(&self) -> usize {
        self.allocations.len()
    }

    /// What an allocation holds.
    ///
    /// # Panics
    /// When its job is not of this state.
    #[must_use]
    pub fn request_of(&self, allocation: &Allocation) -> &Resources {
        &self.job(allocation.at.job).expect("invariant: a live allocation has a job").spec.request
    }

    /// 1 for the first placement of the allocation's task.
    ///
    /// # Panics
    /// When its job is not of this state.
    #[must_use]
    pub fn attempt_of(&self, allocation: &Allocation) -> u32 {
        let job = self.job(allocation.at.job).expect("invariant: a live allocation has a job");
        job.task(allocation.at.task).attempts
    }

    /// Whether room for work of higher priority is being made on the node.
    #[must_use]
    pub fn is_preempting(&self, node: &Node) -> bool {
        !node.noticed.is_zero()
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
        self.requests_by_age.keys().map(|(_, id)| (id, &self.requests[id]))
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

fn range_after<'a, V>(names: &'a OrdMap<Name, V>, after: &str) -> impl Iterator<Item = &'a V>
where
    V: Clone,
{
    let bound = if after.is_empty() {
        std::ops::Bound::Unbounded
    } else {
        std::ops::Bound::Excluded(after.to_owned())
    };
    names
        .range::<_, str>((
            match &bound {
                std::ops::Bound::Excluded(text) => std::ops::Bound::Excluded(text.as_str()),
                _ => std::ops::Bound::Unbounded,
            },
            std::ops::Bound::Unbounded,
        ))
        .map(|(_, id)| id)
}

#[cfg(test)]
mod tests {
    use crate::model::{Allocation, Job, Node};

    /// What a cell needs for each of the things it has most of, in the form in which its tables hold them.
    #[test]
    fn what_there_are_millions_of_is_small() {
        assert_eq!(size_of::<Option<Allocation>>(), 64);
        assert!(size_of::<Option<Job>>() <= 136);
        assert!(size_of::<Option<Node>>() <= 256);
    }
}
