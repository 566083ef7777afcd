use std::sync::{Condvar, Mutex, MutexGuard};

use offpeak_core::model::Revision;

use crate::store::{Bounds, CheckpointWriter, Log, Record, Retention, StoreError, Trimmed};

/// A log in memory that a test can hold up and break.
#[derive(Debug, Default)]
pub(super) struct MemoryLog {
    inner: Mutex<Inner>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Inner {
    records: Vec<Record>,
    compacted: Revision,
    newest: Revision,
    checkpoint: Revision,
    entries: Vec<Vec<u8>>,
    checkpoints_begun: usize,
    /// What its checkpoints are said to have, whatever they have.
    checkpoint_bytes: Option<u64>,
    hold_appends: bool,
    hold_checkpoints: bool,
    /// An append, or a piece of a checkpoint, is being held up.
    held: bool,
    fate: Fate,
}

/// What becomes of appends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Fate {
    #[default]
    Succeed,
    Fail,
    Panic,
}

struct MemoryWriter<'a> {
    log: &'a MemoryLog,
    revision: Revision,
    entries: Vec<Vec<u8>>,
}

impl MemoryLog {
    pub(super) fn hold_appends(&self) {
        self.lock().hold_appends = true;
    }

    pub(super) fn hold_checkpoints(&self) {
        self.lock().hold_checkpoints = true;
    }

    pub(super) fn weigh_checkpoints(&self, bytes: u64) {
        self.lock().checkpoint_bytes = Some(bytes);
    }

    pub(super) fn checkpoints_begun(&self) -> usize {
        self.lock().checkpoints_begun
    }

    pub(super) fn decide(&self, fate: Fate) {
        self.lock().fate = fate;
    }

    /// Blocks until something is held up.
    pub(super) fn wait_until_held(&self) {
        let held = self.changed.wait_while(self.lock(), |inner| !inner.held);
        drop(held.expect("nobody panics holding it"));
    }

    pub(super) fn release(&self) {
        let mut inner = self.lock();
        (inner.hold_appends, inner.hold_checkpoints, inner.held) = (false, false, false);
        self.changed.notify_all();
    }

    pub(super) fn record_count(&self) -> usize {
        self.lock().records.len()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().expect("nobody panics holding it")
    }

    fn pass(&self, is_held: impl Fn(&Inner) -> bool) -> MutexGuard<'_, Inner> {
        let mut inner = self.lock();
        inner.held |= is_held(&inner);
        self.changed.notify_all();
        self.changed.wait_while(inner, |inner| is_held(inner)).expect("nobody panics holding it")
    }
}

impl Log for MemoryLog {
    fn append(&self, first: Revision, last: Revision, payload: &[u8]) -> Result<(), StoreError> {
        let mut inner = self.pass(|inner| inner.hold_appends);
        match inner.fate {
            Fate::Succeed => {}
            Fate::Fail => return Err(StoreError::Poisoned),
            Fate::Panic => {
                drop(inner);
                panic!("as the test wants");
            }
        }
        assert_eq!(first, inner.newest.next(), "appends have no gap");
        inner.records.push(Record { first, last, payload: payload.to_vec().into() });
        inner.newest = last;
        Ok(())
    }

    fn read(&self, after: Revision, max_bytes: usize) -> Result<Vec<Record>, StoreError> {
        let inner = self.lock();
        if after < inner.compacted {
            return Err(StoreError::Compacted { first_available: inner.compacted.next() });
        }
        let mut bytes = 0;
        let mut found: Vec<Record> = Vec::new();
        for record in inner.records.iter().filter(|record| record.last > after) {
            bytes += record.payload.len();
            if bytes > max_bytes && !found.is_empty() {
                break;
            }
            found.push(record.clone());
        }
        Ok(found)
    }

    fn bounds(&self) -> Bounds {
        let inner = self.lock();
        let entries = inner.entries.iter().map(|entry| entry.len() as u64);
        Bounds {
            compacted: inner.compacted,
            checkpoint: inner.checkpoint,
            checkpoint_bytes: inner.checkpoint_bytes.unwrap_or_else(|| entries.sum()),
            newest: inner.newest,
            log_bytes: inner.records.iter().map(|record| record.payload.len() as u64).sum(),
        }
    }

    fn begin_checkpoint(
        &self,
        revision: Revision,
    ) -> Result<Box<dyn CheckpointWriter + '_>, StoreError> {
        self.lock().checkpoints_begun += 1;
        Ok(Box::new(MemoryWriter { log: self, revision, entries: Vec::new() }))
    }

    fn load_checkpoint(
        &self,
        visit: &mut dyn FnMut(&[u8]) -> Result<(), StoreError>,
    ) -> Result<Option<Revision>, StoreError> {
        let inner = self.lock();
        for entry in &inner.entries {
            visit(entry)?;
        }
        Ok((inner.checkpoint > Revision(0)).then_some(inner.checkpoint))
    }

    fn trim(&self, keep: Retention) -> Result<Trimmed, StoreError> {
        let mut inner = self.lock();
        let oldest = inner.newest.0.saturating_sub(keep.revisions).min(inner.checkpoint.0);
        while let Some(record) = inner.records.first().filter(|record| record.last.0 <= oldest) {
            inner.compacted = record.last;
            inner.records.remove(0);
        }
        Ok(Trimmed::Done)
    }
}

impl CheckpointWriter for MemoryWriter<'_> {
    fn put(&mut self, entry: &[u8]) -> Result<(), StoreError> {
        drop(self.log.pass(|inner| inner.hold_checkpoints));
        self.entries.push(entry.to_vec());
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<(), StoreError> {
        let mut inner = self.log.lock();
        inner.checkpoint = self.revision;
        inner.entries = self.entries;
        Ok(())
    }
}
