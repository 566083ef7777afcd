//! How records and checkpoints are stored: core's plain data to protobuf bytes and back.
//!
//! `format` holds the messages; beside it stand the conversions, by concept: `model`, `extras` and `owner` for
//! descriptions, `codes` for enums, `columns` and `runs` for what comes in thousands, `names` for the names beside a
//! batch, `bounds`, `ledger`, `quotes` and `shares` for what has been learned, booked, quoted and held, `event` and
//! `outcome` for what happened and was answered. A record is one message. A checkpoint is a sequence of entries that
//! `checkpoint` writes and `rebuild` reads, a bounded part of the state each; `checkpoint` adds what a forecaster learned.
//!
//! Whatever bytes come in, decoding ends in a value or a [`CodecError`]. Deliberately absent: checksums and chunks,
//! which are the store's, and the public API's messages.

mod bounds;
mod checkpoint;
mod codes;
mod columns;
mod event;
mod extras;
mod format;
mod ledger;
mod model;
mod names;
mod outcome;
mod owner;
mod quotes;
mod rebuild;
mod runs;
mod shares;
#[cfg(test)]
pub(crate) mod tests;

use offpeak_core::{
    event::{Batch, Commit},
    model::{Revision, TextError, Time},
    state::RestoreError,
};
use prost::Message;

pub use checkpoint::{encode_checkpoint, encode_learned};
pub use rebuild::CheckpointReader;

use crate::record::Record;

/// Messages of events are large, and a few of them stay in the processor's cache.
const EVENTS_AT_A_TIME: usize = 16;

/// Bytes that hold no record and no checkpoint of this release.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CodecError {
    /// They are not even a message.
    #[error("the bytes are no message: {0}")]
    Message(#[from] prost::DecodeError),
    /// A newer release wrote them.
    #[error(
        "{what} has format {found}, but this release reads formats up to {supported}: use a newer release"
    )]
    NewerFormat {
        /// A record or a checkpoint.
        what: &'static str,
        /// Its format.
        found: u32,
        /// The newest format that is understood.
        supported: u32,
    },
    /// Something that every message has.
    #[error("the {0} is missing")]
    Missing(&'static str),
    /// A number that stands for nothing.
    #[error("{value} is no {what}")]
    Unknown {
        /// What it should stand for.
        what: &'static str,
        /// The number.
        value: u32,
    },
    /// A number that does not fit.
    #[error("{value} is out of the range of {what}")]
    Range {
        /// What it is.
        what: &'static str,
        /// The number.
        value: u64,
    },
    /// A text that is no name.
    #[error("the {what} cannot be: it {source}")]
    Text {
        /// What it should name.
        what: &'static str,
        /// What is wrong with it.
        source: TextError,
    },
    /// Columns of different lengths, or a run that ends too early.
    #[error("the columns of {0} do not fit together")]
    Columns(&'static str),
    /// Ids that should ascend, or entries of a checkpoint that should come earlier.
    #[error("{0} are out of order")]
    Order(&'static str),
    /// A checkpoint that lacks objects, or has too many.
    #[error("the checkpoint holds {found} {what}, but its header tells of {expected}")]
    Count {
        /// Which objects.
        what: &'static str,
        /// How many there should be.
        expected: u64,
        /// How many there are.
        found: u64,
    },
    /// A checkpoint whose objects contradict each other.
    #[error("the checkpoint contradicts itself: {0}")]
    Restore(#[from] RestoreError),
}

/// Encodes one group commit.
#[must_use]
pub fn encode_record(record: &Record) -> Vec<u8> {
    let commits = &record.batch.commits;
    let ends = commits.iter().map(|commit| commit.end as u64);
    let counts = ends.scan(0, |begin, end| Some(end - std::mem::replace(begin, end)));
    let head = format::Record {
        version: format::RECORD_VERSION,
        first_revision: commits.first().map_or(0, |commit| commit.revision.0),
        times: columns::deltas(commits.iter().map(|commit| commit.time.0)),
        event_counts: counts.collect(),
        events: Vec::new(),
        names: names::to_message(&record.names),
    };
    let mut bytes = head.encode_to_vec();
    for events in record.batch.events.chunks(EVENTS_AT_A_TIME) {
        let events = events.iter().map(|event| event::to_message(event, &record.names));
        let piece = format::RecordPiece { events: events.collect() };
        piece.encode(&mut bytes).expect("invariant: a vector has room");
    }
    bytes
}

/// Decodes one group commit.
///
/// # Errors
/// When the bytes are not what [`encode_record`] writes.
pub fn decode_record(bytes: &[u8]) -> Result<Record, CodecError> {
    let message = format::Record::decode(bytes)?;
    check_version("the record", message.version, format::RECORD_VERSION)?;
    let names = names::from_message(message.names)?;
    let mut events = Vec::with_capacity(message.events.len());
    for event in message.events {
        events.push(event::from_message(event, &names)?);
    }
    let batch = Batch {
        commits: commits(&message.times, &message.event_counts, message.first_revision)?,
        events,
    };
    if batch.commits.last().map_or(0, |commit| commit.end) != batch.events.len() {
        return Err(CodecError::Columns("commits and events"));
    }
    Ok(Record { batch, names })
}

fn commits(times: &[i64], counts: &[u64], first: u64) -> Result<Vec<Commit>, CodecError> {
    if times.len() != counts.len() {
        return Err(CodecError::Columns("commits"));
    }
    let out_of_range = CodecError::Range { what: "a revision", value: first };
    if first.checked_add(times.len() as u64).is_none() {
        return Err(out_of_range);
    }
    let mut end = 0_usize;
    let mut commits = Vec::with_capacity(times.len());
    for ((revision, time), count) in (first..).zip(columns::sums(times)).zip(counts) {
        end = usize::try_from(*count)
            .ok()
            .and_then(|count| end.checked_add(count))
            .ok_or(CodecError::Range { what: "a number of events", value: *count })?;
        commits.push(Commit { revision: Revision(revision), time: Time(time), end });
    }
    Ok(commits)
}

fn check_version(what: &'static str, found: u32, supported: u32) -> Result<(), CodecError> {
    match found {
        0 => Err(CodecError::Missing("format version")),
        _ if found > supported => Err(CodecError::NewerFormat { what, found, supported }),
        _ => Ok(()),
    }
}
