//! A cell to measure: a fleet of GPU machines and a stream of tasks that looks like those of published GPU clusters:
//! 151 shapes of very different weight, most of them shares or one device, a few that name a model.

#[path = "../basics/mod.rs"]
mod basics;

use std::sync::Arc;

pub(crate) use basics::{NOW, name, request, size, spec};
use offpeak_core::{
    command::{Command, Request, Target},
    engine::Engine,
    model::{JobSpec, Labels, Name, NodeSpec, Priority, Quota, Resources, TenantSpec},
    state::State,
};

/// What the planner tries for each node before anything is measured.
pub(crate) const DEPTH: u32 = 30;

/// Numbers that are the same every time.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }
}

pub(crate) fn ask(command: Command) -> Request {
    Request { command, request_id: None, validate_only: false }
}

pub(crate) fn submit(tenant: u32, spec: JobSpec) -> Request {
    let tenant = name(&format!("t{tenant}"));
    ask(Command::SubmitJob { tenant, name: Name::default(), spec: Arc::new(spec) })
}

/// Kinds of machines: of a hundred nodes how many, cores, GiB, devices, model.
const MACHINES: [(u32, u64, u64, u64, &str); 6] = [
    (46, 96, 384, 8, "G2"),
    (32, 104, 512, 2, "T4"),
    (11, 16, 120, 2, "P100"),
    (4, 128, 768, 8, "G3"),
    (4, 32, 128, 4, "V100"),
    (3, 96, 768, 8, "V100L"),
];

/// A node; with `jitter`, hardly two have the same capacity.
pub(crate) fn machine(number: u32, jitter: bool) -> NodeSpec {
    let mut at = number.wrapping_mul(61) % 100;
    let mut machines = MACHINES.iter();
    let (_, cores, gib, devices, model) = loop {
        let machine = machines.next().expect("they are a hundred in all");
        match at.checked_sub(machine.0) {
            Some(left) => at = left,
            None => break *machine,
        }
    };
    let permille = if jitter { 970 + u64::from(number.wrapping_mul(7919) % 61) } else { 1000 };
    NodeSpec {
        name: name(&format!("n{number}")),
        owner: name("owner"),
        region: name("region"),
        zone: name(&format!("z{}", number % 3)),
        labels: Labels::new(),
        taints: Vec::new(),
        capacity: request(cores * permille, gib * 1024 * permille / 1000, devices * 1000),
        gpu_model: name(model),
        reservation: Resources::default(),
        report_ttl: None,
        annotations: Default::default(),
    }
}

/// What tasks ask for, and how often.
pub(crate) struct Mix {
    specs: Vec<JobSpec>,
    /// Running sums of how often.
    sums: Vec<u64>,
}

impl Mix {
    pub(crate) fn new() -> Self {
        let mut dice = Dice::new(7);
        let (mut specs, mut sums, mut sum) = (Vec::new(), Vec::new(), 0);
        for number in 0..151 {
            let cores = 1 + dice.below(16);
            let mib = (1 + dice.below(5)) * cores * 1024 / 2 + dice.below(2048);
            let gpus = match number % 10 {
                0 => 0,
                1..6 => 20 * (5 + dice.below(44)),
                9 if number % 30 == 9 => 1000 << (1 + dice.below(3)),
                _ => 1000,
            };
            let mut spec = spec(&request(cores * 500 + dice.below(500), mib / 2, gpus), 1);
            if number % 12 == 5 {
                spec.constraints.gpu_models = vec![name("G2"), name("T4")];
            }
            specs.push(spec);
            sum += if gpus > 1000 { 3 } else { 1 + 4000 / (number + 8) };
            sums.push(sum);
        }
        Self { specs, sums }
    }

    fn draw(&self, dice: &mut Dice) -> &JobSpec {
        let at = dice.below(self.sums[self.sums.len() - 1]);
        &self.specs[self.sums.partition_point(|sum| *sum <= at)]
    }

    /// Single-task jobs of a tenant that ask for so many thousandths of the engine's GPUs.
    #[allow(dead_code, reason = "not every benchmark fills a cell")]
    pub(crate) fn load(&self, engine: &Engine, permille: u64) -> Vec<Request> {
        let all: u64 = engine.state().nodes().map(|node| node.spec.capacity.gpu_millis).sum();
        let (mut asked, mut dice, mut requests) = (0, Dice::new(42), Vec::new());
        while asked < all * permille / 1000 {
            let spec = self.draw(&mut dice);
            asked += spec.request.gpu_millis;
            requests.push(submit(0, spec.clone()));
        }
        requests
    }

    /// So many single-task jobs.
    pub(crate) fn jobs(&self, seed: u64, count: usize) -> Vec<Request> {
        let mut dice = Dice::new(seed);
        (0..count).map(|_| submit(0, self.draw(&mut dice).clone())).collect()
    }
}

/// A cell that has learned what is asked for, with so many nodes and tenants and nothing running.
pub(crate) fn cell(mix: &Mix, nodes: u32, tenants: u32, jitter: bool) -> Engine {
    let mut engine = Engine::new(State::default(), NOW);
    let tenant = |number| TenantSpec {
        name: name(&format!("t{number}")),
        parent: Name::default(),
        guarantee: Resources::default(),
        quota: Quota::default(),
        weight: 1,
        priority_ceiling: Priority(100),
        labels: Labels::new(),
        budget: Default::default(),
        annotations: Default::default(),
    };
    run(
        &mut engine,
        (0..tenants).map(|number| ask(Command::CreateTenant(Box::new(tenant(number))))).collect(),
    );
    let seen = mix.jobs(1, 8_000);
    let first = engine.state().next_ids().2.0;
    let last = first + seen.len() as u64;
    run(&mut engine, seen);
    let cancel = |number| {
        let target = Target { name: name(&format!("job-{number}")), expected: None };
        ask(Command::CancelJob { tenant: name("t0"), target, grace: None })
    };
    run(&mut engine, (first..last).map(cancel).collect());
    let nodes: Vec<NodeSpec> = (0..nodes).map(|number| machine(number, jitter)).collect();
    run(&mut engine, vec![ask(Command::RegisterNodes(nodes))]);
    engine
}

/// Lets the planner work, as it does beside a server's engine.
pub(crate) fn plan(engine: &mut Engine, depth: u32) {
    if let Some(problem) = engine.problem() {
        for promises in problem.solve(depth) {
            engine.step(NOW, vec![ask(Command::Promise(promises))]);
        }
    }
}

/// Steps until nothing is left to do now.
pub(crate) fn run(engine: &mut Engine, requests: Vec<Request>) {
    let mut requests = Some(requests);
    while requests.is_some() || engine.next_wakeup().is_some_and(|due| due <= NOW) {
        engine.step(NOW, requests.take().unwrap_or_default());
    }
}
