//! What is not as it was written is noticed, and what a crash leaves behind is removed.

use std::fs;
use std::path::Path;

use crc32c::{crc32c, crc32c_append};
use offpeak_core::model::Revision;
use offpeak_server::store::{Flaw, Log, Position, StoreError, fsck};
use tempfile::tempdir;

use super::{all_records, append, bytes, checkpoint, load, open, try_open};

/// Changes the database behind the back of the store.
fn edit(folder: &Path, change: impl FnOnce(&sled::Db)) {
    let db = sled::Config::new()
        .path(folder.join("sled"))
        .flush_every_ms(None)
        .open()
        .expect("sled opens");
    change(&db);
    db.flush().expect("flushed");
}

fn record_key(first: u64, chunk: Option<u32>) -> Vec<u8> {
    let mut key = vec![b'l'];
    key.extend_from_slice(&first.to_be_bytes());
    key.extend(chunk.iter().flat_map(|chunk| chunk.to_be_bytes()));
    key
}

/// A value with a valid envelope.
fn sealed(key: &[u8], format: u8, kind: u8, body: &[u8]) -> Vec<u8> {
    let checksum = crc32c_append(crc32c_append(crc32c(&[format, kind]), key), body);
    [&[format, kind][..], &checksum.to_le_bytes(), body].concat()
}

fn flip(db: &sled::Db, key: &[u8]) {
    let mut value = db.get(key).expect("read").expect("there").to_vec();
    let last = value.len() - 1;
    value[last] ^= 0x10;
    db.insert(key, value).expect("written");
}

/// A store with a checkpoint at 2 and the records 1 to 4, of which 3 is chunked.
fn store(folder: &Path) {
    let log = open(folder);
    for (seed, size) in [(1, 100), (2, 200), (3, 30_000), (4, 400)] {
        append(&log, &bytes(seed, size));
    }
    checkpoint(&log, Revision(2), &[bytes(5, 9_000), bytes(6, 10)]);
}

/// Opening is refused with this flaw, and fsck lists it.
fn assert_found(folder: &Path, position: &Position, is_expected: impl Fn(&Flaw) -> bool) {
    let holds = |error: &StoreError| matches!(error, StoreError::Corrupt { position: p, flaw } if p == position && is_expected(flaw));
    let report = fsck(folder).expect("verified");
    assert!(report.problems.iter().any(holds), "{report}");
    let Err(error) = try_open(folder) else { panic!("a damaged store was opened") };
    assert!(holds(&error), "{error}");
}

#[test]
fn a_sound_store_passes_fsck_unchanged() {
    let folder = tempdir().expect("folder");
    store(folder.path());
    let files = || {
        let listed = fs::read_dir(folder.path().join("sled")).expect("listed");
        let mut files: Vec<_> = listed
            .map(|entry| entry.expect("entry").path())
            .filter(|path| path.is_file())
            .map(|path| (path.clone(), fs::read(path).expect("read")))
            .collect();
        files.sort();
        files
    };
    let before = files();
    let report = fsck(folder.path()).expect("verified");
    assert!(report.is_sound(), "{report}");
    assert_eq!((report.records, report.checkpoint_entries, report.leftovers), (4, 2, 0));
    assert_eq!(
        (report.compacted, report.checkpoint, report.newest),
        (Revision(0), Revision(2), Revision(4))
    );
    assert!(files() == before);
    assert!(!folder.path().join("fsck").exists());
}

#[test]
fn a_corrupted_byte_is_found_by_fsck_and_refused_on_open() {
    for (first, chunk) in [(1, None), (3, None), (3, Some(2)), (4, None)] {
        let folder = tempdir().expect("folder");
        store(folder.path());
        edit(folder.path(), |db| flip(db, &record_key(first, chunk)));
        let first = Revision(first);
        let position =
            chunk.map_or(Position::Record(first), |chunk| Position::RecordChunk(first, chunk));
        assert_found(folder.path(), &position, |flaw| matches!(flaw, Flaw::Checksum { .. }));
    }
}

#[test]
fn a_corrupted_checkpoint_is_found_by_fsck_and_refused_on_load() {
    let folder = tempdir().expect("folder");
    store(folder.path());
    edit(folder.path(), |db| {
        let (key, _) = db.scan_prefix(b"c").nth(2).expect("chunk 1").expect("read");
        flip(db, &key);
    });
    let expected = "chunk 1 of checkpoint 0 is damaged: its checksum";
    let report = fsck(folder.path()).expect("verified");
    assert!(
        report.problems.iter().any(|problem| problem.to_string().starts_with(expected)),
        "{report}"
    );
    let error = open(folder.path()).load_checkpoint(&mut |_| Ok(())).expect_err("refused");
    assert!(error.to_string().starts_with(expected), "{error}");
}

#[test]
fn a_missing_record_is_a_gap() {
    let folder = tempdir().expect("folder");
    store(folder.path());
    edit(folder.path(), |db| _ = db.remove(record_key(2, None)).expect("removed"));
    let gap = Flaw::Gap { expected: Revision(2), found: Revision(3) };
    assert_found(folder.path(), &Position::Record(Revision(3)), |flaw| *flaw == gap);
}

#[test]
fn a_missing_chunk_is_named() {
    let folder = tempdir().expect("folder");
    store(folder.path());
    edit(folder.path(), |db| _ = db.remove(record_key(3, Some(5))).expect("removed"));
    let missing = Flaw::MissingChunk { index: 5, count: 6 };
    assert_found(folder.path(), &Position::Record(Revision(3)), |flaw| *flaw == missing);
}

#[test]
fn a_log_that_does_not_meet_its_checkpoint_is_refused() {
    let folder = tempdir().expect("folder");
    store(folder.path());
    edit(folder.path(), |db| {
        (1..=3).for_each(|first| _ = db.remove(record_key(first, None)).expect("removed"))
    });
    let Err(error) = try_open(folder.path()) else { panic!("opened") };
    let detached = Flaw::Detached { compacted: Revision(3), newest: Revision(4) };
    assert!(matches!(&error, StoreError::Corrupt { flaw, .. } if *flaw == detached), "{error}");
}

#[test]
fn an_unknown_kind_is_refused() {
    let folder = tempdir().expect("folder");
    store(folder.path());
    let key = record_key(4, None);
    edit(folder.path(), |db| {
        _ = db.insert(&key, sealed(&key, 1, 9, b"what is this")).expect("written")
    });
    let kind = Flaw::Kind { expected: 2, found: 9 };
    assert_found(folder.path(), &Position::Record(Revision(4)), |flaw| *flaw == kind);
}

#[test]
fn a_newer_format_is_refused() {
    for key in [b"m".to_vec(), record_key(4, None)] {
        let folder = tempdir().expect("folder");
        store(folder.path());
        edit(folder.path(), |db| {
            _ = db.insert(&key, sealed(&key, 2, 1, b"offpeak store")).expect("written")
        });
        let Err(error) = try_open(folder.path()) else { panic!("opened") };
        assert!(matches!(error, StoreError::NewerFormat { found: 2, supported: 1, .. }), "{error}");
        let report = fsck(folder.path()).expect("verified");
        assert!(
            report.problems.iter().any(|problem| matches!(problem, StoreError::NewerFormat { .. })),
            "{report}"
        );
    }
}

#[test]
fn the_database_of_something_else_is_not_touched() {
    let folder = tempdir().expect("folder");
    edit(folder.path(), |db| _ = db.insert("theirs", "value").expect("written"));
    let Err(error) = try_open(folder.path()) else { panic!("opened") };
    assert!(matches!(error, StoreError::NotAStore { .. }), "{error}");
}

#[test]
fn a_torn_record_is_removed_on_open() {
    let folder = tempdir().expect("folder");
    store(folder.path());
    let torn: Vec<_> = (0..100).map(|chunk| record_key(5, Some(chunk))).collect();
    edit(folder.path(), |db| {
        for key in &torn {
            db.insert(key, sealed(key, 1, 3, &bytes(9, 5632))).expect("written");
        }
    });
    let report = fsck(folder.path()).expect("verified");
    assert!(report.is_sound() && report.leftovers == 100, "{report}");
    let log = open(folder.path());
    assert_eq!(append(&log, b"five"), Revision(5), "the torn record was never acknowledged");
    assert_eq!(all_records(&log)[4].payload, "five");
    drop(log);
    edit(folder.path(), |db| assert!(torn.iter().all(|key| !db.contains_key(key).expect("read"))));
}

#[test]
fn a_torn_checkpoint_is_removed_on_open() {
    let folder = tempdir().expect("folder");
    store(folder.path());
    let log = open(folder.path());
    let mut writer = log.begin_checkpoint(Revision(4)).expect("begun");
    writer.put(&bytes(7, 1_000_000)).expect("put");
    drop(writer);
    drop(log);
    assert!(fsck(folder.path()).expect("verified").leftovers > 100);
    let log = open(folder.path());
    let (revision, entries) = load(&log).expect("the older checkpoint");
    assert_eq!((revision, entries.len()), (Revision(2), 2));
    drop(log);
    assert_eq!(fsck(folder.path()).expect("verified").leftovers, 0);
}

#[test]
fn an_abandoned_checkpoint_is_trimmed_away() {
    let folder = tempdir().expect("folder");
    store(folder.path());
    let log = open(folder.path());
    log.begin_checkpoint(Revision(4)).expect("begun").put(&bytes(7, 1_000_000)).expect("put");
    super::trim_all(&log, u64::MAX, u64::MAX);
    checkpoint(&log, Revision(4), &[b"next".to_vec()]);
    drop(log);
    assert!(fsck(folder.path()).expect("verified").leftovers < 10, "only the replaced checkpoint");
}

#[test]
fn a_snapshot_that_was_being_generated_does_not_hinder() {
    let folder = tempdir().expect("folder");
    store(folder.path());
    let leftover = folder.path().join("sled/snap.00000000FFFFFFFF.generating");
    fs::write(&leftover, b"half").expect("written");
    assert_eq!(all_records(&open(folder.path())).len(), 4);
    assert!(!leftover.exists());
}

#[test]
fn a_store_that_lost_its_database_is_refused() {
    let folder = tempdir().expect("folder");
    store(folder.path());
    fs::remove_dir_all(folder.path().join("sled")).expect("removed");
    let Err(error) = try_open(folder.path()) else { panic!("opened as a new store") };
    let lost = matches!(error, StoreError::Lost { witnessed: Revision(4), found: Revision(0) });
    assert!(lost, "{error}");
}

/// Sled takes some damage for the end of its log: then the revisions after it are missing, which must show.
#[test]
fn a_flipped_byte_anywhere_in_the_file_never_changes_what_is_read() {
    let folder = tempdir().expect("folder");
    store(folder.path());
    let expected = all_records(&open(folder.path()));
    let entries = load(&open(folder.path()));
    let data = fs::read(folder.path().join("sled/db")).expect("read");
    let used = data.iter().rposition(|byte| *byte != 0).expect("not empty");
    for position in (0..used).step_by(used / 61) {
        let copy = tempdir().expect("folder");
        fs::create_dir(copy.path().join("sled")).expect("created");
        for name in ["witness", "sled/conf"] {
            fs::copy(folder.path().join(name), copy.path().join(name)).expect("copied");
        }
        for entry in fs::read_dir(folder.path().join("sled")).expect("listed") {
            let path = entry.expect("entry").path();
            let name = path.file_name().expect("named").to_owned();
            if name.to_string_lossy().starts_with("snap.") {
                fs::copy(&path, copy.path().join("sled").join(name)).expect("copied");
            }
        }
        let mut damaged = data.clone();
        damaged[position] ^= 0x04;
        fs::write(copy.path().join("sled/db"), damaged).expect("written");
        let Ok(log) = try_open(copy.path()) else {
            continue;
        };
        let mut found = Vec::new();
        let mut visit = |entry: &[u8]| {
            found.push(entry.to_vec());
            Ok(())
        };
        let Ok(revision) = log.load_checkpoint(&mut visit) else {
            continue;
        };
        assert!(all_records(&log) == expected, "byte {position}");
        assert!(revision.map(|revision| (revision, found)) == entries, "byte {position}");
    }
}
