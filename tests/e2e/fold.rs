//! A cell as its lists tell it, and as its watch does. At the same revision both are the same.

use std::collections::BTreeMap;

use offpeak::v1::{
    Allocation, AllocationState, Capacity, DependencyCondition, Event, EvictionReason,
    GetCapacityRequest, GetCapacityResponse, Job, JobSpec, JobState, ListAllocationsRequest,
    ListJobsRequest, ListNodesRequest, ListTenantsRequest, Node, NodeState, Preemption, Resources,
    SnapshotPart, TaskCounts, TaskEnd, TaskEnded, TasksPlaced, Tenant, Usage, event::Kind,
};
use offpeak_client::{Client, Error};
use prost_types::Timestamp;

/// Tenant and name.
type JobKey = (String, String);

/// All objects of a cell. What only the cell can reckon (forecast and headroom) is left out.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Objects {
    pub(crate) nodes: BTreeMap<String, Node>,
    pub(crate) tenants: BTreeMap<String, Tenant>,
    pub(crate) jobs: BTreeMap<JobKey, Job>,
    pub(crate) allocations: BTreeMap<u64, Allocation>,
}

/// Objects kept up to date by events.
#[derive(Clone, Debug, Default)]
pub(crate) struct Fold {
    objects: Objects,
    tasks: BTreeMap<JobKey, Tasks>,
}

/// What a job's description does not tell of its tasks.
#[derive(Clone, Debug, Default)]
struct Tasks {
    /// How those that ended did.
    ended: BTreeMap<u32, TaskEnd>,
    /// How often each was placed.
    attempts: BTreeMap<u32, u32>,
    /// When those that wait out a back-off are tried again.
    retries: BTreeMap<u32, Timestamp>,
}

/// Everything that a cell lists, at one revision.
#[derive(Debug)]
pub(crate) struct Lists {
    pub(crate) revision: u64,
    pub(crate) objects: Objects,
    nodes: Vec<Node>,
    capacity: GetCapacityResponse,
}

impl Lists {
    /// Reads all lists, again until they are of one revision.
    pub(crate) async fn read(client: &Client) -> Result<Self, Error> {
        loop {
            if let Some(lists) = Self::try_read(client).await? {
                return Ok(lists);
            }
        }
    }

    async fn try_read(client: &Client) -> Result<Option<Self>, Error> {
        macro_rules! pages {
            ($request:ident, $objects:ident, $revision:expr) => {{
                let mut objects = Vec::new();
                let mut page_token = String::new();
                loop {
                    let request = $request { page_size: 1_000, page_token, ..Default::default() };
                    let page = client.call(request).await?;
                    if page.revision != $revision {
                        return Ok(None);
                    }
                    objects.extend(page.$objects);
                    page_token = page.next_page_token;
                    if page_token.is_empty() {
                        break objects;
                    }
                }
            }};
        }
        let capacity = client.call(GetCapacityRequest::default()).await?;
        let revision = capacity.revision;
        let nodes = pages!(ListNodesRequest, nodes, revision);
        let tenants = pages!(ListTenantsRequest, tenants, revision);
        let jobs = pages!(ListJobsRequest, jobs, revision);
        let allocations = pages!(ListAllocationsRequest, allocations, revision);
        let part =
            SnapshotPart { nodes: nodes.clone(), tenants, jobs, allocations, ..<_>::default() };
        let mut objects = Objects::default();
        objects.add(part);
        Ok(Some(Self { revision, objects, nodes, capacity }))
    }

    /// What must hold within one revision: nothing is lent twice, and the sums are right.
    pub(crate) fn check(&self) {
        let mut regions: BTreeMap<&str, Capacity> = BTreeMap::new();
        for node in &self.nodes {
            check_node(node);
            let sum = regions.entry(&node.region).or_default();
            sum.region.clone_from(&node.region);
            add_node(sum, node);
        }
        let mut total = Capacity::default();
        regions.values_mut().for_each(fill);
        self.nodes.iter().for_each(|node| add_node(&mut total, node));
        fill(&mut total);
        let regions: Vec<Capacity> = regions.into_values().collect();
        assert_eq!(self.capacity.regions, regions);
        assert_eq!(self.capacity.total, Some(total));

        let (mut pending, mut tasks, mut jobs) = (Resources::default(), 0, 0);
        for job in self.objects.jobs.values() {
            let waiting = job.tasks.expect("counts").pending;
            add(&mut pending, request_of(job), waiting.into());
            tasks += u64::from(waiting);
            jobs += u64::from(waiting > 0);
        }
        assert_eq!(self.capacity.pending, Some(pending));
        assert_eq!((self.capacity.pending_tasks, self.capacity.pending_jobs), (tasks, jobs));
        let allocations = self.objects.allocations.len() as u64;
        assert_eq!(self.capacity.total.as_ref().map(|total| total.allocations), Some(allocations));
    }
}

impl Objects {
    fn add(&mut self, part: SnapshotPart) {
        for node in part.nodes {
            let node = Node { forecast: None, headroom: None, overcommitted: false, ..node };
            self.nodes.insert(node.name.clone(), node);
        }
        for tenant in part.tenants {
            // What follows from the fleet, from other tenants and from the time is for those who ask.
            let tenant = Tenant {
                total_usage: None,
                share: None,
                borrowed: None,
                decayed_usage: None,
                effective_priority_ceiling: 0,
                ..tenant
            };
            self.tenants.insert(tenant.name.clone(), tenant);
        }
        for job in part.jobs {
            self.jobs.insert((job.tenant.clone(), job.name.clone()), job);
        }
        for allocation in part.allocations {
            self.allocations.insert(allocation.id, allocation);
        }
    }
}

impl Fold {
    /// Takes a part of a snapshot in.
    pub(crate) fn add(&mut self, part: SnapshotPart) {
        for allocation in &part.allocations {
            let key = (allocation.tenant.clone(), allocation.job.clone());
            let attempts = &mut self.tasks.entry(key).or_default().attempts;
            attempts.insert(allocation.task, allocation.attempt);
        }
        self.objects.add(part);
    }

    /// The objects with all that follows from others reckoned.
    pub(crate) fn objects(&self) -> Objects {
        let mut objects = self.objects.clone();
        for node in objects.nodes.values_mut() {
            node.lent = Some(Resources::default());
            node.allocation_count = 0;
        }
        for tenant in objects.tenants.values_mut() {
            let (requested, held) = (Some(Resources::default()), Some(Resources::default()));
            tenant.usage = Some(Usage { requested, held, ..Usage::default() });
        }
        for allocation in objects.allocations.values() {
            let node = objects.nodes.get_mut(&allocation.node).expect("its node exists");
            add(node.lent.as_mut().expect("set"), allocation.resources.as_ref().expect("some"), 1);
            node.allocation_count += 1;
        }
        for job in objects.jobs.values_mut() {
            let counts = job.tasks.expect("counts");
            let tenant = objects.tenants.get_mut(&job.tenant).expect("its tenant exists");
            let usage = tenant.usage.as_mut().expect("set");
            let (held, unfinished) =
                (counts.placed.into(), u64::from(counts.placed + counts.pending + counts.delayed));
            usage.held_tasks += held;
            usage.requested_tasks += unfinished;
            add(usage.held.as_mut().expect("set"), request_of(job), held);
            add(usage.requested.as_mut().expect("set"), request_of(job), unfinished);
            if job.end_time.is_none() {
                let state = if counts.placed > 0 { JobState::Running } else { JobState::Pending };
                job.set_state(state);
            }
        }
        let reasons: Vec<(JobKey, String)> =
            objects.jobs.keys().map(|key| (key.clone(), self.end_reason(key))).collect();
        for (key, reason) in reasons {
            objects.jobs.get_mut(&key).expect("it is there").end_reason = reason;
        }
        objects
    }

    /// Why a job ended for which others had to succeed.
    fn end_reason(&self, key: &JobKey) -> String {
        let hopeless = |tasks: &Tasks| tasks.ended.get(&0) == Some(&TaskEnd::DependencyFailed);
        if !self.tasks.get(key).is_some_and(hopeless) {
            return String::new();
        }
        let spec = self.objects.jobs[key].spec.as_ref().expect("a spec");
        let failed = spec.dependencies.iter().filter(|dependency| {
            let job = self.objects.jobs.get(&(key.0.clone(), dependency.job.clone()));
            let failed =
                job.is_some_and(|job| job.end_time.is_some() && job.state() != JobState::Succeeded);
            failed && dependency.condition() == DependencyCondition::Success
        });
        let failed: Vec<&str> = failed.map(|dependency| dependency.job.as_str()).collect();
        format!("dependency failed: {}", failed.join(", "))
    }

    pub(crate) fn apply(&mut self, event: &Event) {
        match event.kind.clone().expect("a kind") {
            Kind::NodeRegistered(e) => {
                let node = e.node.expect("a node");
                let old = self.objects.nodes.insert(node.name.clone(), node);
                assert_eq!(old, None, "a registered node is new");
            }
            Kind::NodeUpdated(e) => {
                let node = e.node.expect("a node");
                let old = self.node(&node.name);
                *old = Node {
                    state: old.state,
                    drain_deadline: old.drain_deadline,
                    owner_load: old.owner_load.take(),
                    owner_load_time: old.owner_load_time,
                    create_time: old.create_time,
                    ..node
                };
            }
            Kind::NodeStateChanged(e) => {
                let node = self.node(&e.node);
                node.state = e.state;
                node.drain_deadline = e.drain_deadline;
                node.revision = event.revision;
            }
            Kind::NodeRemoved(e) => {
                self.objects.nodes.remove(&e.node).expect("a removed node exists");
                for job in self.objects.jobs.values_mut() {
                    job.planned_start.take_if(|planned| planned.node == e.node);
                }
            }
            // Owners and prices follow from nothing else, and nothing that is folded here follows from them. No tenant
            // here has a budget: what it spends changes with time and not with events.
            Kind::OwnerUpdated(_)
            | Kind::OwnerTurned(_)
            | Kind::RiskCurbed(_)
            | Kind::PriceBookChanged(_)
            | Kind::DemandPriced(_)
            | Kind::BudgetTurned(_) => {}
            Kind::QuotaTurned(e) => {
                let tenant = self.objects.tenants.get_mut(&e.tenant).expect("it exists");
                tenant.quota_low = e.low;
            }
            Kind::LoadReported(e) => {
                for sample in e.samples {
                    let node = self.node(&sample.node);
                    node.owner_load = sample.load;
                    node.owner_load_time = sample.time;
                }
            }
            Kind::TenantCreated(e) => {
                let tenant = e.tenant.expect("a tenant");
                self.objects.tenants.insert(tenant.name.clone(), tenant);
            }
            Kind::TenantUpdated(e) => {
                let tenant = e.tenant.expect("a tenant");
                let old = self.objects.tenants.get_mut(&tenant.name).expect("it exists");
                *old = Tenant { create_time: old.create_time, quota_low: old.quota_low, ..tenant };
            }
            Kind::TenantDeleted(e) => {
                self.objects.tenants.remove(&e.tenant).expect("a deleted tenant exists");
                self.objects.jobs.retain(|(tenant, _), _| *tenant != e.tenant);
            }
            kind => self.apply_to_job(event, kind),
        }
    }

    fn apply_to_job(&mut self, event: &Event, kind: Kind) {
        match kind {
            Kind::JobSubmitted(e) => {
                let mut job = e.job.expect("a job");
                job.spec = job.spec.map(without_payload);
                let key = (job.tenant.clone(), job.name.clone());
                self.tasks.insert(key.clone(), Tasks::default());
                assert_eq!(self.objects.jobs.insert(key, job), None, "a submitted job is new");
            }
            Kind::JobUpdated(e) => {
                let key = (e.tenant, e.job);
                self.resize(key.clone(), e.count, event.revision);
                let job = self.job(&key);
                job.spec = e.spec.map(without_payload).or(job.spec.take());
            }
            Kind::JobEnded(e) => {
                let job = self.job(&(e.tenant.clone(), e.job.clone()));
                job.state = e.state;
                job.end_time = event.time;
                job.quote = None;
                job.revision = event.revision;
                job.waits_for.clear();
                let ended = e.job;
                for other in self.objects.jobs.values_mut().filter(|job| job.tenant == e.tenant) {
                    other.waits_for.retain(|job| *job != ended);
                }
            }
            Kind::JobForgotten(e) => {
                let key = (e.tenant, e.job);
                self.tasks.remove(&key);
                self.objects.jobs.remove(&key).expect("a forgotten job exists");
            }
            Kind::JobQuoted(e) => self.job(&(e.tenant, e.job)).quote = e.quote,
            Kind::TasksPlaced(e) => self.place(event, e),
            Kind::TaskStarted(e) => {
                self.counts(&(e.tenant, e.job)).running += 1;
                let allocation = self.allocation(e.allocation_id);
                allocation.set_state(AllocationState::Running);
                allocation.start_time = event.time;
            }
            Kind::TasksDelayed(e) => {
                let counts = self.counts(&(e.tenant.clone(), e.job.clone()));
                counts.pending -= e.count;
                counts.delayed += e.count;
                self.wait((e.tenant, e.job));
            }
            Kind::TasksResumed(e) => {
                let key = (e.tenant, e.job);
                let counts = self.counts(&key);
                counts.delayed -= e.count;
                counts.pending += e.count;
                self.stop_waiting(&key, e.task, e.count);
            }
            Kind::TaskDelayed(e) => {
                self.release(e.allocation_id);
                let key = (e.tenant, e.job);
                self.counts(&key).delayed += 1;
                let retries = &mut self.tasks.entry(key.clone()).or_default().retries;
                retries.insert(e.task, e.retry_time.expect("a time"));
                self.show_next_retry(&key);
            }
            Kind::TaskEnded(e) => self.end(e),
            Kind::NoticeGiven(e) => self.allocation(e.allocation_id).notice = e.notice,
            Kind::AdvisoryGiven(_) => {}
            Kind::StartPlanned(e) => self.job(&(e.tenant, e.job)).planned_start = e.planned,
            Kind::StartUnplanned(e) => self.job(&(e.tenant, e.job)).planned_start = None,
            Kind::NoticeWithdrawn(e) => self.allocation(e.allocation_id).notice = None,
            Kind::TaskEvicted(e) => {
                let preempted = e.reason() == EvictionReason::Preempted;
                let notice = self.allocation(e.allocation_id).notice.clone().unwrap_or_default();
                self.release(e.allocation_id);
                let job = self.job(&(e.tenant, e.job));
                if preempted && !notice.preempting_job.is_empty() {
                    job.last_preemption = Some(Preemption {
                        right: notice.preemption_right,
                        tenant: notice.preempting_tenant,
                        job: notice.preempting_job,
                        time: event.time,
                    });
                }
                job.evictions += 1;
                job.tasks.as_mut().expect("counts").pending += 1;
            }
            other => panic!("not about a job: {other:?}"),
        }
    }

    fn place(&mut self, event: &Event, placed: TasksPlaced) {
        let key = (placed.tenant, placed.job);
        self.job(&key).quote = None;
        let resources = self.job(&key).spec.as_ref().and_then(|spec| spec.request.clone());
        for placement in placed.placements {
            for offset in 0..placement.count {
                let task = placement.task + offset;
                let tasks = self.tasks.entry(key.clone()).or_default();
                let attempt = tasks.attempts.entry(task).or_default();
                *attempt += 1;
                let allocation = Allocation {
                    id: placement.allocation_id + u64::from(offset),
                    tenant: key.0.clone(),
                    job: key.1.clone(),
                    task,
                    attempt: *attempt,
                    node: placement.node.clone(),
                    resources: resources.clone(),
                    gpu_devices: placement.gpu_devices.clone(),
                    state: AllocationState::Placed.into(),
                    place_time: event.time,
                    start_time: None,
                    notice: None,
                };
                let old = self.objects.allocations.insert(allocation.id, allocation);
                assert_eq!(old, None, "an allocation is new");
            }
            let counts = self.counts(&key);
            counts.pending -= placement.count;
            counts.placed += placement.count;
        }
        self.job(&key).planned_start = None;
    }

    fn end(&mut self, ended: TaskEnded) {
        let end = ended.end();
        let key = (ended.tenant, ended.job);
        if ended.allocation_id == 0 {
            let counts = self.counts(&key);
            let from = if ended.delayed { &mut counts.delayed } else { &mut counts.pending };
            *from -= ended.count;
            self.stop_waiting(&key, ended.task, ended.count);
            let pending = self.counts(&key).pending;
            let planned = &mut self.job(&key).planned_start;
            planned.take_if(|_| pending == 0);
            planned.iter_mut().for_each(|planned| planned.tasks = planned.tasks.min(pending));
        } else {
            assert_eq!(ended.count, 1, "an allocation is of one task");
            self.release(ended.allocation_id);
        }
        *counter(self.counts(&key), end) += ended.count;
        let tasks = self.tasks.entry(key).or_default();
        tasks.ended.extend((ended.task..ended.task + ended.count).map(|task| (task, end)));
    }

    /// Takes an allocation away; its task is left for the caller.
    fn release(&mut self, id: u64) {
        let allocation = self.objects.allocations.remove(&id).expect("it is live");
        let running = allocation.state() == AllocationState::Running;
        let counts = self.counts(&(allocation.tenant, allocation.job));
        counts.placed -= 1;
        counts.running -= u32::from(running);
    }

    /// The job waits for those of its dependencies that have not ended.
    fn wait(&mut self, key: JobKey) {
        let jobs = &self.objects.jobs;
        let spec = jobs[&key].spec.as_ref().expect("a spec");
        let names = spec.dependencies.iter().map(|dependency| dependency.job.clone());
        let waits = |name: &String| {
            jobs.get(&(key.0.clone(), name.clone())).is_some_and(|job| job.end_time.is_none())
        };
        let names = names.filter(waits).collect();
        self.job(&key).waits_for = names;
    }

    fn stop_waiting(&mut self, key: &JobKey, first: u32, count: u32) {
        self.job(key).waits_for.clear();
        let retries = &mut self.tasks.entry(key.clone()).or_default().retries;
        retries.retain(|task, _| !(first..first + count).contains(task));
        self.show_next_retry(key);
    }

    fn show_next_retry(&mut self, key: &JobKey) {
        let retries = self.tasks.entry(key.clone()).or_default().retries.values();
        let next = retries.copied().min_by_key(|time| (time.seconds, time.nanos));
        self.job(key).next_retry_time = next;
    }

    fn resize(&mut self, key: JobKey, count: u32, revision: u64) {
        let cut_off = self.tasks.entry(key.clone()).or_default().ended.split_off(&count);
        let job = self.job(&key);
        job.revision = revision;
        let spec = job.spec.as_mut().expect("a spec");
        let more = count.saturating_sub(spec.count);
        spec.count = count;
        let counts = job.tasks.as_mut().expect("counts");
        counts.pending += more;
        for end in cut_off.into_values() {
            *counter(counts, end) -= 1;
        }
    }

    fn node(&mut self, name: &str) -> &mut Node {
        self.objects.nodes.get_mut(name).expect("the event's node exists")
    }

    fn job(&mut self, key: &JobKey) -> &mut Job {
        self.objects.jobs.get_mut(key).expect("the event's job exists")
    }

    fn counts(&mut self, key: &JobKey) -> &mut TaskCounts {
        self.job(key).tasks.as_mut().expect("counts")
    }

    fn allocation(&mut self, id: u64) -> &mut Allocation {
        self.objects.allocations.get_mut(&id).expect("the event's allocation is live")
    }
}

fn counter(counts: &mut TaskCounts, end: TaskEnd) -> &mut u32 {
    match end {
        TaskEnd::Succeeded => &mut counts.succeeded,
        TaskEnd::Failed | TaskEnd::TimedOut | TaskEnd::MissedDeadline | TaskEnd::Evicted => {
            &mut counts.failed
        }
        TaskEnd::Cancelled | TaskEnd::DependencyFailed => &mut counts.cancelled,
        TaskEnd::Unspecified => panic!("a task ends in some way"),
    }
}

/// Lists do not show what tasks run.
fn without_payload(spec: JobSpec) -> JobSpec {
    JobSpec { payload: None, ..spec }
}

fn request_of(job: &Job) -> &Resources {
    job.spec.as_ref().and_then(|spec| spec.request.as_ref()).expect("a request")
}

/// headroom = capacity - max(reservation, forecast) - lent, and never less than nothing.
fn check_node(node: &Node) {
    let some = |resources: &Option<Resources>| resources.clone().unwrap_or_default();
    let (capacity, lent) = (some(&node.capacity), some(&node.lent));
    let back = held_back(node);
    let left = |capacity: u64, back: u64, lent: u64| capacity.saturating_sub(back + lent);
    let headroom = some(&node.headroom);
    let cpu = left(capacity.cpu_millis, back.cpu_millis, lent.cpu_millis);
    let memory = left(capacity.memory_bytes, back.memory_bytes, lent.memory_bytes);
    assert_eq!((headroom.cpu_millis, headroom.memory_bytes), (cpu, memory), "{node:?}");
    let over = back.cpu_millis + lent.cpu_millis > capacity.cpu_millis
        || back.memory_bytes + lent.memory_bytes > capacity.memory_bytes;
    assert_eq!(node.overcommitted, over && node.allocation_count > 0, "{node:?}");
    assert!(lent.cpu_millis <= capacity.cpu_millis, "lent more than there is: {node:?}");
}

fn held_back(node: &Node) -> Resources {
    let reservation = node.reservation.clone().unwrap_or_default();
    let forecast = node.forecast.clone().unwrap_or_default();
    Resources {
        cpu_millis: reservation.cpu_millis.max(forecast.cpu_millis),
        memory_bytes: reservation.memory_bytes.max(forecast.memory_bytes),
        ..Resources::default()
    }
}

fn add_node(sum: &mut Capacity, node: &Node) {
    sum.nodes += 1;
    sum.allocations += u64::from(node.allocation_count);
    sum.overcommitted_nodes += u64::from(node.overcommitted);
    let add_to = |sum: &mut Option<Resources>, amount: Option<&Resources>| {
        if let Some(amount) = amount {
            add(sum.get_or_insert_default(), amount, 1);
        }
    };
    add_to(&mut sum.capacity, node.capacity.as_ref());
    add_to(&mut sum.owner_load, node.owner_load.as_ref());
    add_to(&mut sum.held_back, Some(&held_back(node)));
    add_to(&mut sum.lent, node.lent.as_ref());
    if node.state() == NodeState::Ready {
        sum.ready_nodes += 1;
        add_to(&mut sum.headroom, node.headroom.as_ref());
    }
}

/// Sums of nothing are told as zeros.
fn fill(sum: &mut Capacity) {
    for amount in [
        &mut sum.capacity,
        &mut sum.owner_load,
        &mut sum.held_back,
        &mut sum.lent,
        &mut sum.headroom,
    ] {
        amount.get_or_insert_default();
    }
}

fn add(sum: &mut Resources, amount: &Resources, times: u64) {
    sum.cpu_millis += amount.cpu_millis * times;
    sum.memory_bytes += amount.memory_bytes * times;
    sum.disk_bytes += amount.disk_bytes * times;
    sum.network_bps += amount.network_bps * times;
    sum.gpu_millis += amount.gpu_millis * times;
    for (name, count) in amount.counts.iter().filter(|_| times > 0) {
        *sum.counts.entry(name.clone()).or_default() += count * times;
    }
}
