//! What it costs to fold events into a state, the scheduler aside: `cargo bench -p offpeak-core --bench apply`. Each
//! bench runs on an empty cell of 10,000 nodes and on one with 1,000 tenants and 1,000,000 allocations; what it adds it
//! takes away again, untimed. With `--test` the same on small cells, once.

mod basics;

use std::{hint::black_box, sync::Arc, time::Duration};

use basics::{NOW, name, request, size, spec};
use criterion::{
    Bencher, BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main,
    measurement::{Measurement, WallTime},
};
use offpeak_core::{
    event::{Batch, Commit, Event, Placement, PlacementReason},
    model::{
        AllocationId, AllocationRef, DeviceSet, JobId, JobSpec, JobState, Labels, Name, NodeId,
        NodeSpec, Priority, Quota, Resources, TaskEnd, TaskIndex, TenantId, TenantSpec,
    },
    state::State,
};

/// Jobs of one batch, as many as a busy step decides on.
const JOBS: u32 = 1_000;

/// Tasks of one job that is placed in runs.
const TASKS: u32 = 20_000;

/// Tasks of such a job that go to one node in a row.
const RUN: u32 = 25;

fn node(number: u32) -> Event {
    let spec = NodeSpec {
        name: name(&format!("node-{number}")),
        owner: name("owner"),
        region: name("west"),
        zone: name("west-1"),
        labels: Labels::new(),
        taints: Vec::new(),
        capacity: request(1_000_000, 10_000 * 1_024, 0),
        gpu_model: Name::default(),
        reservation: Resources::default(),
        report_ttl: None,
        annotations: Default::default(),
    };
    Event::NodeRegistered { id: NodeId(number), spec: Arc::new(spec) }
}

fn tenant(number: u32) -> Event {
    let spec = TenantSpec {
        name: name(&format!("tenant-{number}")),
        parent: Name::default(),
        guarantee: Resources::default(),
        quota: Quota::default(),
        weight: 1,
        priority_ceiling: Priority(100),
        labels: Labels::new(),
        budget: Default::default(),
        annotations: Default::default(),
    };
    Event::TenantCreated { id: TenantId(number), spec: Arc::new(spec) }
}

fn tasks(count: u32) -> Arc<JobSpec> {
    Arc::new(spec(&request(100, 1_024, 0), count))
}

/// An empty batch with room for what so many jobs come to.
fn room(jobs: usize) -> Batch {
    let commits = Vec::with_capacity(jobs + 1);
    Batch { commits, events: Vec::with_capacity(2 * jobs) }
}

/// A cell that is driven by events alone.
struct Cell {
    state: State,
    nodes: u32,
    tenants: u32,
    /// Placed tasks of single-task jobs, the next to end last.
    live: Vec<AllocationRef>,
    turn: u32,
}

impl Cell {
    /// A cell on which `jobs` single-task jobs are placed.
    fn new(nodes: u32, tenants: u32, jobs: u32) -> Self {
        let mut cell = Self { state: State::default(), nodes, tenants, live: Vec::new(), turn: 0 };
        cell.commit((0..nodes).map(node).chain((0..tenants).map(tenant)).collect());
        for _ in 0..jobs.div_ceil(JOBS) {
            let specs = (0..JOBS).map(|_| tasks(1)).collect();
            let batch = cell.submitted(specs);
            cell.state.fold(&batch);
        }
        cell
    }

    fn commit(&mut self, events: Vec<Event>) {
        let commit =
            Commit { revision: self.state.revision().next(), time: NOW, end: events.len() };
        self.state.fold(&Batch { commits: vec![commit], events });
    }

    /// A node that is not near the one before, and the number of the turn.
    fn next_turn(&mut self) -> (NodeId, u32) {
        self.turn = self.turn.wrapping_add(1);
        (NodeId(self.turn.wrapping_mul(2_654_435_761) % self.nodes), self.turn)
    }

    /// What a step comes to that takes these jobs on, each as a commit, and places them all in another.
    fn submitted(&mut self, specs: Vec<Arc<JobSpec>>) -> Batch {
        let (.., first_job, mut allocation) = self.state.next_ids();
        let mut revision = self.state.revision();
        let mut batch = room(specs.len());
        let mut job = first_job;
        for spec in specs {
            let tenant = TenantId(self.next_turn().1 % self.tenants);
            let name = Name::of_job(job);
            batch.events.push(Event::JobSubmitted { id: job, tenant, name, spec });
            revision = revision.next();
            batch.commits.push(Commit { revision, time: NOW, end: batch.events.len() });
            job = job.next();
        }
        for id in first_job.0..job.0 {
            let (node, _) = self.next_turn();
            let (job, task) = (JobId(id), TaskIndex(0));
            let (devices, reason) = (DeviceSet::default(), PlacementReason::Tightest);
            let placements = vec![Placement { task, count: 1, node, allocation, devices, reason }];
            self.live.push(AllocationRef { id: allocation, job, task, node });
            batch.events.push(Event::TasksPlaced { job, placements });
            allocation = allocation.next();
        }
        revision = revision.next();
        batch.commits.push(Commit { revision, time: NOW, end: batch.events.len() });
        batch
    }

    /// What a step comes to to which these tasks were reported as succeeded, each in a commit.
    fn ended(&self, tasks: &[AllocationRef]) -> Batch {
        let mut revision = self.state.revision();
        let mut batch = room(tasks.len());
        for at in tasks {
            let message = Arc::default();
            batch.events.push(Event::TaskEnded { at: *at, end: TaskEnd::Succeeded, message });
            batch.events.push(Event::JobEnded { id: at.job, state: JobState::Succeeded });
            revision = revision.next();
            batch.commits.push(Commit { revision, time: NOW, end: batch.events.len() });
        }
        batch
    }

    /// Takes `count` live tasks from all over the cell.
    fn take_live(&mut self, count: u32) -> Vec<AllocationRef> {
        let mut taken = Vec::new();
        for _ in 0..count {
            let (_, turn) = self.next_turn();
            let at = turn.wrapping_mul(2_654_435_761) as usize % self.live.len();
            taken.push(self.live.swap_remove(at));
        }
        taken
    }

    /// A job of many tasks, not yet placed.
    fn submit_large(&mut self) -> JobId {
        let (_, _, id, _) = self.state.next_ids();
        let name = Name::of_job(id);
        self.commit(vec![Event::JobSubmitted {
            id,
            tenant: TenantId(0),
            name,
            spec: tasks(TASKS),
        }]);
        id
    }

    fn runs(&mut self, job: JobId) -> Event {
        let (.., first) = self.state.next_ids();
        let mut placements = Vec::new();
        for task in (0..TASKS).step_by(RUN as usize) {
            let allocation = AllocationId(first.0 + u64::from(task));
            let (node, _) = self.next_turn();
            let (task, devices) = (TaskIndex(task), DeviceSet::default());
            let reason = PlacementReason::Tightest;
            placements.push(Placement { task, count: RUN, node, allocation, devices, reason });
        }
        Event::TasksPlaced { job, placements }
    }

    fn end_large(&mut self, job: JobId) {
        let allocations = self.state.allocations_from(AllocationId(0));
        let of_job = allocations.filter(|allocation| allocation.at.job == job);
        let end = TaskEnd::Succeeded;
        let ended = |at: AllocationRef| Event::TaskEnded { at, end, message: Arc::default() };
        let mut events: Vec<Event> = of_job.map(|allocation| ended(allocation.at)).collect();
        events.push(Event::JobEnded { id: job, state: JobState::Succeeded });
        self.commit(events);
        self.forget([job]);
    }

    fn forget(&mut self, jobs: impl IntoIterator<Item = JobId>) {
        let mut events = Vec::new();
        for id in jobs {
            let job = self.state.job(id).expect("it is kept");
            let tenant = &self.state.tenant(job.tenant).expect("it has one").spec.name;
            let (tenant, name) = (tenant.clone(), job.name.clone());
            events.push(Event::JobForgotten { id, tenant, name });
        }
        self.commit(events);
    }
}

/// Makes the events of jobs and their placements and folds them in.
fn submit_and_place(b: &mut Bencher<'_>, cell: &mut Cell) {
    b.iter_custom(|turns| {
        let mut spent = Duration::ZERO;
        for _ in 0..turns {
            let specs = (0..JOBS).map(|_| tasks(1)).collect();
            let start = WallTime.start();
            let batch = cell.submitted(specs);
            cell.state.fold(&batch);
            drop(black_box(batch));
            spent += WallTime.end(start);
            let tasks = cell.take_live(JOBS);
            let batch = cell.ended(&tasks);
            cell.state.fold(&batch);
            cell.forget(tasks.iter().map(|at| at.job));
        }
        spent
    });
}

/// Makes the events of ended tasks and their jobs and folds them in.
fn end(b: &mut Bencher<'_>, cell: &mut Cell) {
    b.iter_custom(|turns| {
        let mut spent = Duration::ZERO;
        for _ in 0..turns {
            let specs = (0..JOBS).map(|_| tasks(1)).collect();
            let batch = cell.submitted(specs);
            cell.state.fold(&batch);
            let tasks = cell.take_live(JOBS);
            let start = WallTime.start();
            let batch = cell.ended(&tasks);
            cell.state.fold(&batch);
            drop(black_box(batch));
            spent += WallTime.end(start);
            cell.forget(tasks.iter().map(|at| at.job));
        }
        spent
    });
}

/// Places one job's tasks in runs.
fn run_of_tasks(b: &mut Bencher<'_>, cell: &mut Cell) {
    b.iter_custom(|turns| {
        let mut spent = Duration::ZERO;
        for _ in 0..turns {
            let job = cell.submit_large();
            let event = cell.runs(job);
            let start = WallTime.start();
            cell.commit(vec![event]);
            spent += WallTime.end(start);
            cell.end_large(job);
        }
        spent
    });
}

fn in_cell(group: &mut BenchmarkGroup<'_, WallTime>, at: &str, cell: &mut Cell) {
    group.throughput(Throughput::Elements(u64::from(JOBS)));
    group.bench_function(format!("submit_and_place/{at}"), |b| submit_and_place(b, cell));
    group.bench_function(format!("end/{at}"), |b| end(b, cell));
    group.throughput(Throughput::Elements(u64::from(TASKS)));
    group.bench_function(format!("run_of_tasks/{at}"), |b| run_of_tasks(b, cell));
}

fn apply(c: &mut Criterion) {
    let mut group = c.benchmark_group("apply");
    in_cell(&mut group, "empty", &mut Cell::new(size(10_000), 1, 1));
    let mut full = Cell::new(size(10_000), size(1_000), size(1_000_000));
    in_cell(&mut group, "1m_allocations", &mut full);
    group.finish();
}

criterion_group!(benches, apply);
criterion_main!(benches);
