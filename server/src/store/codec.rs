//! What a value looks like: an envelope that is the same in every format, and the headers of records and checkpoints.
//!
//! ```text
//! envelope    format u8 | kind u8 | crc32c u32 | body         the checksum covers format, kind, key and body
//! record      last u64 | length u64 | chunks u32 | crc32c u32 | payload, when there are no chunks
//! checkpoint  revision u64 | entries u64 | length u64 | chunks u32 | crc32c u32
//! chunk       bytes
//! ```
//!
//! Numbers are little-endian. The first revision of a record is in its key. The inner checksum is that of the whole
//! payload, or of the whole stream of entries.

use crc32c::{crc32c, crc32c_append};
use offpeak_core::model::Revision;

use super::error::{Flaw, StoreError};
use super::layout::{CHUNK_BYTES, Position};

/// The newest format that this release reads, and the one that it writes.
pub(super) const FORMAT: u8 = 1;

/// The body of the format mark.
pub(super) const MAGIC: &[u8] = b"offpeak store";

const ENVELOPE_BYTES: usize = 6;
const RECORD_BYTES: usize = 24;
const CHECKPOINT_BYTES: usize = 32;

/// Closes `body` into the value that belongs to `position`.
pub(super) fn seal(position: &Position, body: &[&[u8]]) -> Vec<u8> {
    let kind = kind(position).expect("invariant: only known keys are written");
    let mut value =
        Vec::with_capacity(ENVELOPE_BYTES + body.iter().map(|part| part.len()).sum::<usize>());
    value.extend_from_slice(&[FORMAT, kind, 0, 0, 0, 0]);
    for part in body {
        value.extend_from_slice(part);
    }
    let checksum = checksum(&position.key(), &value);
    value[2..ENVELOPE_BYTES].copy_from_slice(&checksum.to_le_bytes());
    value
}

/// Verifies the envelope of a value and gives its body. The checksum comes first, so that a damaged format byte is not
/// taken for a newer format.
pub(super) fn unseal<'a>(position: &Position, value: &'a [u8]) -> Result<&'a [u8], Flaw> {
    let Some(expected) = kind(position) else {
        return Err(Flaw::UnknownKey);
    };
    let Some((head, body)) = value.split_first_chunk::<ENVELOPE_BYTES>() else {
        return Err(Flaw::Length { expected: ENVELOPE_BYTES as u64, found: value.len() as u64 });
    };
    let [format, found, checksum_bytes @ ..] = *head;
    let stored = u32::from_le_bytes(checksum_bytes);
    let computed = checksum(&position.key(), value);
    if stored != computed {
        return Err(Flaw::Checksum { stored, computed });
    }
    if format > FORMAT {
        return Err(Flaw::NewerFormat { found: format, supported: FORMAT });
    }
    if found != expected {
        return Err(Flaw::Kind { expected, found });
    }
    Ok(body)
}

/// As [`unseal`], with the error that names the place.
pub(super) fn unseal_at<'a>(position: &Position, value: &'a [u8]) -> Result<&'a [u8], StoreError> {
    unseal(position, value).map_err(|flaw| StoreError::flawed(position.clone(), flaw))
}

/// The header of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RecordHeader {
    pub(super) last: Revision,
    pub(super) length: u64,
    pub(super) chunks: u32,
    pub(super) checksum: u32,
}

impl RecordHeader {
    /// The header of `payload`.
    pub(super) fn of(last: Revision, payload: &[u8]) -> Self {
        let chunks =
            if payload.len() <= CHUNK_BYTES { 0 } else { payload.len().div_ceil(CHUNK_BYTES) };
        Self {
            last,
            length: payload.len() as u64,
            chunks: u32::try_from(chunks)
                .expect("invariant: a payload has less than 4 billion chunks"),
            checksum: crc32c(payload),
        }
    }

    pub(super) fn encode(self) -> Vec<u8> {
        let mut out = Vec::with_capacity(RECORD_BYTES);
        out.extend_from_slice(&self.last.0.to_le_bytes());
        out.extend_from_slice(&self.length.to_le_bytes());
        out.extend_from_slice(&self.chunks.to_le_bytes());
        out.extend_from_slice(&self.checksum.to_le_bytes());
        out
    }

    /// The header and what follows it: the payload, when there are no chunks.
    pub(super) fn decode(body: &[u8]) -> Result<(Self, &[u8]), Flaw> {
        let mut fields = Fields::of(body, RECORD_BYTES)?;
        let header = Self {
            last: Revision(u64::from_le_bytes(fields.take())),
            length: u64::from_le_bytes(fields.take()),
            chunks: u32::from_le_bytes(fields.take()),
            checksum: u32::from_le_bytes(fields.take()),
        };
        Ok((header, fields.0))
    }
}

/// The header of a checkpoint, written when all of it is there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct CheckpointHeader {
    pub(super) revision: Revision,
    pub(super) entries: u64,
    pub(super) length: u64,
    pub(super) chunks: u32,
    pub(super) checksum: u32,
}

impl CheckpointHeader {
    pub(super) fn encode(self) -> Vec<u8> {
        let mut out = Vec::with_capacity(CHECKPOINT_BYTES);
        out.extend_from_slice(&self.revision.0.to_le_bytes());
        out.extend_from_slice(&self.entries.to_le_bytes());
        out.extend_from_slice(&self.length.to_le_bytes());
        out.extend_from_slice(&self.chunks.to_le_bytes());
        out.extend_from_slice(&self.checksum.to_le_bytes());
        out
    }

    pub(super) fn decode(body: &[u8]) -> Result<Self, Flaw> {
        let mut fields = Fields::of(body, CHECKPOINT_BYTES)?;
        Ok(Self {
            revision: Revision(u64::from_le_bytes(fields.take())),
            entries: u64::from_le_bytes(fields.take()),
            length: u64::from_le_bytes(fields.take()),
            chunks: u32::from_le_bytes(fields.take()),
            checksum: u32::from_le_bytes(fields.take()),
        })
    }
}

/// Fixed-width fields, read in order from a body whose length was checked.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn of(body: &'a [u8], expected: usize) -> Result<Self, Flaw> {
        if body.len() < expected {
            return Err(Flaw::Length { expected: expected as u64, found: body.len() as u64 });
        }
        Ok(Self(body))
    }

    fn take<const N: usize>(&mut self) -> [u8; N] {
        let (field, rest) = self.0.split_first_chunk().expect("invariant: the length was checked");
        self.0 = rest;
        *field
    }
}

fn kind(position: &Position) -> Option<u8> {
    match position {
        Position::Meta => Some(1),
        Position::Record(_) => Some(2),
        Position::RecordChunk(..) => Some(3),
        Position::Checkpoint(_) => Some(4),
        Position::CheckpointChunk(..) => Some(5),
        Position::Unknown(_) => None,
    }
}

fn checksum(key: &[u8], value: &[u8]) -> u32 {
    let head = crc32c(&value[..2]);
    crc32c_append(crc32c_append(head, key), &value[ENVELOPE_BYTES..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_flipped_bit_of_a_value_is_noticed() {
        let position = Position::Record(Revision(9));
        let value = seal(&position, &[b"header", b"payload"]);
        assert_eq!(unseal(&position, &value), Ok(&b"headerpayload"[..]));
        for bit in 0..value.len() * 8 {
            let mut damaged = value.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(matches!(unseal(&position, &damaged), Err(Flaw::Checksum { .. })), "bit {bit}");
        }
    }

    #[test]
    fn a_value_at_the_wrong_key_is_noticed() {
        let value = seal(&Position::Record(Revision(9)), &[b"payload"]);
        assert!(matches!(
            unseal(&Position::Record(Revision(8)), &value),
            Err(Flaw::Checksum { .. })
        ));
        assert_eq!(unseal(&Position::Unknown(b"x".to_vec()), &value), Err(Flaw::UnknownKey));
    }

    #[test]
    fn a_whole_value_of_an_unknown_kind_or_format_is_refused() {
        let position = Position::Record(Revision(9));
        let resealed = |format: u8, kind: u8| {
            let mut value = seal(&position, &[b"payload"]);
            (value[0], value[1]) = (format, kind);
            let checksum = checksum(&position.key(), &value);
            value[2..ENVELOPE_BYTES].copy_from_slice(&checksum.to_le_bytes());
            value
        };
        assert_eq!(unseal(&position, &resealed(1, 77)), Err(Flaw::Kind { expected: 2, found: 77 }));
        assert_eq!(
            unseal(&position, &resealed(2, 2)),
            Err(Flaw::NewerFormat { found: 2, supported: 1 })
        );
    }

    #[test]
    fn headers_round_trip() {
        let record = RecordHeader::of(Revision(5), &[7; 3 * CHUNK_BYTES + 1]);
        assert_eq!(record.chunks, 4);
        assert_eq!(RecordHeader::decode(&record.encode()), Ok((record, &[][..])));
        let checkpoint = CheckpointHeader {
            revision: Revision(1),
            entries: 2,
            length: 3,
            chunks: 4,
            checksum: 5,
        };
        assert_eq!(CheckpointHeader::decode(&checkpoint.encode()), Ok(checkpoint));
        assert_eq!(RecordHeader::decode(&[0; 3]), Err(Flaw::Length { expected: 24, found: 3 }));
    }
}
