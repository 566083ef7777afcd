//! Verifies a store that no server has open, without changing it.

use std::fmt;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use offpeak_core::model::Revision;

use super::codec::unseal_at;
use super::disk::{Disk, opening_panicked};
use super::error::{Flaw, StoreError};
use super::layout::Position;
use super::lock::FolderLock;
use super::sled_log::{database, restoring_mark};
use super::{Record, StoreOptions, checkpoint, survey, witness};

/// The folder for the copy that is verified.
const SCRATCH_NAME: &str = "fsck";

/// What a store holds and what is wrong with it.
#[derive(Debug, Default)]
pub struct Report {
    /// Every value of the database, whole or not.
    pub values: u64,
    /// Whole records.
    pub records: u64,
    /// Bytes of their payloads.
    pub log_bytes: u64,
    /// The revision before the oldest record.
    pub compacted: Revision,
    /// The revision of the newest checkpoint; 0 when there is none.
    pub checkpoint: Revision,
    /// The newest revision.
    pub newest: Revision,
    /// The entries of the newest checkpoint.
    pub checkpoint_entries: u64,
    /// Values that a crash or an unfinished trim has left; harmless, the next opening removes them.
    pub leftovers: u64,
    /// Everything that is wrong, in the order in which it was found; empty when the store is sound.
    pub problems: Vec<StoreError>,
}

impl Report {
    /// Whether nothing is wrong.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.problems.is_empty()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "revisions      after {} up to {}", self.compacted, self.newest)?;
        writeln!(f, "records        {} with {} bytes", self.records, self.log_bytes)?;
        writeln!(
            f,
            "checkpoint     at revision {} with {} entries",
            self.checkpoint, self.checkpoint_entries
        )?;
        writeln!(f, "values         {}, of which {} are left over", self.values, self.leftovers)?;
        for problem in &self.problems {
            writeln!(f, "problem        {problem}")?;
        }
        f.write_str(if self.is_sound() { "the store is sound" } else { "the store is damaged" })
    }
}

/// Verifies every value of the store in `folder`, the continuity of its records and its checkpoint. What is wrong with
/// the content is listed in the report.
///
/// Sled repairs its files while it opens them, so a copy is verified, which needs as much space as the database while
/// this runs.
///
/// # Errors
///
/// [`StoreError::Missing`] when there is no store, [`StoreError::Locked`] while a server runs on it,
/// [`StoreError::Unfinished`] after an interrupted restore, and errors of a database that cannot be opened at all.
pub fn fsck(folder: impl AsRef<Path>) -> Result<Report, StoreError> {
    let folder = folder.as_ref();
    if !database(folder).is_dir() {
        return Err(StoreError::Missing { path: folder.to_path_buf() });
    }
    let _lock = FolderLock::take(folder)?;
    if restoring_mark(folder).exists() {
        return Err(StoreError::Unfinished { path: folder.to_path_buf() });
    }
    let scratch = folder.join(SCRATCH_NAME);
    remove_folder(&scratch)?;
    let verified = copy_folder(&database(folder), &scratch).and_then(|()| {
        let verify = || verify(&scratch, folder);
        catch_unwind(AssertUnwindSafe(verify)).map_err(|panic| opening_panicked(folder, &*panic))?
    });
    remove_folder(&scratch)?;
    verified
}

fn verify(scratch: &Path, folder: &Path) -> Result<Report, StoreError> {
    let disk = Disk::open(scratch, StoreOptions::default().cache_bytes)?;
    let mut report = Report::default();
    if let Err(error) = survey::check_format(&disk, folder) {
        report.problems.push(error);
    }
    verify_records(&disk, &mut report)?;
    verify_checkpoints(&disk, &mut report)?;
    for item in disk.scan_all() {
        let (position, _) = item?;
        report.values += 1;
        if matches!(position, Position::Unknown(_)) {
            report.problems.push(StoreError::flawed(position, Flaw::UnknownKey));
        }
    }
    if report.records == 0 {
        (report.compacted, report.newest) = (report.checkpoint, report.checkpoint);
    }
    let (compacted, newest) = (report.compacted, report.newest);
    if report.checkpoint < compacted || report.checkpoint > newest {
        let flaw = Flaw::Detached { compacted, newest };
        report.problems.push(StoreError::flawed(Position::Record(compacted.next()), flaw));
    }
    if let Some(witnessed) = witness::recall(folder)?.filter(|witnessed| *witnessed > newest) {
        report.problems.push(StoreError::Lost { witnessed, found: newest });
    }
    Ok(report)
}

fn verify_records(disk: &Disk, report: &mut Report) -> Result<(), StoreError> {
    let mut strays = Vec::new();
    let Report { problems, records, log_bytes, compacted, newest, .. } = report;
    let mut visit = |record: Record| {
        if *records == 0 {
            *compacted = Revision(record.first.0.saturating_sub(1));
        }
        *records += 1;
        *log_bytes += record.payload.len() as u64;
        *newest = record.last;
    };
    let mut complain = |error| {
        problems.push(error);
        Ok(())
    };
    survey::survey_records(disk, &mut complain, &mut visit, &mut strays)?;
    report.leftovers += strays.len() as u64;
    Ok(())
}

fn verify_checkpoints(disk: &Disk, report: &mut Report) -> Result<(), StoreError> {
    let problems = &mut report.problems;
    let mut complain = |error| {
        problems.push(error);
        Ok(())
    };
    let found = survey::survey_checkpoints(disk, &mut complain)?;
    for id in &found.remains {
        report.leftovers += disk.scan(super::layout::checkpoint(*id)).count() as u64;
    }
    let Some((id, header)) = found.newest else {
        return Ok(());
    };
    report.checkpoint = header.revision;
    let before = report.problems.len();
    for item in disk.scan(super::layout::checkpoint(id)) {
        let (position, value) = item?;
        if let Err(error) = unseal_at(&position, &value) {
            report.problems.push(error);
        }
    }
    // A chunk that is damaged itself was reported; now whether they make up the checkpoint that was written.
    if report.problems.len() == before {
        let entries = &mut report.checkpoint_entries;
        let mut visit = |_: &[u8]| {
            *entries += 1;
            Ok(())
        };
        if let Err(error) = checkpoint::load(disk, id, &mut visit) {
            report.problems.push(error);
        }
    }
    Ok(())
}

fn copy_folder(from: &Path, to: &Path) -> Result<(), StoreError> {
    fs::create_dir_all(to).map_err(StoreError::io("create", to))?;
    for entry in fs::read_dir(from).map_err(StoreError::io("list", from))? {
        let path = entry.map_err(StoreError::io("list", from))?.path();
        let Some(name) = path.file_name() else {
            continue;
        };
        if path.is_dir() {
            copy_folder(&path, &to.join(name))?;
        } else {
            fs::copy(&path, to.join(name)).map_err(StoreError::io("copy", &path))?;
        }
    }
    Ok(())
}

fn remove_folder(folder: &Path) -> Result<(), StoreError> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(StoreError::io("remove", folder)(error))
        }
        _ => Ok(()),
    }
}
