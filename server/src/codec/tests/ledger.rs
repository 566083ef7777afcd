//! Prices, budgets and what is booked, as bytes.

use std::sync::Arc;

use offpeak_core::{
    billing::{Subject, statement},
    event::Event,
    model::{
        Budget, BudgetLevel, DemandCurve, DemandStep, Name, NodeId, Period, PriceBook, Prices,
        TenantId, TenantSpec, Time,
    },
};
use proptest::{
    collection::{btree_map, btree_set},
    option,
    prelude::*,
    sample::select,
};

use super::{
    Cell,
    cell::{cores, job_spec, name, node_spec, placement, registered, submitted, tenant_spec},
    checkpoint::{entries, rebuild, without},
    strategies::{name as any_name, number, small_id},
    unhex,
};
use crate::codec::{CodecError, format::EntryKind};

pub(super) fn event() -> BoxedStrategy<Event> {
    let levels = vec![
        BudgetLevel::Within,
        BudgetLevel::Warned,
        BudgetLevel::NewStopped,
        BudgetLevel::AllStopped,
    ];
    let turned = (small_id(), select(levels), number()).prop_map(|(tenant, level, spent)| {
        Event::BudgetTurned { tenant: TenantId(tenant), level, spent }
    });
    let quota =
        (small_id(), any::<bool>(), any::<u32>()).prop_map(|(tenant, low, used_permille)| {
            Event::QuotaTurned { tenant: TenantId(tenant), low, used_permille }
        });
    let changed = (number(), book()).prop_map(|(since, book)| Event::PriceBookChanged {
        since: Time(since),
        book: book.into(),
    });
    let lent = option::of(any::<u32>());
    let priced = (number(), any_name(), any::<u32>(), lent).prop_map(
        |(since, region, factor_permille, lent_permille)| Event::DemandPriced {
            since: Time(since),
            region,
            factor_permille,
            lent_permille,
        },
    );
    prop_oneof![turned, quota, changed, priced].boxed()
}

pub(super) fn budget() -> BoxedStrategy<Budget> {
    let limits = proptest::array::uniform3(option::of(number()));
    (limits, any::<bool>())
        .prop_map(|([warn, stop_new, stop_all], daily)| Budget {
            period: if daily { Period::Day } else { Period::Month },
            warn,
            stop_new,
            stop_all,
        })
        .boxed()
}

fn prices() -> BoxedStrategy<Prices> {
    let fixed = proptest::array::uniform5(option::of(number()));
    let named = || btree_map(any_name(), number(), 0..3);
    (fixed, named(), named())
        .prop_map(|([core, memory_gib, disk_gib, network_gbps, gpu], gpu_models, counts)| Prices {
            core,
            memory_gib,
            disk_gib,
            network_gbps,
            gpu,
            gpu_models,
            counts,
        })
        .boxed()
}

fn book() -> BoxedStrategy<PriceBook> {
    let permille = (any::<u32>(), any::<[u32; 4]>(), any::<u32>());
    let permille = (permille, curve());
    (any_name(), prices(), btree_map(any_name(), prices(), 0..3), permille)
        .prop_map(|(currency, everywhere, regions, (permille, demand))| {
            let (spot, horizon_permille, owner_permille) = permille;
            let interruptible_permille = spot;
            PriceBook {
                currency,
                everywhere,
                regions,
                interruptible_permille,
                horizon_permille,
                owner_permille,
                demand,
            }
        })
        .boxed()
}

fn curve() -> BoxedStrategy<DemandCurve> {
    let ascending = |most| btree_set(1..=most, 3);
    (ascending(1_000_u32), ascending(99_000_u32), 0..=3_usize)
        .prop_map(|(shares, factors, len)| {
            let step =
                |(lent_permille, more)| DemandStep { lent_permille, factor_permille: 1_000 + more };
            let steps = shares.into_iter().zip(factors).map(step).take(len).collect();
            DemandCurve::new(steps).expect("it ascends")
        })
        .boxed()
}

fn flat(core: u64) -> PriceBook {
    PriceBook {
        currency: name("EUR"),
        everywhere: Prices { core: Some(core), ..Prices::default() },
        regions: [(name("west"), Prices { memory_gib: Some(7), ..Prices::default() })].into(),
        interruptible_permille: 300,
        horizon_permille: [1_000; 4],
        owner_permille: 700,
        demand: DemandCurve::new(vec![DemandStep { lent_permille: 500, factor_permille: 1_200 }])
            .expect("a curve"),
    }
}

/// With two price books, two regions in which demand was noticed, a tenant in its budget, rows of two sites, a tenant that left and a node that changed hands.
pub(super) fn paid() -> Cell {
    let mut cell = Cell::default();
    let budget = Budget { warn: Some(1), stop_new: Some(1 << 40), ..Budget::default() };
    let spec = TenantSpec { budget, ..tenant_spec("films") };
    let set = |since, core| Event::PriceBookChanged { since: Time(since), book: flat(core).into() };
    let created = |id, spec| Event::TenantCreated { id: TenantId(id), spec: Arc::new(spec) };
    cell.commit(vec![
        registered(0),
        registered(1),
        created(0, spec),
        created(1, tenant_spec("gone")),
        set(1, 1 << 40),
    ]);
    let priced = |region, since, factor_permille| Event::DemandPriced {
        since: Time(since),
        region: Name::parse_optional(region).expect("a name"),
        factor_permille,
        lent_permille: Some(510),
    };
    let jobs = [submitted(1, 0, job_spec(4, cores(500))), submitted(2, 1, job_spec(1, cores(1)))];
    cell.commit(jobs.to_vec());
    let job = |id| offpeak_core::model::JobId(id);
    cell.commit(vec![
        Event::TasksPlaced { job: job(1), placements: vec![placement(0, 3, 0, 1)] },
        Event::TasksPlaced { job: job(2), placements: vec![placement(0, 1, 1, 4)] },
        set(2_000_000_000_000, 5),
        priced("west", 10, 1_200),
        priced("west", 20, 1_000),
        priced("", 20, 1_200),
    ]);
    let end = |allocation, job, task, node| {
        let at = super::cell::at(allocation, job, task, node);
        Event::TaskEnded { at, end: offpeak_core::model::TaskEnd::Succeeded, message: "".into() }
    };
    let sold = offpeak_core::model::NodeSpec { owner: name("shop"), ..node_spec(0) };
    cell.commit(vec![
        end(1, 1, 0, 0),
        end(4, 2, 0, 1),
        Event::NodeUpdated { id: NodeId(0), spec: Arc::new(sold) },
        Event::JobForgotten { id: job(2), tenant: name("gone"), name: name("job-2") },
        Event::TenantDeleted { id: TenantId(1), name: name("gone") },
        Event::BudgetTurned { tenant: TenantId(0), level: BudgetLevel::Warned, spent: 12 },
        Event::QuotaTurned { tenant: TenantId(0), low: true, used_permille: 950 },
    ]);
    cell.commit(vec![end(2, 1, 1, 0)]);
    cell
}

#[test]
fn a_ledger_comes_back_to_the_last_part() {
    let cell = paid();
    let written = entries(&cell.state);
    let state = rebuild(&written).expect("it was just written");
    state.check_invariants();
    assert_eq!(entries(&state), written);
    let later = Time(cell.state.now().0 + 100_000_000);
    let of = |state| statement(state, &Subject::Cell, 0..u32::MAX, later);
    assert_eq!(of(&state), of(&cell.state));
    let lines = of(&state).lines;
    let who: Vec<(&str, &str)> =
        lines.iter().map(|line| (line.tenant.as_str(), line.site.owner.as_str())).collect();
    let films = ("films", "shop");
    assert_eq!(who, [films, ("films", "web"), ("gone", "web"), films, films]);
    assert!(lines.iter().all(|line| line.charge() > 0));
    for (before, after) in cell.state.tenants().zip(state.tenants()) {
        assert_eq!((before.spending, before.budget_level), (after.spending, after.budget_level));
        assert!(before.quota_low && after.quota_low);
        assert!(after.spending.is_some());
    }
    assert_eq!(state.accounts().books(), cell.state.accounts().books());
    assert_eq!(state.accounts().factors(), cell.state.accounts().factors());
    assert_eq!(state.accounts().factors().len(), 3);
}

#[test]
fn a_part_of_the_ledger_that_is_missing_or_twice_there_is_noticed() {
    let written = entries(&paid().state);
    for at in 1..6 {
        let (mut less, mut more) = (written.clone(), written.clone());
        less.remove(at);
        more.insert(at, written[at].clone());
        assert!(rebuild(&less).is_err(), "without entry {at}");
        assert!(rebuild(&more).is_err(), "with entry {at} twice");
    }
}

#[test]
fn a_ledger_of_which_nothing_is_left_is_noticed() {
    let rest = without(&entries(&paid().state), |kind| {
        matches!(
            kind,
            EntryKind::Ledger(_)
                | EntryKind::LedgerRows(_)
                | EntryKind::JobTotals(_)
                | EntryKind::PriceBooks(_)
                | EntryKind::DemandFactors(_)
        )
    });
    let found = rebuild(&rest).map(|state| state.revision());
    assert!(matches!(found, Err(CodecError::Count { .. })), "{found:?}");
}

/// As written before there was a ledger: all else comes back, and what runs is booked from its placement on.
#[test]
fn a_checkpoint_without_a_ledger_comes_back_with_an_empty_one() {
    let written = include_str!("checkpoint_without_ledger.hex");
    let written: Vec<Vec<u8>> = written.split("\n\n").map(unhex).collect();
    let state = rebuild(&written).expect("it was written once");
    state.check_invariants();
    assert_eq!(state.accounts().all_rows().count(), 0);
    let lines = statement(&state, &Subject::Cell, 0..u32::MAX, Time(state.now().0 + 1)).lines;
    let tenants: Vec<&str> = lines.iter().map(|line| line.tenant.as_str()).collect();
    assert_eq!(tenants, ["films", "physics"]);
}
