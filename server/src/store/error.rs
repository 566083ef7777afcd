//! What can go wrong between the engine and the disk, with the place where it did.

use std::error::Error;
use std::io;
use std::path::{Path, PathBuf};

use offpeak_core::model::Revision;

use super::layout::Position;

/// An error of the store. After a failed write the process stops; everything else tells the operator what to do.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The append does not continue the log: somebody else has written, or the caller lost count.
    #[error("the append begins at revision {found}, but the log continues at {expected}")]
    Conflict {
        /// The revision after the newest one.
        expected: Revision,
        /// The first revision of the refused append.
        found: Revision,
    },
    /// The revisions after the cursor were trimmed.
    #[error("the log was compacted: the first revision that is still there is {first_available}")]
    Compacted {
        /// The oldest revision that can still be read.
        first_available: Revision,
    },
    /// Another process (or another part of this one) has the store open.
    #[error("the store {} is in use by {}", path.display(), holder(*pid))]
    Locked {
        /// The folder of the store.
        path: PathBuf,
        /// The process that holds the lock, if it could be read.
        pid: Option<u32>,
    },
    /// A value fails verification.
    #[error("{position} is damaged: {flaw}")]
    Corrupt {
        /// Which value.
        position: Position,
        /// What is wrong with it.
        flaw: Flaw,
    },
    /// The store was written by a newer release.
    #[error(
        "{position} has format {found}, but this release reads formats up to {supported}: use a newer release"
    )]
    NewerFormat {
        /// Which value.
        position: Position,
        /// Its format version.
        found: u8,
        /// The newest format version that this release reads.
        supported: u8,
    },
    /// The folder holds a database, but not one of ours.
    #[error("the folder {} holds a database that is not an offpeak store", path.display())]
    NotAStore {
        /// The folder.
        path: PathBuf,
    },
    /// There is no store where one is expected.
    #[error("there is no store in {}", path.display())]
    Missing {
        /// The folder.
        path: PathBuf,
    },
    /// The store once held a revision that it does not hold now.
    #[error(
        "the store has lost revisions: it was seen at {witnessed}, but now ends at {found}; restore a backup"
    )]
    Lost {
        /// The newest revision that was known to be durable.
        witnessed: Revision,
        /// The newest revision that was found.
        found: Revision,
    },
    /// A restore was interrupted here.
    #[error("a restore into {} was not finished: empty the folder and restore again", path.display())]
    Unfinished {
        /// The folder of the store.
        path: PathBuf,
    },
    /// A restore needs an empty folder.
    #[error("the folder {} is not empty: it holds {}", path.display(), found.display())]
    NotEmpty {
        /// The folder.
        path: PathBuf,
        /// Something that is in it.
        found: PathBuf,
    },
    /// An earlier write failed, so what is on disk is no longer known.
    #[error("an earlier write to the store failed: it takes no more until it is opened again")]
    Poisoned,
    /// A checkpoint is being written already.
    #[error("a checkpoint is being written already")]
    CheckpointBusy,
    /// The revision cannot become the newest checkpoint.
    #[error("a checkpoint at revision {revision} is outside of {oldest} to {newest}")]
    CheckpointOutside {
        /// The refused revision.
        revision: Revision,
        /// The revision of the newest checkpoint.
        oldest: Revision,
        /// The newest durable revision.
        newest: Revision,
    },
    /// A checkpoint entry does not fit its length field.
    #[error("a checkpoint entry of {bytes} bytes is larger than 4 GiB")]
    EntryTooLarge {
        /// The size of the refused entry.
        bytes: usize,
    },
    /// The visitor of a checkpoint cannot use an entry.
    #[error("a checkpoint entry cannot be read: {source}")]
    Entry {
        /// Why.
        source: Box<dyn Error + Send + Sync>,
    },
    /// The input of a restore is no whole and undamaged backup.
    #[error("the backup cannot be used: {0}")]
    Backup(#[from] BackupFlaw),
    /// The embedded database reported an error.
    #[error("the database of the store failed: {0}")]
    Database(#[from] sled::Error),
    /// The embedded database panicked while it opened its files.
    #[error("the database in {} cannot be opened, it panicked: {message}", path.display())]
    DatabasePanic {
        /// The folder of the store.
        path: PathBuf,
        /// The message of the panic.
        message: String,
    },
    /// The file system reported an error.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was tried, as a verb.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The error of the operating system.
        source: io::Error,
    },
}

/// What is wrong with a stored value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    /// The bytes are not those that were written.
    #[error("its checksum is {computed:08x}, but {stored:08x} was stored")]
    Checksum {
        /// The checksum in the value.
        stored: u32,
        /// The checksum of the bytes that were found.
        computed: u32,
    },
    /// The value is too short for what it must hold.
    #[error("it has {found} bytes instead of {expected}")]
    Length {
        /// The bytes that it should have; at least that many for a header.
        expected: u64,
        /// The bytes that were found.
        found: u64,
    },
    /// Written by a newer release.
    #[error("it has format {found}, but this release reads formats up to {supported}")]
    NewerFormat {
        /// The format version of the value.
        found: u8,
        /// The newest format version that this release reads.
        supported: u8,
    },
    /// No kind that this format has at such a key.
    #[error("its kind is {found} instead of {expected}")]
    Kind {
        /// The kind that belongs to the key.
        expected: u8,
        /// The kind in the value.
        found: u8,
    },
    /// The key has no meaning.
    #[error("its key is unknown")]
    UnknownKey,
    /// The record does not follow the one before it.
    #[error("it begins at revision {found}, but the log continues at {expected}")]
    Gap {
        /// The revision that should come.
        expected: Revision,
        /// The revision that came.
        found: Revision,
    },
    /// The record ends before it begins.
    #[error("it ends at revision {last}, before it begins")]
    Backwards {
        /// The last revision that it claims to hold.
        last: Revision,
    },
    /// A part of the value is not there.
    #[error("its chunk {index} of {count} is missing")]
    MissingChunk {
        /// The first chunk that is missing, from 0.
        index: u32,
        /// How many there should be.
        count: u32,
    },
    /// The checkpoint does not hold what its header says.
    #[error("it holds {found} entries instead of {expected}")]
    Entries {
        /// The entries that were written.
        expected: u64,
        /// The entries that were found.
        found: u64,
    },
    /// The records begin after a revision that no checkpoint covers.
    #[error(
        "the log begins after revision {compacted} and ends at {newest}, which does not meet the checkpoint"
    )]
    Detached {
        /// The revision before the oldest record.
        compacted: Revision,
        /// The newest revision.
        newest: Revision,
    },
}

/// Why a backup cannot be restored.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BackupFlaw {
    /// The stream does not begin like a backup.
    #[error("it does not begin like an offpeak backup")]
    Magic,
    /// Written by a newer release.
    #[error("it has format {found}, but this release reads formats up to {supported}")]
    NewerFormat {
        /// The format version of the stream.
        found: u16,
        /// The newest format version that this release reads.
        supported: u16,
    },
    /// The stream ends too early.
    #[error("it ends in the middle, at byte {offset}")]
    Truncated {
        /// How far it could be read.
        offset: u64,
    },
    /// The bytes are not those that were written.
    #[error("the frame at byte {offset} is damaged")]
    Checksum {
        /// Where the damaged frame begins.
        offset: u64,
    },
    /// The frame makes no sense where it stands.
    #[error("the frame at byte {offset} is out of place")]
    Misplaced {
        /// Where the frame begins.
        offset: u64,
    },
    /// The trailer does not agree with the stream before it.
    #[error("its trailer does not agree with what came before")]
    Trailer,
    /// Something follows the trailer.
    #[error("there are bytes after its end")]
    Trailing,
}

impl StoreError {
    /// The error of a value that fails verification.
    pub(super) fn flawed(position: Position, flaw: Flaw) -> Self {
        match flaw {
            Flaw::NewerFormat { found, supported } => {
                Self::NewerFormat { position, found, supported }
            }
            flaw => Self::Corrupt { position, flaw },
        }
    }

    /// Turns an error of the operating system into one that names the action and the path.
    pub(super) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_path_buf();
        move |source| Self::Io { action, path, source }
    }
}

fn holder(pid: Option<u32>) -> String {
    match pid {
        Some(pid) => format!("process {pid}"),
        None => "another process".to_owned(),
    }
}
