//! Checkpoints in the embedded store: one stream of entries, each behind its length, cut into chunks.
//!
//! A checkpoint is written under a fresh serial number. Its header comes last and makes it the newest one; the one
//! before it becomes garbage that [`Log::trim`](super::Log::trim) removes.

use crc32c::crc32c_append;
use offpeak_core::model::Revision;

use super::CheckpointWriter;
use super::codec::{CheckpointHeader, seal, unseal_at};
use super::disk::{Disk, Writes};
use super::error::{Flaw, StoreError};
use super::index::KeptCheckpoint;
use super::layout::{self, CHUNK_BYTES, PIECE_BYTES, Position};
use super::sled_log::SledLog;

/// Bytes of entries that are written in one turn: as many whole chunks as fit into a piece.
const PIECE_ENTRY_BYTES: usize = PIECE_BYTES / (CHUNK_BYTES + 64) * CHUNK_BYTES;

const LENGTH_BYTES: usize = 4;

/// Writes a checkpoint into the embedded store.
pub(super) struct SledCheckpoint<'a> {
    log: &'a SledLog,
    id: u64,
    header: CheckpointHeader,
    buffer: Vec<u8>,
    finished: bool,
}

impl<'a> SledCheckpoint<'a> {
    /// Begins checkpoint `id` of `log`, which must not have been used before.
    pub(super) fn new(log: &'a SledLog, id: u64, revision: Revision) -> Self {
        let header = CheckpointHeader { revision, ..CheckpointHeader::default() };
        Self { log, id, header, buffer: Vec::with_capacity(PIECE_ENTRY_BYTES), finished: false }
    }

    /// Finishes the checkpoint as one of the state at `revision`.
    pub(super) fn finish_at(mut self, revision: Revision) -> Result<(), StoreError> {
        self.header.revision = revision;
        let mut writes = self.take_piece();
        let position = Position::Checkpoint(self.id);
        writes.insert(&position, seal(&position, &[&self.header.encode()]));
        self.log.write_checkpoint(writes)?;
        self.finished = true;
        let bytes = self.header.length;
        self.log.checkpoint_finished(KeptCheckpoint { id: self.id, revision, bytes })
    }

    fn push(&mut self, mut bytes: &[u8]) -> Result<(), StoreError> {
        self.header.length += bytes.len() as u64;
        self.header.checksum = crc32c_append(self.header.checksum, bytes);
        while !bytes.is_empty() {
            let room = PIECE_ENTRY_BYTES - self.buffer.len();
            let (now, later) = bytes.split_at(room.min(bytes.len()));
            self.buffer.extend_from_slice(now);
            bytes = later;
            if self.buffer.len() == PIECE_ENTRY_BYTES {
                let writes = self.take_piece();
                self.log.write_checkpoint(writes)?;
            }
        }
        Ok(())
    }

    fn take_piece(&mut self) -> Writes {
        let mut writes = Writes::default();
        for chunk in self.buffer.chunks(CHUNK_BYTES) {
            let position = Position::CheckpointChunk(self.id, self.header.chunks);
            writes.insert(&position, seal(&position, &[chunk]));
            self.header.chunks += 1;
        }
        self.buffer.clear();
        writes
    }
}

impl CheckpointWriter for SledCheckpoint<'_> {
    fn put(&mut self, entry: &[u8]) -> Result<(), StoreError> {
        let length = u32::try_from(entry.len())
            .map_err(|_| StoreError::EntryTooLarge { bytes: entry.len() })?;
        self.header.entries += 1;
        self.push(&length.to_le_bytes())?;
        self.push(entry)
    }

    fn finish(self: Box<Self>) -> Result<(), StoreError> {
        let revision = self.header.revision;
        self.finish_at(revision)
    }
}

impl Drop for SledCheckpoint<'_> {
    fn drop(&mut self) {
        if !self.finished {
            self.log.checkpoint_abandoned(self.id);
        }
    }
}

/// Reads checkpoint `id` from beginning to end.
pub(super) fn load(
    disk: &Disk,
    id: u64,
    visit: &mut dyn FnMut(&[u8]) -> Result<(), StoreError>,
) -> Result<CheckpointHeader, StoreError> {
    let damaged = |flaw| StoreError::flawed(Position::Checkpoint(id), flaw);
    let mut values = disk.scan(layout::checkpoint(id));
    let header = match values.next().transpose()? {
        Some((position @ Position::Checkpoint(_), value)) => {
            CheckpointHeader::decode(unseal_at(&position, &value)?).map_err(damaged)?
        }
        _ => {
            return Err(damaged(Flaw::Length { expected: 1, found: 0 }));
        }
    };
    let mut found = CheckpointHeader { revision: header.revision, ..CheckpointHeader::default() };
    let mut stream = EntryStream::default();
    for item in values {
        let (position, value) = item?;
        if position != Position::CheckpointChunk(id, found.chunks) {
            break;
        }
        let body = unseal_at(&position, &value)?;
        found.chunks += 1;
        found.length += body.len() as u64;
        found.checksum = crc32c_append(found.checksum, body);
        found.entries += stream.feed(body, visit)?;
    }
    if found.chunks != header.chunks {
        return Err(damaged(Flaw::MissingChunk { index: found.chunks, count: header.chunks }));
    }
    if found.length != header.length {
        return Err(damaged(Flaw::Length { expected: header.length, found: found.length }));
    }
    if found.checksum != header.checksum {
        return Err(damaged(Flaw::Checksum { stored: header.checksum, computed: found.checksum }));
    }
    if found.entries != header.entries {
        return Err(damaged(Flaw::Entries { expected: header.entries, found: found.entries }));
    }
    Ok(header)
}

/// Cuts a stream that comes in chunks into entries again.
#[derive(Default)]
struct EntryStream {
    /// The beginning of an entry that reaches into the next chunk.
    pending: Vec<u8>,
}

impl EntryStream {
    /// Visits the entries that `chunk` completes and returns how many they were.
    fn feed(
        &mut self,
        mut chunk: &[u8],
        visit: &mut dyn FnMut(&[u8]) -> Result<(), StoreError>,
    ) -> Result<u64, StoreError> {
        let mut entries = 0;
        while !self.pending.is_empty() {
            let (now, later) = chunk.split_at(missing(&self.pending).min(chunk.len()));
            self.pending.extend_from_slice(now);
            chunk = later;
            match split(&self.pending) {
                Some((entry, _)) => visit(entry)?,
                None if chunk.is_empty() => return Ok(entries),
                None => continue,
            }
            entries += 1;
            self.pending.clear();
        }
        while let Some((entry, rest)) = split(chunk) {
            visit(entry)?;
            entries += 1;
            chunk = rest;
        }
        self.pending.extend_from_slice(chunk);
        Ok(entries)
    }
}

/// The first entry, when it is whole, and what follows it.
fn split(stream: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = stream.split_first_chunk::<LENGTH_BYTES>()?;
    rest.split_at_checked(u32::from_le_bytes(*length) as usize)
}

/// How many bytes are missing until more is known about the entry that `pending` begins.
fn missing(pending: &[u8]) -> usize {
    match pending.split_first_chunk::<LENGTH_BYTES>() {
        Some((length, rest)) => u32::from_le_bytes(*length) as usize - rest.len(),
        None => LENGTH_BYTES - pending.len(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_come_back_however_the_stream_is_cut() {
        let entries: Vec<Vec<u8>> =
            [0, 1, 0, 3, 30, 2].iter().map(|length| vec![*length; usize::from(*length)]).collect();
        let mut stream = Vec::new();
        for entry in &entries {
            stream.extend_from_slice(&u32::try_from(entry.len()).expect("small").to_le_bytes());
            stream.extend_from_slice(entry);
        }
        for size in 1..=stream.len() {
            let mut found = Vec::new();
            let mut cutter = EntryStream::default();
            let mut count = 0;
            for chunk in stream.chunks(size) {
                let mut visit = |entry: &[u8]| {
                    found.push(entry.to_vec());
                    Ok(())
                };
                count += cutter.feed(chunk, &mut visit).expect("visited");
            }
            assert_eq!(found, entries, "cut into chunks of {size}");
            assert_eq!(count, entries.len() as u64);
        }
    }
}
