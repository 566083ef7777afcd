//! A restored backup equals the store it was taken of, and a damaged one is refused.

use std::fs;
use std::path::Path;

use offpeak_core::model::Revision;
use offpeak_server::store::{BackupFlaw, Log, StoreError, backup, fsck, restore, write_backup};
use tempfile::tempdir;

use super::{all_records, append, bytes, checkpoint, load, open, trim_all, try_open};

fn store(folder: &Path) {
    let log = open(folder);
    for revision in 1..=20 {
        append(&log, &bytes(revision, 3_000));
    }
    let entries: Vec<_> = (0..50).map(|i| bytes(i, 500)).collect();
    checkpoint(&log, Revision(15), &entries);
    trim_all(&log, 12, u64::MAX);
}

#[test]
fn a_restored_backup_equals_the_store() {
    let (source, target) = (tempdir().expect("folder"), tempdir().expect("folder"));
    store(source.path());
    let mut stream = Vec::new();
    let written = backup(source.path(), &mut stream).expect("backed up");
    assert_eq!((written.records, written.entries, written.bytes), (12, 50, stream.len() as u64));
    let restored = restore(&stream[..], target.path()).expect("restored");
    assert_eq!(restored, written);
    let (source, log) = (open(source.path()), open(target.path()));
    assert_eq!(log.bounds(), source.bounds());
    assert!(all_records(&log) == all_records(&source));
    assert!(load(&log) == load(&source));
    assert_eq!(append(&log, b"on"), Revision(21));
    drop(log);
    assert!(fsck(target.path()).expect("verified").is_sound());
}

#[test]
fn an_empty_store_can_be_backed_up() {
    let (source, target) = (tempdir().expect("folder"), tempdir().expect("folder"));
    drop(open(source.path()));
    let mut stream = Vec::new();
    backup(source.path(), &mut stream).expect("backed up");
    restore(&stream[..], target.path().join("new")).expect("restored");
    assert_eq!(append(&open(&target.path().join("new")), b"one"), Revision(1));
}

#[test]
fn a_running_log_can_be_backed_up() {
    let (source, target) = (tempdir().expect("folder"), tempdir().expect("folder"));
    store(source.path());
    let log = open(source.path());
    let mut stream = Vec::new();
    std::thread::scope(|scope| {
        let appending = scope.spawn(|| (0..100).for_each(|i| _ = append(&log, &bytes(i, 1_000))));
        write_backup(&log, &mut stream).expect("backed up");
        appending.join().expect("appended");
    });
    let summary = restore(&stream[..], target.path()).expect("restored");
    let restored = all_records(&open(target.path()));
    assert!(restored[..] == all_records(&log)[..restored.len()]);
    assert!(summary.newest >= Revision(20));
}

#[test]
fn a_flipped_byte_of_a_backup_is_refused_and_leaves_nothing() {
    let (source, target) = (tempdir().expect("folder"), tempdir().expect("folder"));
    store(source.path());
    let mut stream = Vec::new();
    backup(source.path(), &mut stream).expect("backed up");
    let last = stream.len() - 1;
    for position in (0..stream.len()).step_by(last / 23) {
        let mut damaged = stream.clone();
        damaged[position] ^= 0x20;
        let error = restore(&damaged[..], target.path()).expect_err("refused");
        assert!(matches!(error, StoreError::Backup(_)), "byte {position}: {error}");
        assert!(!target.path().join("sled").exists());
    }
    restore(&stream[..], target.path()).expect("the folder can be used for a good one");
}

#[test]
fn a_cut_off_or_extended_backup_is_refused() {
    let (source, target) = (tempdir().expect("folder"), tempdir().expect("folder"));
    store(source.path());
    let mut stream = Vec::new();
    backup(source.path(), &mut stream).expect("backed up");
    for length in [0, 7, 9, 20, stream.len() / 2, stream.len() - 1] {
        let error = restore(&stream[..length], target.path()).expect_err("refused");
        let cut =
            matches!(error, StoreError::Backup(BackupFlaw::Truncated { .. } | BackupFlaw::Magic));
        assert!(cut, "{length}: {error}");
    }
    stream.push(0);
    let error = restore(&stream[..], target.path()).expect_err("refused");
    assert!(matches!(error, StoreError::Backup(BackupFlaw::Trailing)), "{error}");
}

#[test]
fn a_restore_needs_an_empty_folder() {
    let folder = tempdir().expect("folder");
    store(folder.path());
    let mut stream = Vec::new();
    backup(folder.path(), &mut stream).expect("backed up");
    let error = restore(&stream[..], folder.path()).expect_err("refused");
    assert!(matches!(error, StoreError::NotEmpty { .. }), "{error}");
    assert!(fsck(folder.path()).expect("untouched").is_sound());
}

#[test]
fn an_interrupted_restore_does_not_open() {
    let folder = tempdir().expect("folder");
    store(folder.path());
    fs::write(folder.path().join("restoring"), b"").expect("marked");
    let Err(error) = try_open(folder.path()) else { panic!("opened") };
    assert!(matches!(error, StoreError::Unfinished { .. }), "{error}");
}

#[test]
fn a_backup_needs_a_store_and_does_not_make_one() {
    let folder = tempdir().expect("folder");
    let absent = folder.path().join("absent");
    assert!(matches!(backup(&absent, Vec::new()), Err(StoreError::Missing { .. })));
    assert!(matches!(fsck(&absent), Err(StoreError::Missing { .. })));
    assert!(!absent.exists());
    let log = open(folder.path());
    assert!(matches!(backup(folder.path(), Vec::new()), Err(StoreError::Locked { .. })));
    assert!(matches!(fsck(folder.path()), Err(StoreError::Locked { .. })));
    drop(log);
}
