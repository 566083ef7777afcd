//! Backups: one checksummed stream that does not depend on the database below the log.
//!
//! ```text
//! stream      "OFFPEAKB" | format u16 | frames
//! frame       kind u8 | length u64 | crc32c u32 | body        the checksum covers kind, length and body
//! frames      Entry* Checkpoint? Log Record* End
//! Entry       one checkpoint entry
//! Checkpoint  revision u64                                    the entries before it are the state at this revision
//! Log         compacted u64                                   the records begin after this revision
//! Record      first u64 | last u64 | payload
//! End         entries u64 | records u64 | crc32c u32          the checksum of all bytes before this frame
//! ```
//!
//! Numbers are little-endian.

mod frame;

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::Path;

use offpeak_core::model::Revision;

use super::checkpoint::SledCheckpoint;
use super::disk::sync_folder;
use super::error::{BackupFlaw, StoreError};
use super::lock::FolderLock;
use super::sled_log::{database, restoring_mark};
use super::{CheckpointWriter, Log, SledLog, StoreOptions};

use frame::{FrameReader, FrameWriter, Kind};

/// Payload that is read from the log at once.
const READ_BYTES: usize = 1024 * 1024;

/// What a backup holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BackupSummary {
    /// The revision of the checkpoint; `None` when the store had none yet.
    pub checkpoint: Option<Revision>,
    /// The records hold every revision after this one.
    pub compacted: Revision,
    /// The newest revision.
    pub newest: Revision,
    /// How many checkpoint entries there are.
    pub entries: u64,
    /// How many records there are.
    pub records: u64,
    /// The length of the stream in bytes.
    pub bytes: u64,
}

/// Backs up the store in `folder`, which no server may have open.
///
/// # Errors
///
/// [`StoreError::Missing`] when there is no store, whatever opening it returns, and errors of `out`.
pub fn backup(folder: impl AsRef<Path>, out: impl Write) -> Result<BackupSummary, StoreError> {
    let folder = folder.as_ref();
    if !database(folder).is_dir() {
        return Err(StoreError::Missing { path: folder.to_path_buf() });
    }
    write_backup(&SledLog::open(folder, StoreOptions::default())?, out)
}

/// Backs up an open log: its checkpoint and its records up to the newest one at this moment.
///
/// # Errors
///
/// [`StoreError::Compacted`] when a trim overtakes the backup, and errors of the log and of `out`.
pub fn write_backup(log: &dyn Log, out: impl Write) -> Result<BackupSummary, StoreError> {
    let mut frames = FrameWriter::begin(out)?;
    let mut entries = 0;
    let checkpoint = log.load_checkpoint(&mut |entry| {
        entries += 1;
        frames.write(Kind::Entry, &[entry])
    })?;
    if let Some(revision) = checkpoint {
        frames.write(Kind::Checkpoint, &[&revision.0.to_le_bytes()])?;
    }
    let bounds = log.bounds();
    frames.write(Kind::Log, &[&bounds.compacted.0.to_le_bytes()])?;
    let mut newest = bounds.compacted;
    let mut records = 0;
    while newest < bounds.newest {
        for record in log.read(newest, READ_BYTES)? {
            frames.write(
                Kind::Record,
                &[&record.first.0.to_le_bytes(), &record.last.0.to_le_bytes(), &record.payload],
            )?;
            newest = record.last;
            records += 1;
        }
    }
    let bytes = frames.end(entries, records)?;
    Ok(BackupSummary { checkpoint, compacted: bounds.compacted, newest, entries, records, bytes })
}

/// Restores a backup into `folder`, which must be empty or absent. After a failure nothing is left that opens.
///
/// # Errors
///
/// [`StoreError::NotEmpty`], [`StoreError::Backup`] when the input is damaged or cut off, and errors of the database
/// and the file system.
pub fn restore(input: impl Read, folder: impl AsRef<Path>) -> Result<BackupSummary, StoreError> {
    let folder = folder.as_ref();
    fs::create_dir_all(folder).map_err(StoreError::io("create", folder))?;
    check_empty(folder)?;
    let lock = FolderLock::take(folder)?;
    // Until the mark is removed, the folder does not open: not after a failure, and not after a power cut. It works
    // in a folder that is a mount point, which cannot be renamed into place.
    let mark = restoring_mark(folder);
    File::create_new(&mark)
        .and_then(|file| file.sync_all())
        .map_err(StoreError::io("create", &mark))?;
    sync_folder(folder)?;
    match restore_marked(input, folder, lock) {
        Ok(summary) => {
            fs::remove_file(&mark).map_err(StoreError::io("remove", &mark))?;
            sync_folder(folder)?;
            Ok(summary)
        }
        Err(error) => {
            clear(folder)?;
            Err(error)
        }
    }
}

fn restore_marked(
    input: impl Read,
    folder: &Path,
    lock: FolderLock,
) -> Result<BackupSummary, StoreError> {
    let log = SledLog::open_locked(folder, StoreOptions::default(), lock)?;
    let summary = replay(input, &log)?;
    let bounds = log.bounds();
    if summary
        .checkpoint
        .is_some_and(|revision| revision < bounds.compacted || revision > bounds.newest)
    {
        return Err(BackupFlaw::Trailer.into());
    }
    Ok(summary)
}

/// Writes what the backup holds into an empty log.
fn replay(input: impl Read, log: &SledLog) -> Result<BackupSummary, StoreError> {
    let mut frames = FrameReader::begin(input)?;
    let mut summary = BackupSummary {
        checkpoint: None,
        compacted: Revision(0),
        newest: Revision(0),
        entries: 0,
        records: 0,
        bytes: 0,
    };
    let mut writer: Option<SledCheckpoint<'_>> = None;
    let mut in_log = false;
    loop {
        let offset = frames.offset();
        let misplaced = || BackupFlaw::Misplaced { offset };
        let (kind, body) = frames.read()?;
        match kind {
            Kind::Entry if !in_log && summary.checkpoint.is_none() => {
                let writer = match &mut writer {
                    Some(writer) => writer,
                    none => none.insert(log.start_checkpoint(Revision(0))?),
                };
                writer.put(&body)?;
                summary.entries += 1;
            }
            Kind::Checkpoint if !in_log && summary.checkpoint.is_none() => {
                let revision = number(&body, 0).ok_or_else(misplaced)?;
                let writer = writer.take().map_or_else(|| log.start_checkpoint(revision), Ok)?;
                writer.finish_at(revision)?;
                summary.checkpoint = Some(revision);
            }
            Kind::Log if !in_log && writer.is_none() => {
                summary.compacted = number(&body, 0).ok_or_else(misplaced)?;
                summary.newest = summary.compacted;
                log.seed(summary.compacted);
                in_log = true;
            }
            Kind::Record if in_log => {
                let (first, last) = number(&body, 0).zip(number(&body, 8)).ok_or_else(misplaced)?;
                if first != summary.newest.next() || last < first {
                    return Err(misplaced().into());
                }
                log.append(first, last, &body[16..])?;
                summary.newest = last;
                summary.records += 1;
            }
            Kind::End if in_log => {
                summary.bytes = frames.end(&body, summary.entries, summary.records)?;
                return Ok(summary);
            }
            _ => return Err(misplaced().into()),
        }
    }
}

fn number(body: &[u8], at: usize) -> Option<Revision> {
    let bytes = body.get(at..at + 8)?.try_into().ok()?;
    Some(Revision(u64::from_le_bytes(bytes)))
}

/// The folder that every fresh ext4 file system has at its root, so that a mount point counts as empty.
fn is_ours_to_ignore(name: &OsStr) -> bool {
    name == "lost+found"
}

fn check_empty(folder: &Path) -> Result<(), StoreError> {
    for entry in fs::read_dir(folder).map_err(StoreError::io("list", folder))? {
        let entry = entry.map_err(StoreError::io("list", folder))?;
        let name = entry.file_name();
        if !is_ours_to_ignore(&name) && !FolderLock::is_lock(&name) {
            return Err(StoreError::NotEmpty { path: folder.to_path_buf(), found: entry.path() });
        }
    }
    Ok(())
}

/// Removes what a failed restore has written, its mark last.
fn clear(folder: &Path) -> Result<(), StoreError> {
    let database = database(folder);
    if database.exists() {
        fs::remove_dir_all(&database).map_err(StoreError::io("remove", &database))?;
    }
    super::witness::forget(folder)?;
    let mark = restoring_mark(folder);
    fs::remove_file(&mark).map_err(StoreError::io("remove", &mark))
}
