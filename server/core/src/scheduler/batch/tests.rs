//! What a packing has to hold, whatever the numbers.

use proptest::prelude::*;

use super::{Class, Kind, Packing, Problem, default_effort, pack};

/// Enough for the small problems here.
const EFFORT: u64 = 2_000_000;

fn kinds(demands: &[(&[u64], u32)]) -> Vec<Kind> {
    demands.iter().map(|&(demand, count)| Kind { demand: demand.to_vec(), count }).collect()
}

fn class(room: &[u64], bins: u32, used: bool) -> Class {
    Class { room: room.to_vec(), bins, used }
}

/// Panics unless every item is in a bin that exists, has room for all it got and may hold it.
fn check(problem: &Problem, packing: &Packing) {
    let mut placed = vec![0_u32; problem.kinds.len()];
    let mut opened = vec![0_u32; problem.classes.len()];
    for bin in &packing.bins {
        opened[bin.class] += 1;
        assert!(bin.held.is_sorted_by(|one, other| one.0 < other.0), "{bin:?}");
        for (lane, &room) in problem.classes[bin.class].room.iter().enumerate() {
            let wants = |&(kind, count): &(usize, u32)| {
                u128::from(problem.kinds[kind].demand[lane]) * u128::from(count)
            };
            let held: u128 = bin.held.iter().map(wants).sum();
            assert!(held <= u128::from(room), "{bin:?} holds more than {room} of {lane}");
        }
        for &(kind, count) in &bin.held {
            placed[kind] += count;
            let at = kind * problem.classes.len() + bin.class;
            assert!(problem.allowed.is_empty() || problem.allowed[at], "{bin:?} holds {kind}");
        }
    }
    for (kind, wanted) in problem.kinds.iter().enumerate() {
        assert_eq!(placed[kind], wanted.count, "of kind {kind}");
    }
    for (class, there) in problem.classes.iter().enumerate() {
        assert!(opened[class] <= there.bins, "of class {class}");
    }
}

fn solve(problem: &Problem) -> Option<Packing> {
    let packing = pack(problem, EFFORT);
    if let Some(packing) = &packing {
        check(problem, packing);
    }
    packing
}

/// Triplets that fill bins of 1,000 exactly in each of three dimensions, largest items of all triplets first.
fn triplets(count: u64) -> Problem {
    let part = |number: u64, low: u64, wide: u64| low + (number * number * 7_919 + number) % wide;
    let mut kinds = Vec::new();
    for role in 0..3 {
        for triplet in 0..count {
            let demand = |lane: u64| {
                let first = part(triplet * 3 + lane, 380, 110);
                let second = part(triplet * 5 + lane + 1, 250, 60);
                [first, second, 1_000 - first - second][role]
            };
            kinds.push(Kind { demand: (0..3).map(demand).collect(), count: 1 });
        }
    }
    Problem { kinds, classes: vec![class(&[1_000; 3], 300, false)], allowed: Vec::new() }
}

#[test]
fn triplets_that_fill_their_bins_exactly_are_found() {
    let packing = solve(&triplets(10)).expect("there is room");
    assert_eq!(packing.bins.len(), 10);
}

#[test]
fn the_same_problem_is_packed_the_same_way() {
    let problem = triplets(20);
    assert_eq!(solve(&problem), solve(&problem));
}

#[test]
fn items_of_one_kind_fill_bins_to_the_brim() {
    let problem = Problem {
        kinds: kinds(&[(&[7, 0], 10_000)]),
        classes: vec![class(&[100, 100], 100_000, false)],
        allowed: Vec::new(),
    };
    assert_eq!(solve(&problem).expect("there is room").bins.len(), 10_000_usize.div_ceil(14));
}

#[test]
fn hardly_any_effort_still_packs_everything() {
    let problem = Problem {
        kinds: (0..3_000)
            .map(|it| Kind { demand: vec![1 + it % 50, 50 - it % 40], count: 3 })
            .collect(),
        classes: vec![class(&[100, 100], 100_000, false)],
        allowed: Vec::new(),
    };
    let packing = pack(&problem, 0).expect("there is room");
    check(&problem, &packing);
}

#[test]
fn more_dimensions_than_are_known_are_not_packed() {
    let problem = Problem {
        kinds: kinds(&[(&[1; 17], 1)]),
        classes: vec![class(&[1; 17], 1, false)],
        allowed: Vec::new(),
    };
    assert_eq!(solve(&problem), None);
}

#[test]
fn bins_in_use_are_filled_before_others_are_opened() {
    let problem = Problem {
        kinds: kinds(&[(&[4], 10)]),
        classes: vec![class(&[40], 5, false), class(&[9], 4, true)],
        allowed: Vec::new(),
    };
    let packing = solve(&problem).expect("there is room");
    let opened = packing.bins.iter().filter(|bin| bin.class == 0).count();
    assert_eq!((opened, packing.bins.len()), (1, 5));
}

#[test]
fn a_kind_goes_only_where_it_may() {
    let problem = Problem {
        kinds: kinds(&[(&[1], 4), (&[1], 4)]),
        classes: vec![class(&[4], 2, false), class(&[4], 2, false)],
        allowed: vec![true, false, true, true],
    };
    let packing = solve(&problem).expect("there is room");
    assert_eq!(packing.bins.len(), 2);
    let nowhere = Problem { allowed: vec![true, false, false, false], ..problem };
    assert_eq!(solve(&nowhere), None);
}

#[test]
fn what_does_not_fit_as_a_whole_is_not_packed() {
    let problem = Problem {
        kinds: kinds(&[(&[3, 3], 5)]),
        classes: vec![class(&[7, 5], 3, false), class(&[3, 3], 1, true)],
        allowed: Vec::new(),
    };
    assert_eq!(solve(&problem), None);
    assert!(solve(&Problem { kinds: kinds(&[(&[3, 3], 4)]), ..problem }).is_some());
}

#[test]
fn numbers_at_the_limit_are_packed() {
    let problem = Problem {
        kinds: kinds(&[(&[u64::MAX, 1], 2), (&[u64::MAX / 3, u64::MAX / 3], 5)]),
        classes: vec![class(&[u64::MAX, u64::MAX], 10, false)],
        allowed: Vec::new(),
    };
    assert!(solve(&problem).is_some());
}

#[test]
fn nothing_wanted_needs_no_bins() {
    let classes = vec![class(&[1], 1, false)];
    let problem = Problem { kinds: kinds(&[(&[1], 0)]), classes, allowed: Vec::new() };
    assert_eq!(solve(&problem).map(|packing| packing.bins.len()), Some(0));
    assert_eq!(solve(&Problem { kinds: Vec::new(), ..problem }).map(|it| it.bins.len()), Some(0));
}

#[test]
fn a_batch_is_not_given_more_effort_than_the_largest_gets() {
    assert!(default_effort(10) < default_effort(1_000));
    assert_eq!(default_effort(u64::MAX), default_effort(1_000));
}

fn problems() -> impl Strategy<Value = Problem> {
    (1_usize..6, 1_usize..12, 1_usize..5).prop_flat_map(|(dimensions, kinds, classes)| {
        let kind = (prop::collection::vec(0_u64..60, dimensions), 0_u32..8)
            .prop_map(|(demand, count)| Kind { demand, count });
        let class = (prop::collection::vec(20_u64..120, dimensions), 0_u32..20, any::<bool>())
            .prop_map(|(room, bins, used)| Class { room, bins, used });
        let allowed = prop_oneof![
            Just(Vec::new()),
            prop::collection::vec(prop::bool::weighted(0.8), kinds * classes)
        ];
        let kinds = prop::collection::vec(kind, kinds);
        let classes = prop::collection::vec(class, classes);
        (kinds, classes, allowed).prop_map(|(kinds, classes, allowed)| Problem {
            kinds,
            classes,
            allowed,
        })
    })
}

proptest! {
    #[test]
    fn a_packing_is_feasible_whatever_the_effort(problem in problems(), effort in 0_u64..100_000) {
        if let Some(packing) = pack(&problem, effort) {
            check(&problem, &packing);
            prop_assert_eq!(pack(&problem, effort), Some(packing));
        }
    }
}
