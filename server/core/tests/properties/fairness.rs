//! Nobody starves, and nobody is preempted back and forth.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use offpeak_core::{
    command::{Command, Request, TaskOutcome, TaskReport},
    engine::Engine,
    event::{Batch, Event},
    model::{
        AllocationId, Constraints, JobId, JobSpec, Millis, Name, NodeSpec, Policy, Priority, Quota,
        Resources, TenantSpec, Time,
    },
    state::State,
};
use proptest::{collection::vec, prelude::*};

const START: Time = Time(480_000 * Millis::HOUR.0);

/// A cell that is driven by hand.
struct Cell {
    engine: Engine,
    now: Time,
}

impl Cell {
    fn new(half_life: Millis) -> Self {
        let mut cell = Self { engine: Engine::new(State::default(), START), now: START };
        let policy = Policy { share_half_life: half_life, ..Policy::default() };
        cell.step(vec![Command::SetPolicy(policy)]);
        cell
    }

    /// Steps until nothing is left to do now. What happened.
    fn step(&mut self, commands: Vec<Command>) -> Vec<Event> {
        let ask = |command| Request { command, request_id: None, validate_only: false };
        let mut requests: Vec<Request> = commands.into_iter().map(ask).collect();
        let mut events = Vec::new();
        loop {
            let step = self.engine.step(self.now, std::mem::take(&mut requests));
            step.replies.into_iter().for_each(|reply| drop(reply.expect("it is accepted")));
            let Batch { events: more, .. } = step.batch;
            events.extend(more);
            if self.engine.next_wakeup().is_none_or(|due| due > self.now) {
                self.engine.check_invariants();
                return events;
            }
        }
    }

    /// Lets time pass, each thing at its time. What happened.
    fn pass(&mut self, until: Time) -> Vec<Event> {
        let mut events = Vec::new();
        while let Some(due) = self.engine.next_wakeup().filter(|due| *due <= until) {
            self.now = self.now.max(due);
            events.extend(self.step(Vec::new()));
        }
        self.now = until;
        events
    }
}

fn name(kind: &str, number: usize) -> Name {
    Name::parse(&format!("{kind}{number}")).expect("a name")
}

fn cores(count: u64) -> Resources {
    Resources { cpu_millis: count * 1000, ..Resources::default() }
}

fn node(number: usize, cpu: u64) -> Command {
    Command::RegisterNodes(vec![NodeSpec {
        name: name("n", number),
        owner: Name::default(),
        region: Name::default(),
        zone: Name::default(),
        labels: Default::default(),
        taints: Vec::new(),
        capacity: cores(cpu),
        gpu_model: Name::default(),
        reservation: Resources::default(),
        report_ttl: None,
        annotations: Default::default(),
    }])
}

fn tenant(number: usize, parent: Option<usize>, weight: u32, guarantee: u64) -> Command {
    Command::CreateTenant(Box::new(TenantSpec {
        name: name("t", number),
        parent: parent.map(|parent| name("t", parent)).unwrap_or_default(),
        quota: Quota::default(),
        guarantee: cores(guarantee),
        weight,
        priority_ceiling: Priority(10),
        labels: Default::default(),
        annotations: Default::default(),
        budget: Default::default(),
    }))
}

fn job(tenant: usize, count: u32, cpu: u64, priority: i32, min_runtime: Millis) -> Command {
    let spec = JobSpec {
        count,
        request: cores(cpu),
        constraints: Constraints::default(),
        priority: Priority(priority),
        min_runtime,
        max_runtime: None,
        deadline: None,
        complete_by: None,
        gang: false,
        labels: Default::default(),
        notice: None,
        on_notice: Default::default(),
        extras: Default::default(),
    };
    Command::SubmitJob { tenant: name("t", tenant), name: Name::default(), spec: Arc::new(spec) }
}

/// What a tenant submits each minute of two hours, as numbers of tasks; and how long its tasks run, in minutes.
type Load = (Vec<u8>, u64);

const SLOTS: u64 = 4;
const HALF_LIFE: Millis = Millis(30 * Millis::MINUTE.0);

/// For each task how many minutes it waited, and how many tasks of its tenant were not done when it came.
fn waits(loads: &[Load], weights: &[u32]) -> Vec<(u64, u64)> {
    let mut cell = Cell::new(HALF_LIFE);
    cell.step(vec![node(0, SLOTS)]);
    let tenants = weights.iter().enumerate();
    cell.step(tenants.map(|(at, weight)| tenant(at, None, *weight, 0)).collect());
    let mut ends: BTreeSet<(Time, AllocationId)> = BTreeSet::new();
    let (mut came, mut waits) = (BTreeMap::<JobId, (usize, Time, u64)>::new(), Vec::new());
    let mut unfinished = vec![0_u64; loads.len()];
    for minute in 0.. {
        let mut commands = Vec::new();
        let mut submitters = Vec::new();
        for (at, (counts, _)) in loads.iter().enumerate() {
            for _ in 0..counts.get(minute).copied().unwrap_or(0) {
                commands.push(job(at, 1, 1, 0, Millis(0)));
                submitters.push(at);
            }
        }
        while let Some((_, id)) = ends.first().copied().filter(|(time, _)| *time <= cell.now) {
            ends.pop_first();
            let state = cell.engine.state();
            let of = state.allocation(id).expect("nobody is preempted").at.job;
            unfinished[came[&of].0] -= 1;
            let report =
                TaskReport { allocation: id, outcome: TaskOutcome::Succeeded, message: "".into() };
            commands.push(Command::ReportTasks(vec![report]));
        }
        let mut submitters = submitters.into_iter();
        for event in cell.step(commands) {
            match event {
                Event::JobSubmitted { id, .. } => {
                    let at = submitters.next().expect("one a job");
                    came.insert(id, (at, cell.now, unfinished[at]));
                    unfinished[at] += 1;
                }
                Event::TasksPlaced { job, placements } => {
                    let (at, since, ahead) = came[&job];
                    waits.push((cell.now.since(since).0 / Millis::MINUTE.0, ahead));
                    let runs = Millis(loads[at].1 * Millis::MINUTE.0);
                    ends.insert((cell.now.after(runs), placements[0].allocation));
                }
                _ => {}
            }
        }
        let is_over = loads.iter().all(|(counts, _)| counts.len() <= minute);
        if is_over && ends.is_empty() {
            assert_eq!(waits.len(), came.len(), "everything ran");
            return waits;
        }
        cell.pass(cell.now.after(Millis::MINUTE));
    }
    unreachable!("minutes do not end")
}

/// A pair of jobs, the one that was preempted first.
fn preemptions(events: &[Event]) -> impl Iterator<Item = (JobId, JobId)> {
    events.iter().filter_map(|event| match event {
        Event::NoticeGiven { at, by: Some(by), .. } => Some((at.job, by.job)),
        _ => None,
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 48, ..ProptestConfig::default() })]

    /// Of tenants that flood a cell with tasks of one size and priority, each is served at its turn: a task waits until
    /// what its tenant held before is forgiven and what its tenant asked for before is done, at the tenant's share.
    #[test]
    fn every_task_runs_within_a_bound(
        loads in vec((vec(0_u8..4, 1..60), 1_u64..12), 2..5),
        weights in vec(1_u32..4, 5),
    ) {
        let weights = &weights[..loads.len()];
        let total: u64 = weights.iter().map(|weight| u64::from(*weight)).sum();
        let longest = loads.iter().map(|(_, minutes)| *minutes).max().unwrap_or(0);
        // Held alone by one of weight 3 against one of weight 1: forgiven after so many half-lives.
        let forgiven = HALF_LIFE.0 / Millis::MINUTE.0 * (2 + u64::from(total.ilog2()));
        for (waited, ahead) in waits(&loads, weights) {
            // Each slot turns over at least once in the longest runtime, and at least one turn in `total` is the tenant's.
            let served = (ahead + 1).div_ceil(SLOTS) * longest * total + longest;
            prop_assert!(waited <= forgiven + served, "waited {waited} with {ahead} ahead");
        }
    }

    /// While nobody's wish changes, of two jobs at most one preempts the other, and at some time all is said. A job that
    /// comes is a new wish: its tenant may then hold more than is guaranteed, and others less.
    #[test]
    fn no_pair_of_jobs_preempts_back_and_forth(
        tenants in vec((0_usize..4, 1_u32..3, 0_u64..6), 2..5),
        jobs in vec((0_usize..5, 1_u32..8, 1_u64..4, 0_i32..2, 0_u64..3, 0_u64..20), 2..8),
        nodes in vec(2_u64..8, 1..4),
    ) {
        let mut cell = Cell::new(HALF_LIFE);
        cell.step(nodes.iter().enumerate().map(|(at, cpu)| node(at, *cpu)).collect());
        // The first is above some of the others and covers what they are guaranteed.
        cell.step(vec![tenant(0, None, 1, 30)]);
        for (at, (above, weight, guarantee)) in tenants.iter().enumerate() {
            let parent = (*above == 0).then_some(0);
            cell.step(vec![tenant(at + 1, parent, *weight, *guarantee)]);
        }
        let mut seen: BTreeSet<(JobId, JobId)> = BTreeSet::new();
        let take_turns = |seen: &BTreeSet<(JobId, JobId)>| {
            seen.iter().copied().find(|(victim, by)| seen.contains(&(*by, *victim)))
        };
        for (at, count, cpu, priority, minimum, wait) in jobs {
            let minimum = Millis(minimum * 10 * Millis::MINUTE.0);
            let events = cell.step(vec![job(at % (tenants.len() + 1), count, cpu, priority, minimum)]);
            prop_assert_eq!(take_turns(&seen), None, "between two submissions");
            seen = preemptions(&events).collect();
            let until = cell.now.after(Millis(wait * Millis::MINUTE.0));
            seen.extend(preemptions(&cell.pass(until)));
        }
        let settled = cell.now.after(Millis(2 * Millis::HOUR.0));
        seen.extend(preemptions(&cell.pass(settled)));
        prop_assert_eq!(take_turns(&seen), None, "after the last submission");
        let later = cell.pass(settled.after(Millis::DAY));
        prop_assert_eq!(preemptions(&later).count(), 0, "it never comes to rest");
    }
}
