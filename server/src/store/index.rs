//! What is known in memory about the log on disk: where each record begins, and what is waiting to be removed.

use std::collections::VecDeque;
use std::ops::Range;

use offpeak_core::model::Revision;

use super::error::StoreError;
use super::{Bounds, Retention};

/// Where a record begins and how large its payload is. It ends where the next one begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Kept {
    pub(super) first: Revision,
    pub(super) bytes: u64,
}

/// The checkpoint that counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct KeptCheckpoint {
    pub(super) id: u64,
    pub(super) revision: Revision,
    pub(super) bytes: u64,
}

/// The state of the log. Only what is durable is in here.
#[derive(Debug, Default)]
pub(super) struct Index {
    records: VecDeque<Kept>,
    newest: Revision,
    bytes: u64,
    pub(super) checkpoint: Option<KeptCheckpoint>,
    /// The serial number of the next checkpoint.
    pub(super) next_checkpoint: u64,
    /// Whether a checkpoint is being written.
    pub(super) writing: bool,
    /// How many are loading the checkpoint now; its remains must stay meanwhile.
    pub(super) loading: usize,
    /// Keys that mean nothing any more.
    pub(super) garbage: VecDeque<Range<Vec<u8>>>,
}

/// The records that a read has to fetch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stretch {
    /// The first revision of the first record.
    pub(super) begin: Revision,
    /// The first revision of the last record.
    pub(super) end: Revision,
    /// The last revision of the last record.
    pub(super) last: Revision,
}

impl Index {
    /// An index without records, of a log that continues after `newest`.
    pub(super) fn after(newest: Revision) -> Self {
        Self { newest, ..Self::default() }
    }

    /// Makes an empty log continue after `newest`.
    pub(super) fn seed(&mut self, newest: Revision) {
        assert!(self.records.is_empty(), "invariant: only an empty log is seeded");
        self.newest = newest;
    }

    /// Adds the next record.
    pub(super) fn push(&mut self, first: Revision, last: Revision, bytes: u64) {
        assert!(first == self.newest.next() && last >= first, "invariant: records are continuous");
        self.records.push_back(Kept { first, bytes });
        self.newest = last;
        self.bytes += bytes;
    }

    pub(super) fn newest(&self) -> Revision {
        self.newest
    }

    pub(super) fn bounds(&self) -> Bounds {
        Bounds {
            compacted: self.compacted(),
            checkpoint: self.checkpoint.map_or(Revision(0), |checkpoint| checkpoint.revision),
            checkpoint_bytes: self.checkpoint.map_or(0, |checkpoint| checkpoint.bytes),
            newest: self.newest,
            log_bytes: self.bytes,
        }
    }

    pub(super) fn compacted(&self) -> Revision {
        self.records.front().map_or(self.newest, |record| Revision(record.first.0 - 1))
    }

    /// Fails when a read that begins after `after` would miss revisions.
    pub(super) fn check_kept(&self, after: Revision) -> Result<(), StoreError> {
        if after < self.compacted() {
            return Err(StoreError::Compacted { first_available: self.compacted().next() });
        }
        Ok(())
    }

    /// The records to read for `after`: at least one, or none when nothing is newer.
    pub(super) fn stretch(&self, after: Revision, max_bytes: u64) -> Option<Stretch> {
        if after >= self.newest {
            return None;
        }
        let begin =
            self.records.partition_point(|record| record.first <= after.next()).checked_sub(1)?;
        let mut end = begin;
        let mut bytes = self.records[begin].bytes;
        while let Some(next) = self.records.get(end + 1) {
            bytes = bytes.saturating_add(next.bytes);
            if bytes > max_bytes {
                break;
            }
            end += 1;
        }
        Some(Stretch {
            begin: self.records[begin].first,
            end: self.records[end].first,
            last: self.last(end),
        })
    }

    /// Takes the oldest record out.
    pub(super) fn drop_oldest(&mut self) {
        if let Some(oldest) = self.records.pop_front() {
            self.bytes -= oldest.bytes;
        }
    }

    /// The oldest record, if `keep` does not hold it and the checkpoint covers it.
    pub(super) fn oldest_to_drop(&self, keep: Retention) -> Option<Kept> {
        let oldest = self.records.front()?;
        let last = self.last(0);
        let covered = self.checkpoint.is_some_and(|checkpoint| last <= checkpoint.revision);
        let too_old = self.newest.0 - last.0 >= keep.revisions;
        let too_large = self.bytes > keep.bytes;
        (covered && (too_old || too_large)).then_some(*oldest)
    }

    fn last(&self, at: usize) -> Revision {
        self.records.get(at + 1).map_or(self.newest, |next| Revision(next.first.0 - 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn index() -> Index {
        let mut index = Index::after(Revision(10));
        for (first, last) in [(11, 11), (12, 15), (16, 20)] {
            index.push(Revision(first), Revision(last), 100);
        }
        index
    }

    #[test]
    fn a_read_begins_with_the_record_that_holds_the_next_revision() {
        let stretch = |after, max_bytes| {
            let found = index().stretch(Revision(after), max_bytes);
            found.map(|stretch| (stretch.begin.0, stretch.end.0, stretch.last.0))
        };
        assert_eq!(stretch(10, 0), Some((11, 11, 11)));
        assert_eq!(stretch(10, 200), Some((11, 12, 15)));
        assert_eq!(stretch(13, u64::MAX), Some((12, 16, 20)));
        assert_eq!(stretch(20, 100), None);
        assert_eq!(stretch(21, 100), None);
    }

    #[test]
    fn no_record_goes_that_reaches_past_the_checkpoint() {
        let nothing = Retention { revisions: 0, bytes: 0 };
        let mut index = index();
        assert_eq!(index.oldest_to_drop(nothing), None, "there is no checkpoint");
        index.checkpoint = Some(KeptCheckpoint { id: 0, revision: Revision(14), bytes: 1 });
        assert_eq!(index.oldest_to_drop(nothing), Some(Kept { first: Revision(11), bytes: 100 }));
        index.drop_oldest();
        assert_eq!(index.oldest_to_drop(nothing), None, "12..=15 holds revision 15");
        assert_eq!(index.compacted(), Revision(11));
    }

    #[test]
    fn either_limit_lets_a_record_go() {
        let mut index = index();
        index.checkpoint = Some(KeptCheckpoint { id: 0, revision: Revision(20), bytes: 1 });
        assert_eq!(index.oldest_to_drop(Retention { revisions: 10, bytes: 300 }), None);
        assert!(index.oldest_to_drop(Retention { revisions: 9, bytes: 300 }).is_some());
        assert!(index.oldest_to_drop(Retention { revisions: 10, bytes: 299 }).is_some());
    }
}
