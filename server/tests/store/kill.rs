//! What was acknowledged survives a kill at any moment.

use std::hash::{BuildHasher, RandomState};
use std::io::{BufRead, BufReader, Write, stdout};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use offpeak_core::model::Revision;
use offpeak_server::store::{Log, fsck};
use tempfile::tempdir;

use super::{all_records, bytes, load, open, trim_all};

/// The folder in which the child appends; without it the child is no child.
const CHILD: &str = "OFFPEAK_TEST_STORE";

/// How many times the child is killed.
const KILLS: &str = "OFFPEAK_TEST_KILLS";

fn payload(revision: u64) -> Vec<u8> {
    let sizes = [300, 7_000, 300, 64_000, 0, 300, 400_000, 300, 1_500_000, 5_632];
    bytes(revision, sizes[usize::try_from(revision % 10).expect("small")])
}

fn entries(revision: u64) -> Vec<Vec<u8>> {
    (0..12).map(|i| bytes(revision * 100 + i, 20_000)).collect()
}

/// Not a claim: the process that is killed. It says what was acknowledged as soon as it was.
#[test]
fn child_appends_until_killed() {
    let Ok(folder) = std::env::var(CHILD) else {
        return;
    };
    let log = open(Path::new(&folder));
    let say = |what: &str, revision: u64| {
        let mut out = stdout().lock();
        writeln!(out, "\n{what} {revision}")
            .and_then(|()| out.flush())
            .expect("the parent listens");
    };
    say("open", log.bounds().newest.0);
    loop {
        let append = || {
            let next = log.bounds().newest.next();
            log.append(next, next, &payload(next.0)).expect("appended");
            say("append", next.0);
        };
        (0..12).for_each(|_| append());
        let revision = log.bounds().newest;
        let mut writer = log.begin_checkpoint(revision).expect("begun");
        for entry in entries(revision.0) {
            writer.put(&entry).expect("put");
            append();
        }
        writer.finish().expect("finished");
        say("checkpoint", revision.0);
        trim_all(&log, 30, 4_000_000);
    }
}

#[test]
fn append_survives_a_kill() {
    let kills: u64 = std::env::var(KILLS).map_or(20, |kills| kills.parse().expect("a number"));
    let folder = tempdir().expect("folder");
    let (mut acknowledged, mut checkpointed) = (0, 0);
    for kill in 0..kills {
        let chance = RandomState::new().hash_one(kill);
        let patience = Patience {
            lines: (chance % 90) as usize,
            then: Duration::from_micros(chance >> 8 & 0xfff),
        };
        run_child(folder.path(), &patience, |what, revision| match what {
            "append" => acknowledged = revision,
            "checkpoint" => checkpointed = revision,
            _ => {}
        });

        let log = open(folder.path());
        let bounds = log.bounds();
        assert!(
            bounds.newest.0 >= acknowledged,
            "kill {kill}: {acknowledged} was acknowledged, there is {bounds:?}"
        );
        assert!(
            bounds.checkpoint.0 >= checkpointed,
            "kill {kill}: checkpoint {checkpointed}, there is {bounds:?}"
        );
        assert!(bounds.compacted <= bounds.checkpoint);
        for record in all_records(&log) {
            assert!(
                record.payload[..] == payload(record.first.0)[..],
                "kill {kill}: record {}",
                record.first
            );
        }
        let expected = (bounds.checkpoint > Revision(0))
            .then(|| (bounds.checkpoint, entries(bounds.checkpoint.0)));
        assert!(load(&log) == expected, "kill {kill}: the checkpoint at {}", bounds.checkpoint);
        drop(log);
    }
    let report = fsck(folder.path()).expect("verified");
    assert!(report.is_sound(), "{report}");
}

/// When to kill: after so many lines, and then some.
struct Patience {
    lines: usize,
    then: Duration,
}

fn run_child(folder: &Path, patience: &Patience, mut heard: impl FnMut(&str, u64)) {
    let mut child = Command::new(std::env::current_exe().expect("this test"))
        .args(["--exact", "kill::child_appends_until_killed", "--nocapture", "--test-threads=1"])
        .env(CHILD, folder)
        .stdout(Stdio::piped())
        .spawn()
        .expect("the child starts");
    let mut lines =
        BufReader::new(child.stdout.take().expect("piped")).lines().map_while(Result::ok);
    let mut said = lines.by_ref().filter_map(|line| {
        let (what, revision) = line.split_once(' ')?;
        Some((what.to_owned(), revision.parse::<u64>().ok()?))
    });
    for (what, revision) in said.by_ref().take(patience.lines) {
        heard(&what, revision);
    }
    // Not a wait for a state: the kill has to come at any point of the work.
    let begun = Instant::now();
    while begun.elapsed() < patience.then {
        std::hint::spin_loop();
    }
    child.kill().expect("killed");
    for (what, revision) in said {
        heard(&what, revision);
    }
    child.wait().expect("waited");
}
