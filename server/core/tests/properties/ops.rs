//! Random operations, as small numbers that shrink well, and what they come to as commands.

use std::sync::Arc;

use offpeak_core::{
    command::{
        Command, JobPatch, LoadReport, NodePatch, OwnerPatch, Request, Target, TaskOutcome,
        TaskReport, TenantPatch,
    },
    model::{
        Annotations, Bounds, Budget, CalendarEntry, Constraints, Dependency, DependencyCondition,
        Dimension, HeldShare, Horizon, JobExtras, JobId, JobSpec, Label, LabelSelector, Millis,
        Name, NodeBounds, NodeSpec, OnNotice, Period, Policy, Priority, Quota, Resources,
        RetryPolicy, SelectorOperator, Spread, Taint, TenantSpec, Time, Toleration, Topology,
        WallTime, When, Window, Windows,
    },
    state::State,
};
use proptest::{collection::vec, prelude::*};

use super::naive::Naive;

/// A machine.
#[derive(Clone, Debug)]
pub(super) struct Machine {
    cpu: u64,
    memory: u64,
    gpus: u64,
    zone: u8,
    special: u8,
}

/// A job.
#[derive(Clone, Debug)]
pub(super) struct Wish {
    count: u32,
    cpu: u64,
    memory: u64,
    gpu: u8,
    priority: i32,
    gang: bool,
    spread: u8,
    place: u8,
    times: u8,
    grown: u8,
    complete: u8,
    moves: bool,
}

/// A window: when it begins and ends, in seconds from an hour ago, how much it holds back, and where.
#[derive(Clone, Debug)]
pub(super) struct Stretch {
    start: u64,
    length: u64,
    share: u16,
    place: u8,
}

/// Something that happens.
#[derive(Clone, Debug)]
pub(super) enum Op {
    Restart,
    /// Let the planner promise room, if it is time.
    Plan,
    /// Tell all jobs that wait when they will start.
    Quote,
    Wait(u32),
    Node(u8, Machine),
    Nodes(Vec<(u8, Machine)>),
    Load(u8, u64, u64, u64),
    Mode(u8, u8),
    Tenant(u8, u8),
    Prices(u8),
    /// A tenant's limits in millionths, each a factor of the one before; and whether by the month.
    Budget(u8, [u16; 3], bool),
    /// Give a node to another owner.
    Sell(u8, u8),
    /// A tenant's parent, or none, and how many cores and GiB it is guaranteed.
    Family(u8, u8, u64),
    Submit(u8, Wish),
    Submits(Vec<(u8, Wish)>),
    Resize(usize, u32),
    Change(usize, i32, u8),
    Cancel(usize, u8),
    Report(Vec<(usize, u8)>),
    /// Release a task that is under notice, or another one if none is.
    Release(usize),
    Margin(u32),
    Calendar(u8, Vec<Stretch>),
    Renew(u8),
    /// Bounds of a node's CPU, memory and GPUs in steps of a hundred thousandths, by horizon.
    Forecast(u8, [[u16; Horizon::COUNT]; 3]),
}

fn machine() -> impl Strategy<Value = Machine> {
    (0..9_u64, 0..9_u64, 0..4_u64, 0..4_u8, 0..8_u8)
        .prop_map(|(cpu, memory, gpus, zone, special)| Machine { cpu, memory, gpus, zone, special })
}

fn wish() -> impl Strategy<Value = Wish> {
    let what = (1..6_u32, 1..5_u64, 0..4_u64, 0..8_u8, 0..4_i32);
    let when = (0..12_u8, 0..12_u8, any::<bool>());
    (what, prop::bool::weighted(0.2), 0..12_u8, 0..16_u8, when, any::<u8>()).prop_map(
        |((count, cpu, memory, gpu, priority), gang, spread, place, when, grown)| {
            let (times, complete, moves) = when;
            Wish {
                count,
                cpu,
                memory,
                gpu,
                priority,
                gang,
                spread,
                place,
                times,
                grown,
                complete,
                moves,
            }
        },
    )
}

fn stretch() -> impl Strategy<Value = Stretch> {
    let start = prop_oneof![0..9_000_u64, 0..100_000_u64];
    (start, 60..20_000_u64, 0..=1000_u16, 0..6_u8)
        .prop_map(|(start, length, share, place)| Stretch { start, length, share, place })
}

pub(super) fn ops(restarts: bool) -> impl Strategy<Value = Vec<Op>> {
    let op = prop_oneof![
        1 => Just(if restarts { Op::Restart } else { Op::Wait(1) }),
        6 => (1..200_u32).prop_map(Op::Wait),
        1 => (3_000..50_000_u32).prop_map(Op::Wait),
        3 => (0..6_u8, machine()).prop_map(|(node, machine)| Op::Node(node, machine)),
        2 => vec((0..6_u8, machine()), 1..4).prop_map(Op::Nodes),
        4 => (0..6_u8, 0..6_u64, 0..6_u64, 0..3_u64).prop_map(|(n, c, m, g)| Op::Load(n, c, m, g)),
        4 => (0..6_u8, 0..8_u8).prop_map(|(node, mode)| Op::Mode(node, mode)),
        1 => (0..5_u8, 0..6_u8).prop_map(|(tenant, quota)| Op::Tenant(tenant, quota)),
        2 => (0..5_u8, 0..6_u8, 0..6_u64).prop_map(|(t, above, sure)| Op::Family(t, above, sure)),
        3 => any::<u8>().prop_map(Op::Prices),
        3 => (0..5_u8, any::<[u16; 3]>(), any::<bool>()).prop_map(|(t, l, m)| Op::Budget(t, l, m)),
        2 => (0..6_u8, 0..2_u8).prop_map(|(node, owner)| Op::Sell(node, owner)),
        8 => (0..5_u8, wish()).prop_map(|(tenant, wish)| Op::Submit(tenant, wish)),
        3 => vec((0..5_u8, wish()), 1..5).prop_map(Op::Submits),
        2 => (any::<usize>(), 1..8_u32).prop_map(|(job, count)| Op::Resize(job, count)),
        2 => (any::<usize>(), 0..4_i32, 0..4_u8).prop_map(|(job, priority, max)| {
            Op::Change(job, priority, max)
        }),
        2 => (any::<usize>(), 0..4_u8).prop_map(|(job, grace)| Op::Cancel(job, grace)),
        6 => vec((any::<usize>(), 0..4_u8), 1..4).prop_map(Op::Report),
        3 => any::<usize>().prop_map(Op::Release),
        1 => (0..400_u32).prop_map(Op::Margin),
        4 => Just(Op::Plan),
        3 => Just(Op::Quote),
        2 => (0..2_u8, vec(stretch(), 0..4)).prop_map(|(owner, list)| Op::Calendar(owner, list)),
        1 => (0..2_u8).prop_map(Op::Renew),
        4 => (0..6_u8, any::<[[u8; Horizon::COUNT]; 3]>()).prop_map(|(node, steps)| {
            Op::Forecast(node, steps.map(|steps| steps.map(|step| u16::from(step % 11) * 100)))
        }),
    ];
    let fleet = vec((0..6_u8, machine()), 1..6).prop_map(Op::Nodes);
    let tenants = vec![Op::Tenant(0, 0), Op::Tenant(1, 1), Op::Tenant(2, 0), Op::Tenant(3, 0)];
    let family = prop_oneof![
        Just(Vec::new()),
        (0..6_u64, 0..3_u64).prop_map(|(sure, of_child)| vec![
            Op::Tenant(4, 0),
            Op::Family(0, 5, sure),
            Op::Family(3, 0, of_child),
            Op::Family(4, 0, 1),
            Op::Family(2, 5, sure / 2),
        ]),
    ];
    let tenants = family.prop_map(move |more| [tenants.clone(), more].concat());
    (fleet, tenants, vec(op, 1..40)).prop_map(|(fleet, tenants, ops)| {
        std::iter::once(fleet).chain(tenants).chain(ops).collect()
    })
}

/// Few kinds of work, mostly without a limit and of which enough has ended before the operations begin that its like is
/// expected to be gone some time.
pub(super) fn of_known_kinds(ops: &[Op]) -> Vec<Op> {
    const KINDS: u64 = 3;
    let plain = Wish {
        count: 5,
        cpu: 1,
        memory: 1,
        gpu: 0,
        priority: 0,
        gang: false,
        spread: u8::MAX,
        place: u8::MAX,
        times: 0,
        grown: 4,
        complete: u8::MAX,
        moves: false,
    };
    let machine = Machine { cpu: 8, memory: 8, gpus: 0, zone: 0, special: 0 };
    let mut all: Vec<Op> = vec![Op::Nodes((0..6).map(|node| (node, machine.clone())).collect())];
    all.extend([Op::Tenant(0, 0), Op::Tenant(1, 0)]);
    for round in 0..2 * KINDS {
        let wish = Wish { cpu: 1 + round % KINDS, ..plain.clone() };
        all.push(Op::Submits(vec![(0, wish.clone()), (1, wish)]));
        let seconds = 100 * u32::try_from(round).expect("few");
        for half in 1..=2 {
            all.push(Op::Wait(half * 60 + seconds));
            all.push(Op::Report((0..5).map(|task| (task, 2)).collect()));
        }
    }
    let known = |wish: &Wish| Wish {
        cpu: 1 + (wish.cpu - 1) % (KINDS + 1),
        memory: 1,
        gpu: if wish.gpu == 7 { 7 } else { 0 },
        times: if wish.times < 8 { 0 } else { wish.times },
        complete: if wish.complete == 0 { 0 } else { u8::MAX },
        ..wish.clone()
    };
    all.extend(ops.iter().map(|op| match op {
        Op::Submit(tenant, wish) => Op::Submit(tenant % 2, known(wish)),
        Op::Submits(jobs) => {
            Op::Submits(jobs.iter().map(|(tenant, wish)| (tenant % 2, known(wish))).collect())
        }
        op => op.clone(),
    }));
    all
}

fn name(kind: &str, number: u8) -> Name {
    Name::parse(&format!("{kind}{number}")).expect("a name")
}

fn label(text: &str) -> Label {
    Label::parse(text).expect("a label")
}

fn target(name: Name) -> Target {
    Target { name, expected: None }
}

fn resources(cpu: u64, memory: u64, gpus: u64) -> Resources {
    Resources {
        cpu_millis: cpu * 1000,
        memory_bytes: memory << 30,
        gpu_millis: gpus * 1000,
        ..Resources::default()
    }
}

impl Machine {
    fn spec(&self, number: u8) -> NodeSpec {
        let fast = (self.special & 2 > 0).then(|| (label("disk"), label("fast")));
        let taint = (self.special & 1 > 0).then(|| Taint { key: label("k"), value: label("v") });
        let reserved = u64::from(self.special == 6).min(self.cpu);
        NodeSpec {
            name: name("n", number),
            owner: name("owner", number % 2),
            region: name("r", self.zone / 2),
            zone: name("z", self.zone % 2),
            labels: fast.into_iter().collect(),
            taints: taint.into_iter().collect(),
            capacity: resources(self.cpu, self.memory, self.gpus),
            gpu_model: if self.gpus > 0 {
                name("model", self.special % 2)
            } else {
                Name::default()
            },
            reservation: resources(reserved, 0, 0),
            report_ttl: (self.special > 5).then_some(Millis(300_000)),
            annotations: Annotations::default(),
        }
    }

    fn command(&self, state: &State, number: u8) -> Command {
        let spec = self.spec(number);
        if state.node_named(spec.name.as_str()).is_none() {
            return Command::RegisterNodes(vec![spec]);
        }
        let patch = NodePatch {
            owner: None,
            region: Some(spec.region),
            zone: Some(spec.zone),
            labels: Some(spec.labels),
            taints: Some(spec.taints),
            capacity: Some(spec.capacity),
            gpu_model: Some(spec.gpu_model),
            reservation: Some(spec.reservation),
            report_ttl: Some(spec.report_ttl),
            annotations: None,
        };
        Command::UpdateNode { target: target(spec.name), patch: Box::new(patch) }
    }
}

impl Wish {
    fn constraints(&self) -> Constraints {
        let mut wanted = Constraints::default();
        match self.place {
            0 => wanted.regions.push(name("r", 0)),
            1 => wanted.zones.push(name("z", 1)),
            2 => wanted.labels.push(LabelSelector {
                key: label("disk"),
                operator: SelectorOperator::In(vec![label("fast")]),
            }),
            3 => wanted
                .labels
                .push(LabelSelector { key: label("disk"), operator: SelectorOperator::NotExists }),
            4 => wanted.gpu_models.push(name("model", 0)),
            5..10 => wanted.tolerations.push(Toleration { key: None, value: None }),
            _ => {}
        }
        let spread =
            |topology, max_per_place, max_skew| Spread { topology, max_per_place, max_skew };
        match self.spread {
            0 => wanted.spreads.push(spread(Topology::Node, Some(1), None)),
            1 => wanted.spreads.push(spread(Topology::Zone, None, Some(1))),
            2 => wanted.spreads.push(spread(Topology::Zone, Some(2), None)),
            3 => wanted.spreads.extend([
                spread(Topology::Node, Some(2), None),
                spread(Topology::Zone, Some(3), Some(2)),
            ]),
            _ => {}
        }
        wanted
    }

    /// Few jobs wait for others, or are tried again.
    fn extras(&self) -> Option<Arc<JobExtras>> {
        let condition = match self.grown % 16 {
            0 | 1 => Some(DependencyCondition::Success),
            2 => Some(DependencyCondition::End),
            _ => None,
        };
        let dependencies = condition.map(|condition| Dependency {
            job: JobId(0),
            name: Name::of_job(JobId(u64::from(self.grown / 16))),
            condition,
        });
        let limit = u32::from(self.grown / 64);
        let retry = self.grown.is_multiple_of(3).then_some(RetryPolicy {
            failures: limit,
            timeouts: 1,
            evictions: (self.grown & 8 > 0).then_some(limit),
            node_losses: (self.grown & 16 > 0).then_some(limit),
            backoff: Millis(20_000),
            max_backoff: Millis(50_000),
        });
        let dependencies = dependencies.into_iter().collect();
        let extras = JobExtras { retry, dependencies, ..JobExtras::default() };
        (extras != JobExtras::default()).then(|| Arc::new(extras))
    }

    fn spec(&self, now: Time) -> JobSpec {
        let seconds = |wanted: bool, seconds: u64| wanted.then_some(Millis(seconds * 1000));
        let gpu_millis = [0, 0, 0, 300, 500, 700, 1000, 2000][usize::from(self.gpu)];
        JobSpec {
            count: self.count,
            request: Resources { gpu_millis, ..resources(self.cpu, self.memory, 0) },
            constraints: self.constraints(),
            priority: Priority(self.priority),
            min_runtime: Millis(match self.times {
                5 => 20_000_000,
                9 => 80_000_000,
                times => u64::from(times & 1) * 400_000,
            }),
            max_runtime: seconds(self.times & 2 > 0, 900),
            deadline: (self.times == 4).then(|| now.after(Millis(200_000))),
            complete_by: (self.complete < 3)
                .then(|| now.after(Millis(u64::from(self.complete) * 3_000_000 + 1_000_000))),
            gang: self.gang,
            labels: Default::default(),
            notice: seconds(self.times & 8 > 0, u64::from(self.times & 1) * 300),
            on_notice: if self.moves && !self.gang && self.complete >= 3 {
                OnNotice::Move
            } else {
                OnNotice::Stay
            },
            extras: self.extras(),
        }
    }
}

/// A calendar of which each entry is one window; what clocks show matters to nobody here.
fn calendar(stretches: &[Stretch], now: Time) -> (Vec<CalendarEntry>, Windows) {
    let (mut entries, mut list) = (Vec::new(), Vec::new());
    for (index, stretch) in (0..).zip(stretches) {
        let start = Time(now.0 + stretch.start * 1000 - Millis::HOUR.0);
        list.push(Window { start, end: start.after(Millis(stretch.length * 1000)), entry: index });
        let fast = (stretch.place == 1).then(|| (label("disk"), label("fast")));
        entries.push(CalendarEntry {
            name: name("entry", u8::try_from(index).expect("few")),
            when: When::Once { start: WallTime(0), end: WallTime(1) },
            time_zone: "UTC".into(),
            share: HeldShare { memory: stretch.share / 2, ..HeldShare::of_all(stretch.share) },
            regions: (stretch.place == 0).then(|| name("r", 0)).into_iter().collect(),
            labels: fast.into_iter().collect(),
        });
    }
    list.sort_unstable();
    (entries, Windows { through: now.after(Millis::HOUR), list })
}

/// As the server would: what has ended is not worked out again.
fn renewed(state: &State, owner: Name, now: Time) -> Option<Command> {
    let known = state.owner(&owner)?;
    let mut windows = known.windows.as_ref().clone();
    windows.list.retain(|window| window.end > now);
    Some(Command::RenewWindows { owner, of: known.revision, windows })
}

impl Op {
    /// The commands, as requests of one step. What makes no sense any more is refused, which is fine.
    pub(super) fn requests(&self, state: &State, naive: &Naive, now: Time) -> Vec<Request> {
        let commands = match self {
            Self::Restart | Self::Plan | Self::Quote | Self::Wait(_) => Vec::new(),
            Self::Node(number, machine) => vec![machine.command(state, *number)],
            Self::Nodes(nodes) => nodes.iter().map(|(n, m)| m.command(state, *n)).collect(),
            Self::Load(node, cpu, memory, gpus) => vec![Command::ReportLoad(vec![LoadReport {
                node: name("n", *node),
                time: None,
                load: resources(*cpu, *memory, *gpus),
            }])],
            Self::Mode(node, mode) => vec![mode_command(target(name("n", *node)), *mode)],
            Self::Tenant(tenant, quota) => vec![tenant_command(state, *tenant, *quota)],
            Self::Prices(seed) => {
                let book = super::ledger::book(*seed);
                vec![Command::SetPriceBook { book: Box::new(book), expected: None }]
            }
            Self::Budget(tenant, limits, monthly) => {
                let target = target(name("t", *tenant));
                let patch =
                    TenantPatch { budget: Some(budget(*limits, *monthly)), ..Default::default() };
                vec![Command::UpdateTenant { target, patch: Box::new(patch) }]
            }
            Self::Sell(node, owner) => {
                let target = target(name("n", *node));
                let patch = NodePatch { owner: Some(name("owner", *owner)), ..Default::default() };
                vec![Command::UpdateNode { target, patch: Box::new(patch) }]
            }
            Self::Family(tenant, above, sure) => vec![Command::UpdateTenant {
                target: target(name("t", *tenant)),
                patch: Box::new(TenantPatch {
                    parent: Some(if *above < 5 { name("t", *above) } else { Name::default() }),
                    guarantee: Some(resources(*sure, *sure / 2, 0)),
                    ..TenantPatch::default()
                }),
            }],
            Self::Submit(tenant, wish) => vec![submit(*tenant, wish, now)],
            Self::Submits(jobs) => jobs.iter().map(|(t, wish)| submit(*t, wish, now)).collect(),
            Self::Resize(job, count) => pick(state, *job)
                .map(|(tenant, target)| {
                    let patch = JobPatch { count: Some(*count), ..JobPatch::default() };
                    Command::UpdateJob { tenant, target, patch: Box::new(patch) }
                })
                .into_iter()
                .collect(),
            Self::Change(job, priority, max) => pick(state, *job)
                .map(|(tenant, target)| {
                    let choices = [None, Some(None), Some(Some(900)), Some(Some(90_000))];
                    // What is not to move is refused, which is fine.
                    let on_notice = [None, None, Some(OnNotice::Move), Some(OnNotice::Stay)];
                    let on_notice = on_notice[usize::from(*max)];
                    let max = choices[usize::from(*max)];
                    let patch = JobPatch {
                        priority: Some(Priority(*priority)),
                        max_runtime: max.map(|max| max.map(|seconds| Millis(seconds * 1000))),
                        on_notice,
                        ..JobPatch::default()
                    };
                    Command::UpdateJob { tenant, target, patch: Box::new(patch) }
                })
                .into_iter()
                .collect(),
            Self::Cancel(job, grace) => pick(state, *job)
                .map(|(tenant, target)| {
                    let grace = grace.checked_sub(1).map(|grace| Millis(u64::from(grace) * 40_000));
                    Command::CancelJob { tenant, target, grace }
                })
                .into_iter()
                .collect(),
            Self::Report(reports) => vec![Command::ReportTasks(
                reports
                    .iter()
                    .filter_map(|(task, outcome)| report(naive, *task, *outcome))
                    .collect(),
            )],
            Self::Release(pick) => {
                vec![Command::ReportTasks(release(naive, *pick).into_iter().collect())]
            }
            Self::Forecast(node, bounds) => {
                let found = state.node_named(name("n", *node).as_str()).map(|node| node.id);
                let dimensions = [Dimension::Cpu, Dimension::Memory, Dimension::Gpu];
                let bounds = Bounds(dimensions.into_iter().zip(bounds.iter().copied()).collect());
                let found = found.map(|node| NodeBounds { node, bounds: Arc::new(bounds) });
                vec![Command::Forecast(found.into_iter().collect())]
            }
            Self::Margin(permille) => vec![Command::SetPolicy(Policy {
                forecast_margin_permille: *permille,
                ..state.policy().clone()
            })],
            Self::Calendar(owner, stretches) => vec![Command::UpdateOwner {
                target: target(name("owner", *owner)),
                patch: Box::new(OwnerPatch {
                    calendar: Some(calendar(stretches, now)),
                    shortfall_budget: Some((stretches.len() > 1).then_some(Millis(600_000))),
                    ..OwnerPatch::default()
                }),
            }],
            Self::Renew(owner) => renewed(state, name("owner", *owner), now).into_iter().collect(),
        };
        let ask = |command| Request { command, request_id: None, validate_only: false };
        commands.into_iter().map(ask).collect()
    }
}

fn submit(tenant: u8, wish: &Wish, now: Time) -> Command {
    let (tenant, spec) = (name("t", tenant), Arc::new(wish.spec(now)));
    Command::SubmitJob { tenant, name: Name::default(), spec }
}

fn mode_command(target: Target, mode: u8) -> Command {
    match mode {
        0 => Command::CordonNode(target),
        1..4 => Command::UncordonNode(target),
        4 => Command::DrainNode { target, grace: None },
        5 => Command::DrainNode { target, grace: Some(Millis(30_000)) },
        6 => Command::RemoveNode { target, force: false },
        _ => Command::RemoveNode { target, force: true },
    }
}

fn tenant_command(state: &State, number: u8, limit: u8) -> Command {
    let quota = Quota {
        cpu_millis: (limit == 1).then_some(20_000),
        tasks: (limit == 2).then_some(8),
        ..Quota::default()
    };
    let (tenant, weight) = (name("t", number), u32::from(limit) + 1);
    if limit == 5 {
        return Command::DeleteTenant(target(tenant));
    }
    if state.tenant_named(tenant.as_str()).is_none() {
        return Command::CreateTenant(Box::new(TenantSpec {
            name: tenant,
            parent: Name::default(),
            guarantee: Resources::default(),
            quota,
            weight,
            priority_ceiling: Priority(10),
            labels: Default::default(),
            budget: Default::default(),
            annotations: Annotations::default(),
        }));
    }
    let patch = TenantPatch { quota: Some(quota), weight: Some(weight), ..TenantPatch::default() };
    Command::UpdateTenant { target: target(tenant), patch: Box::new(patch) }
}

/// A limit that is a multiple of three is none.
fn budget(limits: [u16; 3], monthly: bool) -> Budget {
    let mut sum = 0;
    let [warn, stop_new, stop_all] = limits.map(|step| {
        sum += u64::from(step) * 4;
        (step % 3 > 0).then_some(sum)
    });
    let period = if monthly { Period::Month } else { Period::Day };
    Budget { period, warn, stop_new, stop_all }
}

fn pick(state: &State, pick: usize) -> Option<(Name, Target)> {
    let jobs: Vec<_> = state.jobs_from(Default::default()).collect();
    let job = jobs.get(pick % jobs.len().max(1))?;
    let tenant = state.tenant(job.tenant)?.spec.name.clone();
    Some((tenant, target(job.name.clone())))
}

fn report(naive: &Naive, task: usize, outcome: u8) -> Option<TaskReport> {
    let outcome = match outcome {
        0 => TaskOutcome::Started,
        1 => TaskOutcome::Failed,
        _ => TaskOutcome::Succeeded,
    };
    Some(TaskReport { allocation: naive.pick_allocation(task)?, outcome, message: "".into() })
}

/// Of a task under notice, or of another one if none is.
fn release(naive: &Naive, pick: usize) -> Option<TaskReport> {
    let allocation = naive.pick_noticed(pick).or_else(|| naive.pick_allocation(pick))?;
    Some(TaskReport { allocation, outcome: TaskOutcome::Released, message: "".into() })
}
