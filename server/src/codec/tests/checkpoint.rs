use std::convert::Infallible;

use offpeak_core::{
    event::Event,
    model::{Horizon, JobId, Millis, NodeId, PlannedStart, StartPlace, shared},
    state::{Header, Profile, Restore, RestoreError, Seen, State},
};
use proptest::prelude::*;
use prost::Message as _;

use super::{Cell, cell::*, hex, strategies, unhex};
use crate::codec::{
    CheckpointReader, CodecError, encode_checkpoint,
    format::{self, EntryKind},
};

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
        assert_eq!((&before.below, before.parent), (&after.below, after.parent));
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
        let forgotten = Event::RequestsForgotten { through };
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
    assert_eq!(objects(&entries(&state)), objects(&written));
    assert_eq!((state.profile().entries().len(), state.profile().seen()), (0, Seen::default()));
    assert_eq!(state.allocation_count(), Cell::lively().state.allocation_count());
}

/// As written before owners had scorecards: all else comes back.
#[test]
fn a_checkpoint_without_scorecards_comes_back_with_none() {
    let written = include_str!("checkpoint_without_scorecards.hex");
    let written: Vec<Vec<u8>> = written.split("\n\n").map(unhex).collect();
    let state = rebuild(&written).expect("it was written once");
    state.check_invariants();
    assert_eq!(state.allocation_count(), Cell::lively().state.allocation_count());
    assert_eq!(state.owners().filter(|owner| !owner.record.scorecards.is_empty()).count(), 0);
}

/// As written before shares remembered: what is held now counts as if it had always been.
#[test]
fn a_checkpoint_without_shares_comes_back_with_what_is_held() {
    let written = include_str!("checkpoint_without_shares.hex");
    let written: Vec<Vec<u8>> = written.split("\n\n").map(unhex).collect();
    let state = rebuild(&written).expect("it was written once");
    state.check_invariants();
    assert_eq!(objects(&entries(&state)), objects(&written));
    let half_life = state.policy().share_half_life;
    for tenant in state.tenants() {
        let held = &tenant.usage.held;
        assert_eq!(tenant.usage.decayed.at(state.now(), held, half_life), shared(held));
    }
    assert!(state.tenants().any(|tenant| tenant.usage.held_tasks > 0));
    assert_eq!(half_life, Millis::HOUR);
}

/// The entries that releases before there were shares wrote too, headers aside.
fn objects(entries: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let is_old = |entry: &&Vec<u8>| {
        let entry = format::Entry::decode(entry.as_slice()).expect("it is an entry");
        !matches!(
            entry.kind,
            Some(EntryKind::Header(_) | EntryKind::Shares(_) | EntryKind::Preemptions(_))
        )
    };
    entries.iter().filter(is_old).cloned().collect()
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

/// As it was written, but for the first of its tenants with this parent.
fn child_of(parent: &str) -> Result<State, CodecError> {
    let mut written = entries(&Cell::lively().state);
    for bytes in &mut written {
        let mut entry = format::Entry::decode(bytes.as_slice()).expect("it is an entry");
        if let Some(EntryKind::Tenants(message)) = &mut entry.kind {
            message.tenants[0].spec.parent = parent.to_owned();
            *bytes = entry.encode_to_vec();
        }
    }
    rebuild(&written)
}

#[test]
fn a_tenant_whose_parent_cannot_be_is_noticed() {
    assert!(child_of("films").is_ok());
    for parent in ["physics", "nobody"] {
        let refused = child_of(parent).map(|state| state.revision());
        let bad = RestoreError::BadParent(name("physics"));
        assert_eq!(refused, Err(CodecError::Restore(bad)), "below {parent}");
    }
}

/// Releases that only counted tasks did not write it.
#[test]
fn what_seen_tasks_asked_for_comes_whole_or_not_at_all() {
    let written = entries(&Cell::lively().state);
    let header = format::Entry::decode(written[0].as_slice()).expect("it is an entry");
    let with = |asked: &[u64]| {
        let mut header = header.clone();
        let Some(EntryKind::Header(message)) = &mut header.kind else { panic!("it comes first") };
        message.asked_by_seen = asked.to_vec();
        rebuild(&[&[header.encode_to_vec()], &written[1..]].concat())
            .map(|state| state.profile().seen().asked)
    };
    assert_eq!(with(&[1, 2, 3]), Ok([1, 2, 3]));
    assert_eq!(with(&[]), Ok([0; 3]));
    assert!(matches!(with(&[1, 2]), Err(CodecError::Missing(_))));
}

/// These entries without those of a kind, which are there.
pub(super) fn without(written: &[Vec<u8>], is_of: fn(&EntryKind) -> bool) -> Vec<Vec<u8>> {
    let is_other = |bytes: &&Vec<u8>| {
        let kind = format::Entry::decode(bytes.as_slice()).expect("it is an entry").kind;
        !is_of(&kind.expect("it has a kind"))
    };
    let others: Vec<Vec<u8>> = written.iter().filter(is_other).cloned().collect();
    assert!(others.len() < written.len(), "there are such entries");
    others
}

#[test]
fn tries_and_planned_starts_that_are_missing_are_noticed() {
    let mut cell = super::extras::waiting();
    let planned = PlannedStart {
        start: cell.state.now(),
        places: vec![StartPlace { node: NodeId(0), tasks: 1 }],
    };
    cell.commit(vec![Event::StartPlanned { job: JobId(1), planned }]);
    let written = entries(&cell.state);
    assert!(rebuild(&written).is_ok());
    let lost: [fn(&EntryKind) -> bool; 2] = [
        |kind| matches!(kind, EntryKind::Tries(_)),
        |kind| matches!(kind, EntryKind::PlannedStarts(_)),
    ];
    for is_lost in lost {
        let found = rebuild(&without(&written, is_lost)).map(|state| state.revision());
        assert!(matches!(found, Err(CodecError::Count { .. })), "{found:?}");
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
    restore.finish().expect("it has no tenants")
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
