//! Committed events as messages, by the names that their record keeps and never by the view: what an event speaks of
//! may be gone by now.

mod place;

use std::sync::Arc;

use offpeak::v1::{self, event::Kind};
use offpeak_core::{
    billing::{KeptBook, KeptFactor},
    event::{Commit, Event, Placement},
    model::{
        AllocationRef, Early, JobId, JobState, LoadSample, Name, NodeId, NodeMode, Quote, TenantId,
    },
};

use super::{
    convert::{
        budget_level, demand_factor, job_description, job_state, kept_book, load_sample,
        node_description, node_state_in, owner_description, placement_reason, planned_start, quote,
        tenant_description, timestamp,
    },
    filter::{Filter, Subject},
};
use crate::record::{JobName, Names, NodeName};
use place::{Place, task_end};

/// The most placements or samples of one message; larger events become several.
const MAX_RUN: usize = 2_000;

/// Renders the events of one commit.
#[derive(Clone, Copy, Debug)]
pub(super) struct Renderer<'r> {
    /// What the events speak of.
    pub(super) names: &'r Names,
    /// What passes.
    pub(super) filter: &'r Filter,
    /// Which commit.
    pub(super) commit: &'r Commit,
}

impl Renderer<'_> {
    /// Adds what a watcher sees of an event: nothing, or one message, or several for a large one.
    pub(super) fn render(&self, event: &Event, events: &mut Vec<v1::Event>) {
        if !self.filter.wants(event) {
            return;
        }
        match event {
            Event::TasksPlaced { job, placements } => self.tasks_placed(*job, placements, events),
            Event::LoadReported { samples } => self.load_reported(samples, events),
            Event::JobsQuoted { quotes } => {
                let quotes = quotes.iter().filter(|(job, _)| self.admits_job(self.job(*job)));
                events.extend(quotes.map(|(job, quote)| self.event(self.job_quoted(*job, quote))));
            }
            _ => events.extend(
                self.of_node(event)
                    .or_else(|| self.of_owner(event))
                    .or_else(|| self.of_prices(event))
                    .or_else(|| self.of_tenant(event))
                    .or_else(|| self.of_job(event))
                    .or_else(|| self.of_task(event))
                    .map(|kind| self.event(kind)),
            ),
        }
    }

    fn event(&self, kind: Kind) -> v1::Event {
        v1::Event {
            revision: self.commit.revision.0,
            time: Some(timestamp(self.commit.time)),
            kind: Some(kind),
        }
    }

    fn node(&self, id: NodeId) -> &NodeName {
        self.names.node(id).expect("invariant: a record names its nodes")
    }

    fn tenant(&self, id: TenantId) -> &Name {
        self.names.tenant(id).expect("invariant: a record names its tenants")
    }

    fn job(&self, id: JobId) -> &JobName {
        self.names.job(id).expect("invariant: a record names its jobs")
    }

    fn admits_node(&self, node: &NodeName) -> bool {
        self.filter.admits(Subject::of_node(&node.name, &node.region))
    }

    fn admits_job(&self, job: &JobName) -> bool {
        self.filter.admits(Subject::of_job(&job.tenant, &job.name))
    }

    fn of_node(&self, event: &Event) -> Option<Kind> {
        match event {
            Event::NodeRegistered { spec, .. } => {
                let subject = Subject::of_node(&spec.name, &spec.region);
                self.filter.admits(subject).then(|| {
                    let node = v1::Node {
                        state: v1::NodeState::Ready.into(),
                        create_time: Some(timestamp(self.commit.time)),
                        revision: self.commit.revision.0,
                        ..node_description(spec)
                    };
                    Kind::NodeRegistered(v1::NodeRegistered { node: Some(node) })
                })
            }
            Event::NodeUpdated { spec, .. } => {
                let subject = Subject::of_node(&spec.name, &spec.region);
                self.filter.admits(subject).then(|| {
                    let revision = self.commit.revision.0;
                    let node = v1::Node { revision, ..node_description(spec) };
                    Kind::NodeUpdated(v1::NodeUpdated { node: Some(node) })
                })
            }
            Event::NodeModeChanged { id, mode, lost } => self.node_state(*id, *mode, *lost),
            Event::NodeLost { id } => self.node_state(*id, NodeMode::Open, true),
            Event::NodeFound { id, mode } => self.node_state(*id, *mode, false),
            Event::NodeRemoved { name, region, .. } => self
                .filter
                .admits(Subject::of_node(name, region))
                .then(|| Kind::NodeRemoved(v1::NodeRemoved { node: name.to_string() })),
            _ => None,
        }
    }

    fn node_state(&self, id: NodeId, mode: NodeMode, lost: bool) -> Option<Kind> {
        let node = self.node(id);
        let drain_deadline = match mode {
            NodeMode::Draining { deadline } if !lost => Some(timestamp(deadline)),
            _ => None,
        };
        self.admits_node(node).then(|| {
            Kind::NodeStateChanged(v1::NodeStateChanged {
                node: node.name.to_string(),
                state: node_state_in(mode, lost).into(),
                drain_deadline,
            })
        })
    }

    fn load_reported(&self, samples: &[LoadSample], events: &mut Vec<v1::Event>) {
        let named = samples.iter().map(|sample| (self.node(sample.node), sample));
        let admitted = named.filter(|(node, _)| self.admits_node(node));
        let samples: Vec<v1::LoadSample> = admitted
            .map(|(node, sample)| load_sample(&node.name, sample.time, &sample.load))
            .collect();
        in_runs(samples, |samples| {
            events.push(self.event(Kind::LoadReported(v1::LoadReported { samples })));
        });
    }

    fn of_prices(&self, event: &Event) -> Option<Kind> {
        let revision = self.commit.revision;
        match event {
            Event::PriceBookChanged { since, book } if self.filter.admits_prices(None) => {
                let (since, book) = (*since, Arc::clone(book));
                let price_book = Some(kept_book(&KeptBook { since, revision, book }));
                Some(Kind::PriceBookChanged(v1::PriceBookChanged { price_book }))
            }
            &Event::DemandPriced { since, ref region, factor_permille, lent_permille }
                if self.filter.admits_prices(Some(region)) =>
            {
                let kept = KeptFactor { since, revision, factor_permille, lent_permille };
                let factor = Some(demand_factor(region, &kept));
                Some(Kind::DemandPriced(v1::DemandPriced { factor }))
            }
            _ => None,
        }
    }

    fn of_owner(&self, event: &Event) -> Option<Kind> {
        if !self.filter.admits_owners() {
            return None;
        }
        match event {
            Event::OwnerUpdated { spec, .. } => {
                let revision = self.commit.revision.0;
                let owner = v1::Owner { revision, ..owner_description(spec) };
                Some(Kind::OwnerUpdated(v1::OwnerUpdated { owner: Some(owner) }))
            }
            Event::OwnerTurned { owner } => {
                Some(Kind::OwnerTurned(v1::OwnerTurned { owner: owner.to_string() }))
            }
            Event::RiskCurbed { owner, curb } => Some(Kind::RiskCurbed(v1::RiskCurbed {
                owner: owner.to_string(),
                curbed_quarters: curb.quarters().into(),
            })),
            _ => None,
        }
    }

    fn of_tenant(&self, event: &Event) -> Option<Kind> {
        let admits = |name| self.filter.admits(Subject::of_tenant(name));
        let revision = self.commit.revision.0;
        match event {
            Event::BudgetTurned { tenant, level, spent } => {
                let tenant = self.tenant(*tenant);
                admits(tenant).then(|| {
                    Kind::BudgetTurned(v1::BudgetTurned {
                        tenant: tenant.to_string(),
                        level: budget_level(*level).into(),
                        spent_micros: *spent,
                    })
                })
            }
            Event::QuotaTurned { tenant, low, used_permille } => {
                let tenant = self.tenant(*tenant);
                admits(tenant).then(|| {
                    Kind::QuotaTurned(v1::QuotaTurned {
                        tenant: tenant.to_string(),
                        low: *low,
                        used_permille: *used_permille,
                    })
                })
            }
            Event::TenantCreated { spec, .. } => admits(&spec.name).then(|| {
                let create_time = Some(timestamp(self.commit.time));
                let tenant = v1::Tenant { create_time, revision, ..tenant_description(spec) };
                Kind::TenantCreated(v1::TenantCreated { tenant: Some(tenant) })
            }),
            Event::TenantUpdated { spec, .. } => admits(&spec.name).then(|| {
                let tenant = v1::Tenant { revision, ..tenant_description(spec) };
                Kind::TenantUpdated(v1::TenantUpdated { tenant: Some(tenant) })
            }),
            Event::TenantDeleted { name, .. } => admits(name)
                .then(|| Kind::TenantDeleted(v1::TenantDeleted { tenant: name.to_string() })),
            _ => None,
        }
    }

    fn of_job(&self, event: &Event) -> Option<Kind> {
        match event {
            Event::JobSubmitted { id, tenant, name, spec } => {
                let tenant = self.tenant(*tenant);
                self.filter.admits(Subject::of_job(tenant, name)).then(|| {
                    let pending = spec.count;
                    let job = v1::Job {
                        id: id.0,
                        state: job_state(JobState::Pending).into(),
                        tasks: Some(v1::TaskCounts { pending, ..v1::TaskCounts::default() }),
                        create_time: Some(timestamp(self.commit.time)),
                        revision: self.commit.revision.0,
                        ..job_description(tenant, name, spec)
                    };
                    Kind::JobSubmitted(v1::JobSubmitted { job: Some(job) })
                })
            }
            Event::JobResized { id, count } => {
                let job = self.job(*id);
                self.admits_job(job).then(|| {
                    Kind::JobUpdated(v1::JobUpdated {
                        tenant: job.tenant.to_string(),
                        job: job.name.to_string(),
                        count: *count,
                        spec: None,
                    })
                })
            }
            Event::JobUpdated { id, spec } => {
                let job = self.job(*id);
                self.admits_job(job).then(|| {
                    let described = job_description(&job.tenant, &job.name, spec);
                    let v1::Job { tenant, name, spec: described, .. } = described;
                    let count = spec.count;
                    Kind::JobUpdated(v1::JobUpdated { tenant, job: name, count, spec: described })
                })
            }
            Event::StartPlanned { job, planned } => {
                let job = self.job(*job);
                let mut nodes = planned.nodes().map(|node| self.node(node));
                nodes.any(|node| self.filter.admits(subject(job, node))).then(|| {
                    Kind::StartPlanned(v1::StartPlanned {
                        tenant: job.tenant.to_string(),
                        job: job.name.to_string(),
                        planned: Some(planned_start(planned, |node| &self.node(node).name)),
                    })
                })
            }
            Event::StartUnplanned { job } => {
                let job = self.job(*job);
                self.admits_job(job).then(|| {
                    let (tenant, job) = (job.tenant.to_string(), job.name.to_string());
                    Kind::StartUnplanned(v1::StartUnplanned { tenant, job })
                })
            }
            Event::JobEnded { id, state } => {
                let job = self.job(*id);
                self.admits_job(job).then(|| {
                    Kind::JobEnded(v1::JobEnded {
                        tenant: job.tenant.to_string(),
                        job: job.name.to_string(),
                        state: job_state(*state).into(),
                    })
                })
            }
            Event::JobForgotten { tenant, name, .. } => {
                self.filter.admits(Subject::of_job(tenant, name)).then(|| {
                    let (tenant, job) = (tenant.to_string(), name.to_string());
                    Kind::JobForgotten(v1::JobForgotten { tenant, job })
                })
            }
            _ => None,
        }
    }

    fn job_quoted(&self, id: JobId, found: &Quote) -> Kind {
        let job = self.job(id);
        Kind::JobQuoted(v1::JobQuoted {
            tenant: job.tenant.to_string(),
            job: job.name.to_string(),
            quote: Some(quote(found)),
        })
    }

    fn tasks_placed(&self, id: JobId, placements: &[Placement], events: &mut Vec<v1::Event>) {
        let job = self.job(id);
        if !self.filter.narrows_nodes() && !self.admits_job(job) {
            return;
        }
        let admitted: Vec<v1::Placement> = placements
            .iter()
            .map(|placement| (self.node(placement.node), placement))
            .filter(|(node, _)| self.filter.admits(subject(job, node)))
            .map(|(node, placement)| v1::Placement {
                task: placement.task.0,
                count: placement.count,
                node: node.name.to_string(),
                allocation_id: placement.allocation.0,
                gpu_devices: placement.devices.iter().collect(),
                reason: placement_reason(placement.reason).into(),
            })
            .collect();
        in_runs(admitted, |placements| {
            let (tenant, job) = (job.tenant.to_string(), job.name.to_string());
            let placed = v1::TasksPlaced { tenant, job, placements };
            events.push(self.event(Kind::TasksPlaced(placed)));
        });
    }

    /// An allocation by names, if it passes.
    fn place(&self, at: AllocationRef) -> Option<Place<'_>> {
        let (job, node) = (self.job(at.job), self.node(at.node));
        self.filter.admits(subject(job, node)).then_some(Place { job, node, at })
    }

    fn of_task(&self, event: &Event) -> Option<Kind> {
        Some(match event {
            Event::TaskStarted { at } => self.place(*at)?.started(),
            Event::TaskEnded { at, end, message } => self.place(*at)?.ended(*end, message),
            Event::TasksDropped { job, first, count, delayed, end } => {
                let job = self.job(*job);
                if !self.admits_job(job) {
                    return None;
                }
                Kind::TaskEnded(v1::TaskEnded {
                    tenant: job.tenant.to_string(),
                    job: job.name.to_string(),
                    task: first.0,
                    count: *count,
                    delayed: *delayed,
                    end: task_end(*end).into(),
                    ..v1::TaskEnded::default()
                })
            }
            Event::TasksDelayed { job, first, count } => {
                let job = self.job(*job);
                if !self.admits_job(job) {
                    return None;
                }
                let (tenant, job) = (job.tenant.to_string(), job.name.to_string());
                let (task, count) = (first.0, *count);
                Kind::TasksDelayed(v1::TasksDelayed { tenant, job, task, count })
            }
            Event::TasksResumed { job, first, count } => {
                let job = self.job(*job);
                if !self.admits_job(job) {
                    return None;
                }
                let (tenant, job) = (job.tenant.to_string(), job.name.to_string());
                let (task, count) = (first.0, *count);
                Kind::TasksResumed(v1::TasksResumed { tenant, job, task, count })
            }
            Event::TaskDelayed { at, end, message, until } => {
                self.place(*at)?.delayed(*end, message, *until)
            }
            Event::NoticeGiven { at, notice, by } => {
                self.place(*at)?.noticed(*notice, by.as_deref())
            }
            Event::NoticeWithdrawn { at } => self.place(*at)?.notice_withdrawn(),
            Event::AdvisoryGiven { at, expected_by } => self.place(*at)?.advised(*expected_by),
            Event::TaskEvicted { at, reason, early } => {
                let moved_to = early.and_then(|early| match early {
                    Early::Moved(node) => Some(self.node(node)),
                    Early::Released => None,
                });
                self.place(*at)?.evicted(*reason, *early == Some(Early::Released), moved_to)
            }
            _ => return None,
        })
    }
}

fn subject<'r>(job: &'r JobName, node: &'r NodeName) -> Subject<'r> {
    Subject { node: Some((&node.name, &node.region)), ..Subject::of_job(&job.tenant, &job.name) }
}

/// Hands a list on in parts of bounded length, in order; an empty one not at all.
fn in_runs<T>(list: Vec<T>, mut each: impl FnMut(Vec<T>)) {
    if list.len() <= MAX_RUN {
        if !list.is_empty() {
            each(list);
        }
        return;
    }
    let mut rest = list.into_iter();
    while rest.len() > 0 {
        each(rest.by_ref().take(MAX_RUN).collect());
    }
}

#[cfg(test)]
mod tests;
