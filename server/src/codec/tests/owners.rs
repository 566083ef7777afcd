//! Owners: any event comes back, and the bytes are these.

use std::sync::Arc;

use offpeak_core::{
    event::Event,
    model::{
        CalendarEntry, Curb, Days, HeldShare, Horizon, Millis, OwnerSpec, Risk, Time, WallTime,
        When, Window, Windows,
    },
};
use proptest::{collection::vec, prelude::*};

use super::{
    Cell,
    cell::{name, registered},
    checkpoint::{entries, rebuild},
    hex,
    strategies::{label, labels, name as any_name, number},
};
use crate::codec::{CodecError, decode_record, encode_record, format, owner};

pub(super) fn event() -> BoxedStrategy<Event> {
    let updated = (any_name(), 100..=100_000_u32, vec(entry(), 0..4)).prop_flat_map(
        |(name, risk, calendar)| {
            windows(calendar.len()).prop_map(move |windows| {
                let risk = Risk::new(risk).expect("within bounds");
                let calendar = calendar.clone();
                let shortfall_budget =
                    risk.parts_per_million().is_multiple_of(2).then_some(Millis(70));
                let spec =
                    OwnerSpec { risk, shortfall_budget, calendar, ..OwnerSpec::of(name.clone()) };
                Event::OwnerUpdated { spec: Arc::new(spec), windows: Arc::new(windows) }
            })
        },
    );
    let renewed = (any_name(), windows(9))
        .prop_map(|(owner, windows)| Event::WindowsRenewed { owner, windows: Arc::new(windows) });
    let turned = any_name().prop_map(|owner| Event::OwnerTurned { owner });
    let curbed = (any_name(), 0..=4_u8).prop_map(|(owner, quarters)| Event::RiskCurbed {
        owner,
        curb: Curb::new(quarters).expect("within bounds"),
    });
    prop_oneof![updated, renewed, turned, curbed].boxed()
}

fn entry() -> BoxedStrategy<CalendarEntry> {
    let recurring = |days| (days, any::<u16>(), any::<u32>());
    let days = prop_oneof![
        any::<u8>().prop_map(Days::Weekly),
        any::<u32>().prop_map(Days::Monthly),
        (any::<u8>(), 0..100_u8).prop_map(|(month, day)| Days::Yearly { month, day }),
    ];
    let when = prop_oneof![
        recurring(days).prop_map(|(days, start_minute, length_minutes)| When::Recurring {
            days,
            start_minute,
            length_minutes
        }),
        any::<[u32; 2]>()
            .prop_map(|[start, end]| When::Once { start: WallTime(start), end: WallTime(end) }),
    ];
    let share = any::<[u16; 6]>().prop_map(|[cpu, memory, disk, network, gpu, counts]| HeldShare {
        cpu,
        memory,
        disk,
        network,
        gpu,
        counts,
    });
    (any_name(), when, label(), share, vec(any_name(), 0..3), labels())
        .prop_map(|(name, when, zone, share, regions, labels)| CalendarEntry {
            name,
            when,
            time_zone: zone.to_string().into(),
            share,
            regions,
            labels,
        })
        .boxed()
}

/// In order, as they always are.
fn windows(entries: usize) -> BoxedStrategy<Windows> {
    let entry = 0..u32::try_from(entries.max(1)).expect("few");
    let times = (0..u64::MAX / 2, 0..u64::MAX / 2);
    let window = (times, entry).prop_map(|((start, length), entry)| Window {
        start: Time(start),
        end: Time(start + length),
        entry,
    });
    let most = if entries == 0 { 0 } else { 5 };
    (number(), vec(window, 0..=most))
        .prop_map(|(through, mut list)| {
            list.sort_unstable();
            Windows { through: Time(through), list }
        })
        .boxed()
}

fn recurring(text: &str, days: Days) -> CalendarEntry {
    CalendarEntry {
        name: name(text),
        when: When::Recurring { days, start_minute: 480, length_minutes: 600 },
        time_zone: "Europe/Berlin".into(),
        share: HeldShare { gpu: 1000, ..HeldShare::of_all(250) },
        regions: vec![name("west")],
        labels: Default::default(),
    }
}

/// A node of an owner with a calendar of every sort, whose first window holds half a day before the second.
fn owned() -> Cell {
    let mut cell = Cell::default();
    let once = When::Once { start: WallTime(28_333_000), end: WallTime(28_333_600) };
    let spec = OwnerSpec {
        shortfall_budget: None,
        name: name("web"),
        risk: Risk::new(1_000).expect("within bounds"),
        calendar: vec![
            recurring("a", Days::Weekly(31)),
            recurring("b", Days::Monthly(1 << 25 | 1)),
            recurring("c", Days::Yearly { month: 11, day: 20 }),
            CalendarEntry { when: once, ..recurring("d", Days::Weekly(1)) },
        ],
        labels: Default::default(),
        annotations: Default::default(),
    };
    let hour = |hours: u64| Time(1_700_000_000_000 + hours * 3_600_000);
    let list = vec![
        Window { start: hour(0), end: hour(10), entry: 0 },
        Window { start: hour(12), end: hour(22), entry: 3 },
    ];
    let windows = Windows { through: hour(1_440), list };
    let described =
        Event::OwnerUpdated { spec: Arc::new(spec), windows: Arc::new(windows.clone()) };
    let renewed = Windows { through: hour(1_464), ..windows };
    cell.commit(vec![registered(0), described]);
    cell.commit(vec![
        Event::WindowsRenewed { owner: name("web"), windows: Arc::new(renewed) },
        Event::OwnerTurned { owner: name("web") },
    ]);
    cell.state.check_invariants();
    cell
}

#[test]
fn the_bytes_of_owners_are_these() {
    let cell = owned();
    let records = cell.records.iter().map(|record| hex(&encode_record(record)));
    let checkpoint = entries(&cell.state);
    let all: Vec<String> = records.chain(checkpoint.iter().map(|entry| hex(entry))).collect();
    assert_eq!(all.join("\n"), include_str!("owners.hex"));
    for record in &cell.records {
        assert_eq!(decode_record(&encode_record(record)).as_ref(), Ok(record));
    }
}

#[test]
fn owners_come_back_with_what_their_windows_hold_back() {
    let before = owned().state;
    let after = rebuild(&entries(&before)).expect("it was just written");
    after.check_invariants();
    assert_eq!(before.owners().collect::<Vec<_>>(), after.owners().collect::<Vec<_>>());
    let held = |state: &offpeak_core::state::State| {
        let node = state.nodes().next().expect("a node");
        Horizon::ALL.map(|horizon| node.held_back.over(horizon).clone())
    };
    assert_eq!(held(&before), held(&after));
    assert_eq!(held(&after)[0].cpu_millis, 16_000);
}

#[test]
fn windows_of_entries_that_are_not_there_or_out_of_order_are_refused() {
    let columns = |starts: Vec<i64>, entries: Vec<u32>| format::Windows {
        through: 9,
        lengths: vec![1; starts.len()],
        starts,
        entries,
    };
    let range = CodecError::Range { what: "an entry of a calendar", value: 2 };
    assert_eq!(owner::windows(&columns(vec![1], vec![2]), 2), Err(range));
    let order = CodecError::Order("the windows of an owner");
    assert_eq!(owner::windows(&columns(vec![2, -1], vec![]), 1), Err(order));
    let uneven = CodecError::Columns("windows");
    assert_eq!(owner::windows(&columns(vec![2, 1], vec![0]), 1), Err(uneven));
}

#[test]
fn scorecards_whose_columns_or_days_cannot_be_are_refused() {
    let card = |days: Vec<i64>, samples: Vec<u64>| format::Scorecard {
        days,
        samples,
        ..format::Scorecard::default()
    };
    let read = |cards: &[format::Scorecard]| owner::lending_record(0, cards);
    let good = card(vec![19_000, 1], vec![1, 2]);
    let days = |record: offpeak_core::model::LendingRecord| record.scorecards[""].days().len();
    assert_eq!(read(std::slice::from_ref(&good)).map(days), Ok(2));
    let uneven = CodecError::Columns("a scorecard");
    assert_eq!(read(&[card(vec![19_000, 1], vec![1])]), Err(uneven));
    let order = CodecError::Order("the days of a scorecard");
    assert_eq!(read(&[card(vec![19_000, 0], vec![1, 2])]), Err(order));
    let twice = CodecError::Order("the scorecards of an owner");
    assert_eq!(read(&[good.clone(), good]), Err(twice));
}
