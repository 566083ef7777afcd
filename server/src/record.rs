//! What one group commit leaves behind: the events, and the names of all that they speak of.
//!
//! Events carry ids. The names stand beside them, as they were then, because by the time a slow watcher reads the
//! record the job may be forgotten and the node gone.

use std::collections::BTreeMap;

use offpeak_core::{
    event::{Batch, Event},
    model::{AllocationRef, JobId, Name, NodeId, NodeSpec, TenantId},
    state::State,
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

impl Names {
    /// The names of all that the events of `batch` mention. `state` is what they lead to; objects that it lacks are
    /// named by the events that removed them. The region of a removed node is known only from its description, so
    /// it is empty unless the same batch described the node.
    #[must_use]
    pub fn of(batch: &Batch, state: &State) -> Self {
        let mut mentioned = Mentioned::default();
        for event in &batch.events {
            mentioned.add(event);
            mentioned.add_gone(event, state);
        }
        let Mentioned { nodes, tenants, jobs, gone } = mentioned;
        let node = |id: &NodeId| match state.node(*id) {
            Some(node) => Some(NodeName::of(&node.spec)),
            None => gone.nodes.get(id).cloned(),
        };
        let tenant = |id: &TenantId| match state.tenant(*id) {
            Some(tenant) => Some(tenant.spec.name.clone()),
            None => gone.tenants.get(id).cloned(),
        };
        let job = |id: &JobId| match state.job(*id) {
            Some(job) => Some(JobName { tenant: tenant(&job.tenant)?, name: job.name.clone() }),
            None => gone.jobs.get(id).cloned(),
        };
        Self { nodes: named(nodes, node), tenants: named(tenants, tenant), jobs: named(jobs, job) }
    }

    /// A node's name and region.
    #[must_use]
    pub fn node(&self, id: NodeId) -> Option<&NodeName> {
        find(&self.nodes, id)
    }

    /// A tenant's name.
    #[must_use]
    pub fn tenant(&self, id: TenantId) -> Option<&Name> {
        find(&self.tenants, id)
    }

    /// A job's name and its tenant's.
    #[must_use]
    pub fn job(&self, id: JobId) -> Option<&JobName> {
        find(&self.jobs, id)
    }
}

impl NodeName {
    fn of(spec: &NodeSpec) -> Self {
        Self { name: spec.name.clone(), region: spec.region.clone() }
    }
}

/// Ids in the order of the events, repeats included.
#[derive(Default)]
struct Mentioned {
    nodes: Vec<NodeId>,
    tenants: Vec<TenantId>,
    jobs: Vec<JobId>,
    gone: Gone,
}

/// What the batch tells of objects that it removed.
#[derive(Default)]
struct Gone {
    nodes: BTreeMap<NodeId, NodeName>,
    tenants: BTreeMap<TenantId, Name>,
    jobs: BTreeMap<JobId, JobName>,
}

impl Mentioned {
    fn add(&mut self, event: &Event) {
        match event {
            Event::NodeRegistered { id, .. }
            | Event::NodeUpdated { id, .. }
            | Event::NodeModeChanged { id, .. }
            | Event::NodeLost { id }
            | Event::NodeFound { id, .. }
            | Event::NodeRemoved { id, .. } => self.nodes.push(*id),
            Event::LoadReported { samples } => {
                self.nodes.extend(samples.iter().map(|sample| sample.node));
            }
            Event::TenantCreated { id, .. }
            | Event::TenantUpdated { id, .. }
            | Event::TenantDeleted { id, .. } => self.tenants.push(*id),
            Event::JobSubmitted { id, tenant, .. } => {
                self.jobs.push(*id);
                self.tenants.push(*tenant);
            }
            Event::TasksPlaced { job, placements } => {
                self.jobs.push(*job);
                self.nodes.extend(placements.iter().map(|placement| placement.node));
            }
            Event::TasksDropped { job: id, .. }
            | Event::JobResized { id, .. }
            | Event::JobEnded { id, .. }
            | Event::JobForgotten { id, .. } => self.jobs.push(*id),
            Event::TaskStarted { at }
            | Event::TaskEnded { at, .. }
            | Event::NoticeGiven { at, .. }
            | Event::NoticeWithdrawn { at }
            | Event::TaskEvicted { at, .. } => self.add_allocation(at),
            Event::PolicyChanged(_)
            | Event::RequestRemembered { .. }
            | Event::RequestsForgotten { .. } => {}
        }
    }

    fn add_allocation(&mut self, at: &AllocationRef) {
        self.jobs.push(at.job);
        self.nodes.push(at.node);
    }

    fn add_gone(&mut self, event: &Event, state: &State) {
        match event {
            Event::NodeRegistered { id, spec } | Event::NodeUpdated { id, spec }
                if state.node(*id).is_none() =>
            {
                self.gone.nodes.insert(*id, NodeName::of(spec));
            }
            Event::NodeRemoved { id, name, region } => {
                let (name, region) = (name.clone(), region.clone());
                self.gone.nodes.insert(*id, NodeName { name, region });
            }
            Event::TenantDeleted { id, name } => {
                self.gone.tenants.insert(*id, name.clone());
            }
            Event::JobForgotten { id, tenant, name } => {
                let job = JobName { tenant: tenant.clone(), name: name.clone() };
                self.gone.jobs.insert(*id, job);
            }
            _ => {}
        }
    }
}

fn named<Id: Ord, N>(mut ids: Vec<Id>, name: impl Fn(&Id) -> Option<N>) -> Vec<(Id, N)> {
    ids.sort_unstable();
    ids.dedup();
    ids.into_iter().filter_map(|id| name(&id).map(|name| (id, name))).collect()
}

fn find<Id: Ord + Copy, N>(names: &[(Id, N)], id: Id) -> Option<&N> {
    let at = names.binary_search_by_key(&id, |(id, _)| *id).ok()?;
    Some(&names[at].1)
}
