//! Claims about the durable log, over a real database in a real folder.

mod backup;
mod damage;
mod kill;
mod log;
mod model;

use std::path::Path;

use offpeak_core::model::Revision;
use offpeak_server::store::{Log, Record, Retention, SledLog, StoreError, StoreOptions, Trimmed};

/// The size at which a payload no longer fits into one value.
const CHUNK: usize = 5632;

fn open(folder: &Path) -> SledLog {
    try_open(folder).expect("the store opens")
}

fn try_open(folder: &Path) -> Result<SledLog, StoreError> {
    SledLog::open(folder, StoreOptions::default())
}

/// Bytes that differ for every seed and do not compress or repeat.
fn bytes(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    };
    (0..length).map(|_| next()).collect()
}

/// Appends one revision after the newest one.
fn append(log: &SledLog, payload: &[u8]) -> Revision {
    let revision = log.bounds().newest.next();
    log.append(revision, revision, payload).expect("appended");
    revision
}

/// Every record that the log keeps.
fn all_records(log: &dyn Log) -> Vec<Record> {
    let bounds = log.bounds();
    let mut records: Vec<Record> = Vec::new();
    let mut after = bounds.compacted;
    while after < bounds.newest {
        let more = log.read(after, 100_000).expect("read");
        after = more.last().expect("there are newer revisions").last;
        records.extend(more);
    }
    records
}

fn checkpoint(log: &dyn Log, revision: Revision, entries: &[Vec<u8>]) {
    let mut writer = log.begin_checkpoint(revision).expect("begun");
    for entry in entries {
        writer.put(entry).expect("put");
    }
    writer.finish().expect("finished");
}

fn load(log: &dyn Log) -> Option<(Revision, Vec<Vec<u8>>)> {
    let mut entries = Vec::new();
    let mut visit = |entry: &[u8]| {
        entries.push(entry.to_vec());
        Ok(())
    };
    let revision = log.load_checkpoint(&mut visit).expect("loaded");
    revision.map(|revision| (revision, entries))
}

fn trim_all(log: &dyn Log, revisions: u64, bytes: u64) {
    while log.trim(Retention { revisions, bytes }).expect("trimmed") == Trimmed::More {}
}
