//! A small cell with a bit of everything, made by hand.

use std::sync::Arc;

use offpeak_core::{
    command::{Detail, Outcome},
    event::{Batch, Commit, Event, Placement, PlacementReason},
    model::{
        AllocationId, AllocationRef, Constraints, Counts, DeviceSet, EvictionReason, JobId,
        JobSpec, JobState, Labels, LoadSample, Millis, Name, NodeId, NodeMode, NodeSpec, Notice,
        Policy, PreemptedFor, Preemptor, Priority, Quota, Resources, Revision, TaskEnd, TaskIndex,
        TenantId, TenantSpec, Time,
    },
    state::State,
};

use crate::record::{Names, Record};

/// A state and the records that led to it.
#[derive(Default)]
pub(crate) struct Cell {
    pub(crate) state: State,
    pub(crate) records: Vec<Record>,
}

impl Cell {
    /// With placed, started, noticed, evicted, ended and pending tasks, nodes and jobs that came and went, and
    /// remembered answers.
    pub(crate) fn lively() -> Self {
        let mut cell = Self::default();
        cell.commit(registrations());
        cell.commit(submissions());
        cell.commit(placements());
        cell.commit(loads());
        cell.commit(ends());
        cell.commit(answers());
        cell.state.check_invariants();
        cell
    }

    /// Folds a record of two commits in, the second one empty.
    pub(crate) fn commit(&mut self, events: Vec<Event>) {
        let first = self.state.revision().next();
        let time = |revision: Revision| Time(1_700_000_000_000 + 1_000 * revision.0);
        let end = events.len();
        let commits =
            [first, first.next()].map(|revision| Commit { revision, time: time(revision), end });
        let batch = Batch { commits: commits.to_vec(), events };
        self.state.fold(&batch);
        let names = Names::of(&batch, &self.state);
        self.records.push(Record { batch, names });
    }
}

pub(crate) fn name(text: &str) -> Name {
    Name::parse(text).expect("a name")
}

pub(crate) fn cores(cpu_millis: u64) -> Resources {
    Resources { cpu_millis, memory_bytes: cpu_millis << 20, ..Resources::default() }
}

pub(crate) fn node_spec(id: u32) -> NodeSpec {
    let fpgas = Counts::new([(name("fpga"), 2)]);
    NodeSpec {
        name: name(&format!("node-{id}")),
        owner: name("web"),
        region: name("west"),
        zone: Name::default(),
        labels: Labels::new(),
        taints: Vec::new(),
        capacity: Resources { gpu_millis: 4_000, counts: fpgas, ..cores(64_000) },
        gpu_model: name("a100"),
        reservation: cores(1_000),
        report_ttl: Some(Millis::MINUTE),
        annotations: Default::default(),
    }
}

pub(crate) fn tenant_spec(text: &str) -> TenantSpec {
    TenantSpec {
        name: name(text),
        parent: Name::default(),
        guarantee: Resources::default(),
        quota: Quota { tasks: Some(10_000_000), ..Quota::default() },
        weight: 1,
        priority_ceiling: Priority(5),
        labels: Labels::new(),
        budget: Default::default(),
        annotations: Default::default(),
    }
}

pub(crate) fn job_spec(count: u32, request: Resources) -> JobSpec {
    JobSpec {
        count,
        request,
        constraints: Constraints::default(),
        priority: Priority(-1),
        min_runtime: Millis::SECOND,
        max_runtime: None,
        deadline: None,
        complete_by: None,
        gang: false,
        labels: Labels::new(),
        notice: None,
        on_notice: Default::default(),
        extras: None,
    }
}

pub(crate) fn submitted(id: u64, tenant: u32, spec: JobSpec) -> Event {
    let (id, tenant) = (JobId(id), TenantId(tenant));
    let name = name(&format!("job-{id}"));
    Event::JobSubmitted { id, tenant, name, spec: Arc::new(spec) }
}

pub(crate) fn registered(id: u32) -> Event {
    Event::NodeRegistered { id: NodeId(id), spec: Arc::new(node_spec(id)) }
}

pub(crate) fn placement(task: u32, count: u32, node: u32, allocation: u64) -> Placement {
    Placement {
        task: TaskIndex(task),
        count,
        node: NodeId(node),
        allocation: AllocationId(allocation),
        devices: DeviceSet::default(),
        reason: PlacementReason::Unknown,
    }
}

pub(crate) fn at(id: u64, job: u64, task: u32, node: u32) -> AllocationRef {
    AllocationRef {
        id: AllocationId(id),
        job: JobId(job),
        task: TaskIndex(task),
        node: NodeId(node),
    }
}

fn registrations() -> Vec<Event> {
    let mut events: Vec<Event> = (0..4).map(registered).collect();
    let policy = Policy { forecast_margin_permille: 200, ..Policy::default() };
    events.push(Event::PolicyChanged(policy));
    for (id, text) in (0..).zip(["physics", "gone", "films"]) {
        events.push(Event::TenantCreated { id: TenantId(id), spec: Arc::new(tenant_spec(text)) });
    }
    events.push(Event::TenantDeleted { id: TenantId(1), name: name("gone") });
    let (id, region) = (NodeId(3), name("west"));
    events.push(Event::NodeRemoved { id, name: name("node-3"), region });
    events
}

fn submissions() -> Vec<Event> {
    let half_gpu = Resources { gpu_millis: 500, ..cores(100) };
    let fpga = Resources { counts: Counts::new([(name("fpga"), 1)]), ..cores(10) };
    vec![
        submitted(0, 0, job_spec(10, cores(1_000))),
        submitted(1, 2, job_spec(2, half_gpu)),
        submitted(2, 2, job_spec(3, fpga)),
        submitted(3, 0, job_spec(1, cores(1))),
    ]
}

fn placements() -> Vec<Event> {
    let shared =
        |task, allocation| Placement { devices: DeviceSet(2), ..placement(task, 1, 0, allocation) };
    let first = vec![placement(0, 3, 0, 0), placement(3, 3, 1, 3), placement(8, 1, 2, 6)];
    vec![
        Event::TasksPlaced { job: JobId(0), placements: first },
        Event::TasksPlaced { job: JobId(1), placements: vec![shared(0, 7), shared(1, 8)] },
        Event::TasksPlaced { job: JobId(3), placements: vec![placement(0, 1, 1, 9)] },
        Event::TaskStarted { at: at(1, 0, 1, 0) },
        Event::TaskStarted { at: at(4, 0, 4, 1) },
        Event::TaskStarted { at: at(7, 1, 0, 0) },
    ]
}

fn loads() -> Vec<Event> {
    let sample = |node, hour: u64, load| LoadSample {
        node: NodeId(node),
        time: Time(hour * Millis::HOUR.0),
        load,
    };
    let gpu = Resources { gpu_millis: 1_000, ..cores(7_000) };
    let samples = vec![
        sample(0, 472_222, cores(9_000)),
        sample(1, 472_222, gpu),
        sample(0, 472_223, cores(3_000)),
    ];
    let deadline = Time(1_700_000_100_000);
    vec![
        Event::LoadReported { samples },
        Event::NodeLost { id: NodeId(2) },
        Event::NodeModeChanged {
            id: NodeId(1),
            mode: NodeMode::Draining { deadline },
            lost: false,
        },
    ]
}

fn preemptor() -> Preemptor {
    let right = PreemptedFor::Guarantee;
    Preemptor { job: JobId(2), tenant: name("acme"), name: name("train"), right }
}

fn ends() -> Vec<Event> {
    let notice = |reason| Notice { reason, deadline: Time(1_700_000_100_000) };
    let given = |at, reason| {
        let by = (reason == EvictionReason::Preempted).then(|| Arc::new(preemptor()));
        Event::NoticeGiven { at, notice: notice(reason), by }
    };
    vec![
        given(at(0, 0, 0, 0), EvictionReason::OwnerReturned),
        given(at(3, 0, 3, 1), EvictionReason::NodeDrained),
        given(at(8, 1, 1, 0), EvictionReason::Preempted),
        Event::NoticeWithdrawn { at: at(8, 1, 1, 0) },
        Event::TaskEvicted { at: at(6, 0, 8, 2), reason: EvictionReason::NodeLost, early: None },
        Event::TaskEvicted { at: at(5, 0, 5, 1), reason: EvictionReason::NodeDrained, early: None },
        Event::TasksPlaced { job: JobId(0), placements: vec![placement(5, 1, 0, 10)] },
        Event::TaskEnded { at: at(1, 0, 1, 0), end: TaskEnd::Succeeded, message: "".into() },
        Event::TaskEnded { at: at(4, 0, 4, 1), end: TaskEnd::Failed, message: "exit 1".into() },
        Event::TaskEnded { at: at(9, 3, 0, 1), end: TaskEnd::TimedOut, message: "".into() },
        Event::JobEnded { id: JobId(3), state: JobState::Failed },
        Event::TasksDropped {
            job: JobId(2),
            first: TaskIndex(0),
            count: 3,
            delayed: false,
            end: TaskEnd::Cancelled,
        },
        Event::JobEnded { id: JobId(2), state: JobState::Cancelled },
        Event::JobForgotten { id: JobId(2), tenant: name("films"), name: name("job-2") },
        Event::JobResized { id: JobId(0), count: 12 },
    ]
}

fn answers() -> Vec<Event> {
    let details = [
        Detail::Done,
        Detail::Job { id: JobId(2), name: name("job-2") },
        Detail::Notices(3),
        Detail::Load { accepted: 3, ignored: 1 },
        Detail::Ignored(vec![AllocationId(17), AllocationId(3)]),
    ];
    (1..)
        .zip(details)
        .map(|(revision, detail)| Event::RequestRemembered {
            id: format!("request-{revision}").into(),
            fingerprint: u128::MAX - u128::from(revision),
            outcome: Outcome { revision: Revision(revision), detail },
        })
        .collect()
}
