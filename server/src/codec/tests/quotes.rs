//! Quotes: any event comes back, and so do those that are open and how others came out.

use offpeak_core::{
    event::Event,
    model::{AllocationId, AllocationRef, JobId, Millis, NodeId, Quote, TaskEnd, TaskIndex, Time},
};
use proptest::{collection::btree_map, prelude::*};

use super::{
    Cell,
    cell::{cores, job_spec, placement, registered, submitted, tenant_spec},
    checkpoint::{entries, rebuild},
};
use crate::codec::CodecError;

pub(super) fn event() -> BoxedStrategy<Event> {
    let moment = || 0..1_u64 << 50;
    let times = prop::option::of((moment(), moment()));
    let quote = (moment(), moment(), moment(), times).prop_map(|(made, middle, longest, times)| {
        let made = Time(made);
        let times = times.map(|(wait, more)| {
            let p50 = made.after(Millis(wait));
            (p50, p50.after(Millis(more)))
        });
        Quote { made, middle: Millis(middle), longest: Millis(longest), times }
    });
    let quotes = btree_map(any::<u64>().prop_map(JobId), quote, 1..5);
    quotes.prop_map(|quotes| Event::JobsQuoted { quotes: quotes.into_iter().collect() }).boxed()
}

/// With a quote that came out, one that was withdrawn and one that is open, and tasks that ended.
fn quoted() -> Cell {
    let mut cell = Cell::default();
    let spec = std::sync::Arc::new(tenant_spec("physics"));
    let id = offpeak_core::model::TenantId(0);
    cell.commit(vec![registered(0), Event::TenantCreated { id, spec }]);
    cell.commit((1..=3).map(|id| submitted(id, 0, job_spec(1, cores(id)))).collect());
    let quote = |wait: u64| {
        let made = Time(1_700_000_000_000);
        let times = Some((made.after(Millis(wait)), made.after(Millis(3 * wait))));
        Quote { made, middle: Millis(wait), longest: Millis(2 * wait), times }
    };
    let quotes = vec![(JobId(1), quote(7_000)), (JobId(2), quote(1)), (JobId(3), quote(3))];
    cell.commit(vec![Event::JobsQuoted { quotes }]);
    let (first, count) = (TaskIndex(0), 1);
    let at = AllocationRef { id: AllocationId(1), job: JobId(1), task: first, node: NodeId(0) };
    let end = TaskEnd::Cancelled;
    cell.commit(vec![
        Event::TasksPlaced { job: JobId(1), placements: vec![placement(0, 1, 0, 1)] },
        Event::TasksDropped { job: JobId(2), first, count, delayed: false, end },
        Event::JobEnded { id: JobId(2), state: offpeak_core::model::JobState::Cancelled },
    ]);
    let end = TaskEnd::Succeeded;
    let state = offpeak_core::model::JobState::Succeeded;
    cell.commit(vec![
        Event::TaskEnded { at, end, message: "".into() },
        Event::JobEnded { id: JobId(1), state },
    ]);
    cell.state.check_invariants();
    cell
}

#[test]
fn quotes_and_run_times_come_back() {
    let before = quoted().state;
    let state = rebuild(&entries(&before)).expect("it was just written");
    state.check_invariants();
    assert_eq!(format!("{:?}", state.quotes()), format!("{:?}", before.quotes()));
    assert_eq!(state.run_times(), before.run_times());
    let record = state.quotes().record();
    assert_eq!((record.made, record.started, record.withdrawn), (3, 1, 1));
    assert_eq!((state.quotes().open().len(), state.run_times().kinds().len()), (1, 1));
}

#[test]
fn quotes_that_are_missing_or_there_twice_are_noticed() {
    let written = entries(&quoted().state);
    for at in 0..written.len() {
        let mut rest = written.clone();
        let piece = rest.remove(at);
        assert!(rebuild(&rest).is_err(), "without entry {at}");
        rest.insert(at, piece.clone());
        rest.insert(at, piece);
        let found = rebuild(&rest);
        assert!(found.is_err(), "with entry {at} twice");
    }
    let broken = crate::codec::format::Quotes { jobs: vec![1], ..Default::default() };
    let found = crate::codec::quotes::quotes_from_message(&broken);
    assert!(matches!(found, Err(CodecError::Columns("quotes"))));
}
