//! Opening a database that may have seen a crash: verify it, remove what was unfinished, and index it.

use std::path::Path;

use offpeak_core::model::Revision;

use super::Record;
use super::disk::{Disk, Writes};
use super::error::{Flaw, StoreError};
use super::index::{Index, KeptCheckpoint};
use super::layout::{self, COMMIT_BYTES, Position};
use super::survey;

/// Verifies the database, removes what unfinished writes have left in it, and makes its index.
pub(super) fn recover(
    disk: &Disk,
    folder: &Path,
    witnessed: Option<Revision>,
) -> Result<Index, StoreError> {
    let lost = |found| match witnessed {
        Some(witnessed) if witnessed > found => Err(StoreError::Lost { witnessed, found }),
        _ => Ok(()),
    };
    if disk.is_empty() {
        lost(Revision(0))?;
    }
    survey::check_format(disk, folder)?;
    let checkpoints = survey::survey_checkpoints(disk, &mut Err)?;
    let mut index = None;
    let mut strays = Vec::new();
    let mut visit = |record: Record| {
        let index =
            index.get_or_insert_with(|| Index::after(Revision(record.first.0.saturating_sub(1))));
        index.push(record.first, record.last, record.payload.len() as u64);
    };
    survey::survey_records(disk, &mut Err, &mut visit, &mut strays)?;

    let revision = checkpoints.newest.map_or(Revision(0), |(_, header)| header.revision);
    let mut index = index.unwrap_or_else(|| Index::after(revision));
    let (compacted, newest) = (index.compacted(), index.newest());
    if revision < compacted || revision > newest {
        let flaw = Flaw::Detached { compacted, newest };
        let id = checkpoints.newest.map_or(0, |(id, _)| id);
        return Err(StoreError::flawed(Position::Checkpoint(id), flaw));
    }
    lost(newest)?;
    index.checkpoint = checkpoints.newest.map(|(id, header)| KeptCheckpoint {
        id,
        revision: header.revision,
        bytes: header.length,
    });
    let ids = checkpoints.remains.iter().copied().chain(index.checkpoint.map(|kept| kept.id));
    index.next_checkpoint = ids.max().map_or(0, |id| id + 1);
    remove_remains(disk, &checkpoints.remains, strays)?;
    Ok(index)
}

/// Removes the values of unfinished records and checkpoints, and of replaced checkpoints.
fn remove_remains(
    disk: &Disk,
    checkpoints: &[u64],
    strays: Vec<(Position, usize)>,
) -> Result<(), StoreError> {
    let chunks = checkpoints.iter().flat_map(|id| disk.scan(layout::checkpoint(*id)));
    let chunks = chunks.map(|item| item.map(|(position, value)| (position, value.len())));
    let mut writes = Writes::default();
    for item in strays.into_iter().map(Ok).chain(chunks) {
        let (position, bytes) = item?;
        if writes.exceeds(COMMIT_BYTES, &position, bytes) {
            disk.write(std::mem::take(&mut writes))?;
        }
        writes.remove(&position, bytes);
    }
    if writes.is_empty() {
        return Ok(());
    }
    disk.write(writes)
}
