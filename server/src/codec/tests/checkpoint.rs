use std::convert::Infallible;

use offpeak_core::{
    model::Horizon,
    state::{Header, Profile, Restore, State},
};
use proptest::prelude::*;

use super::{Cell, cell::*, hex, strategies, unhex};
use crate::codec::{CheckpointReader, CodecError, encode_checkpoint};

pub(super) fn entries(state: &State) -> Vec<Vec<u8>> {
    let mut entries = Vec::new();
    let Ok(()) = encode_checkpoint(state, |entry| {
        entries.push(entry.to_vec());
        Ok::<_, Infallible>(())
    });
    entries
}

pub(super) fn rebuild(entries: &[Vec<u8>]) -> Result<State, CodecError> {
    let mut reader = CheckpointReader::default();
    entries.iter().try_for_each(|entry| reader.entry(entry))?;
    reader.finish()
}

#[test]
fn a_lively_cell_comes_back_as_it_was() {
    let cell = Cell::lively();
    let written = entries(&cell.state);
    let state = rebuild(&written).expect("it was just written");
    state.check_invariants();
    assert_eq!(entries(&state), written);
    assert_eq!(format!("{:?}", state.profile()), format!("{:?}", cell.state.profile()));
    assert_eq!(state.profile().entries().len(), 4);
    for (before, after) in cell.state.nodes().zip(state.nodes()) {
        assert_eq!(
            (&before.lent, &before.noticed, &before.held_back),
            (&after.lent, &after.noticed, &after.held_back)
        );
        let horizon = Horizon::Day;
        assert_eq!((before.headroom(horizon), before.mode), (after.headroom(horizon), after.mode));
    }
    for (before, after) in cell.state.tenants().zip(state.tenants()) {
        assert_eq!((&before.spec, &before.usage), (&after.spec, &after.usage));
        assert_eq!((before.created, before.revision), (after.created, after.revision));
        assert_eq!(before.unfinished_jobs, after.unfinished_jobs);
        let jobs = |state: &State, tenant| {
            let jobs = state.jobs_of(tenant, Default::default()).map(|job| job.id);
            jobs.collect::<Vec<_>>()
        };
        assert_eq!(jobs(&cell.state, before), jobs(&state, after));
    }
    assert_eq!(cell.state.waiting(), state.waiting());
    assert_eq!(cell.state.next_ids(), state.next_ids());
    let pending = |state: &State| {
        let runs = state.jobs_from(Default::default()).map(|job| job.pending_runs(u32::MAX));
        runs.collect::<Vec<_>>()
    };
    assert_eq!(pending(&cell.state), pending(&state));
}

#[test]
fn a_rebuilt_cell_goes_on_as_the_one_before() {
    let mut cell = Cell::lively();
    let state = rebuild(&entries(&cell.state)).expect("it was just written");
    let mut after = Cell { state, records: Vec::new() };
    let through = offpeak_core::model::Revision(20);
    let more = || {
        let forgotten = offpeak_core::event::Event::RequestsForgotten { through };
        vec![submitted(4, 2, job_spec(7, cores(5))), forgotten]
    };
    cell.commit(more());
    after.commit(more());
    assert_eq!(entries(&cell.state), entries(&after.state));
    assert_eq!(after.state.remembered_count(), 0);
}

/// As the bytes of a record, so that a release reads what the one before wrote.
#[test]
fn the_bytes_of_a_checkpoint_are_these() {
    let entries: Vec<String> = entries(&Cell::lively().state).iter().map(|e| hex(e)).collect();
    assert_eq!(entries.join("\n"), include_str!("checkpoint.hex"));
}

/// As written before there was demand in checkpoints: all else comes back, and what is asked for is learned anew.
#[test]
fn a_checkpoint_without_demand_comes_back_with_none() {
    let written = include_str!("checkpoint_without_demand.hex");
    let written: Vec<Vec<u8>> = written.split("\n\n").map(unhex).collect();
    let state = rebuild(&written).expect("it was written once");
    state.check_invariants();
    assert_eq!(entries(&state), written);
    assert_eq!((state.profile().entries().len(), state.profile().seen()), (0, 0));
    assert_eq!(state.allocation_count(), Cell::lively().state.allocation_count());
}

/// As written before owners had scorecards: all else comes back.
#[test]
fn a_checkpoint_without_scorecards_comes_back_with_none() {
    let written = include_str!("checkpoint_without_scorecards.hex");
    let written: Vec<Vec<u8>> = written.split("\n\n").map(unhex).collect();
    let state = rebuild(&written).expect("it was written once");
    state.check_invariants();
    assert_eq!(entries(&state), written);
    assert_eq!(state.owners().filter(|owner| !owner.record.scorecards.is_empty()).count(), 0);
}

#[test]
fn an_empty_cell_comes_back() {
    let state = rebuild(&entries(&State::default())).expect("it was just written");
    assert_eq!(entries(&state), entries(&State::default()));
}

#[test]
fn a_missing_entry_is_noticed() {
    let written = entries(&Cell::lively().state);
    for missing in 0..written.len() {
        let mut rest = written.clone();
        rest.remove(missing);
        assert!(rebuild(&rest).is_err(), "without entry {missing}");
    }
}

#[test]
fn a_repeated_entry_is_noticed() {
    let written = entries(&Cell::lively().state);
    for repeated in 0..written.len() - 1 {
        let mut more = written.clone();
        more.insert(repeated, written[repeated].clone());
        assert!(rebuild(&more).is_err(), "with entry {repeated} twice");
    }
}

#[test]
fn an_error_of_the_writer_ends_the_writing() {
    let mut calls = 0;
    let result = encode_checkpoint(&Cell::lively().state, |_| {
        calls += 1;
        if calls == 2 { Err("full") } else { Ok(()) }
    });
    assert_eq!((result, calls), (Err("full"), 2));
}

fn asked_for(profile: Profile) -> State {
    let state = State::default();
    let (next_node, next_tenant, next_job, next_allocation) = state.next_ids();
    let mut restore = Restore::new(Header {
        revision: state.revision(),
        now: state.now(),
        policy: state.policy().clone(),
        next_node,
        next_tenant,
        next_job,
        next_allocation,
    });
    restore.profile(profile);
    restore.finish()
}

proptest! {
    #[test]
    fn whatever_is_asked_for_comes_back(profile in strategies::profile()) {
        let state = asked_for(profile);
        let rebuilt = rebuild(&entries(&state)).expect("it was just written");
        prop_assert_eq!(format!("{rebuilt:?}"), format!("{state:?}"));
    }

    #[test]
    fn damaged_checkpoints_never_panic(
        which in any::<prop::sample::Index>(),
        flips in prop::collection::vec((any::<prop::sample::Index>(), 1..=u8::MAX), 1..4),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut damaged = entries(&Cell::lively().state);
        let which = which.index(damaged.len());
        let bytes = &mut damaged[which];
        for (at, flip) in flips {
            let at = at.index(bytes.len());
            bytes[at] ^= flip;
        }
        bytes.truncate(cut.index(2 * bytes.len()).max(1));
        drop(rebuild(&damaged));
    }
}
