//! The forecaster beside the engine: it learns from what is committed, and what it finds moves what is lent.

use std::sync::Arc;

use offpeak_core::{
    command::{Command, LoadReport, OwnerPatch, Request, Target},
    engine::Engine,
    event::{Batch, Event},
    forecaster::Forecaster,
    model::{
        Annotations, Bounds, Constraints, Dimension, Horizon, JobSpec, Labels, Millis, Name,
        NodeBounds, NodeId, NodeSpec, Priority, Quota, Resources, Risk, TenantSpec, Time,
    },
    state::State,
};

const BEGIN: Time = Time(1_700_006_400_000);
const STEP: Millis = Millis(300_000);
const DAY: u64 = 288;
const NODES: u32 = 8;

fn name(text: &str) -> Name {
    Name::parse_optional(text).expect("a name")
}

fn cpu(cpu_millis: u64) -> Resources {
    Resources { cpu_millis, ..Resources::default() }
}

fn node(number: u32) -> NodeSpec {
    NodeSpec {
        name: name(&format!("n{number}")),
        owner: name("shop"),
        region: name(""),
        zone: name(""),
        labels: Labels::new(),
        taints: Vec::new(),
        capacity: cpu(10_000),
        gpu_model: name(""),
        reservation: Resources::default(),
        report_ttl: None,
        annotations: Annotations::default(),
    }
}

/// Busy by day, each node a little differently.
fn load(number: u32, step: u64) -> Resources {
    let noise = (u64::from(number) * 7_919 + step).wrapping_mul(6_364_136_223_846_793_005) >> 54;
    let by_day = if (108..216).contains(&(step % DAY)) { 4_000 } else { 500 };
    cpu(by_day + noise)
}

struct House {
    engine: Engine,
    forecaster: Forecaster,
    now: Time,
    step: u64,
}

impl House {
    fn new() -> Self {
        let engine = Engine::new(State::default(), BEGIN);
        let mut house = Self { engine, forecaster: Forecaster::default(), now: BEGIN, step: 0 };
        house.ask(Command::RegisterNodes((0..NODES).map(node).collect()));
        house
    }

    fn ask(&mut self, command: Command) -> (Batch, Vec<NodeBounds>) {
        let request = Request { command, request_id: None, validate_only: false };
        let step = self.engine.step(self.now, vec![request]);
        step.replies.into_iter().for_each(|reply| drop(reply.expect("accepted")));
        let found = self.forecaster.fold(&step.batch);
        (step.batch, found)
    }

    /// All owners report; what is found is told. The batches of both.
    fn report(&mut self) -> Vec<Batch> {
        self.now = self.now.after(STEP);
        let report = |number| LoadReport {
            node: name(&format!("n{number}")),
            time: None,
            load: load(number, self.step),
        };
        let reports = (0..NODES).map(report).collect();
        self.step += 1;
        let (batch, found) = self.ask(Command::ReportLoad(reports));
        if found.is_empty() {
            vec![batch]
        } else {
            vec![batch, self.ask(Command::Forecast(found)).0]
        }
    }

    fn run(&mut self, steps: u64) {
        (0..steps).for_each(|_| drop(self.report()));
    }

    fn bounds(&self) -> Vec<Option<Vec<u64>>> {
        let over = |horizon| {
            move |node: &offpeak_core::model::Node| node.held_back.over(horizon).cpu_millis
        };
        let nodes = self.engine.state().nodes();
        nodes
            .map(|node| {
                node.bounds
                    .as_ref()
                    .map(|_| Horizon::ALL.map(|horizon| over(horizon)(node)).to_vec())
            })
            .collect()
    }
}

#[test]
fn a_fleet_is_watched_for_a_day_before_its_forecast_counts() {
    let mut house = House::new();
    house.run(DAY);
    assert!(house.bounds().iter().all(Option::is_none));
    house.run(2);
    assert!(house.bounds().iter().all(Option::is_some));
}

#[test]
fn what_is_held_back_is_never_less_than_the_load_and_grows_with_the_horizon() {
    let mut house = House::new();
    house.run(DAY + 2);
    for _ in 0..2 * DAY {
        house.report();
        for (number, bounds) in (0..).zip(house.bounds()) {
            let bounds = bounds.expect("the fleet is known");
            assert!(bounds[0] >= load(number, house.step - 1).cpu_millis);
            assert!(bounds.is_sorted(), "{bounds:?}");
        }
    }
}

#[test]
fn a_fleet_that_has_shown_its_nights_lends_more_of_them_than_the_greatest_of_a_day_would() {
    let mut house = House::new();
    house.run(10 * DAY + 24);
    let held: u64 = house.bounds().into_iter().map(|bounds| bounds.expect("known")[1]).sum();
    assert!(
        held < u64::from(NODES) * 4_000,
        "at two in the morning {held} is held back for an hour"
    );
}

#[test]
fn a_careful_owner_lends_less() {
    let mut house = House::new();
    let patch = OwnerPatch { risk: Risk::new(1_000), ..OwnerPatch::default() };
    let target = Target { name: name("shop"), expected: None };
    let mut careful = House::new();
    careful.ask(Command::UpdateOwner { target, patch: Box::new(patch) });
    let held = |house: &mut House| {
        house.run(8 * DAY);
        let mut held = 0;
        for _ in 0..DAY {
            house.report();
            held += house.bounds().into_iter().map(|bounds| bounds.expect("known")[1]).sum::<u64>();
        }
        held
    };
    let (held, more) = (held(&mut house), held(&mut careful));
    assert!(more > held, "{more} is held back, and {held} at ten times the risk");
}

#[test]
fn what_was_learned_survives_a_restart() {
    let mut house = House::new();
    house.run(3 * DAY);
    let mut pieces = Vec::new();
    let Ok(()) = house.forecaster.save(|piece| {
        pieces.push(piece.to_vec());
        Ok::<_, std::convert::Infallible>(())
    });
    let kept = house.engine.state().clone();
    let missed = house.report();

    let mut restored = Forecaster::restore(&kept, &pieces).expect("it was just saved");
    missed.iter().for_each(|batch| drop(restored.fold(batch)));
    missed.iter().for_each(|batch| assert!(restored.fold(batch).is_empty(), "it is known"));
    let mut told = 0;
    for _ in 0..DAY / 4 {
        let next = house.report();
        let found = next.iter().flat_map(|batch| &batch.events).find_map(|event| match event {
            Event::ForecastMade { bounds } => Some(bounds.clone()),
            _ => None,
        });
        let found = found.unwrap_or_default();
        assert_eq!(restored.fold(&next[0]), found);
        told += found.len();
    }
    assert!(told > 0, "bounds changed in six hours");

    assert!(Forecaster::restore(&kept, &[b"of another release".to_vec()]).is_none());
}

#[test]
fn nodes_that_are_gone_or_unknown_are_left_alone() {
    let mut house = House::new();
    house.run(DAY + 2);
    let bounds = house.engine.state().node(NodeId(0)).expect("it is there").bounds.clone();
    let gone =
        NodeBounds { node: NodeId(NODES), bounds: Arc::clone(bounds.as_ref().expect("known")) };
    let same = NodeBounds { node: NodeId(0), bounds: bounds.expect("known") };
    let (batch, _) = house.ask(Command::Forecast(vec![same, gone]));
    assert!(batch.events.is_empty());
}

#[test]
fn who_would_have_to_go_is_told_once_when_the_forecast_turns() {
    let mut house = House::new();
    house.report();
    let bounds = |hour| {
        let permille = [100, hour, hour, hour];
        let bounds = Arc::new(Bounds(vec![(Dimension::Cpu, permille)]));
        Command::Forecast(vec![NodeBounds { node: NodeId(0), bounds }])
    };
    house.ask(bounds(100));
    let (tenant, spec) = (name("acme"), task(3_000, 2));
    house.ask(Command::CreateTenant(Box::new(tenant_spec(tenant.clone()))));
    (1..NODES).for_each(|number| {
        let target = Target { name: name(&format!("n{number}")), expected: None };
        house.ask(Command::CordonNode(target));
    });
    house.ask(Command::SubmitJob { tenant, name: Name::default(), spec: Arc::new(spec) });

    let mut advised = |hour| {
        let (batch, _) = house.ask(bounds(hour));
        let advisories = batch.events.iter().filter_map(|event| match event {
            Event::AdvisoryGiven { at, expected_by } => {
                Some((at.task.0, expected_by.since(house.now)))
            }
            _ => None,
        });
        advisories.collect::<Vec<_>>()
    };
    assert_eq!(advised(300), [], "four cores are kept for an hour, and six lent");
    assert_eq!(advised(500), [(1, Millis::HOUR)], "the youngest goes first");
    assert_eq!(advised(600), [], "it has been told");
    assert_eq!(advised(100), []);
    assert_eq!(advised(900).len(), 2);
}

fn task(cpu_millis: u64, count: u32) -> JobSpec {
    JobSpec {
        count,
        request: cpu(cpu_millis),
        constraints: Constraints::default(),
        priority: Priority(0),
        min_runtime: Millis(0),
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

fn tenant_spec(name: Name) -> TenantSpec {
    TenantSpec {
        name,
        parent: Name::default(),
        guarantee: Resources::default(),
        quota: Quota::default(),
        weight: 1,
        priority_ceiling: Priority(0),
        labels: Labels::new(),
        budget: Default::default(),
        annotations: Annotations::default(),
    }
}
