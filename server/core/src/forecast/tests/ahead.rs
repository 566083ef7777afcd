//! What is told of the coming hours, held against what came.

use std::sync::LazyLock;

use super::{DAY_STEPS, Numbers, at, lively};
use crate::forecast::{
    DayAhead, Fleet, HOURS, NodeForecast, Part, Risks, Share, TAILS_PERMILLE, Together,
};

const NODES: usize = 10;
const DAYS: u64 = 26;

/// Enough that rounding does not matter.
const CAPACITY: u64 = 1_000_000;

/// All loads of some owners, who are busy by day, restless always, and rise for an hour now and then, more or less.
fn loads(nodes: usize, days: u64) -> Vec<Vec<u64>> {
    let owner = |seed| {
        let (mut numbers, mut left, mut rise) = (Numbers(seed), 0_u64, 0);
        let load = |step: u64| {
            if numbers.below(300) == 0 {
                (left, rise) = (12, 50 + numbers.below(300));
            }
            left = left.saturating_sub(1);
            let by_day = if (96..216).contains(&(step % DAY_STEPS)) { 300 } else { 80 };
            by_day + numbers.below(100) + if left > 0 { rise } else { 0 }
        };
        (0..days * DAY_STEPS).map(load).collect()
    };
    (0..).take(nodes).map(owner).collect()
}

/// Of some owners, what they used and what was told of it.
type Told = (Vec<Vec<u64>>, Vec<(usize, Vec<DayAhead>)>);

static TOLD: LazyLock<Told> = LazyLock::new(|| {
    let loads = loads(NODES, DAYS);
    let told = told(&loads);
    (loads, told)
});

/// What is told at half past every sixth hour from the eighth day on: the first hour that is told, and each node's day.
fn told(loads: &[Vec<u64>]) -> Vec<(usize, Vec<DayAhead>)> {
    let mut fleet = Fleet::new(Risks::default());
    let mut nodes = vec![NodeForecast::default(); loads.len()];
    let mut told = Vec::new();
    for (step, now) in (0..loads[0].len()).zip(0..) {
        for (node, loads) in nodes.iter_mut().zip(loads) {
            fleet.observe(node, at(now), Share::permille(loads[step]));
        }
        if step % 72 == 6 && now > 8 * DAY_STEPS {
            let kin = fleet.kin();
            let days = nodes.iter().map(|node| node.day_ahead(&kin, at(now)).expect("it is known"));
            told.push((step / 12, days.collect()));
        }
    }
    told
}

fn peak(loads: &[u64], hour: usize) -> Option<u64> {
    loads.get(hour * 12..hour * 12 + 12)?.iter().max().copied()
}

fn part(day: &DayAhead) -> Part<'_> {
    let day = Some(day);
    Part { day, capacity: CAPACITY, floors: [0; HOURS], otherwise: 0, divisible: true }
}

fn amount_of(share: u16) -> u64 {
    u64::from(share) * CAPACITY / 1000
}

#[test]
fn hours_exceed_what_is_told_of_them_as_often_as_is_told() {
    let (loads, told) = &*TOLD;
    let (mut seen, mut exceeded) = (0, [0; TAILS_PERMILLE.len()]);
    for (first, days) in told {
        for (loads, day) in loads.iter().zip(days) {
            // The hour under way is told as if it were a whole one.
            for hour in 1..HOURS {
                let Some(peak) = peak(loads, first + hour) else { break };
                let quantiles = day.hour(hour).expect("it is known").quantiles();
                assert!(quantiles.is_sorted(), "{quantiles:?}");
                seen += 1;
                for (count, quantile) in exceeded.iter_mut().zip(quantiles) {
                    *count += u64::from(peak > quantile.into());
                }
            }
        }
    }
    for (count, tail) in exceeded.into_iter().zip(TAILS_PERMILLE) {
        let rate = count * 1_000 / seen;
        assert!(rate <= tail * 12 / 10, "{rate} of 1000 instead of {tail}");
        assert!(rate >= tail / 2, "{rate} of 1000 instead of {tail}: too much is held back");
    }
}

#[test]
fn many_nodes_need_less_together_than_each_by_itself_and_it_suffices() {
    let (loads, told) = &*TOLD;
    let (mut seen, mut exceeded) = (0, [0; TAILS_PERMILLE.len()]);
    let (mut together, mut apart) = (0, 0);
    for (first, days) in told {
        let mut sum = Together::default();
        days.iter().for_each(|day| sum.add(&part(day), amount_of));
        for (hour, held) in sum.held_back().into_iter().enumerate().skip(1) {
            let peaks: Option<u64> = loads.iter().map(|loads| peak(loads, first + hour)).sum();
            let Some(peaks) = peaks else { break };
            seen += 1;
            for (count, held) in exceeded.iter_mut().zip(held) {
                *count += u64::from(peaks * CAPACITY / 1000 > held);
            }
            together += held[1];
            let quantiles = days.iter().map(|day| day.hour(hour).expect("known").quantiles()[1]);
            apart += quantiles.map(amount_of).sum::<u64>();
        }
    }
    for (count, tail) in exceeded.into_iter().zip(TAILS_PERMILLE) {
        let rate = count * 1_000 / seen;
        assert!(rate <= tail * 12 / 10, "{rate} of 1000 instead of {tail}");
    }
    assert!(together < apart * 19 / 20, "{together} {apart}");
}

#[test]
fn owners_that_are_all_alike_need_what_one_needs_so_many_times() {
    let one = loads(1, 9);
    let alike = vec![one[0].clone(); 5];
    let told = told(&alike);
    let (_, days) = told.last().expect("it was told");
    let (mut single, mut five) = (Together::default(), Together::default());
    single.add(&part(&days[0]), amount_of);
    for day in days {
        let mut added = Together::default();
        added.add(&part(day), amount_of);
        five.add_all(&added);
    }
    for (one, five) in single.held_back().into_iter().zip(five.held_back()) {
        for (one, five) in one.into_iter().zip(five) {
            assert!((one * 5).abs_diff(five) <= one / 100, "{one} {five}");
        }
    }
}

#[test]
fn what_is_held_back_in_any_case_is_held_back_and_what_is_unknown_too() {
    let (fleet, nodes) = lively(2, 9);
    let day = nodes[0].day_ahead(&fleet.kin(), at(9 * DAY_STEPS - 1)).expect("it is known");
    let mut sum = Together::default();
    let floors = std::array::from_fn(|hour| if hour == 5 { 900_000 } else { 0 });
    sum.add(&Part { floors, ..part(&day) }, amount_of);
    sum.add(&Part { day: None, otherwise: 300_000, ..part(&day) }, amount_of);
    let held = sum.held_back();
    assert_eq!(held[5], [1_200_000; 3]);
    let quantiles = day.hour(6).expect("it is known").quantiles().map(amount_of);
    assert_eq!(held[6], quantiles.map(|quantile| quantile + 300_000));
}

#[test]
fn of_what_was_not_seen_nothing_is_told() {
    let (mut fleet, mut nodes) = lively(2, 2);
    let now = at(2 * DAY_STEPS - 1);
    let known = nodes[0].day_ahead(&fleet.kin(), now).expect("it is known");
    assert!((0..HOURS).all(|hour| known.hour(hour).is_some()));
    assert!(known.hour(HOURS).is_none());
    assert!(nodes[0].day_ahead(&fleet.kin(), at(2 * DAY_STEPS + 22)).is_some());
    assert!(nodes[0].day_ahead(&fleet.kin(), at(2 * DAY_STEPS + 24)).is_none(), "two hours old");
    // A node that has reported for three hours knows these hours of the next day only.
    for step in 2 * DAY_STEPS..2 * DAY_STEPS + 36 {
        let mut fresh = std::mem::take(&mut nodes[1]);
        if step == 2 * DAY_STEPS {
            fresh = NodeForecast::default();
        }
        fleet.observe(&mut fresh, at(step), Share::permille(100));
        nodes[1] = fresh;
    }
    let fresh = nodes[1].day_ahead(&fleet.kin(), at(2 * DAY_STEPS + 35)).expect("it is known");
    let known: Vec<usize> = (0..HOURS).filter(|hour| fresh.hour(*hour).is_some()).collect();
    assert_eq!(known, [22, 23]);
}

#[test]
fn what_one_node_has_left_of_a_device_makes_no_whole_one_elsewhere() {
    let loads = loads(3, 9);
    let told = told(&loads);
    let (_, days) = told.last().expect("it was told");
    let (mut whole, mut parts) = (Together::default(), Together::default());
    let mut sums = [[0; TAILS_PERMILLE.len()]; HOURS];
    for day in days {
        whole.add(&Part { divisible: false, ..part(day) }, amount_of);
        parts.add(&part(day), amount_of);
        for (hour, sums) in sums.iter_mut().enumerate() {
            let quantiles = day.hour(hour).expect("it is known").quantiles();
            for (sum, quantile) in sums.iter_mut().zip(quantiles) {
                *sum += amount_of(quantile);
            }
        }
    }
    assert_eq!(whole.held_back(), sums);
    assert_ne!(parts.held_back(), sums);
}
