//! The keys of the one tree: a prefix byte, then big-endian numbers, so that key order is log order and a header
//! comes right before its chunks.

use std::fmt;
use std::ops::Range;

use offpeak_core::model::Revision;

/// The part of a payload, or of the stream of checkpoint entries, that one value holds. Values stay under 6 KiB with
/// their headers: sled keeps up to 20 of them in a page, and a page over 128 KiB becomes a file that it never syncs.
pub(super) const CHUNK_BYTES: usize = 5 * 1024 + 512;

/// The most bytes of keys and values between two syncs. Above it, a power cut was seen to make sled unopenable.
pub(super) const COMMIT_BYTES: usize = 256 * 1024;

/// The most bytes that a checkpoint or a trim writes or removes in one turn: a commit that comes meanwhile waits for
/// one such piece, so it is kept smaller than a commit may be.
pub(super) const PIECE_BYTES: usize = 64 * 1024;

const CHECKPOINT: u8 = b'c';
const RECORD: u8 = b'l';
const META: u8 = b'm';

/// A place in the store.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Position {
    /// The value that says that this is an offpeak store, and of which format.
    Meta,
    /// The record that begins at this revision; holds a small payload itself.
    Record(Revision),
    /// A part of the payload of the record that begins at this revision.
    RecordChunk(Revision, u32),
    /// The checkpoint with this serial number.
    Checkpoint(u64),
    /// A part of the entries of the checkpoint with this serial number.
    CheckpointChunk(u64, u32),
    /// A key that this release does not know.
    Unknown(Vec<u8>),
}

impl Position {
    /// The key of this place.
    pub(super) fn key(&self) -> Vec<u8> {
        match self {
            Self::Meta => vec![META],
            Self::Record(first) => key(RECORD, first.0, None),
            Self::RecordChunk(first, index) => key(RECORD, first.0, Some(*index)),
            Self::Checkpoint(id) => key(CHECKPOINT, *id, None),
            Self::CheckpointChunk(id, index) => key(CHECKPOINT, *id, Some(*index)),
            Self::Unknown(key) => key.clone(),
        }
    }

    /// The place of a key.
    pub(super) fn of_key(key: &[u8]) -> Self {
        let number = |from: usize| key.get(from..from + 8)?.try_into().ok().map(u64::from_be_bytes);
        let index = || key.get(9..13)?.try_into().ok().map(u32::from_be_bytes);
        let place = match (key.first(), key.len()) {
            (Some(&META), 1) => Some(Self::Meta),
            (Some(&RECORD), 9) => number(1).map(|first| Self::Record(Revision(first))),
            (Some(&RECORD), 13) => {
                number(1).zip(index()).map(|(first, i)| Self::RecordChunk(Revision(first), i))
            }
            (Some(&CHECKPOINT), 9) => number(1).map(Self::Checkpoint),
            (Some(&CHECKPOINT), 13) => {
                number(1).zip(index()).map(|(id, i)| Self::CheckpointChunk(id, i))
            }
            _ => None,
        };
        place.unwrap_or_else(|| Self::Unknown(key.to_vec()))
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Meta => f.write_str("the format mark"),
            Self::Record(first) => write!(f, "the record at revision {first}"),
            Self::RecordChunk(first, index) => {
                write!(f, "chunk {index} of the record at revision {first}")
            }
            Self::Checkpoint(id) => write!(f, "checkpoint {id}"),
            Self::CheckpointChunk(id, index) => write!(f, "chunk {index} of checkpoint {id}"),
            Self::Unknown(key) => write!(f, "the value at key {}", key.escape_ascii()),
        }
    }
}

/// The keys of all records that begin at `first` or later.
pub(super) fn records_from(first: u64) -> Range<Vec<u8>> {
    key(RECORD, first, None)..vec![RECORD + 1]
}

/// The keys of the chunks of the record that begins at `first`.
pub(super) fn record_chunks(first: u64) -> Range<Vec<u8>> {
    key(RECORD, first, Some(0))..record_end(first)
}

/// The key after the last chunk of the record that begins at `first`.
pub(super) fn record_end(first: u64) -> Vec<u8> {
    key(RECORD, first + 1, None)
}

/// The keys of all checkpoints from serial number `id` on.
pub(super) fn checkpoints_from(id: u64) -> Range<Vec<u8>> {
    key(CHECKPOINT, id, None)..vec![CHECKPOINT + 1]
}

/// The keys of one checkpoint, its header first.
pub(super) fn checkpoint(id: u64) -> Range<Vec<u8>> {
    key(CHECKPOINT, id, None)..key(CHECKPOINT, id + 1, None)
}

fn key(prefix: u8, number: u64, index: Option<u32>) -> Vec<u8> {
    let mut key = Vec::with_capacity(13);
    key.push(prefix);
    key.extend_from_slice(&number.to_be_bytes());
    if let Some(index) = index {
        key.extend_from_slice(&index.to_be_bytes());
    }
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_names_its_place() {
        let places = [
            Position::Checkpoint(7),
            Position::CheckpointChunk(7, 0),
            Position::CheckpointChunk(7, 300),
            Position::Record(Revision(1)),
            Position::RecordChunk(Revision(1), 0),
            Position::Record(Revision(258)),
            Position::Meta,
            Position::Unknown(b"other".to_vec()),
        ];
        for place in &places {
            assert_eq!(&Position::of_key(&place.key()), place);
        }
        let keys: Vec<_> = places.iter().map(Position::key).collect();
        assert!(keys.is_sorted(), "key order is log order, headers before their chunks");
    }
}
