use std::{collections::VecDeque, sync::Arc};

use offpeak_core::model::Revision;

use crate::record::Record;

/// The newest records, bounded by count and bytes. It always keeps the newest one.
#[derive(Debug)]
pub(super) struct Ring {
    kept: VecDeque<Kept>,
    /// Every revision after this one is in the ring.
    floor: Revision,
    bytes: usize,
    limit_records: usize,
    limit_bytes: usize,
}

#[derive(Debug)]
pub(super) struct Kept {
    record: Arc<Record>,
    last: Revision,
    bytes: usize,
}

/// Where a cursor lies.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// These follow, each with its last revision.
    Records(Vec<(Arc<Record>, Revision)>),
    /// Nothing is newer.
    Newest,
    /// The next record is no longer in the ring.
    Behind,
}

impl Ring {
    pub(super) fn new(floor: Revision, limit_records: usize, limit_bytes: usize) -> Self {
        Self { kept: VecDeque::new(), floor, bytes: 0, limit_records, limit_bytes }
    }

    /// Adds the next record and returns those that had to go, so that the caller frees them outside of its lock.
    pub(super) fn push(&mut self, record: Arc<Record>, last: Revision, bytes: usize) -> Vec<Kept> {
        self.kept.push_back(Kept { record, last, bytes });
        self.bytes += bytes;
        let mut dropped = Vec::new();
        while self.kept.len() > 1
            && (self.kept.len() > self.limit_records || self.bytes > self.limit_bytes)
            && let Some(oldest) = self.kept.pop_front()
        {
            self.bytes -= oldest.bytes;
            self.floor = oldest.last;
            dropped.push(oldest);
        }
        dropped
    }

    /// At most `limit` records that hold something after `cursor`.
    pub(super) fn after(&self, cursor: Revision, limit: usize) -> Found {
        if cursor < self.floor {
            return Found::Behind;
        }
        let begin = self.kept.partition_point(|kept| kept.last <= cursor);
        let records = self.kept.range(begin..).take(limit);
        let records: Vec<_> = records.map(|kept| (Arc::clone(&kept.record), kept.last)).collect();
        if records.is_empty() { Found::Newest } else { Found::Records(records) }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{Found, Record, Revision, Ring};

    fn ring(limit_records: usize, limit_bytes: usize, lasts: &[u64]) -> Ring {
        let mut ring = Ring::new(Revision(10), limit_records, limit_bytes);
        for last in lasts {
            ring.push(Arc::new(Record::default()), Revision(*last), 100);
        }
        ring
    }

    fn lasts(found: Found) -> Vec<u64> {
        let Found::Records(records) = found else { panic!("{found:?}") };
        records.into_iter().map(|(_, last)| last.0).collect()
    }

    #[test]
    fn a_cursor_within_a_record_gets_that_record() {
        let ring = ring(9, 9_000, &[12, 15, 16]);
        assert_eq!(lasts(ring.after(Revision(10), 9)), [12, 15, 16]);
        assert_eq!(lasts(ring.after(Revision(12), 9)), [15, 16]);
        assert_eq!(lasts(ring.after(Revision(13), 1)), [15]);
        assert_eq!(ring.after(Revision(16), 9), Found::Newest);
        assert_eq!(ring.after(Revision(99), 9), Found::Newest);
    }

    #[test]
    fn a_cursor_before_the_ring_is_behind() {
        assert_eq!(ring(9, 9_000, &[]).after(Revision(9), 9), Found::Behind);
        assert_eq!(ring(9, 9_000, &[]).after(Revision(10), 9), Found::Newest);
    }

    #[test]
    fn the_ring_drops_the_oldest_over_either_limit_but_never_the_newest() {
        for ring in [ring(2, 9_000, &[12, 15, 16]), ring(9, 250, &[12, 15, 16])] {
            assert_eq!(ring.after(Revision(11), 9), Found::Behind);
            assert_eq!(lasts(ring.after(Revision(12), 9)), [15, 16]);
        }
        assert_eq!(lasts(ring(9, 1, &[12, 15]).after(Revision(12), 9)), [15]);
    }
}
