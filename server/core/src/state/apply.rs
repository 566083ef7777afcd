//! How each event changes the state. A missing object here is a bug of whoever made the event.

use std::sync::Arc;

use super::{
    AHEAD, Remembered, State,
    hold::{ask, become_pending, counter},
    owners::{held_back, record_lent},
};
use crate::{
    event::{Batch, Event},
    model::{
        GpuDevices, HeldBack, Job, JobId, JobSpec, JobState, LoadSample, Name, Node, NodeBounds,
        NodeId, NodeMode, NodeSpec, Resources, Revision, SharedHistory, SiteId, TaskCounts,
        TaskIndex, TaskPhase, Tasks, Tenant, TenantId, Time,
    },
    table::Table,
};

impl State {
    /// Folds whole commits in.
    ///
    /// # Panics
    /// When the batch does not follow this state.
    pub fn fold(&mut self, batch: &Batch) {
        let mut at = 0;
        for (commit, events) in batch.iter() {
            self.begin(commit.revision, commit.time);
            for event in events {
                if at % AHEAD == 0 {
                    self.read_ahead_of(&batch.events[at..]);
                }
                at += 1;
                self.apply(event);
            }
        }
    }

    /// Opens the next revision; the events applied from here on are of it.
    pub(crate) fn begin(&mut self, revision: Revision, time: Time) {
        assert_eq!(revision, self.revision.next(), "invariant: revisions have no gap");
        self.revision = revision;
        self.now = time;
    }

    /// Folds one event of the open revision in.
    pub(crate) fn apply(&mut self, event: &Event) {
        match event {
            Event::PolicyChanged(policy) => {
                self.bring_everything();
                self.policy = policy.clone();
                self.refresh_held_back();
            }
            Event::NodeRegistered { id, spec } => self.add_node(*id, spec),
            Event::NodeUpdated { id, spec } => self.update_node(*id, spec),
            Event::NodeModeChanged { id, mode, .. } => self.change_node_mode(*id, *mode),
            Event::NodeLost { id } => self.change_node_lost(*id, true),
            Event::NodeFound { id, .. } => self.change_node_lost(*id, false),
            Event::NodeRemoved { id, name, .. } => {
                self.remove_node(*id, name);
                self.unplan_node(*id);
            }
            Event::LoadReported { samples } => samples.iter().for_each(|s| self.report_load(s)),
            Event::OwnerUpdated { spec, windows } => self.update_owner(spec, windows),
            Event::WindowsRenewed { owner, windows } => {
                self.change_owner(owner, |owner| owner.windows = Arc::clone(windows));
            }
            Event::OwnerTurned { owner } => self.change_owner(owner, |_| {}),
            Event::RiskCurbed { owner, curb } => self.curb_risk(owner, *curb),
            Event::ForecastMade { bounds } => bounds.iter().for_each(|b| self.bound_node(b)),
            Event::PriceBookChanged { since, book } => self.change_prices(*since, book),
            Event::DemandPriced { since, region, factor_permille, lent_permille } => {
                self.change_factor(region, (*since, *factor_permille, *lent_permille));
            }
            Event::BudgetTurned { tenant, level, .. } => self.turn_budget(*tenant, *level),
            Event::QuotaTurned { tenant, low, .. } => self.turn_quota(*tenant, *low),
            Event::TenantCreated { id, spec } => {
                self.add_tenant(*id, spec);
                self.begin_spending(*id);
            }
            Event::TenantUpdated { id, spec } => {
                let tenant = tenant_mut(&mut self.tenants, *id);
                let is_new_budget = tenant.spec.budget != spec.budget;
                self.update_tenant(*id, spec);
                if is_new_budget {
                    self.begin_spending(*id);
                }
            }
            Event::TenantDeleted { id, name } => {
                self.remove_tenant(*id, name.as_str().as_bytes());
            }
            Event::JobSubmitted { id, tenant, name, spec } => {
                self.add_job(*id, *tenant, name, spec);
            }
            Event::JobResized { id, count } => self.resize_job(*id, *count),
            Event::JobUpdated { id, spec } => {
                let revision = self.revision;
                let job = job_mut(&mut self.jobs, *id);
                job.spec = Arc::clone(spec);
                job.revision = revision;
            }
            Event::TasksDelayed { job, first, count } => self.delay_tasks(*job, *first, *count),
            Event::TasksResumed { job, first, count } => self.resume_tasks(*job, *first, *count),
            Event::TaskDelayed { at, end, until, .. } => self.delay_task(at, *end, *until),
            Event::TasksPlaced { job, placements } => {
                self.place(*job, placements);
                self.spend_more(*job, placements);
                self.unplan_start(*job);
                self.quotes.started(*job, self.now);
            }
            Event::JobsQuoted { quotes } => {
                quotes.iter().for_each(|(job, quote)| self.quotes.keep(*job, quote));
            }
            Event::TaskStarted { at } => self.start(at),
            Event::TaskEnded { at, end, .. } => self.end_task(at, *end),
            Event::TasksDropped { job, first, count, delayed, end } => {
                self.drop_tasks(*job, (*first, *count), *delayed, *end);
                self.unplan_ended(*job);
            }
            Event::NoticeGiven { at, notice, by } => {
                self.give_notice(at, Some(*notice), by.as_ref());
            }
            Event::NoticeWithdrawn { at } => self.give_notice(at, None, None),
            // It is said, and nothing changes.
            Event::AdvisoryGiven { .. } => {}
            Event::TaskEvicted { at, reason, .. } => self.evict(at, *reason),
            Event::StartPlanned { job, planned } => self.plan_start(*job, planned.clone()),
            Event::StartUnplanned { job } => self.unplan_start(*job),
            Event::JobEnded { id, state } => self.end_job(*id, *state),
            Event::JobForgotten { id, .. } => self.forget_job(*id),
            Event::RequestRemembered { id, fingerprint, outcome } => {
                let remembered = Remembered {
                    fingerprint: *fingerprint,
                    outcome: outcome.clone(),
                    time: self.now,
                    revision: self.revision,
                };
                self.requests.add(id, remembered);
            }
            Event::RequestsForgotten { through } => self.requests.forget(*through),
        }
    }

    fn refresh_held_back(&mut self) {
        for id in 0..self.next_node.0 {
            if let Some(node) = self.nodes.get_mut(u64::from(id)) {
                let owner = self.owners.get(&node.spec.owner);
                node.held_back = held_back(node, &self.policy, owner);
            }
        }
    }

    fn add_node(&mut self, id: NodeId, spec: &Arc<NodeSpec>) {
        let node = Node {
            id,
            spec: Arc::clone(spec),
            mode: NodeMode::Open,
            lost: false,
            last_report: self.now,
            history: SharedHistory::default(),
            bounds: None,
            held_back: HeldBack::always(&spec.reservation),
            lent: Resources::default(),
            noticed: 0,
            devices: GpuDevices::default(),
            site: SiteId::default(),
            allocations: Vec::new(),
            created: self.now,
            revision: self.revision,
        };
        self.insert_node(node);
    }

    /// Also for recovery: everything derived but the holds of allocations is set here.
    pub(super) fn insert_node(&mut self, mut node: Node) {
        self.add_to_owner(&node.spec.owner, node.id);
        node.site = self.accounts.enter(&node.spec);
        self.fleet.add(&node.spec.capacity, 1);
        node.held_back = held_back(&node, &self.policy, self.owners.get(&node.spec.owner));
        self.node_names.insert(node.spec.name.clone(), node.id);
        self.next_node = self.next_node.max(node.id.next());
        self.nodes.insert(u64::from(node.id.0), node);
    }

    fn update_node(&mut self, id: NodeId, spec: &Arc<NodeSpec>) {
        let revision = self.revision;
        let now = self.now;
        self.change_site(id, spec);
        let old = node_mut(&mut self.nodes, id).spec.owner.clone();
        if old != spec.owner {
            self.take_from_owner(&old, id);
            self.add_to_owner(&spec.owner, id);
        }
        let node = node_mut(&mut self.nodes, id);
        self.fleet.remove(&node.spec.capacity, 1);
        self.fleet.add(&spec.capacity, 1);
        if node.spec.report_ttl != spec.report_ttl {
            node.last_report = now;
        }
        node.spec = Arc::clone(spec);
        node.revision = revision;
        node.held_back = held_back(node, &self.policy, self.owners.get(&spec.owner));
    }

    fn change_node_mode(&mut self, id: NodeId, mode: NodeMode) {
        let revision = self.revision;
        let node = node_mut(&mut self.nodes, id);
        node.mode = mode;
        node.revision = revision;
    }

    fn change_node_lost(&mut self, id: NodeId, lost: bool) {
        let revision = self.revision;
        let node = node_mut(&mut self.nodes, id);
        node.lost = lost;
        node.revision = revision;
    }

    fn remove_node(&mut self, id: NodeId, name: &Name) {
        let node = self.nodes.remove(u64::from(id.0)).expect("invariant: the node exists");
        assert!(node.allocations.is_empty(), "invariant: a removed node is empty");
        self.take_from_owner(&node.spec.owner, id);
        self.accounts.forget_node(id, node.site);
        self.fleet.remove(&node.spec.capacity, 1);
        self.node_names.remove(name);
    }

    fn report_load(&mut self, sample: &LoadSample) {
        let now = self.now;
        let node = self.nodes.get_mut(u64::from(sample.node.0)).expect("invariant: node exists");
        let owner = self.owners.get_mut(&node.spec.owner);
        let (owner, is_new_day) = owner.map_or((None, false), |owner| {
            let is_new_day = record_lent(&mut owner.record, node, sample);
            (Some(&*owner), is_new_day)
        });
        node.history.record(sample.time, &sample.load);
        node.last_report = now;
        node.held_back = held_back(node, &self.policy, owner);
        if is_new_day {
            let name = node.spec.owner.clone();
            self.forget_past_regions(&name);
        }
    }

    fn bound_node(&mut self, found: &NodeBounds) {
        let node = node_mut(&mut self.nodes, found.node);
        node.bounds = Some(Arc::clone(&found.bounds));
        node.held_back = held_back(node, &self.policy, self.owners.get(&node.spec.owner));
    }

    fn add_job(&mut self, id: JobId, tenant: TenantId, name: &Name, spec: &Arc<JobSpec>) {
        Arc::make_mut(&mut self.profile).observe(spec, &self.fleet);
        self.insert_job(Job {
            id,
            tenant,
            name: name.clone(),
            spec: Arc::clone(spec),
            tasks: Tasks::new(spec.count),
            counts: TaskCounts { pending: spec.count, ..TaskCounts::default() },
            first_pending: TaskIndex(0),
            evictions: 0,
            created: self.now,
            ended: None,
            revision: self.revision,
        });
    }

    /// Also for recovery: what pending tasks ask for is added here.
    pub(super) fn insert_job(&mut self, job: Job) {
        let (id, pending) = (job.id, u64::from(job.counts.pending));
        let unfinished = pending + u64::from(job.counts.delayed);
        self.next_job = self.next_job.max(id.next());
        let tenant = tenant_mut(&mut self.tenants, job.tenant);
        tenant.jobs.add(id);
        if job.name.job_id() != Some(id) {
            self.job_names.insert(&(job.tenant, &job.name), id.0);
        }
        tenant.unfinished_jobs += u64::from(job.ended.is_none());
        ask(&mut self.tenants, &job, unfinished);
        self.requested.add(&job.spec.request, unfinished);
        self.waiting.add(&job.spec.request, pending);
        self.waiting.jobs += u64::from(pending > 0);
        self.jobs.insert(id.0, job);
    }

    fn resize_job(&mut self, id: JobId, count: u32) {
        let job = job_mut(&mut self.jobs, id);
        let old = job.spec.count;
        Arc::make_mut(&mut job.spec).count = count;
        job.revision = self.revision;
        for task in job.tasks.iter().skip(count as usize) {
            if let TaskPhase::Ended(end) = task.phase {
                *counter(&mut job.counts, end) -= 1;
            }
        }
        job.tasks.resize(count);
        let more = count.saturating_sub(old);
        if more == 0 {
            return;
        }
        become_pending(job, TaskIndex(old), more, &mut self.waiting);
        self.requested.add(&job.spec.request, u64::from(more));
        ask(&mut self.tenants, job, u64::from(more));
    }

    fn end_job(&mut self, id: JobId, state: JobState) {
        if self.has_dependents() {
            self.end_waits(id);
        }
        let job = job_mut(&mut self.jobs, id);
        job.ended = Some((self.now, state));
        self.quotes.ended(id);
        job.revision = self.revision;
        tenant_mut(&mut self.tenants, job.tenant).unfinished_jobs -= 1;
    }

    fn forget_job(&mut self, id: JobId) {
        let job = self.jobs.remove(id.0).expect("invariant: the event's job exists");
        if job.name.job_id() != Some(id) {
            self.job_names.remove(&(job.tenant, &job.name), id.0);
        }
        self.accounts.forget_job(id);
        if !self.preempted.is_empty() {
            self.preempted.remove(&id);
        }
        if let Some(tenant) = self.tenants.get_mut(u64::from(job.tenant.0)) {
            tenant.jobs.drop_one(|id| self.jobs.get(id.0).is_some());
        }
    }
}

pub(super) fn node_mut(nodes: &mut Table<Node>, id: NodeId) -> &mut Node {
    nodes.get_mut(u64::from(id.0)).expect("invariant: the event's node exists")
}

pub(super) fn tenant_mut(tenants: &mut Table<Tenant>, id: TenantId) -> &mut Tenant {
    tenants.get_mut(u64::from(id.0)).expect("invariant: the event's tenant exists")
}

pub(super) fn job_mut(jobs: &mut Table<Job>, id: JobId) -> &mut Job {
    jobs.get_mut(id.0).expect("invariant: the event's job exists")
}
