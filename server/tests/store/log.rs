//! Appending, reading, checkpoints and trims.

use offpeak_core::model::Revision;
use offpeak_server::store::{Bounds, Log, Record, Retention, StoreError, Trimmed};
use tempfile::tempdir;

use super::{CHUNK, all_records, append, bytes, checkpoint, load, open, trim_all, try_open};

#[test]
fn a_new_store_is_empty() {
    let folder = tempdir().expect("folder");
    let log = open(folder.path());
    let zero = Revision(0);
    assert_eq!(
        log.bounds(),
        Bounds {
            compacted: zero,
            checkpoint: zero,
            checkpoint_bytes: 0,
            newest: zero,
            log_bytes: 0
        }
    );
    assert_eq!(log.read(zero, 1000).expect("read"), []);
    assert_eq!(load(&log), None);
}

#[test]
fn records_of_every_size_survive_a_reopen() {
    let folder = tempdir().expect("folder");
    let kib = 1024;
    let sizes = [
        0,
        1,
        CHUNK - 1,
        CHUNK,
        CHUNK + 1,
        6 * kib - 1,
        6 * kib,
        6 * kib + 1,
        2 * CHUNK,
        256 * kib - 1,
        256 * kib,
        256 * kib + 1,
        5 * kib * kib,
    ];
    let log = open(folder.path());
    let mut expected = Vec::new();
    for size in sizes {
        let payload = bytes(size as u64, size);
        let first = log.bounds().newest.next();
        let last = Revision(first.0 + 2);
        log.append(first, last, &payload).expect("appended");
        expected.push(Record { first, last, payload: payload.into() });
    }
    assert!(all_records(&log) == expected);
    drop(log);
    assert!(all_records(&open(folder.path())) == expected);
}

#[test]
fn a_read_gives_whole_records_up_to_its_limit() {
    let folder = tempdir().expect("folder");
    let log = open(folder.path());
    for _ in 0..4 {
        let first = log.bounds().newest.next();
        log.append(first, first.next(), &[7; 100]).expect("appended");
    }
    let firsts = |after, max_bytes| {
        let records = log.read(Revision(after), max_bytes).expect("read");
        records.iter().map(|record| record.first.0).collect::<Vec<_>>()
    };
    assert_eq!(firsts(0, 0), [1], "at least one");
    assert_eq!(firsts(0, 250), [1, 3]);
    assert_eq!(firsts(3, 250), [3, 5], "the record that holds revision 4 begins before it");
    assert!(firsts(8, 250).is_empty());
    assert!(firsts(99, 250).is_empty(), "the future is empty");
}

#[test]
fn an_append_out_of_order_is_a_conflict_and_writes_nothing() {
    let folder = tempdir().expect("folder");
    let log = open(folder.path());
    append(&log, b"one");
    for found in [Revision(0), Revision(1), Revision(3)] {
        let error = log.append(found, Revision(9), b"x").expect_err("refused");
        assert!(
            matches!(error, StoreError::Conflict { expected: Revision(2), found: f } if f == found),
            "{error}"
        );
    }
    assert_eq!(append(&log, b"two"), Revision(2), "a conflict is not final");
}

#[test]
fn the_newest_checkpoint_is_loaded_with_entries_of_every_size() {
    let folder = tempdir().expect("folder");
    let log = open(folder.path());
    let revision = append(&log, b"one");
    checkpoint(&log, revision, &[b"old".to_vec()]);
    let sizes = [0, 1, 3, CHUNK - 5, CHUNK - 4, CHUNK - 3, 70_000, 0, 3_000_000, 5];
    let mut entries: Vec<Vec<u8>> = sizes.iter().map(|size| bytes(*size as u64, *size)).collect();
    entries.extend((0..20_000).map(|i| bytes(i, 60)));
    let revision = append(&log, b"two");
    checkpoint(&log, revision, &entries);
    assert!(load(&log) == Some((revision, entries.clone())));
    drop(log);
    let log = open(folder.path());
    assert!(load(&log) == Some((revision, entries)));
    checkpoint(&log, revision, &[]);
    assert_eq!(load(&log), Some((revision, Vec::new())), "a checkpoint may be empty");
}

#[test]
fn appends_go_on_while_a_checkpoint_is_written() {
    let folder = tempdir().expect("folder");
    let log = open(folder.path());
    let revision = append(&log, b"one");
    let entries: Vec<Vec<u8>> = (0..40).map(|i| bytes(i, 50_000)).collect();
    let mut writer = log.begin_checkpoint(revision).expect("begun");
    assert!(matches!(log.begin_checkpoint(revision), Err(StoreError::CheckpointBusy)));
    std::thread::scope(|scope| {
        scope.spawn(|| (0..200).for_each(|_| _ = append(&log, b"meanwhile")));
        for entry in &entries {
            writer.put(entry).expect("put");
            append_checked_elsewhere(&log);
        }
    });
    assert_eq!(log.bounds().checkpoint, Revision(0), "not before it is finished");
    writer.finish().expect("finished");
    assert_eq!(log.bounds().checkpoint, revision);
    assert_eq!(log.bounds().newest, Revision(201));
    assert!(load(&log) == Some((revision, entries)));
}

/// Another thread appends meanwhile; what this one sees must always be whole.
fn append_checked_elsewhere(log: &dyn Log) {
    let bounds = log.bounds();
    let records = log.read(bounds.compacted, usize::MAX).expect("read");
    assert!(records.last().is_some_and(|record| record.last >= bounds.newest));
}

#[test]
fn a_checkpoint_stays_between_the_last_one_and_the_newest_revision() {
    let folder = tempdir().expect("folder");
    let log = open(folder.path());
    (0..3).for_each(|_| _ = append(&log, b"x"));
    checkpoint(&log, Revision(2), &[]);
    for revision in [Revision(1), Revision(4)] {
        let Err(error) = log.begin_checkpoint(revision) else {
            panic!("{revision} must be refused")
        };
        assert!(matches!(error, StoreError::CheckpointOutside { .. }), "{error}");
    }
}

#[test]
fn trim_never_passes_the_checkpoint() {
    let folder = tempdir().expect("folder");
    let log = open(folder.path());
    for _ in 0..10 {
        let first = log.bounds().newest.next();
        log.append(first, first.next(), &[1; 1000]).expect("appended");
    }
    trim_all(&log, 0, 0);
    assert_eq!(log.bounds().compacted, Revision(0), "without a checkpoint everything is needed");
    checkpoint(&log, Revision(11), &[b"state".to_vec()]);
    trim_all(&log, 0, 0);
    assert_eq!(
        log.bounds().compacted,
        Revision(10),
        "the record 11..=12 reaches past the checkpoint"
    );
    drop(log);
    assert_eq!(open(folder.path()).bounds().compacted, Revision(10));
}

#[test]
fn a_trimmed_cursor_is_compacted_with_the_first_revision_that_is_there() {
    let folder = tempdir().expect("folder");
    let log = open(folder.path());
    (0..10).for_each(|_| _ = append(&log, &[1; 100]));
    checkpoint(&log, Revision(10), &[]);
    trim_all(&log, 4, u64::MAX);
    let error = log.read(Revision(5), 1000).expect_err("trimmed");
    assert!(matches!(error, StoreError::Compacted { first_available: Revision(7) }), "{error}");
    assert_eq!(log.read(Revision(6), 1000).expect("kept").len(), 4);
    trim_all(&log, u64::MAX, 250);
    assert_eq!((log.bounds().compacted, log.bounds().log_bytes), (Revision(8), 200));
}

#[test]
fn a_log_trimmed_empty_continues_at_its_checkpoint() {
    let folder = tempdir().expect("folder");
    let log = open(folder.path());
    (0..3).for_each(|_| _ = append(&log, &bytes(1, 700_000)));
    checkpoint(&log, Revision(3), &[b"state".to_vec()]);
    trim_all(&log, 0, 0);
    drop(log);
    let log = open(folder.path());
    let three = Revision(3);
    assert_eq!(
        log.bounds(),
        Bounds {
            compacted: three,
            checkpoint: three,
            checkpoint_bytes: 4 + 5,
            newest: three,
            log_bytes: 0
        }
    );
    assert_eq!(append(&log, b"four"), Revision(4));
    drop(log);
    assert_eq!(all_records(&open(folder.path())).len(), 1);
}

#[test]
fn one_trim_does_a_bounded_piece() {
    let folder = tempdir().expect("folder");
    let log = open(folder.path());
    (0..4).for_each(|_| _ = append(&log, &[1; 40_000]));
    checkpoint(&log, Revision(4), &[]);
    let nothing = Retention { revisions: 0, bytes: 0 };
    assert_eq!(log.trim(nothing).expect("trimmed"), Trimmed::More);
    assert_eq!(log.bounds().compacted, Revision(1), "two such records are more than a piece");
    trim_all(&log, 0, 0);
    assert_eq!(log.trim(nothing).expect("trimmed"), Trimmed::Done);
}

#[test]
fn a_reader_beside_a_trim_sees_whole_records_or_compacted() {
    let folder = tempdir().expect("folder");
    let log = open(folder.path());
    (0..300).for_each(|i| _ = append(&log, &bytes(i, 20_000)));
    checkpoint(&log, Revision(300), &[]);
    std::thread::scope(|scope| {
        let trimming = scope.spawn(|| trim_all(&log, 0, 0));
        while !trimming.is_finished() {
            let after = log.bounds().compacted;
            match log.read(after, 200_000) {
                Ok(records) => {
                    let firsts: Vec<_> = records.iter().map(|record| record.first.0).collect();
                    let expected: Vec<_> = (after.0 + 1..).take(firsts.len()).collect();
                    assert_eq!(firsts, expected);
                    assert!(
                        records
                            .iter()
                            .all(|record| record.payload[..]
                                == bytes(record.first.0 - 1, 20_000)[..])
                    );
                }
                Err(StoreError::Compacted { first_available }) => assert!(first_available > after),
                Err(error) => panic!("{error}"),
            }
        }
    });
}

#[test]
fn a_second_open_is_refused_with_the_process_that_holds_it() {
    let folder = tempdir().expect("folder");
    let log = open(folder.path());
    let Err(error) = try_open(folder.path()) else { panic!("opened twice") };
    let StoreError::Locked { path, pid } = &error else { panic!("{error}") };
    assert_eq!((path.as_path(), *pid), (folder.path(), Some(std::process::id())));
    drop(log);
    open(folder.path());
}
