//! What a forecast promises, over made-up owners.

mod ahead;

use proptest::prelude::*;

use super::{Fleet, Horizon, NodeForecast, Risk, Risks, Share};
use crate::model::Time;

const STEP_MS: u64 = 300_000;
const DAY_STEPS: u64 = 288;

/// Numbers that look random and are the same in every run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695);
        (self.0 >> 33) % end
    }
}

/// An owner that is busy by day, restless always, and rises for an hour now and then.
fn load(numbers: &mut Numbers, rise: &mut u64, step: u64) -> u64 {
    if numbers.below(700) == 0 {
        *rise = 12;
    }
    *rise = rise.saturating_sub(1);
    let by_day = if (96..216).contains(&(step % DAY_STEPS)) { 300 } else { 80 };
    by_day + numbers.below(60) + if *rise > 0 { 350 } else { 0 }
}

fn at(step: u64) -> Time {
    Time(step * STEP_MS)
}

/// A fleet after so many days of lively owners, and its nodes.
fn lively(nodes: usize, days: u64) -> (Fleet, Vec<NodeForecast>) {
    let mut fleet = Fleet::new(Risks::default());
    let mut forecasts = vec![NodeForecast::default(); nodes];
    let mut owners: Vec<(Numbers, u64)> = (0..).map(|n| (Numbers(n), 0)).take(nodes).collect();
    for step in 0..days * DAY_STEPS {
        for (forecast, (numbers, rise)) in forecasts.iter_mut().zip(&mut owners) {
            fleet.observe(forecast, at(step), Share::permille(load(numbers, rise, step)));
        }
    }
    (fleet, forecasts)
}

fn bounds(node: &NodeForecast, now: Time) -> [Option<u16>; 4] {
    Horizon::ALL.map(|horizon| node.bound(horizon, now).map(Share::get))
}

fn shown<T: std::fmt::Debug>(value: &T) -> String {
    format!("{value:?}")
}

#[test]
fn memory_of_a_node_stays_within_4_kib() {
    assert!(size_of::<NodeForecast>() <= 4096, "{}", size_of::<NodeForecast>());
}

#[test]
fn the_realised_rate_is_the_promised_one() {
    const NODES: usize = 16;
    let horizons = [(0, 1, 1_000), (1, 12, 10_000), (2, 72, 10_000)];
    let mut fleet = Fleet::new(Risks::default());
    let mut forecasts = vec![NodeForecast::default(); NODES];
    let mut owners: Vec<(Numbers, u64)> = (0..).map(|n| (Numbers(n), 0)).take(NODES).collect();
    let steps = 28 * DAY_STEPS;
    let mut loads = vec![Vec::new(); NODES];
    let mut told = vec![Vec::new(); NODES];
    for step in 0..steps {
        for node in 0..NODES {
            let (numbers, rise) = &mut owners[node];
            let load = load(numbers, rise, step);
            fleet.observe(&mut forecasts[node], at(step), Share::permille(load));
            loads[node].push(load);
            told[node].push(bounds(&forecasts[node], at(step)).map(|bound| bound.unwrap_or(1000)));
        }
    }
    for (horizon, span, ppm) in horizons {
        let (mut exceeded, mut seen, mut lent) = (0, 0, 0);
        for (loads, told) in loads.iter().zip(&told) {
            for (step, bounds) in told.iter().enumerate().skip(7 * 288).step_by(5) {
                let Some(coming) = loads.get(step + 1..=step + span) else { break };
                let bound = bounds[horizon];
                seen += 1;
                lent += 1000 - u64::from(bound);
                exceeded += u64::from(coming.iter().any(|load| *load > u64::from(bound)));
            }
        }
        let rate = exceeded * 1_000_000 / seen;
        assert!(rate <= ppm * 11 / 10, "horizon {horizon}: {rate} ppm of {ppm}");
        assert!(rate >= ppm / 2, "horizon {horizon}: risk is left unused, {rate} ppm of {ppm}");
        assert!(lent / seen > 250, "horizon {horizon}: only {} of 1000 are lent", lent / seen);
    }
}

#[test]
fn a_sample_given_again_changes_nothing() {
    let (mut fleet, mut nodes) = lively(3, 9);
    let now = at(9 * DAY_STEPS);
    let load = Share::permille(700);
    fleet.observe(&mut nodes[0], now, load);
    let before = (shown(&fleet), shown(&nodes[0]));
    fleet.observe(&mut nodes[0], now, load);
    assert!((shown(&fleet), shown(&nodes[0])) == before, "it changed something");
    // Nor does one of long ago, the second time.
    let late = at(8 * DAY_STEPS + 3);
    fleet.observe(&mut nodes[0], late, load);
    let before = (shown(&fleet), shown(&nodes[0]));
    fleet.observe(&mut nodes[0], late, load);
    assert!((shown(&fleet), shown(&nodes[0])) == before, "a late one changed something");
}

#[test]
fn a_late_sample_moves_neither_the_price_nor_the_bound_in_force() {
    let (mut fleet, mut nodes) = lively(3, 9);
    let now = at(9 * DAY_STEPS - 1);
    let before = (shown(&fleet), bounds(&nodes[0], now));
    fleet.observe(&mut nodes[0], at(8 * DAY_STEPS), Share::FULL);
    assert!((shown(&fleet), bounds(&nodes[0], now)) == before, "it moved something");
}

#[test]
fn missing_samples_are_not_safe_ones() {
    let (mut fleet, mut nodes) = lively(3, 9);
    let quiet = Share::permille(90);
    // After an hour without a sample nothing of before is pending.
    let begin = 9 * DAY_STEPS + 24;
    fleet.observe(&mut nodes[0], at(begin), quiet);
    let price = fleet.hour_log_price();
    let after = |heard: &dyn Fn(u64) -> bool| {
        let (mut fleet, mut node) = (fleet.clone(), nodes[0].clone());
        for step in (begin + 1..begin + 2 * DAY_STEPS).filter(|step| heard(*step)) {
            fleet.observe(&mut node, at(step), quiet);
        }
        fleet.hour_log_price()
    };
    assert!(after(&|_| true) < price, "samples that keep below the bound lower the price");
    // A third of the samples tells nothing of the hours between them.
    assert_eq!(after(&|step| step % 3 == 0), price);
    assert_eq!(after(&|step| step == begin + 2 * DAY_STEPS - 1), price);
}

#[test]
fn nothing_is_lent_on_a_sample_that_is_too_old() {
    let (_, nodes) = lively(3, 9);
    let newest = 9 * DAY_STEPS - 1;
    assert!(bounds(&nodes[0], at(newest)).iter().all(Option::is_some));
    let next = bounds(&nodes[0], at(newest + 1));
    assert_eq!((next[0], next[1]), (None, None));
    assert!(next[2].is_some() && next[3].is_some(), "{next:?}");
    assert_eq!(bounds(&nodes[0], at(newest + 30)), [None; 4]);
    assert_eq!(bounds(&NodeForecast::default(), at(newest)), [None; 4]);
}

#[test]
fn a_new_fleet_lends_nothing_and_a_new_node_what_its_fleet_knows() {
    let mut fleet = Fleet::new(Risks::default());
    let mut node = NodeForecast::default();
    fleet.observe(&mut node, at(0), Share::permille(90));
    assert_eq!(bounds(&node, at(0)), [Some(1000); 4]);

    let (mut fleet, nodes) = lively(20, 14);
    let mut new = NodeForecast::default();
    let step = 14 * DAY_STEPS - 1;
    fleet.observe(&mut new, at(step), Share::permille(90));
    let [Some(new), Some(old)] = [&new, &nodes[0]].map(|node| bounds(node, at(step))[1]) else {
        panic!("both have a bound");
    };
    assert!(new < 1000, "it lends from its first sample on");
    assert!(new > old, "and less than one that is known: {new} {old}");
}

#[test]
fn a_careful_owner_lends_less() {
    let lent = |risk: Risk| {
        let mut fleet = Fleet::new(Risks::all(risk));
        let mut node = NodeForecast::default();
        let (mut numbers, mut rise, mut lent) = (Numbers(1), 0, 0);
        for step in 0..40 * DAY_STEPS {
            let load = load(&mut numbers, &mut rise, step);
            fleet.observe(&mut node, at(step), Share::permille(load));
            lent += 1000 - u64::from(bounds(&node, at(step))[1].expect("there is a sample"));
        }
        lent
    };
    let (default, careful) = (lent(Risk::DEFAULT), lent(Risk::CAREFUL));
    assert!(careful < default, "{careful} {default}");
}

#[test]
fn a_rise_within_the_five_minutes_raises_the_bounds_at_once() {
    let (mut fleet, mut nodes) = lively(20, 9);
    let step = 9 * DAY_STEPS;
    fleet.observe(&mut nodes[0], at(step), Share::permille(90));
    let soon = Time(at(step).0 + 60_000);
    fleet.observe(&mut nodes[0], soon, Share::permille(950));
    assert!(bounds(&nodes[0], soon).iter().all(|bound| *bound >= Some(950)));
}

/// A sample: which node, how long after the one before (or before it), how much.
fn samples() -> impl Strategy<Value = Vec<(usize, i64, u64)>> {
    let gap = prop_oneof![
        10 => Just(300_000_i64),
        4 => -4_000_000..4_000_000_i64,
        1 => -700_000_000..2_000_000_000_i64,
        1 => Just(i64::MAX / 4),
    ];
    prop::collection::vec((0..3_usize, gap, prop_oneof![0..1_500_u64, Just(u64::MAX)]), 1..400)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn any_samples_give_bounds_in_range_and_the_same_ones_again(samples in samples()) {
        let (fleet, nodes) = lively(3, 2);
        let run = || {
            let (mut fleet, mut nodes) = (fleet.clone(), nodes.clone());
            let mut now = 2 * DAY_STEPS * STEP_MS;
            let mut found = Vec::new();
            for (node, gap, load) in &samples {
                now = now.saturating_add_signed(*gap);
                let load = Share::permille(*load);
                fleet.observe(&mut nodes[*node], Time(now), load);
                for bound in bounds(&nodes[*node], Time(now)) {
                    found.push((bound, load));
                }
            }
            (found, shown(&fleet), shown(&nodes))
        };
        let (found, fleet, nodes) = run();
        for (bound, _) in &found {
            prop_assert!(bound.is_none_or(|bound| bound <= 1000));
        }
        prop_assert!((found, fleet, nodes) == run(), "the second run differs");
    }

    #[test]
    fn a_bound_is_never_below_the_load(loads in prop::collection::vec(0..1_200_u64, 1..600)) {
        let (mut fleet, mut nodes) = lively(3, 2);
        for (step, load) in (2 * DAY_STEPS..).zip(loads) {
            let load = Share::permille(load);
            fleet.observe(&mut nodes[0], at(step), load);
            for bound in bounds(&nodes[0], at(step)) {
                prop_assert!((load.get()..=1000).contains(&bound.expect("there is a sample")));
            }
        }
    }
}
