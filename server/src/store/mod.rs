//! The durable log of a cell: the seam between deciding and remembering.
//!
//! The driver appends one [`Record`] per group commit and may answer only when [`Log::append`] has returned. A
//! checkpoint of the state is written beside the appends, piece by piece; recovery is the newest checkpoint plus the
//! records after it, and a slow watcher is served from the records that [`Log::trim`] has kept.
//!
//! [`SledLog`] is the embedded implementation. Inside it, `layout` names the keys, `codec` seals every value with a
//! format version, a kind and a CRC32C, and `disk` makes a batch durable. `recovery` opens what a crash has left,
//! `survey` verifies it, `index` remembers where records are, `turnstile` lets commits and checkpoint pieces
//! alternate, and `witness` notices a database that lost its tail.
//! [`backup`], [`restore`] and [`fsck`] work on a store that no server has open.
//!
//! Deliberately absent: any knowledge of what a payload or a checkpoint entry means, retries after a failed write
//! (the process must stop), and async (callers bring their own blocking thread).

mod backup;
mod checkpoint;
mod codec;
mod disk;
mod error;
mod fsck;
mod index;
mod layout;
mod lock;
mod recovery;
mod sled_log;
mod survey;
mod trim;
mod turnstile;
mod witness;

use bytes::Bytes;
use offpeak_core::model::Revision;

pub use backup::{BackupSummary, backup, restore, write_backup};
pub use error::{BackupFlaw, Flaw, StoreError};
pub use fsck::{Report, fsck};
pub use layout::Position;
pub use sled_log::{SledLog, StoreOptions};

/// A durable, ordered, append-only log with checkpoints.
pub trait Log: Send + Sync {
    /// Appends one record that covers the revisions `first..=last`; it is durable when this returns.
    ///
    /// # Errors
    ///
    /// [`StoreError::Conflict`] when `first` is not the revision after the newest one; nothing was written then. Any
    /// other error is final: every later write fails with [`StoreError::Poisoned`], and the process should stop.
    ///
    /// # Panics
    ///
    /// When `last` is before `first`.
    fn append(&self, first: Revision, last: Revision, payload: &[u8]) -> Result<(), StoreError>;

    /// The records that hold revisions after `after`, oldest first: at least one if there is one, then as many as fit
    /// into about `max_bytes` of payload. The first may begin before `after`, because a record is given whole.
    ///
    /// # Errors
    ///
    /// [`StoreError::Compacted`] when `after` is older than what is kept, [`StoreError::Corrupt`] when a record on
    /// the way is damaged.
    fn read(&self, after: Revision, max_bytes: usize) -> Result<Vec<Record>, StoreError>;

    /// Which revisions the log holds now.
    fn bounds(&self) -> Bounds;

    /// Starts a checkpoint of the state at `revision`, one at a time. Appends go on between its pieces.
    ///
    /// # Errors
    ///
    /// [`StoreError::CheckpointBusy`] while another one is being written, [`StoreError::CheckpointOutside`] when
    /// `revision` is older than the newest checkpoint or not appended yet.
    fn begin_checkpoint(
        &self,
        revision: Revision,
    ) -> Result<Box<dyn CheckpointWriter + '_>, StoreError>;

    /// Gives the entries of the newest checkpoint to `visit`, in the order in which they were put, and returns its
    /// revision; `None` when there is no checkpoint yet.
    ///
    /// # Errors
    ///
    /// [`StoreError::Corrupt`] when the checkpoint is damaged (some entries may have been visited before that was
    /// noticed), and whatever `visit` returns.
    fn load_checkpoint(
        &self,
        visit: &mut dyn FnMut(&[u8]) -> Result<(), StoreError>,
    ) -> Result<Option<Revision>, StoreError>;

    /// Drops the oldest records while either limit of `keep` is exceeded, never one that holds a revision after the
    /// newest checkpoint, and the remains of older checkpoints. One call does a bounded piece of that work.
    ///
    /// # Errors
    ///
    /// As for [`Log::append`].
    fn trim(&self, keep: Retention) -> Result<Trimmed, StoreError>;
}

/// Writes one checkpoint. Dropped without [`CheckpointWriter::finish`], it leaves nothing that counts.
pub trait CheckpointWriter: Send {
    /// Adds one entry of at most 4 GiB. Large entries, and every so many small ones, are written through to disk in
    /// bounded pieces, between which appends take their turn.
    ///
    /// # Errors
    ///
    /// [`StoreError::EntryTooLarge`], or a failed write as for [`Log::append`].
    fn put(&mut self, entry: &[u8]) -> Result<(), StoreError>;

    /// Makes this checkpoint the newest one, atomically and durably.
    ///
    /// # Errors
    ///
    /// A failed write as for [`Log::append`].
    fn finish(self: Box<Self>) -> Result<(), StoreError>;
}

/// One group commit as it was appended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The first revision that the record holds.
    pub first: Revision,
    /// The last revision that the record holds.
    pub last: Revision,
    /// The bytes that were appended.
    pub payload: Bytes,
}

/// What a log holds. Always `compacted <= checkpoint <= newest`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// The records hold every revision after this one: the oldest from which a watch may begin.
    pub compacted: Revision,
    /// The revision of the newest checkpoint; 0 when there is none.
    pub checkpoint: Revision,
    /// Bytes of the newest checkpoint.
    pub checkpoint_bytes: u64,
    /// The newest durable revision; 0 in an empty log.
    pub newest: Revision,
    /// Bytes of record payload that are kept.
    pub log_bytes: u64,
}

/// How much log is kept for watchers, whichever limit is reached first. What lies after the newest checkpoint is
/// always kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// Keep this many of the newest revisions.
    pub revisions: u64,
    /// Keep records of at most this many bytes of payload.
    pub bytes: u64,
}

/// Whether a call of [`Log::trim`] left work for another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trimmed {
    /// Nothing is left to be dropped.
    Done,
    /// The bounded piece of work was used up; call again soon.
    More,
}
