//! A second, slow reckoning of a cell from nothing but its events. It shares no code with the state or the
//! scheduler: it scans everything, remembers every load sample, and asserts that each event was allowed.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use offpeak_core::{
    event::{Batch, Event, Placement},
    model::{
        AllocationId, AllocationRef, Bounds, BudgetLevel, DeviceSet, Dimension, Early,
        EvictionReason, Horizon, JobId, JobSpec, JobState, LabelSelector, Millis, Name, NodeId,
        NodeMode, NodeSpec, Notice, OnNotice, OwnerSpec, PlannedStart, Policy, PreemptedFor,
        Preemptor, Priority, Resources, SelectorOperator, Spread, TaskEnd, TaskIndex, TenantId,
        TenantSpec, Time, Topology, Windows,
    },
};

#[derive(Clone)]
pub(super) struct Node {
    pub(super) spec: Arc<NodeSpec>,
    pub(super) mode: NodeMode,
    pub(super) lost: bool,
    pub(super) samples: Vec<(Time, Resources)>,
    pub(super) bounds: Option<Arc<Bounds>>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Task {
    Pending,
    Delayed,
    Placed(AllocationId),
    Ended,
}

#[derive(Clone)]
pub(super) struct Job {
    pub(super) tenant: TenantId,
    pub(super) spec: Arc<JobSpec>,
    pub(super) tasks: Vec<Task>,
    ended: Option<JobState>,
}

/// What a task of a job with a retry policy has been through.
#[derive(Clone, Default)]
struct Trouble {
    failures: u32,
    timeouts: u32,
    evictions: u32,
    losses: u32,
    until: Option<Time>,
}

#[derive(Clone)]
pub(super) struct Allocation {
    pub(super) at: AllocationRef,
    pub(super) devices: DeviceSet,
    pub(super) placed: Time,
    pub(super) started: Option<Time>,
    pub(super) notice: Option<Notice>,
    /// The job that is guaranteed its room and takes it back.
    taker: Option<JobId>,
}

/// What the events say.
#[derive(Clone, Default)]
pub(super) struct Naive {
    pub(super) now: Time,
    policy: Policy,
    pub(super) nodes: BTreeMap<NodeId, Node>,
    pub(super) owners: BTreeMap<Name, (Arc<OwnerSpec>, Arc<Windows>)>,
    tenants: BTreeMap<TenantId, Arc<TenantSpec>>,
    /// Of tenants that have come to one of their limits.
    levels: BTreeMap<TenantId, BudgetLevel>,
    /// Those of whose quota little is left.
    low: BTreeSet<TenantId>,
    pub(super) jobs: BTreeMap<JobId, Job>,
    allocations: BTreeMap<AllocationId, Allocation>,
    troubles: BTreeMap<(JobId, u32), Trouble>,
    last_allocation: u64,
    /// Nodes whose load was reported in the newest batch, and that were not changed since.
    reported: BTreeSet<NodeId>,
    pub(super) planned: BTreeMap<JobId, PlannedStart>,
    /// A task that has just left for another node, on which it is to be placed next.
    moved: Option<(JobId, TaskIndex, NodeId)>,
    /// How long tasks ran that ended by themselves, of like jobs without a limit: tenant, request and size of the gang.
    pub(super) ran: BTreeMap<(TenantId, Resources, u32), Vec<Millis>>,
}

pub(super) fn amount(resources: &Resources, dimension: &Dimension) -> u64 {
    match dimension {
        Dimension::Cpu => resources.cpu_millis,
        Dimension::Memory => resources.memory_bytes,
        Dimension::Disk => resources.disk_bytes,
        Dimension::Network => resources.network_bps,
        Dimension::Gpu => resources.gpu_millis,
        Dimension::Count(name) => resources.counts.get(name.as_str()),
    }
}

fn selects(selector: &LabelSelector, node: &NodeSpec) -> bool {
    let value = node.labels.get(&selector.key);
    match &selector.operator {
        SelectorOperator::In(values) => value.is_some_and(|value| values.contains(value)),
        SelectorOperator::NotIn(values) => value.is_none_or(|value| !values.contains(value)),
        SelectorOperator::Exists => value.is_some(),
        SelectorOperator::NotExists => value.is_none(),
    }
}

pub(super) fn allows(node: &NodeSpec, job: &JobSpec) -> bool {
    let wanted = &job.constraints;
    let among = |list: &[Name], name: &Name| list.is_empty() || list.contains(name);
    among(&wanted.regions, &node.region)
        && among(&wanted.zones, &node.zone)
        && among(&wanted.gpu_models, &node.gpu_model)
        && wanted.labels.iter().all(|selector| selects(selector, node))
        && node.taints.iter().all(|taint| {
            wanted.tolerations.iter().any(|toleration| {
                toleration.key.as_ref().is_none_or(|key| *key == taint.key)
                    && toleration.value.as_ref().is_none_or(|value| *value == taint.value)
            })
        })
}

impl Job {
    /// Whether any of its tasks may be placed.
    pub(super) fn is_queued(&self) -> bool {
        let has = |task| self.tasks.contains(&task);
        has(Task::Pending) && !(self.spec.gang && has(Task::Delayed))
    }
}

impl Naive {
    /// Takes the events in, one by one.
    pub(super) fn fold(&mut self, batch: &Batch) {
        self.reported.clear();
        for (commit, events) in batch.iter() {
            assert!(commit.time >= self.now, "time never goes back");
            self.now = commit.time;
            events.iter().for_each(|event| self.event(event));
        }
        if batch.events.iter().any(|event| matches!(event, Event::StartPlanned { .. })) {
            self.check_planned_starts();
        }
    }

    fn event(&mut self, event: &Event) {
        if let Some((moved, task, node)) = self.moved.take() {
            let Event::TasksPlaced { job, placements } = event else {
                panic!("it arrives: {event:?}")
            };
            let [only] = placements.as_slice() else { panic!("alone") };
            let arrives = (*job, only.task, only.count, only.node);
            assert_eq!(arrives, (moved, task, 1, node), "where it was to go");
        }
        match event {
            Event::PolicyChanged(policy) => self.policy = policy.clone(),
            Event::NodeRegistered { id, spec } => {
                let (mode, samples) = (NodeMode::Open, Vec::new());
                let bounds = None;
                let spec = Arc::clone(spec);
                self.nodes.insert(*id, Node { spec, mode, lost: false, samples, bounds });
            }
            Event::NodeUpdated { id, spec } => {
                self.node(*id).spec = Arc::clone(spec);
                self.reported.remove(id);
            }
            Event::NodeModeChanged { id, mode, .. } => self.node(*id).mode = *mode,
            Event::NodeLost { id } => self.node(*id).lost = true,
            Event::NodeFound { id, .. } => self.node(*id).lost = false,
            Event::NodeRemoved { id, .. } => {
                assert!(self.on(*id).next().is_none(), "a removed node is empty");
                self.planned.retain(|_, planned| planned.nodes().all(|node| node != *id));
                self.nodes.remove(id);
            }
            Event::LoadReported { samples } => {
                for sample in samples {
                    let samples = &mut self.node(sample.node).samples;
                    assert!(samples.last().is_none_or(|(time, _)| *time < sample.time));
                    samples.push((sample.time, sample.load.clone()));
                    self.reported.insert(sample.node);
                }
            }
            Event::OwnerUpdated { spec, windows } => {
                let owner = (Arc::clone(spec), Arc::clone(windows));
                self.owners.insert(spec.name.clone(), owner);
            }
            Event::WindowsRenewed { owner, windows } => {
                self.owners.get_mut(owner).expect("described").1 = Arc::clone(windows);
            }
            Event::OwnerTurned { owner } | Event::RiskCurbed { owner, .. } => {
                assert!(self.owners.contains_key(owner));
            }
            Event::ForecastMade { bounds } => {
                for found in bounds {
                    self.node(found.node).bounds = Some(Arc::clone(&found.bounds));
                }
            }
            Event::TenantCreated { id, spec } | Event::TenantUpdated { id, spec } => {
                self.tenants.insert(*id, Arc::clone(spec));
            }
            Event::BudgetTurned { tenant, level, .. } => {
                let old = self.levels.insert(*tenant, *level).unwrap_or_default();
                assert_ne!(old, *level, "a turn is one");
            }
            Event::QuotaTurned { tenant, low, used_permille } => {
                let turned = if *low { self.low.insert(*tenant) } else { self.low.remove(tenant) };
                assert!(turned, "a turn is one");
                assert_eq!(*used_permille, self.quota_used(*tenant));
            }
            Event::PriceBookChanged { .. } | Event::DemandPriced { .. } => {}
            Event::TenantDeleted { id, .. } => {
                self.tenants.remove(id);
                self.levels.remove(id);
                self.low.remove(id);
                assert!(self.jobs.values().all(|job| job.tenant != *id), "its jobs are gone");
            }
            Event::RequestRemembered { .. } | Event::RequestsForgotten { .. } => {}
            _ => self.job_event(event),
        }
    }

    #[expect(clippy::too_many_lines, reason = "one arm a kind")]
    fn job_event(&mut self, event: &Event) {
        match event {
            Event::JobSubmitted { id, tenant, spec, .. } => {
                let tasks = vec![Task::Pending; spec.count as usize];
                let job = Job { tenant: *tenant, spec: Arc::clone(spec), tasks, ended: None };
                self.jobs.insert(*id, job);
            }
            Event::JobResized { id, count } => {
                let job = self.job(*id);
                let cut = job.tasks.iter().skip(*count as usize);
                assert!(cut.into_iter().all(|task| *task == Task::Ended), "what is cut off ended");
                job.tasks.resize(*count as usize, Task::Pending);
                Arc::make_mut(&mut job.spec).count = *count;
            }
            Event::JobUpdated { id, spec } => {
                let job = self.job(*id);
                assert_eq!(job.spec.count, spec.count, "the count is told on its own");
                job.spec = Arc::clone(spec);
            }
            Event::TasksDelayed { .. } | Event::TasksResumed { .. } | Event::TaskDelayed { .. } => {
                self.delay_event(event);
            }
            Event::TasksPlaced { job, placements } => {
                self.place(*job, placements);
                self.planned.remove(job);
            }
            Event::StartPlanned { job, planned } => self.plan(*job, planned),
            Event::StartUnplanned { job } => {
                self.planned.remove(job).expect("it was planned");
            }
            Event::TaskStarted { at } => {
                self.allocations.get_mut(&at.id).expect("live").started = Some(self.now);
            }
            Event::TaskEnded { at, end, .. } => {
                let allocation = self.release(at, Task::Ended);
                self.see(&allocation, *end);
                if *end == TaskEnd::TimedOut {
                    let limit = self.jobs[&at.job].spec.max_runtime.expect("a limit");
                    let from = allocation.started.unwrap_or(allocation.placed);
                    assert!(from.after(limit) <= self.now, "it has run for long enough");
                }
            }
            Event::TasksDropped { job, first, count, delayed, end } => {
                let (now, id) = (self.now, *job);
                self.check_drop(*job, first.0..first.0 + count, *end);
                let job = self.job(id);
                for task in &mut job.tasks[first.0 as usize..(first.0 + count) as usize] {
                    let from = if *delayed { Task::Delayed } else { Task::Pending };
                    assert_eq!(*task, from, "a dropped task waited");
                    *task = Task::Ended;
                }
                let due = job.spec.deadline.is_some_and(|deadline| deadline <= now);
                let run = job.spec.max_runtime.unwrap_or(job.spec.min_runtime);
                let too_late = job.spec.complete_by.is_some_and(|by| now.after(run) >= by);
                let missed = due || too_late;
                assert!(*end != TaskEnd::MissedDeadline || missed, "the deadline has come");
                self.trim_plan(id);
            }
            Event::NoticeGiven { at, notice, by } => self.notice(at, *notice, by.as_deref()),
            Event::AdvisoryGiven { at, expected_by } => {
                let allocation = &self.allocations[&at.id];
                assert!(allocation.notice.is_none(), "who is under notice knows");
                assert_eq!(*expected_by, self.now.after(Millis::HOUR));
                assert!(
                    !self.leaves_room(at.node, Horizon::Hour),
                    "the owner of {at:?} is expected"
                );
            }
            Event::NoticeWithdrawn { at } => {
                let allocation = self.allocations.get_mut(&at.id).expect("live");
                let (notice, taker) = (allocation.notice.take(), allocation.taker.take());
                match notice.expect("it was under notice").reason {
                    EvictionReason::NodeDrained => {}
                    EvictionReason::Preempted => {
                        let priority = self.jobs[&at.job].spec.priority;
                        // Who is stopped by a budget or laid out over time takes nobody's room.
                        let higher = |(id, job): (&JobId, &Job)| {
                            job.is_queued()
                                && job.spec.priority > priority
                                && !job.spec.is_timed()
                                && !self.is_stopped(*id)
                        };
                        assert!(!self.jobs.iter().any(higher), "who was to come is gone");
                        let taker = taker.and_then(|id| Some((id, self.jobs.get(&id)?)));
                        let waits = taker.is_some_and(|(id, job)| {
                            job.is_queued() && job.spec.priority >= priority && !self.is_stopped(id)
                        });
                        assert!(!waits, "whoever is guaranteed the room waits no more");
                    }
                    EvictionReason::OwnerExpected => {
                        assert!(
                            self.leaves_room(at.node, Horizon::FiveMinutes),
                            "the owner of {at:?} is expected"
                        );
                    }
                    EvictionReason::OverBudget => {
                        assert!(!self.level_of(at.job).stops_all(), "its tenant may go on");
                    }
                    reason => panic!("{reason:?} is never withdrawn"),
                }
            }
            Event::TaskEvicted { at, reason, early } => {
                if let Some(Early::Moved(node)) = early {
                    self.check_move(at, *node);
                }
                self.evict(at, *reason, *early);
            }
            Event::JobsQuoted { quotes } => {
                for (id, _) in quotes {
                    let job = self.job(*id);
                    assert!(job.tasks.iter().all(|task| *task == Task::Pending), "it waits");
                }
            }
            Event::JobEnded { id, state } => {
                let job = self.job(*id);
                assert!(job.ended.is_none() && job.tasks.iter().all(|task| *task == Task::Ended));
                job.ended = Some(*state);
            }
            Event::JobForgotten { id, .. } => {
                assert!(
                    self.jobs.remove(id).expect("a job").ended.is_some(),
                    "only ended jobs are forgotten"
                );
            }
            _ => unreachable!("an event of another kind: {event:?}"),
        }
    }

    fn delay_event(&mut self, event: &Event) {
        match event {
            Event::TasksDelayed { job, first, count } => {
                assert!(!self.is_free(*job), "a job waits for others");
                for task in &mut self.job(*job).tasks[first.0 as usize..(first.0 + count) as usize]
                {
                    assert_eq!(*task, Task::Pending);
                    *task = Task::Delayed;
                }
            }
            Event::TasksResumed { job, first, count } => {
                for index in first.0..first.0 + count {
                    let until = self.troubles.get_mut(&(*job, index)).and_then(|t| t.until.take());
                    let now = self.now;
                    let is_free = until.map_or_else(|| self.is_free(*job), |until| until <= now);
                    assert!(is_free, "task {index} of job {job} has waited for long enough");
                    let task = &mut self.job(*job).tasks[index as usize];
                    assert_eq!(*task, Task::Delayed);
                    *task = Task::Pending;
                }
            }
            Event::TaskDelayed { at, end, until, .. } => {
                self.release(at, Task::Delayed);
                let policy = *self.jobs[&at.job].spec.retry().expect("a policy");
                let trouble = self.troubles.entry((at.job, at.task.0)).or_default();
                let wait = (policy.backoff.0 << (trouble.failures + trouble.timeouts))
                    .min(policy.max_backoff.0);
                let (used, limit) = match end {
                    TaskEnd::Failed => (&mut trouble.failures, policy.failures),
                    _ => (&mut trouble.timeouts, policy.timeouts),
                };
                *used += 1;
                assert!(*used <= limit, "{end:?} is tried again {limit} times at most");
                trouble.until = Some(*until);
                assert_eq!(*until, self.now.after(Millis(wait)), "the back-off doubles");
            }
            _ => unreachable!("an event of another kind: {event:?}"),
        }
    }

    /// Whether tasks may end so that are not placed.
    fn check_drop(&self, id: JobId, mut tasks: std::ops::Range<u32>, end: TaskEnd) {
        let spec = &self.jobs[&id].spec;
        match end {
            TaskEnd::Evicted => {
                let policy = spec.retry().expect("a policy");
                let exhausted = |task: u32| {
                    let trouble = &self.troubles[&(id, task)];
                    policy.evictions.is_some_and(|limit| trouble.evictions > limit)
                        || policy.node_losses.is_some_and(|limit| trouble.losses > limit)
                };
                assert!(tasks.all(exhausted), "job {id} allows more evictions");
            }
            TaskEnd::DependencyFailed => assert!(self.lost_hope(id), "job {id} may still run"),
            _ => {}
        }
    }

    /// Whether all that the job waits for has come about. What is forgotten has.
    pub(super) fn is_free(&self, id: JobId) -> bool {
        self.jobs[&id].spec.dependencies().iter().all(|dependency| {
            let Some(job) = self.jobs.get(&dependency.job) else { return true };
            job.ended.is_some_and(|state| dependency.condition.is_met(state))
        })
    }

    /// Whether something that had to succeed before the job did not.
    fn lost_hope(&self, id: JobId) -> bool {
        self.jobs[&id].spec.dependencies().iter().any(|dependency| {
            let ended = self.jobs.get(&dependency.job).and_then(|job| job.ended);
            ended.is_some_and(|state| !dependency.condition.is_met(state))
        })
    }

    /// Nothing is delayed for no reason.
    fn check_delays_end(&self) {
        for (id, job) in &self.jobs {
            for (index, _) in
                (0..).zip(&job.tasks).filter(|(_, task)| matches!(task, Task::Delayed))
            {
                match self.troubles.get(&(*id, index)).and_then(|trouble| trouble.until) {
                    Some(until) => assert!(until > self.now, "the back-off is over"),
                    None => {
                        assert!(
                            !self.is_free(*id) && !self.lost_hope(*id),
                            "job {id} waits in vain"
                        );
                    }
                }
            }
        }
    }

    fn node(&mut self, id: NodeId) -> &mut Node {
        self.nodes.get_mut(&id).expect("a node")
    }

    fn job(&mut self, id: JobId) -> &mut Job {
        self.jobs.get_mut(&id).expect("a job")
    }

    pub(super) fn on(&self, node: NodeId) -> impl Iterator<Item = &Allocation> {
        self.allocations.values().filter(move |allocation| allocation.at.node == node)
    }

    fn of(&self, job: JobId) -> impl Iterator<Item = &Allocation> {
        self.allocations.values().filter(move |allocation| allocation.at.job == job)
    }

    fn release(&mut self, at: &AllocationRef, becomes: Task) -> Allocation {
        let allocation = self.allocations.remove(&at.id).expect("a live allocation");
        assert_eq!(allocation.at, *at, "it is the one that was placed");
        let task = &mut self.job(at.job).tasks[at.task.0 as usize];
        assert_eq!(*task, Task::Placed(at.id), "its task was placed");
        *task = becomes;
        allocation
    }

    fn evict(&mut self, at: &AllocationRef, reason: EvictionReason, early: Option<Early>) {
        let lost = self.nodes[&at.node].lost;
        let owner_fits = self.owner_has_its_load(at.node);
        let allocation = self.release(at, Task::Pending);
        let trouble = self.troubles.entry((at.job, at.task.0)).or_default();
        match reason {
            EvictionReason::NodeLost => trouble.losses += 1,
            _ => trouble.evictions += 1,
        }
        let announced = allocation
            .notice
            .is_some_and(|n| n.reason == reason && (n.deadline <= self.now || early.is_some()));
        let at_once = match reason {
            EvictionReason::NodeLost => lost,
            EvictionReason::NodeRemoved => true,
            EvictionReason::OwnerReturned => !owner_fits,
            _ => false,
        };
        assert!(
            announced || at_once,
            "an eviction comes at a notice's deadline: {at:?} {reason:?}"
        );
    }

    /// Only who is to move does, for the right reasons, and to no room that anybody waits for.
    fn check_move(&mut self, at: &AllocationRef, node: NodeId) {
        let (job, allocation) = (&self.jobs[&at.job], &self.allocations[&at.id]);
        let notice = allocation.notice.expect("it is under notice");
        assert_ne!(node, at.node, "it goes elsewhere");
        assert_eq!(job.spec.on_notice, OnNotice::Move, "it is to move");
        let stays = [EvictionReason::Cancelled, EvictionReason::OverBudget];
        assert!(!stays.contains(&notice.reason), "{:?} has no other place", notice.reason);
        let from = allocation.started.unwrap_or(allocation.placed);
        let ends = job.spec.max_runtime.map(|max| from.after(max));
        assert!(ends.is_none_or(|ends| ends > notice.deadline), "it would have ended by itself");
        let used = self.troubles.get(&(at.job, at.task.0)).map_or(0, |trouble| trouble.evictions);
        let limit = job.spec.retry().and_then(|retry| retry.evictions);
        assert!(limit.is_none_or(|limit| used < limit), "it may be evicted once more");
        for (id, other) in &self.jobs {
            let comes = self.waits_openly(*id, other) && !other.spec.gang;
            assert!(!comes || !self.open_to(*id).contains(&node), "job {id} waits for {node}");
        }
        self.moved = Some((at.job, at.task, node));
    }

    /// When nothing is due, no mover is left where it is although another node has room for it.
    pub(super) fn check_movers_have_moved(&self) {
        if self.waiting_gang().is_some() {
            return;
        }
        for allocation in self.allocations.values() {
            let at = allocation.at;
            let job = &self.jobs[&at.job];
            let Some(notice) = allocation.notice else { continue };
            let from = allocation.started.unwrap_or(allocation.placed);
            let ends = job.spec.max_runtime.map(|max| from.after(max));
            let limit = job.spec.retry().and_then(|retry| retry.evictions);
            let used = self.troubles.get(&(at.job, at.task.0)).map_or(0, |t| t.evictions);
            let stays = job.spec.on_notice == OnNotice::Stay
                || [EvictionReason::Cancelled, EvictionReason::OverBudget].contains(&notice.reason)
                || ends.is_some_and(|ends| ends <= notice.deadline)
                || limit.is_some_and(|limit| used >= limit)
                || job.spec.deadline.is_some_and(|deadline| deadline <= self.now)
                || !job.spec.constraints.spreads.is_empty()
                || self.is_stopped(at.job);
            // A node with room beside a task that must leave it would be the next one's too.
            if stays || self.fits(at.job, at.node) {
                continue;
            }
            let mut open = self.nodes.keys().filter(|node| !self.is_planned_on(**node));
            assert!(!open.any(|node| self.fits(at.job, *node)), "{at:?} stays and could move");
        }
    }

    /// Whether what is lent leaves room for what is held back.
    fn leaves_room(&self, node: NodeId, horizon: Horizon) -> bool {
        let spec = &self.nodes[&node];
        let held = |dimension| self.held_back(spec, horizon, &dimension);
        let owned = Resources {
            cpu_millis: held(Dimension::Cpu),
            memory_bytes: held(Dimension::Memory),
            gpu_millis: held(Dimension::Gpu),
            ..Resources::default()
        };
        self.fits_beside(node, &owned)
    }

    /// Whether what is lent leaves room for the load that the owner reported last.
    fn owner_has_its_load(&self, node: NodeId) -> bool {
        self.nodes[&node].samples.last().is_none_or(|(_, load)| self.fits_beside(node, load))
    }

    fn fits_beside(&self, node: NodeId, load: &Resources) -> bool {
        let spec = &self.nodes[&node];
        let fits = |dimension: &Dimension| {
            let requests =
                self.on(node).map(|a| amount(&self.jobs[&a.at.job].spec.request, dimension));
            let left =
                amount(&spec.spec.capacity, dimension).saturating_sub(amount(load, dimension));
            requests.sum::<u64>() <= left
        };
        let touched = self.used(node).iter().filter(|used| **used > 0).count() as u64;
        let left = spec.spec.capacity.gpu_millis.saturating_sub(load.gpu_millis) / 1000;
        fits(&Dimension::Cpu) && fits(&Dimension::Memory) && touched <= left
    }

    fn notice(&mut self, at: &AllocationRef, notice: Notice, by: Option<&Preemptor>) {
        let spec = Arc::clone(&self.jobs[&at.job].spec);
        let length = spec.notice.unwrap_or(self.policy.notice);
        if ![EvictionReason::NodeDrained, EvictionReason::Cancelled].contains(&notice.reason) {
            assert!(notice.deadline >= self.now.after(length), "the notice is as long as promised");
        }
        if notice.reason == EvictionReason::OverBudget {
            assert_eq!(self.level_of(at.job), BudgetLevel::AllStopped, "all of it is stopped");
        }
        if notice.reason == EvictionReason::Preempted {
            let placed = self.allocations[&at.id].placed;
            assert!(placed.after(spec.min_runtime) <= self.now, "young tasks are not preempted");
            let by = by.expect("whoever is preempted learns for whom");
            let for_job = &self.jobs[&by.job];
            assert!(for_job.tasks.contains(&Task::Pending), "it is for somebody who waits");
            assert_eq!(by.tenant, self.tenants[&for_job.tenant].name, "and whose name is told");
            match by.right {
                PreemptedFor::Priority => {
                    assert!(for_job.spec.priority > spec.priority || spec.gang)
                }
                PreemptedFor::Guarantee => self.check_taken_back(at.job, by.job),
            }
        }
        let allocation = self.allocations.get_mut(&at.id).expect("live");
        allocation.notice = Some(notice);
        let taker = by.filter(|by| by.right == PreemptedFor::Guarantee);
        allocation.taker = taker.map(|by| by.job);
    }

    fn level_of(&self, job: JobId) -> BudgetLevel {
        self.levels.get(&self.jobs[&job].tenant).copied().unwrap_or_default()
    }

    /// Whether the budget of its tenant lets none of the job's tasks be placed.
    pub(super) fn is_stopped(&self, job: JobId) -> bool {
        self.level_of(job) >= BudgetLevel::NewStopped
    }

    /// The tenant and those above it.
    fn family(&self, tenant: TenantId) -> Vec<TenantId> {
        let mut family = vec![tenant];
        while let Some(last) = family.last().and_then(|id| self.tenants.get(id))
            && let Some((above, _)) = self.tenants.iter().find(|(_, spec)| spec.name == last.parent)
        {
            family.push(*above);
        }
        family
    }

    /// Whether what a tenant and those below it hold, those aside that are being preempted if need be, is with so many
    /// tasks more within what is guaranteed of what the task needs.
    fn is_sure(
        &self,
        tenant: TenantId,
        task: &Resources,
        more: u64,
        without_leaving: bool,
    ) -> bool {
        let mut any = false;
        for (dimension, sure) in self.tenants[&tenant].guarantee.amounts() {
            let wanted = amount(task, &dimension);
            if wanted == 0 {
                continue;
            }
            let leaves = |a: &Allocation| {
                a.notice.is_some_and(|n| n.reason == EvictionReason::Preempted) && without_leaving
            };
            let held: u64 = self
                .allocations
                .values()
                .filter(|a| {
                    !leaves(a) && self.family(self.jobs[&a.at.job].tenant).contains(&tenant)
                })
                .map(|a| amount(&self.jobs[&a.at.job].spec.request, &dimension))
                .sum();
            if held + wanted * more > sure {
                return false;
            }
            any = true;
        }
        any
    }

    /// A job takes back what it is guaranteed from one that borrowed it. A gang goes as a whole, borrowed or not.
    fn check_taken_back(&self, from: JobId, by: JobId) {
        let (victim, taker) = (&self.jobs[&from], &self.jobs[&by]);
        assert!(victim.spec.priority <= taker.spec.priority, "work of higher priority stays");
        let (theirs, ours) = (self.family(victim.tenant), self.family(taker.tenant));
        let mut claims = ours.iter().filter(|tenant| !theirs.contains(tenant));
        let request = &taker.spec.request;
        assert!(claims.any(|tenant| self.is_sure(*tenant, request, 1, false)), "it is guaranteed");
        let mut covers = theirs.iter().filter(|tenant| !ours.contains(tenant));
        let request = &victim.spec.request;
        let covered = covers.any(|tenant| self.is_sure(*tenant, request, 0, true));
        assert!(!covered || victim.spec.gang, "what is taken back was borrowed");
    }

    fn place(&mut self, id: JobId, placements: &[Placement]) {
        assert!(!self.is_stopped(id), "nothing is placed beyond a budget");
        for placement in placements {
            assert_eq!(placement.allocation.0, self.last_allocation + 1, "ids follow each other");
            for offset in 0..placement.count {
                let task = (placement.task.0 + offset) as usize;
                assert_eq!(self.jobs[&id].tasks[task], Task::Pending, "a placed task was pending");
                assert!(
                    self.may(id, placement.node, placement.devices),
                    "task {task} of job {id} may be placed at {placement:?}"
                );
                self.hold(id, task, placement.node, placement.devices);
            }
        }
        let job = &self.jobs[&id];
        if job.spec.gang {
            assert!(!job.tasks.contains(&Task::Pending), "a gang is placed whole");
            assert!(self.of(id).all(|member| member.notice.is_none()), "and stays whole");
        }
    }

    fn hold(&mut self, job: JobId, task: usize, node: NodeId, devices: DeviceSet) {
        self.last_allocation += 1;
        let id = AllocationId(self.last_allocation);
        self.job(job).tasks[task] = Task::Placed(id);
        let task = TaskIndex(u32::try_from(task).expect("small"));
        let at = AllocationRef { id, job, task, node };
        let (placed, started, notice, taker) = (self.now, None, None, None);
        self.allocations.insert(id, Allocation { at, devices, placed, started, notice, taker });
    }

    /// What windows hold back that begin within the horizon, twelve minutes at least, and have not ended.
    fn in_windows(&self, node: &Node, horizon: Horizon, dimension: &Dimension) -> u64 {
        let Some((spec, windows)) = self.owners.get(&node.spec.owner) else { return 0 };
        let reach = horizon.length().0.max(720_000);
        let count =
            windows.list.iter().filter(|w| w.start.0 <= self.now.0 + reach && self.now < w.end);
        let entries = count.map(|window| &spec.calendar[window.entry as usize]);
        let held = entries.filter(|entry| {
            (entry.regions.is_empty() || entry.regions.contains(&node.spec.region))
                && entry.labels.iter().all(|label| node.spec.labels.iter().any(|has| has == label))
        });
        let shares = held.map(|entry| match dimension {
            Dimension::Cpu => entry.share.cpu,
            Dimension::Memory => entry.share.memory,
            Dimension::Gpu => entry.share.gpu,
            _ => entry.share.counts,
        });
        let share = u64::from(shares.max().unwrap_or(0));
        (amount(&node.spec.capacity, dimension) * share).div_ceil(1000)
    }

    /// max(reservation, forecast, windows) over a horizon, from all samples.
    pub(super) fn held_back(&self, node: &Node, horizon: Horizon, dimension: &Dimension) -> u64 {
        self.kept(node, horizon, dimension).max(self.in_windows(node, horizon, dimension))
    }

    /// max(reservation, forecast) over a horizon, from all samples.
    pub(super) fn kept(&self, node: &Node, horizon: Horizon, dimension: &Dimension) -> u64 {
        let capacity = amount(&node.spec.capacity, dimension);
        let reserved = amount(&node.spec.reservation, dimension);
        let Some((newest, load)) = node.samples.last() else { return reserved };
        if let Some(bounds) = &node.bounds {
            let shorter = Horizon::ALL.into_iter().filter(|other| *other <= horizon);
            let bound = |horizon| amount(&bounds.over(horizon, &node.spec.capacity), dimension);
            let bound = shorter.map(bound).max().unwrap_or(0);
            return reserved.max(bound).max(amount(load, dimension));
        }
        let hour = |time: &Time| time.0 / Millis::HOUR.0;
        let back = if horizon.length() > Millis::HOUR { 25 } else { 6 };
        let recent = node.samples.iter().filter(|(time, _)| hour(time) + back > hour(newest));
        let peak = recent.map(|(_, load)| amount(load, dimension)).max().unwrap_or(0);
        let margin = match dimension {
            Dimension::Gpu => 0,
            _ => u64::from(self.policy.forecast_margin_permille),
        };
        reserved.max((peak * (1000 + margin)).div_ceil(1000).min(capacity))
    }

    pub(super) fn used(&self, node: NodeId) -> Vec<u64> {
        let mut used = vec![0; 64];
        for allocation in self.on(node) {
            let each = self.jobs[&allocation.at.job].spec.request.gpu_millis.min(1000);
            allocation.devices.iter().for_each(|device| used[device as usize] += each);
        }
        used
    }

    /// Whether these devices of the node can be lent to a task of the job.
    fn devices_fit(&self, node: NodeId, job: &JobSpec, devices: DeviceSet) -> bool {
        let request = job.request.gpu_millis;
        if request == 0 {
            return devices.is_empty();
        }
        let spec = &self.nodes[&node];
        let present = spec.spec.capacity.gpu_millis / 1000;
        let held = self.held_back(spec, job.horizon(), &Dimension::Gpu).div_ceil(1000);
        let mut used = self.used(node);
        for device in devices.iter() {
            used[device as usize] += request.min(1000);
            if used[device as usize] > 1000 || u64::from(device) >= present {
                return false;
            }
        }
        let touched = used.iter().filter(|used| **used > 0).count() as u64;
        devices.iter().count() as u64 == request.div_ceil(1000)
            && touched <= present.saturating_sub(held)
    }

    /// Some devices that can be lent to a task of the job.
    pub(super) fn some_devices(&self, node: NodeId, job: &JobSpec) -> Option<DeviceSet> {
        let request = job.request.gpu_millis;
        if request == 0 {
            return Some(DeviceSet::default());
        }
        let used = self.used(node);
        if request < 1000 {
            let mut single: Vec<u32> = (0..64).collect();
            single.sort_by_key(|device| std::cmp::Reverse(used[*device as usize]));
            let mut sets = single.into_iter().map(|device| DeviceSet::default().with(device));
            return sets.find(|set| self.devices_fit(node, job, *set));
        }
        let free = (0..64).filter(|device| used[*device as usize] == 0);
        let wanted = usize::try_from(request / 1000).expect("small");
        let set = free.take(wanted).fold(DeviceSet::default(), DeviceSet::with);
        self.devices_fit(node, job, set).then_some(set)
    }

    /// Whether a task of the job fits the node, whatever the job's spreads say.
    fn fits(&self, id: JobId, node: NodeId) -> bool {
        let (job, spec) = (&self.jobs[&id].spec, &self.nodes[&node]);
        spec.mode == NodeMode::Open
            && !spec.lost
            && !self.is_preempting(node)
            && allows(&spec.spec, job)
            && job.request.amounts().all(|(dimension, wanted)| {
                let lent: u64 = self
                    .on(node)
                    .map(|other| amount(&self.jobs[&other.at.job].spec.request, &dimension))
                    .sum();
                dimension == Dimension::Gpu
                    || lent + wanted + self.held_back(spec, job.horizon(), &dimension)
                        <= amount(&spec.spec.capacity, &dimension)
            })
            && self.some_devices(node, job).is_some()
    }

    pub(super) fn is_preempting(&self, node: NodeId) -> bool {
        self.on(node).any(|allocation| {
            allocation.notice.is_some_and(|n| n.reason == EvictionReason::Preempted)
        })
    }

    fn zone(&self, node: NodeId) -> (Name, Name) {
        let spec = &self.nodes[&node].spec;
        (spec.region.clone(), spec.zone.clone())
    }

    fn in_zone(&self, id: JobId, zone: &(Name, Name)) -> u32 {
        self.of(id).map(|a| u32::from(self.zone(a.at.node) == *zone)).sum()
    }

    /// Whether one more task on the node keeps the limit of the spread, its skew aside.
    pub(super) fn within(&self, id: JobId, node: NodeId, spread: &Spread) -> bool {
        let there = match spread.topology {
            Topology::Node => self.of(id).map(|a| u32::from(a.at.node == node)).sum(),
            Topology::Zone => self.in_zone(id, &self.zone(node)),
        };
        spread.max_per_place.is_none_or(|limit| there < limit)
    }

    /// Nodes that fit and keep every limit, skew aside.
    fn feasible(&self, id: JobId) -> Vec<NodeId> {
        let spreads = &self.jobs[&id].spec.constraints.spreads;
        let nodes = self.nodes.keys().copied().filter(|node| self.fits(id, *node));
        nodes.filter(|node| spreads.iter().all(|s| self.within(id, *node, s))).collect()
    }

    /// Nodes on which the next task of the job may go.
    fn open_to(&self, id: JobId) -> Vec<NodeId> {
        let mut feasible = self.feasible(id);
        let spreads = &self.jobs[&id].spec.constraints.spreads;
        let zones = feasible.iter().map(|node| self.in_zone(id, &self.zone(*node)));
        let Some(emptiest) = zones.min() else { return feasible };
        let skew = spreads.iter().filter_map(|spread| spread.max_skew).min();
        feasible.retain(|node| {
            skew.is_none_or(|skew| self.in_zone(id, &self.zone(*node)) < emptiest + skew)
        });
        feasible
    }

    fn may(&self, id: JobId, node: NodeId, devices: DeviceSet) -> bool {
        // Zones on which a gang or a planned start counts take no tasks, so that their being empty does not matter.
        let counted_on = self.waiting_gang().is_some() || !self.planned.is_empty();
        let allowed = if counted_on { self.feasible(id) } else { self.open_to(id) };
        allowed.contains(&node) && self.devices_fit(node, &self.jobs[&id].spec, devices)
            || self.may_over_time(id, node, devices)
    }

    /// The highest priority of a gang for which room may be being made.
    pub(super) fn waiting_gang(&self) -> Option<Priority> {
        let leaving = self.allocations.values().any(|allocation| allocation.notice.is_some());
        let waits = |(id, job): &(&JobId, &Job)| job.is_queued() && !self.is_stopped(**id);
        let gangs = self.jobs.iter().filter(waits).filter(|(_, job)| job.spec.gang && leaving);
        gangs.map(|(_, job)| job.spec.priority).max()
    }

    /// Whether it waits in the queue, and for no gang for which room is being made, nor as one that room is kept from.
    fn waits_openly(&self, id: JobId, job: &Job) -> bool {
        let held_up = self.waiting_gang().is_some_and(|above| job.spec.priority <= above);
        let together = job.spec.gang || !job.spec.constraints.spreads.is_empty();
        let timed = job.spec.complete_by.is_some() && !together;
        let counted_on = together && !self.planned.is_empty();
        job.is_queued() && !held_up && !timed && !counted_on && !self.is_stopped(id)
    }

    /// Nothing that could be placed waits, but for work below a gang for which room is being made.
    pub(super) fn check_work_is_conserved(&self) {
        self.check_delays_end();
        for (id, job) in &self.jobs {
            if !self.waits_openly(*id, job) {
                continue;
            }
            if !job.spec.gang {
                let mut open = self.open_to(*id);
                open.retain(|node| !self.is_planned_on(*node));
                assert!(
                    open.is_empty(),
                    "a task of job {id} waits although {open:?} could take it"
                );
            } else if self.of(*id).all(|member| member.notice.is_none()) {
                assert!(!self.clone().place_gang(*id), "gang {id} waits although it fits");
            }
        }
    }

    fn place_gang(&mut self, id: JobId) -> bool {
        while let Some(task) = self.jobs[&id].tasks.iter().position(|t| *t == Task::Pending) {
            let Some(node) = self.open_to(id).first().copied() else { return false };
            let devices = self.some_devices(node, &self.jobs[&id].spec);
            self.hold(id, task, node, devices.expect("it fits"));
        }
        true
    }

    /// Whatever runs of a tenant whose work is stopped is under notice. No tenant asks for more than it may; nobody holds more than its owner leaves without being under notice.
    pub(super) fn check_limits(&self) {
        for allocation in self.allocations.values() {
            let stopped = self.level_of(allocation.at.job) == BudgetLevel::AllStopped;
            assert!(!stopped || allocation.notice.is_some(), "it must go: {:?}", allocation.at);
        }
        for (tenant, spec) in &self.tenants {
            let (cpu, tasks) = self.asked(*tenant);
            assert!(spec.quota.cpu_millis.is_none_or(|limit| cpu <= limit), "quota of {tenant}");
            assert!(spec.quota.tasks.is_none_or(|limit| tasks <= limit), "quota of {tenant}");
            let (used, low) = (self.quota_used(*tenant), self.low.contains(tenant));
            assert!(if low { used >= 800 } else { used < 900 }, "{used} of the quota of {tenant}");
        }
        for (id, node) in &self.nodes {
            if self.reported.contains(id) {
                assert!(self.owner_has_its_load(*id), "the owner of node {id} has its load");
            }
            for dimension in [Dimension::Cpu, Dimension::Memory] {
                let staying = self.on(*id).filter(|allocation| allocation.notice.is_none());
                let kept: u64 =
                    staying.map(|a| amount(&self.jobs[&a.at.job].spec.request, &dimension)).sum();
                let room = amount(&node.spec.capacity, &dimension).saturating_sub(self.held_back(
                    node,
                    Horizon::FiveMinutes,
                    &dimension,
                ));
                assert!(kept <= room, "the owner of node {id} gets its {dimension}");
            }
        }
    }

    /// What the unfinished tasks of a tenant and of those below it ask for, and how many they are.
    fn asked(&self, tenant: TenantId) -> (u64, u64) {
        let (mut cpu, mut tasks) = (0, 0);
        for job in self.jobs.values().filter(|job| self.family(job.tenant).contains(&tenant)) {
            let unfinished = job.tasks.iter().filter(|task| **task != Task::Ended).count() as u64;
            cpu += job.spec.request.cpu_millis * unfinished;
            tasks += unfinished;
        }
        (cpu, tasks)
    }

    /// The greatest part of a limit that is asked for, in thousandths.
    fn quota_used(&self, tenant: TenantId) -> u32 {
        let (quota, (cpu, tasks)) = (&self.tenants[&tenant].quota, self.asked(tenant));
        let part =
            |limit: Option<u64>, asked: u64| asked * 1_000 / limit.unwrap_or(u64::MAX).max(1);
        let part = part(quota.cpu_millis, cpu).max(part(quota.tasks, tasks));
        u32::try_from(part).expect("a part")
    }

    /// An allocation under notice.
    pub(super) fn pick_noticed(&self, pick: usize) -> Option<AllocationId> {
        let noticed = self.allocations.iter().filter(|(_, allocation)| allocation.notice.is_some());
        let ids: Vec<&AllocationId> = noticed.map(|(id, _)| id).collect();
        ids.get(pick % ids.len().max(1)).map(|id| **id)
    }

    /// A live allocation, the `pick`th of all.
    pub(super) fn pick_allocation(&self, pick: usize) -> Option<AllocationId> {
        let ids: Vec<&AllocationId> = self.allocations.keys().collect();
        ids.get(pick % ids.len().max(1)).map(|id| **id)
    }
}
