//! The embedded database, made durable: everything that knows sled's habits is here.
//!
//! Sled's `flush` hands the bytes to the operating system and does not sync them, so every batch is followed by a
//! `fdatasync` of its file, through a handle of our own. At most [`COMMIT_BYTES`] are written between two syncs.

use std::any::Any;
use std::fs::{self, File};
use std::io::ErrorKind;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use sled::{Batch, IVec};

use super::error::StoreError;
use super::layout::{COMMIT_BYTES, Position};

/// The file that holds sled's data, and the one that holds its settings.
const DATA_NAME: &str = "db";
const SETTINGS_NAME: &str = "conf";

/// How long a database that this process has just closed may take to let go of its file.
const CLOSING_LIMIT: Duration = Duration::from_secs(2);

/// An open database.
pub(super) struct Disk {
    db: sled::Db,
    file: File,
    folder: PathBuf,
}

impl Disk {
    /// Opens the database in `folder`, or creates it. The caller holds the lock of the store.
    pub(super) fn open(folder: &Path, cache_bytes: u64) -> Result<Self, StoreError> {
        fs::create_dir_all(folder).map_err(StoreError::io("create", folder))?;
        remove_leftovers(folder)?;
        wait_for_closing(folder)?;
        let config = sled::Config::new()
            .path(folder)
            // Appends touch the last page and reads scan: a cache of whole stores would only hold memory.
            .cache_capacity(cache_bytes)
            // We sync at every commit; a timer would only compete for the disk.
            .flush_every_ms(None)
            // Retention frees segments all the time, and they should be used again rather than the file grow.
            .mode(sled::Mode::LowSpace)
            // Payloads are small integers in protobuf, and the dependency would be a C library.
            .use_compression(false);
        let opened = catch_unwind(AssertUnwindSafe(|| config.open()));
        let db = opened.map_err(|panic| opening_panicked(folder, &*panic))??;
        let path = folder.join(DATA_NAME);
        let file = File::options()
            .read(true)
            .write(true)
            .open(&path)
            .map_err(StoreError::io("open", &path))?;
        let disk = Self { db, file, folder: folder.to_path_buf() };
        disk.sync_files()?;
        Ok(disk)
    }

    /// Writes one batch atomically; it is durable when this returns.
    pub(super) fn write(&self, writes: Writes) -> Result<(), StoreError> {
        assert!(
            writes.bytes <= COMMIT_BYTES,
            "invariant: a batch stays under the limit between two syncs"
        );
        self.db.apply_batch(writes.batch)?;
        self.db.flush()?;
        self.file.sync_data().map_err(StoreError::io("sync", &self.folder))
    }

    /// The value at a place.
    pub(super) fn get(&self, position: &Position) -> Result<Option<IVec>, StoreError> {
        Ok(self.db.get(position.key())?)
    }

    /// The values in a range of keys, in key order.
    pub(super) fn scan(
        &self,
        keys: Range<Vec<u8>>,
    ) -> impl Iterator<Item = Result<(Position, IVec), StoreError>> + use<> {
        self.db.range(keys).map(|item| {
            let (key, value) = item?;
            Ok((Position::of_key(&key), value))
        })
    }

    /// All values, in key order.
    pub(super) fn scan_all(
        &self,
    ) -> impl Iterator<Item = Result<(Position, IVec), StoreError>> + use<> {
        self.scan(Vec::new()..vec![u8::MAX; 32])
    }

    /// Whether nothing was ever written.
    pub(super) fn is_empty(&self) -> bool {
        self.db.is_empty()
    }

    /// Opening may create files; their names and contents must survive a power cut like the commits in them.
    fn sync_files(&self) -> Result<(), StoreError> {
        self.file.sync_all().map_err(StoreError::io("sync", &self.folder))?;
        let settings = self.folder.join(SETTINGS_NAME);
        File::open(&settings)
            .and_then(|file| file.sync_all())
            .map_err(StoreError::io("sync", &settings))?;
        sync_folder(&self.folder)?;
        match self.folder.parent() {
            Some(parent) => sync_folder(parent),
            None => Ok(()),
        }
    }
}

/// One batch in the making, with the bytes that it will cost.
#[derive(Default)]
pub(super) struct Writes {
    batch: Batch,
    bytes: usize,
}

impl Writes {
    /// Whether another value of `bytes` would exceed `limit`. An empty batch takes any value.
    pub(super) fn exceeds(&self, limit: usize, position: &Position, bytes: usize) -> bool {
        self.bytes > 0 && self.bytes + position.key().len() + bytes > limit
    }

    pub(super) fn insert(&mut self, position: &Position, value: Vec<u8>) {
        let key = position.key();
        self.bytes += key.len() + value.len();
        self.batch.insert(key, value);
    }

    /// Removes a value. It is charged like a write of the same size, because sled rewrites the pages that it leaves.
    pub(super) fn remove(&mut self, position: &Position, bytes: usize) {
        let key = position.key();
        self.bytes += key.len() + bytes;
        self.batch.remove(key);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.bytes == 0
    }
}

/// Makes the names in a folder durable.
pub(super) fn sync_folder(folder: &Path) -> Result<(), StoreError> {
    // The parent of a relative path of one part is the empty path, which means the current folder.
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    File::open(folder).and_then(|file| file.sync_all()).map_err(StoreError::io("sync", folder))
}

/// Removes what a kill while opening may leave, on which sled would refuse to open ever after.
fn remove_leftovers(folder: &Path) -> Result<(), StoreError> {
    for entry in fs::read_dir(folder).map_err(StoreError::io("list", folder))? {
        let entry = entry.map_err(StoreError::io("list", folder))?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with("snap.") && name.ends_with(".generating") {
            remove(&entry.path())?;
        }
    }
    // Sled writes its settings in two steps before it creates the data file: without that file they may be torn.
    if !folder.join(DATA_NAME).exists() {
        remove(&folder.join(SETTINGS_NAME))?;
    }
    Ok(())
}

fn remove(path: &Path) -> Result<(), StoreError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(StoreError::io("remove", path)(error))
        }
        _ => Ok(()),
    }
}

/// Sled's own threads may hold its file for a moment after the database was dropped in this process. It locks that
/// file without waiting, so we wait for the lock to become free; there is no event to wait for.
fn wait_for_closing(folder: &Path) -> Result<(), StoreError> {
    let path = folder.join(DATA_NAME);
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(StoreError::io("open", &path)(error)),
    };
    let begun = Instant::now();
    while let Err(error) = file.try_lock() {
        if begun.elapsed() > CLOSING_LIMIT {
            return Err(StoreError::io("lock", &path)(error.into()));
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    Ok(())
}

/// The error for a panic while the database in `folder` was opened.
pub(super) fn opening_panicked(folder: &Path, panic: &(dyn Any + Send)) -> StoreError {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
    StoreError::DatabasePanic {
        path: folder.to_path_buf(),
        message: text.unwrap_or_else(|| "no message".to_owned()),
    }
}
