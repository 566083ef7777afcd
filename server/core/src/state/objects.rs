//! What there is: nodes, owners, tenants, jobs and allocations, by their ids, by their names and in order.

use imbl::OrdMap;

use super::State;
use crate::{
    model::{
        Allocation, AllocationId, Job, JobId, Name, Node, NodeId, Owner, Resources, TaskPhase,
        Tenant, TenantId,
    },
    table::Table,
};

impl State {
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

    /// How many pages of its tables are not those of an earlier copy: about as many had to be copied since then because the
    /// copy shares them.
    pub(crate) fn pages_changed(&self, earlier: &Self) -> usize {
        self.nodes.pages_changed(&earlier.nodes).count()
            + self.jobs.pages_changed(&earlier.jobs).count()
            + self.allocations.pages_changed(&earlier.allocations).count()
            + self.accounts.pages_changed(&earlier.accounts)
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
        self.job(self.job_by_chosen_name(tenant, name)?)
    }

    /// The job that somebody gave this name, if it is not called after its own id.
    pub(crate) fn job_by_chosen_name(&self, tenant: TenantId, name: &Name) -> Option<JobId> {
        let is =
            |id| self.jobs.get(id).is_some_and(|job| job.tenant == tenant && job.name == *name);
        self.job_names.get(&(tenant, name), is).map(JobId)
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

    /// The live allocations of a job, in the order of its tasks.
    pub fn allocations_of<'a>(&'a self, job: &'a Job) -> impl Iterator<Item = &'a Allocation> {
        let tasks = (job.counts.placed > 0).then(|| job.tasks.iter());
        tasks.into_iter().flatten().filter_map(|task| match task.phase {
            TaskPhase::Placed(id) => self.allocation(id),
            _ => None,
        })
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
