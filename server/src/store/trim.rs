//! What a trim removes, one bounded piece at a time.

use super::disk::{Disk, Writes};
use super::error::StoreError;
use super::index::{Index, Kept};
use super::layout::{self, CHUNK_BYTES, PIECE_BYTES, Position};
use super::{Retention, Trimmed};

/// Takes the oldest records that `keep` does not hold out of the index, and returns the removal of their values and of
/// garbage, up to a piece.
///
/// Records leave the index before they leave the disk: a reader can tell afterwards whether it was overtaken, and a
/// crash in between only brings them back.
pub(super) fn next_piece(
    index: &mut Index,
    disk: &Disk,
    keep: Retention,
) -> Result<(Writes, Trimmed), StoreError> {
    let mut writes = Writes::default();
    while let Some(oldest) = index.oldest_to_drop(keep) {
        if !remove_record(index, &mut writes, oldest) {
            break;
        }
        index.drop_oldest();
    }
    // A load in progress may still need the checkpoint that was just replaced.
    let may_sweep = index.loading == 0;
    if may_sweep {
        sweep(index, disk, &mut writes)?;
    }
    let more = index.oldest_to_drop(keep).is_some() || (may_sweep && !index.garbage.is_empty());
    Ok((writes, if more { Trimmed::More } else { Trimmed::Done }))
}

/// Adds the removal of garbage, as much as still fits.
fn sweep(index: &mut Index, disk: &Disk, writes: &mut Writes) -> Result<(), StoreError> {
    while let Some(keys) = index.garbage.front_mut() {
        for item in disk.scan(keys.clone()) {
            let (position, value) = item?;
            if writes.exceeds(PIECE_BYTES, &position, value.len()) {
                keys.start = position.key();
                return Ok(());
            }
            writes.remove(&position, value.len());
        }
        index.garbage.pop_front();
    }
    Ok(())
}

/// Adds the removal of one record; false when it does not fit any more.
fn remove_record(index: &mut Index, writes: &mut Writes, record: Kept) -> bool {
    let position = Position::Record(record.first);
    let bytes = usize::try_from(record.bytes).unwrap_or(usize::MAX);
    if writes.exceeds(PIECE_BYTES, &position, bytes) {
        return false;
    }
    if bytes <= CHUNK_BYTES {
        writes.remove(&position, bytes);
    } else if bytes <= PIECE_BYTES {
        writes.remove(&position, 0);
        for (chunk, at) in (0..).zip((0..bytes).step_by(CHUNK_BYTES)) {
            let chunk = Position::RecordChunk(record.first, chunk);
            writes.remove(&chunk, CHUNK_BYTES.min(bytes - at));
        }
    } else {
        // Without its header the record is gone. Its chunks take several pieces, so this one counts as full.
        writes.remove(&position, PIECE_BYTES);
        index.garbage.push_back(layout::record_chunks(record.first.0));
    }
    true
}
