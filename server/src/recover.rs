//! From what a log holds to the state of its newest revision.

use offpeak_core::{event::Batch, forecaster::Forecaster, model::Revision, state::State};

use crate::{
    codec::{CheckpointReader, CodecError, decode_record},
    store::{Log, Record, StoreError},
};

/// How much of the log is in memory at a time.
const READ_BYTES: usize = 8 << 20;

/// A log from which no state can be had.
#[derive(Debug, thiserror::Error)]
pub enum RecoverError {
    /// The log cannot be read, or an entry of its checkpoint cannot.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The checkpoint is not whole.
    #[error("the checkpoint at revision {revision} cannot be used: {source}")]
    Checkpoint {
        /// Where the log has it.
        revision: Revision,
        /// What is wrong with it.
        source: CodecError,
    },
    /// The checkpoint is of another revision.
    #[error("the checkpoint at revision {revision} holds revision {found}")]
    CheckpointRevision {
        /// Where the log has it.
        revision: Revision,
        /// Of the state in it.
        found: Revision,
    },
    /// A record cannot be decoded.
    #[error("the record at revision {first} cannot be read: {source}")]
    Record {
        /// Its first revision.
        first: Revision,
        /// What is wrong with it.
        source: CodecError,
    },
    /// A record does not hold what the log says of it.
    #[error("the record of the revisions {first} to {last} holds others")]
    Mislabelled {
        /// Its first revision in the log.
        first: Revision,
        /// Its last revision in the log.
        last: Revision,
    },
    /// Revisions are missing.
    #[error("the log has a gap: revision {expected} should follow, but {found} does")]
    Gap {
        /// The revision after the newest one that was recovered.
        expected: Revision,
        /// The one that was found.
        found: Revision,
    },
}

/// What a log holds.
#[derive(Debug)]
pub struct Recovered {
    /// The state of its newest revision.
    pub state: State,
    /// What was learned of the owners' loads in it.
    pub forecaster: Forecaster,
}

/// The newest checkpoint with every record after it folded in.
///
/// # Errors
/// When the log cannot be read, or holds what this release cannot decode or what does not fit together.
pub fn recover(log: &dyn Log) -> Result<Recovered, RecoverError> {
    let mut recovered = checkpoint(log)?;
    loop {
        let records = log.read(recovered.state.revision(), READ_BYTES)?;
        if records.is_empty() {
            return Ok(recovered);
        }
        for record in records {
            fold(&mut recovered, &record)?;
        }
    }
}

fn checkpoint(log: &dyn Log) -> Result<Recovered, RecoverError> {
    let mut reader = CheckpointReader::default();
    let revision = log.load_checkpoint(&mut |entry| {
        reader.entry(entry).map_err(|error| StoreError::Entry { source: error.into() })
    })?;
    let Some(revision) = revision else {
        return Ok(Recovered { state: State::default(), forecaster: Forecaster::default() });
    };
    let learned = reader.take_learned();
    let state = reader.finish().map_err(|source| RecoverError::Checkpoint { revision, source })?;
    if state.revision() != revision {
        return Err(RecoverError::CheckpointRevision { revision, found: state.revision() });
    }
    let forecaster = Forecaster::restore(&state, &learned).unwrap_or_else(|| {
        tracing::warn!("another release wrote down what it learned of owners: it is learned anew");
        Forecaster::new(&state)
    });
    Ok(Recovered { state, forecaster })
}

/// Folds those commits of a record in that the state does not have.
fn fold(recovered: &mut Recovered, record: &Record) -> Result<(), RecoverError> {
    let Record { first, last, payload } = record;
    let (first, last) = (*first, *last);
    let batch = match decode_record(payload) {
        Ok(decoded) => decoded.batch,
        Err(source) => return Err(RecoverError::Record { first, source }),
    };
    if batch.revisions() != Some((first, last)) {
        return Err(RecoverError::Mislabelled { first, last });
    }
    let Recovered { state, forecaster } = recovered;
    let expected = state.revision().next();
    if first > expected || last < expected {
        return Err(RecoverError::Gap { expected, found: first });
    }
    let batch = from(batch, expected);
    state.fold(&batch);
    // Whatever was found of these loads has been committed since, or is found again.
    let _ = forecaster.fold(&batch);
    Ok(())
}

/// The commits of a batch from a revision on.
fn from(mut batch: Batch, first: Revision) -> Batch {
    let older = batch.commits.partition_point(|commit| commit.revision < first);
    let Some(newest) = batch.commits.drain(..older).next_back() else {
        return batch;
    };
    batch.events.drain(..newest.end);
    for commit in &mut batch.commits {
        commit.end -= newest.end;
    }
    batch
}

#[cfg(test)]
mod tests {
    use offpeak_core::{model::Revision, state::State};

    use super::{RecoverError, Recovered, recover};
    use crate::{
        codec::{encode_checkpoint, encode_record, tests::Cell},
        record::Record,
        store::{Log, SledLog, StoreError, StoreOptions},
    };

    fn log() -> (tempfile::TempDir, SledLog) {
        let folder = tempfile::tempdir().expect("a folder");
        let log = SledLog::open(folder.path(), StoreOptions::default()).expect("it opens");
        (folder, log)
    }

    fn append(log: &dyn Log, record: &Record) {
        let (first, last) = record.batch.revisions().expect("it is not empty");
        log.append(first, last, &encode_record(record)).expect("it is appended");
    }

    fn write_checkpoint(log: &dyn Log, state: &State) {
        let mut writer = log.begin_checkpoint(state.revision()).expect("it begins");
        encode_checkpoint(state, |entry| writer.put(entry)).expect("it is written");
        writer.finish().expect("it is finished");
    }

    fn entries(state: &State) -> Vec<Vec<u8>> {
        let mut entries = Vec::new();
        let Ok(()) = encode_checkpoint(state, |entry| {
            entries.push(entry.to_vec());
            Ok::<_, std::convert::Infallible>(())
        });
        entries
    }

    #[test]
    fn an_empty_log_is_an_empty_cell() {
        let (_folder, log) = log();
        let Recovered { state, .. } = recover(&log).expect("it recovers");
        assert_eq!(entries(&state), entries(&State::default()));
    }

    #[test]
    fn a_cell_recovers_from_its_records() {
        let (_folder, log) = log();
        let cell = Cell::lively();
        cell.records.iter().for_each(|record| append(&log, record));
        let Recovered { state, .. } = recover(&log).expect("it recovers");
        state.check_invariants();
        assert_eq!(entries(&state), entries(&cell.state));
    }

    #[test]
    fn a_cell_recovers_from_any_checkpoint_and_the_records_after_it() {
        let cell = Cell::lively();
        for checkpoint_at in 1..=cell.records.len() {
            let (_folder, log) = log();
            let mut state = State::default();
            for (at, record) in (1..).zip(&cell.records) {
                append(&log, record);
                state.fold(&record.batch);
                if at == checkpoint_at {
                    write_checkpoint(&log, &state);
                }
            }
            let Recovered { state, .. } = recover(&log).expect("it recovers");
            assert_eq!(entries(&state), entries(&cell.state));
        }
    }

    #[test]
    fn a_checkpoint_inside_a_record_takes_only_the_rest_of_it() {
        let (_folder, log) = log();
        let cell = Cell::lively();
        cell.records.iter().for_each(|record| append(&log, record));
        let mut state = State::default();
        let mut half = cell.records[0].batch.clone();
        half.commits.truncate(1);
        state.fold(&half);
        write_checkpoint(&log, &state);
        let Recovered { state, .. } = recover(&log).expect("it recovers");
        assert_eq!(entries(&state), entries(&cell.state));
    }

    #[test]
    fn an_unreadable_record_is_told_by_its_revision() {
        let (_folder, log) = log();
        append(&log, &Cell::lively().records[0]);
        log.append(Revision(3), Revision(3), b"no record").expect("it is appended");
        let error = recover(&log).expect_err("it does not recover");
        assert!(matches!(error, RecoverError::Record { first: Revision(3), .. }), "{error}");
    }

    #[test]
    fn a_record_of_other_revisions_is_refused() {
        let (_folder, log) = log();
        let payload = encode_record(&Cell::lively().records[1]);
        log.append(Revision(1), Revision(2), &payload).expect("it is appended");
        let error = recover(&log).expect_err("it does not recover");
        assert!(matches!(error, RecoverError::Mislabelled { first: Revision(1), .. }), "{error}");
    }

    #[test]
    fn an_unreadable_checkpoint_is_refused() {
        let (_folder, log) = log();
        append(&log, &Cell::lively().records[0]);
        let mut writer = log.begin_checkpoint(Revision(2)).expect("it begins");
        writer.put(b"no entry").expect("it is written");
        writer.finish().expect("it is finished");
        let error = recover(&log).expect_err("it does not recover");
        assert!(matches!(error, RecoverError::Store(StoreError::Entry { .. })), "{error}");
    }

    #[test]
    fn a_checkpoint_of_another_revision_is_refused() {
        let (_folder, log) = log();
        append(&log, &Cell::lively().records[0]);
        let mut writer = log.begin_checkpoint(Revision(2)).expect("it begins");
        encode_checkpoint(&State::default(), |entry| writer.put(entry)).expect("it is written");
        writer.finish().expect("it is finished");
        let error = recover(&log).expect_err("it does not recover");
        let found = matches!(error, RecoverError::CheckpointRevision { found: Revision(0), .. });
        assert!(found, "{error}");
    }
}
