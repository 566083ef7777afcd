//! What one group commit leaves behind: the events, and the names of all that they speak of.
//!
//! Events carry ids. The names stand beside them, as they were then, because by the time a slow watcher reads the
//! record the job may be forgotten and the node gone.

use std::collections::BTreeMap;

use offpeak_core::{
    event::{Batch, Event},
    model::{AllocationRef, Early, JobId, Name, NodeId, NodeSpec, TenantId},
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
    /// named by the events that removed them.
    #[must_use]
    pub fn of(batch: &Batch, state: &State) -> Self {
        let mut mentioned = Mentioned::default();
        for event in &batch.events {
            mentioned.add(event);
            mentioned.gone.add(event);
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
            Event::BudgetTurned { tenant: id, .. }
            | Event::QuotaTurned { tenant: id, .. }
            | Event::TenantCreated { id, .. }
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
            Event::JobsQuoted { quotes } => self.jobs.extend(quotes.iter().map(|(job, _)| *job)),
            Event::StartPlanned { job, planned } => {
                self.jobs.push(*job);
                self.nodes.extend(planned.nodes());
            }
            Event::StartUnplanned { job: id }
            | Event::TasksDropped { job: id, .. }
            | Event::TasksDelayed { job: id, .. }
            | Event::TasksResumed { job: id, .. }
            | Event::JobUpdated { id, .. }
            | Event::JobResized { id, .. }
            | Event::JobEnded { id, .. }
            | Event::JobForgotten { id, .. } => self.jobs.push(*id),
            Event::TaskStarted { at }
            | Event::TaskEnded { at, .. }
            | Event::TaskDelayed { at, .. }
            | Event::NoticeGiven { at, .. }
            | Event::AdvisoryGiven { at, .. }
            | Event::NoticeWithdrawn { at }
            | Event::TaskEvicted { at, early: None | Some(Early::Released), .. } => {
                self.add_allocation(at);
            }
            Event::TaskEvicted { at, early: Some(Early::Moved(node)), .. } => {
                self.add_allocation(at);
                self.nodes.push(*node);
            }
            Event::PolicyChanged(_)
            | Event::PriceBookChanged { .. }
            | Event::DemandPriced { .. }
            | Event::OwnerUpdated { .. }
            | Event::WindowsRenewed { .. }
            | Event::OwnerTurned { .. }
            | Event::RiskCurbed { .. }
            | Event::ForecastMade { .. }
            | Event::RequestRemembered { .. }
            | Event::RequestsForgotten { .. } => {}
        }
    }

    fn add_allocation(&mut self, at: &AllocationRef) {
        self.jobs.push(at.job);
        self.nodes.push(at.node);
    }
}

impl Gone {
    fn add(&mut self, event: &Event) {
        match event {
            Event::NodeRemoved { id, name, region } => {
                let (name, region) = (name.clone(), region.clone());
                self.nodes.insert(*id, NodeName { name, region });
            }
            Event::TenantDeleted { id, name } => {
                self.tenants.insert(*id, name.clone());
            }
            Event::JobForgotten { id, tenant, name } => {
                let job = JobName { tenant: tenant.clone(), name: name.clone() };
                self.jobs.insert(*id, job);
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

#[cfg(test)]
mod tests {
    use offpeak_core::model::{JobId, Name, NodeId, TenantId};

    use crate::codec::tests::Cell;

    #[test]
    fn names_are_of_all_that_the_events_mention() {
        let cell = Cell::lively();
        let placements = &cell.records[2].names;
        let nodes: Vec<_> =
            placements.nodes.iter().map(|(id, node)| (id.0, node.name.as_str())).collect();
        assert_eq!(nodes, [(0, "node-0"), (1, "node-1"), (2, "node-2")]);
        let jobs: Vec<_> = placements
            .jobs
            .iter()
            .map(|(id, job)| (id.0, job.tenant.as_str(), job.name.as_str()))
            .collect();
        assert_eq!(jobs, [(0, "physics", "job-0"), (1, "films", "job-1"), (3, "physics", "job-3")]);
        assert!(placements.tenants.is_empty());
    }

    #[test]
    fn what_the_batch_removed_keeps_its_name() {
        let cell = Cell::lively();
        let first = &cell.records[0].names;
        assert_eq!(first.tenant(TenantId(1)).map(Name::as_str), Some("gone"));
        let node = first.node(NodeId(3)).expect("it is mentioned");
        assert_eq!((node.name.as_str(), node.region.as_str()), ("node-3", "west"));
        let job = cell.records[4].names.job(JobId(2)).expect("it is mentioned");
        assert_eq!((job.tenant.as_str(), job.name.as_str()), ("films", "job-2"));
    }

    #[test]
    fn names_are_found_by_id_and_nothing_else() {
        let names = &Cell::lively().records[0].names;
        assert!(names.nodes.is_sorted_by(|a, b| a.0 < b.0));
        assert_eq!(names.node(NodeId(2)).map(|node| node.name.as_str()), Some("node-2"));
        assert_eq!(names.node(NodeId(4)), None);
        assert_eq!(names.job(JobId(0)), None);
    }
}
