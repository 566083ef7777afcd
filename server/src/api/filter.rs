//! What a watcher wants to see.

use offpeak::v1;
use offpeak_core::{
    event::Event,
    model::{Allocation, Job, Name, Node, Tenant},
    state::State,
};

use super::convert::{At, Violations, at_most, given_name};

/// The names of the kinds of events: the fields of `Event.kind`, in their order.
const KINDS: [&str; 32] = [
    "node_registered",
    "node_updated",
    "node_state_changed",
    "node_removed",
    "load_reported",
    "tenant_created",
    "tenant_updated",
    "tenant_deleted",
    "job_submitted",
    "job_updated",
    "tasks_placed",
    "task_started",
    "task_ended",
    "notice_given",
    "notice_withdrawn",
    "task_evicted",
    "job_ended",
    "job_forgotten",
    "owner_updated",
    "owner_turned",
    "advisory_given",
    "price_book_changed",
    "budget_turned",
    "task_delayed",
    "tasks_resumed",
    "tasks_delayed",
    "start_planned",
    "start_unplanned",
    "risk_curbed",
    "job_quoted",
    "demand_priced",
    "quota_turned",
];

/// A checked filter; what is absent passes everything.
#[derive(Clone, Debug, Default)]
pub(super) struct Filter {
    tenant: Option<Name>,
    job: Option<Name>,
    node: Option<Name>,
    region: Option<Name>,
    /// One bit a kind.
    kinds: Option<u64>,
}

/// What an event or object is about.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Subject<'a> {
    /// The tenant.
    pub(super) tenant: Option<&'a Name>,
    /// The tenant's job.
    pub(super) job: Option<&'a Name>,
    /// A node and its region.
    pub(super) node: Option<(&'a Name, &'a Name)>,
}

impl<'a> Subject<'a> {
    /// About a node.
    pub(super) fn of_node(name: &'a Name, region: &'a Name) -> Self {
        Self { node: Some((name, region)), ..Self::default() }
    }

    /// About a tenant.
    pub(super) fn of_tenant(tenant: &'a Name) -> Self {
        Self { tenant: Some(tenant), ..Self::default() }
    }

    /// About a job.
    pub(super) fn of_job(tenant: &'a Name, job: &'a Name) -> Self {
        Self { tenant: Some(tenant), job: Some(job), node: None }
    }
}

impl Filter {
    /// Checks a filter.
    pub(super) fn parse(violations: &mut Violations, message: Option<&v1::WatchFilter>) -> Self {
        let Some(message) = message else {
            return Self::default();
        };
        let root = At::Root;
        let at = root.field("filter");
        if message.tenant.is_empty() && !message.job.is_empty() {
            violations.refuse(&at.field("tenant"), "is required with a job");
        }
        Self {
            tenant: given_name(violations, &at.field("tenant"), &message.tenant),
            job: given_name(violations, &at.field("job"), &message.job),
            node: given_name(violations, &at.field("node"), &message.node),
            region: given_name(violations, &at.field("region"), &message.region),
            kinds: kinds(violations, &at.field("kinds"), &message.kinds),
        }
    }

    /// Whether an event of this kind may pass. Events that are not shown never do.
    pub(super) fn wants(&self, event: &Event) -> bool {
        kind(event).is_some_and(|kind| self.kinds.is_none_or(|kinds| kinds >> kind & 1 == 1))
    }

    /// Whether what is about this passes. What is not about the thing that a field names does not.
    pub(super) fn admits(&self, subject: Subject<'_>) -> bool {
        let equal = |wanted: &Option<Name>, found: Option<&Name>| {
            wanted.as_ref().is_none_or(|wanted| found == Some(wanted))
        };
        equal(&self.tenant, subject.tenant)
            && equal(&self.job, subject.job)
            && equal(&self.node, subject.node.map(|(name, _)| name))
            && equal(&self.region, subject.node.map(|(_, region)| region))
    }

    /// Whether what is about an owner or the whole cell passes: nothing else is named.
    pub(super) fn admits_owners(&self) -> bool {
        self.admits(Subject::default())
    }

    /// Whether the prices of a region pass, or those of all.
    pub(super) fn admits_prices(&self, region: Option<&Name>) -> bool {
        let of_region =
            self.region.is_none() || region.is_none_or(|r| self.region.as_ref() == Some(r));
        of_region && self.job.is_none() && self.node.is_none()
    }

    /// Whether only some nodes pass.
    pub(super) fn narrows_nodes(&self) -> bool {
        self.node.is_some() || self.region.is_some()
    }

    /// Whether a node passes.
    pub(super) fn admits_node(&self, node: &Node) -> bool {
        self.admits(Subject::of_node(&node.spec.name, &node.spec.region))
    }

    /// Whether a tenant passes.
    pub(super) fn admits_tenant(&self, tenant: &Tenant) -> bool {
        self.admits(Subject::of_tenant(&tenant.spec.name))
    }

    /// Whether a job passes.
    pub(super) fn admits_job(&self, state: &State, job: &Job) -> bool {
        let tenant = state.tenant(job.tenant).map(|tenant| &tenant.spec.name);
        self.admits(Subject { tenant, job: Some(&job.name), node: None })
    }

    /// Whether an allocation passes.
    pub(super) fn admits_allocation(&self, state: &State, allocation: &Allocation) -> bool {
        if self.is_open() {
            return true;
        }
        let job = state.job(allocation.at.job);
        let tenant = job.and_then(|job| state.tenant(job.tenant));
        let node = state.node(allocation.at.node);
        self.admits(Subject {
            tenant: tenant.map(|tenant| &tenant.spec.name),
            job: job.map(|job| &job.name),
            node: node.map(|node| (&node.spec.name, &node.spec.region)),
        })
    }

    /// Whether every object passes.
    fn is_open(&self) -> bool {
        self.tenant.is_none() && self.job.is_none() && !self.narrows_nodes()
    }
}

fn kinds(violations: &mut Violations, at: &At<'_>, names: &[String]) -> Option<u64> {
    if names.is_empty() || !at_most(violations, at, names.len(), KINDS.len()) {
        return None;
    }
    let mut kinds = 0_u64;
    for (index, name) in names.iter().enumerate() {
        match KINDS.iter().position(|kind| kind == name) {
            Some(kind) => kinds |= 1 << kind,
            None => violations.refuse(
                &at.index(index),
                format_args!("is no kind of event; allowed are {}", KINDS.join(", ")),
            ),
        }
    }
    Some(kinds)
}

/// The index in [`KINDS`]; none for what is only for the cell itself.
fn kind(event: &Event) -> Option<u32> {
    Some(match event {
        Event::PolicyChanged(_)
        | Event::WindowsRenewed { .. }
        | Event::ForecastMade { .. }
        | Event::RequestRemembered { .. }
        | Event::RequestsForgotten { .. } => return None,
        Event::NodeRegistered { .. } => 0,
        Event::NodeUpdated { .. } => 1,
        Event::NodeModeChanged { .. } | Event::NodeLost { .. } | Event::NodeFound { .. } => 2,
        Event::NodeRemoved { .. } => 3,
        Event::LoadReported { .. } => 4,
        Event::TenantCreated { .. } => 5,
        Event::TenantUpdated { .. } => 6,
        Event::TenantDeleted { .. } => 7,
        Event::JobSubmitted { .. } => 8,
        Event::JobResized { .. } | Event::JobUpdated { .. } => 9,
        Event::TasksPlaced { .. } => 10,
        Event::TaskStarted { .. } => 11,
        Event::TaskEnded { .. } | Event::TasksDropped { .. } => 12,
        Event::NoticeGiven { .. } => 13,
        Event::NoticeWithdrawn { .. } => 14,
        Event::TaskEvicted { .. } => 15,
        Event::JobEnded { .. } => 16,
        Event::JobForgotten { .. } => 17,
        Event::OwnerUpdated { .. } => 18,
        Event::OwnerTurned { .. } => 19,
        Event::AdvisoryGiven { .. } => 20,
        Event::PriceBookChanged { .. } => 21,
        Event::BudgetTurned { .. } => 22,
        Event::TaskDelayed { .. } => 23,
        Event::TasksResumed { .. } => 24,
        Event::TasksDelayed { .. } => 25,
        Event::StartPlanned { .. } => 26,
        Event::StartUnplanned { .. } => 27,
        Event::RiskCurbed { .. } => 28,
        Event::JobsQuoted { .. } => 29,
        Event::DemandPriced { .. } => 30,
        Event::QuotaTurned { .. } => 31,
    })
}
