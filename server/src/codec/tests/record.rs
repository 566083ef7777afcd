use proptest::prelude::*;
use prost::Message as _;

use super::{Cell, cell::*, hex, strategies};
use crate::{
    codec::{CodecError, decode_record, encode_record, format},
    record::Record,
};
use offpeak_core::{
    event::{Batch, Commit, Event},
    model::{JobId, Revision, TenantId, Time},
};

proptest! {
    #[test]
    fn any_record_comes_back_as_it_was(record in strategies::record()) {
        let bytes = encode_record(&record);
        prop_assert_eq!(decode_record(&bytes), Ok(record));
    }

    #[test]
    fn damaged_records_are_errors_or_other_records(
        record in strategies::record(),
        cut in any::<prop::sample::Index>(),
        flips in prop::collection::vec((any::<prop::sample::Index>(), 1..=u8::MAX), 0..4),
    ) {
        let mut bytes = encode_record(&record);
        for (at, flip) in flips {
            let at = at.index(bytes.len());
            bytes[at] ^= flip;
        }
        bytes.truncate(cut.index(bytes.len() + 1));
        if let Ok(other) = decode_record(&bytes) {
            prop_assert_eq!(decode_record(&encode_record(&other)), Ok(other));
        }
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        drop(decode_record(&bytes));
    }
}

#[test]
fn an_empty_record_comes_back() {
    let record = Record::default();
    assert_eq!(decode_record(&encode_record(&record)), Ok(record));
}

/// Stored records must stay readable: whoever changes these bytes raises the version and keeps reading the old.
#[test]
fn the_bytes_of_a_record_are_these() {
    let mut cell = Cell::default();
    let tenant = Event::TenantCreated { id: TenantId(0), spec: tenant_spec("physics").into() };
    let placed = Event::TasksPlaced { job: JobId(0), placements: vec![placement(0, 2, 0, 0)] };
    let job = submitted(0, 0, job_spec(2, cores(1_000)));
    cell.commit(vec![registered(0), tenant, job, placed]);
    let bytes = encode_record(&cell.records[0]);
    assert_eq!(hex(&bytes), include_str!("record.hex"));
}

#[test]
fn what_the_names_tell_is_stored_once() {
    let mut cell = Cell::default();
    let tenant = Event::TenantCreated { id: TenantId(0), spec: tenant_spec("physics").into() };
    cell.commit(vec![registered(0), tenant]);
    let submit = |id| {
        let placements = vec![placement(0, 1, 0, id)];
        [
            submitted(id, 0, job_spec(1, cores(1_000))),
            Event::TasksPlaced { job: JobId(id), placements },
        ]
    };
    cell.commit((0..1_000).flat_map(submit).collect());
    let bytes = encode_record(&cell.records[1]);
    assert!(bytes.len() < 64 * 1_000, "{} bytes for 1,000 jobs", bytes.len());
    assert_eq!(decode_record(&bytes).as_ref(), Ok(&cell.records[1]));
}

#[test]
fn a_placement_in_order_takes_a_few_bytes() {
    let placements = (0..10_000).map(|task| placement(task, 1, task % 97, u64::from(task)));
    let event = Event::TasksPlaced { job: JobId(0), placements: placements.collect() };
    let commit = Commit { revision: Revision(1), time: Time(1), end: 1 };
    let batch = Batch { commits: vec![commit], events: vec![event] };
    let bytes = encode_record(&Record { batch, ..Record::default() });
    assert!(bytes.len() < 43_000, "{} bytes for 10,000 placements", bytes.len());
}

#[test]
fn a_newer_format_is_refused() {
    let message = format::Record { version: 2, ..format::Record::default() };
    let expected = CodecError::NewerFormat { what: "the record", found: 2, supported: 1 };
    assert_eq!(decode_record(&message.encode_to_vec()), Err(expected));
}

#[test]
fn an_unknown_event_is_refused() {
    let message = format::Record {
        version: 1,
        times: vec![1],
        event_counts: vec![1],
        events: vec![format::Event { kind: None }],
        ..format::Record::default()
    };
    assert!(matches!(decode_record(&message.encode_to_vec()), Err(CodecError::Missing(_))));
}

#[test]
fn an_unknown_reason_is_refused_by_its_name() {
    let evicted = format::TaskEvicted { reason: 77, ..format::TaskEvicted::default() };
    let kind = Some(format::EventKind::TaskEvicted(evicted));
    let message = format::Record {
        version: 1,
        times: vec![1],
        event_counts: vec![1],
        events: vec![format::Event { kind }],
        ..format::Record::default()
    };
    let error = decode_record(&message.encode_to_vec()).expect_err("refused");
    assert_eq!(error.to_string(), "77 is no reason of an eviction");
}
