//! The embedded log: one folder with a lock, a witness and a sled database.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use offpeak_core::model::Revision;

use super::checkpoint::{self, SledCheckpoint};
use super::codec::{MAGIC, RecordHeader, seal};
use super::disk::{Disk, Writes, sync_folder};
use super::error::{Flaw, StoreError};
use super::index::{Index, KeptCheckpoint, Stretch};
use super::layout::{self, CHUNK_BYTES, COMMIT_BYTES, Position};
use super::lock::FolderLock;
use super::recovery::recover;
use super::survey::{Assembler, Step};
use super::turnstile::{Turn, Turnstile};
use super::{Bounds, CheckpointWriter, Log, Record, Retention, Trimmed, trim, witness};

/// The folder of the database inside the folder of the store.
const DATABASE_NAME: &str = "sled";

/// The mark of a restore that was not finished.
const RESTORING_NAME: &str = "restoring";

/// How the embedded store uses the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoreOptions {
    /// Memory for pages of the database, in bytes.
    pub cache_bytes: u64,
}

impl Default for StoreOptions {
    fn default() -> Self {
        Self { cache_bytes: 32 * 1024 * 1024 }
    }
}

/// A [`Log`] in a folder of the local file system.
pub struct SledLog {
    disk: Disk,
    index: Mutex<Index>,
    turnstile: Turnstile,
    folder: PathBuf,
    // Fields are dropped in this order, so the lock is given back when the database is closed.
    _lock: FolderLock,
}

impl SledLog {
    /// Opens the store in `folder`, or creates it, and verifies every record that it keeps. What a crash has left of
    /// an unfinished record or checkpoint is removed.
    ///
    /// # Errors
    ///
    /// [`StoreError::Locked`] while somebody else has it open, [`StoreError::Corrupt`], [`StoreError::NewerFormat`],
    /// [`StoreError::Lost`] or [`StoreError::Unfinished`] when its content cannot be relied on, and errors of the
    /// database and the file system.
    pub fn open(folder: impl AsRef<Path>, options: StoreOptions) -> Result<Self, StoreError> {
        let folder = folder.as_ref();
        fs::create_dir_all(folder).map_err(StoreError::io("create", folder))?;
        let lock = FolderLock::take(folder)?;
        let restoring = restoring_mark(folder);
        if restoring.try_exists().map_err(StoreError::io("inspect", &restoring))? {
            return Err(StoreError::Unfinished { path: folder.to_path_buf() });
        }
        Self::open_locked(folder, options, lock)
    }

    /// As [`SledLog::open`], for whoever has the lock already.
    pub(super) fn open_locked(
        folder: &Path,
        options: StoreOptions,
        lock: FolderLock,
    ) -> Result<Self, StoreError> {
        let disk = Disk::open(&database(folder), options.cache_bytes)?;
        let witnessed = witness::recall(folder)?;
        if disk.is_empty() && witnessed.is_none_or(|revision| revision == Revision(0)) {
            let mut writes = Writes::default();
            writes.insert(&Position::Meta, seal(&Position::Meta, &[MAGIC]));
            disk.write(writes)?;
        }
        // Reading a damaged page may panic inside sled, like opening it.
        let index = catch_unwind(AssertUnwindSafe(|| recover(&disk, folder, witnessed)))
            .map_err(|panic| super::disk::opening_panicked(folder, &*panic))??;
        witness::note(folder, index.newest())?;
        if let Some(parent) = folder.parent() {
            sync_folder(parent)?;
        }
        Ok(Self {
            disk,
            index: Mutex::new(index),
            turnstile: Turnstile::default(),
            folder: folder.to_path_buf(),
            _lock: lock,
        })
    }

    /// Makes an empty log continue after `newest`, for a restore.
    pub(super) fn seed(&self, newest: Revision) {
        self.index().seed(newest);
    }

    /// Starts a checkpoint at any revision, for a restore, which has no records yet.
    pub(super) fn start_checkpoint(
        &self,
        revision: Revision,
    ) -> Result<SledCheckpoint<'_>, StoreError> {
        let mut index = self.index();
        if index.writing {
            return Err(StoreError::CheckpointBusy);
        }
        index.writing = true;
        let id = index.next_checkpoint;
        index.next_checkpoint += 1;
        drop(index);
        Ok(SledCheckpoint::new(self, id, revision))
    }

    /// Writes one piece of a checkpoint when its turn comes.
    pub(super) fn write_checkpoint(&self, writes: Writes) -> Result<(), StoreError> {
        self.turnstile.enter()?.write(|| self.disk.write(writes))
    }

    /// Notes that the header of a checkpoint is durable.
    pub(super) fn checkpoint_finished(&self, finished: KeptCheckpoint) -> Result<(), StoreError> {
        let mut index = self.index();
        index.writing = false;
        if let Some(older) = index.checkpoint.replace(finished) {
            index.garbage.push_back(layout::checkpoint(older.id));
        }
        let newest = index.newest();
        drop(index);
        witness::note(&self.folder, newest)
    }

    /// Notes that checkpoint `id` will not be finished.
    pub(super) fn checkpoint_abandoned(&self, id: u64) {
        let mut index = self.index();
        index.writing = false;
        index.garbage.push_back(layout::checkpoint(id));
    }

    fn append_in_turn(
        &self,
        turn: &mut Turn<'_>,
        first: Revision,
        last: Revision,
        payload: &[u8],
    ) -> Result<(), StoreError> {
        let header = RecordHeader::of(last, payload);
        let position = Position::Record(first);
        let mut writes = Writes::default();
        let inline = if header.chunks == 0 { payload } else { &[] };
        let header_value = seal(&position, &[&header.encode(), inline]);
        for (index, chunk) in (0..header.chunks).zip(payload.chunks(CHUNK_BYTES)) {
            let position = Position::RecordChunk(first, index);
            let value = seal(&position, &[chunk]);
            if writes.exceeds(COMMIT_BYTES, &position, value.len()) {
                let full = std::mem::take(&mut writes);
                turn.write(|| self.disk.write(full))?;
            }
            writes.insert(&position, value);
        }
        // The header is in the last batch, so that a record exists only when it is whole.
        if writes.exceeds(COMMIT_BYTES, &position, header_value.len()) {
            let full = std::mem::take(&mut writes);
            turn.write(|| self.disk.write(full))?;
        }
        writes.insert(&position, header_value);
        turn.write(|| self.disk.write(writes))
    }

    fn read_stretch(&self, stretch: Stretch) -> Result<Vec<Record>, StoreError> {
        let mut records = Vec::new();
        let mut assembler = Assembler::default();
        let mut expected = stretch.begin;
        let gap = |expected, found| {
            let flaw = Flaw::Gap { expected, found };
            StoreError::flawed(Position::Record(found), flaw)
        };
        let keys = layout::records_from(stretch.begin.0).start..layout::record_end(stretch.end.0);
        for item in self.disk.scan(keys) {
            let (position, value) = item?;
            if let Step::Whole(record) = assembler.push(&position, &value)? {
                if record.first != expected {
                    return Err(gap(expected, record.first));
                }
                expected = record.last.next();
                records.push(record);
            }
        }
        assembler.finish()?;
        if expected != stretch.last.next() {
            return Err(gap(expected, stretch.end));
        }
        Ok(records)
    }

    fn index(&self) -> MutexGuard<'_, Index> {
        // The index is changed in one step after the disk, so a panic elsewhere leaves no broken one.
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Log for SledLog {
    fn append(&self, first: Revision, last: Revision, payload: &[u8]) -> Result<(), StoreError> {
        assert!(first <= last, "invariant: a record does not end before it begins");
        let mut turn = self.turnstile.enter()?;
        let expected = self.index().newest().next();
        if first != expected {
            return Err(StoreError::Conflict { expected, found: first });
        }
        self.append_in_turn(&mut turn, first, last, payload)?;
        self.index().push(first, last, payload.len() as u64);
        Ok(())
    }

    fn read(&self, after: Revision, max_bytes: usize) -> Result<Vec<Record>, StoreError> {
        let stretch = {
            let index = self.index();
            index.check_kept(after)?;
            index.stretch(after, max_bytes as u64)
        };
        let Some(stretch) = stretch else {
            return Ok(Vec::new());
        };
        let records = self.read_stretch(stretch);
        // A trim takes records out of the index before it removes them: if these are still in it, none was missed,
        // and if not, that explains whatever was found instead.
        self.index().check_kept(Revision(stretch.begin.0 - 1))?;
        records
    }

    fn bounds(&self) -> Bounds {
        self.index().bounds()
    }

    fn begin_checkpoint(
        &self,
        revision: Revision,
    ) -> Result<Box<dyn CheckpointWriter + '_>, StoreError> {
        let bounds = self.bounds();
        if revision < bounds.checkpoint || revision > bounds.newest {
            return Err(StoreError::CheckpointOutside {
                revision,
                oldest: bounds.checkpoint,
                newest: bounds.newest,
            });
        }
        Ok(Box::new(self.start_checkpoint(revision)?))
    }

    fn load_checkpoint(
        &self,
        visit: &mut dyn FnMut(&[u8]) -> Result<(), StoreError>,
    ) -> Result<Option<Revision>, StoreError> {
        let loading = Loading::begin(self);
        let Some(newest) = loading.checkpoint else {
            return Ok(None);
        };
        checkpoint::load(&self.disk, newest.id, visit)?;
        Ok(Some(newest.revision))
    }

    fn trim(&self, keep: Retention) -> Result<Trimmed, StoreError> {
        let mut turn = self.turnstile.enter()?;
        let (writes, trimmed) = trim::next_piece(&mut self.index(), &self.disk, keep)?;
        if !writes.is_empty() {
            turn.write(|| self.disk.write(writes))?;
        }
        Ok(trimmed)
    }
}

impl Drop for SledLog {
    fn drop(&mut self) {
        // The witness is a help for the next opening, not a promise: without it, an older one is there.
        if !self.turnstile.is_poisoned()
            && let Err(error) = witness::note(&self.folder, self.index().newest())
        {
            tracing::warn!(%error, "the newest revision could not be noted while the store was closed");
        }
    }
}

/// Somebody who reads the checkpoint: its values stay until this is dropped.
struct Loading<'a> {
    log: &'a SledLog,
    checkpoint: Option<KeptCheckpoint>,
}

impl<'a> Loading<'a> {
    fn begin(log: &'a SledLog) -> Self {
        let mut index = log.index();
        index.loading += 1;
        Self { log, checkpoint: index.checkpoint }
    }
}

impl Drop for Loading<'_> {
    fn drop(&mut self) {
        self.log.index().loading -= 1;
    }
}

/// The folder of the database of the store in `folder`.
pub(super) fn database(folder: &Path) -> PathBuf {
    folder.join(DATABASE_NAME)
}

/// The file that says that a restore into `folder` is not finished.
pub(super) fn restoring_mark(folder: &Path) -> PathBuf {
    folder.join(RESTORING_NAME)
}
