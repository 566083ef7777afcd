//! Random histories agree with a log that is a `Vec`.

use offpeak_core::model::Revision;
use offpeak_server::store::{Log, Record, StoreError};
use proptest::collection::vec;
use proptest::prelude::{Strategy, any, prop_oneof};
use proptest::{prop_assert, prop_assert_eq, proptest};
use tempfile::tempdir;

use super::{all_records, bytes, checkpoint, load, open, trim_all};

#[derive(Clone, Debug)]
enum Step {
    Append { revisions: u64, size: usize },
    Checkpoint { back: u64, entries: Vec<usize> },
    Abandon { size: usize },
    Trim { revisions: u64, bytes: u64 },
    Reopen,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (1..9u64, prop_oneof![8 => 0..12_000usize, 1 => 200_000..400_000usize])
            .prop_map(|(revisions, size)| Step::Append { revisions, size }),
        2 => (0..9u64, vec(0..30_000usize, 0..9)).prop_map(|(back, entries)| Step::Checkpoint { back, entries }),
        1 => (0..200_000usize).prop_map(|size| Step::Abandon { size }),
        2 => (0..60u64, 0..300_000u64).prop_map(|(revisions, bytes)| Step::Trim { revisions, bytes }),
        1 => any::<()>().prop_map(|()| Step::Reopen),
    ]
}

/// The log as it should be.
#[derive(Default)]
struct Model {
    records: Vec<Record>,
    newest: u64,
    checkpoint: Option<(Revision, Vec<Vec<u8>>)>,
}

impl Model {
    fn checkpoint_revision(&self) -> u64 {
        self.checkpoint.as_ref().map_or(0, |(revision, _)| revision.0)
    }

    /// Each entry stands behind its length, of four bytes.
    fn checkpoint_bytes(&self) -> u64 {
        let entries = self.checkpoint.iter().flat_map(|(_, entries)| entries);
        entries.map(|entry| 4 + entry.len() as u64).sum()
    }

    fn compacted(&self) -> u64 {
        self.records.first().map_or(self.newest, |record| record.first.0 - 1)
    }

    fn bytes(&self) -> u64 {
        self.records.iter().map(|record| record.payload.len() as u64).sum()
    }

    fn trim(&mut self, revisions: u64, bytes: u64) {
        while let Some(oldest) = self.records.first() {
            let last = oldest.last.0;
            let may_go = last + revisions <= self.newest || self.bytes() > bytes;
            if last > self.checkpoint_revision() || !may_go {
                return;
            }
            self.records.remove(0);
        }
    }
}

proptest! {
    #![proptest_config(proptest::test_runner::Config { cases: 24, failure_persistence: None, ..Default::default() })]

    #[test]
    fn random_histories_agree_with_the_model(steps in vec(step(), 1..60)) {
        let folder = tempdir().expect("folder");
        let mut log = open(folder.path());
        let mut model = Model::default();
        for (seed, step) in (0u64..).zip(steps) {
            match step {
                Step::Append { revisions, size } => {
                    let (first, last) = (Revision(model.newest + 1), Revision(model.newest + revisions));
                    let payload = bytes(seed, size);
                    log.append(first, last, &payload).expect("appended");
                    model.records.push(Record { first, last, payload: payload.into() });
                    model.newest = last.0;
                }
                Step::Checkpoint { back, entries } => {
                    let revision = model.newest.saturating_sub(back).max(model.checkpoint_revision());
                    let entries: Vec<_> = entries.iter().map(|size| bytes(seed, *size)).collect();
                    checkpoint(&log, Revision(revision), &entries);
                    model.checkpoint = Some((Revision(revision), entries));
                }
                Step::Abandon { size } => {
                    let mut writer = log.begin_checkpoint(Revision(model.newest)).expect("begun");
                    writer.put(&bytes(seed, size)).expect("put");
                }
                Step::Trim { revisions, bytes } => {
                    trim_all(&log, revisions, bytes);
                    model.trim(revisions, bytes);
                }
                Step::Reopen => {
                    drop(log);
                    log = open(folder.path());
                    prop_assert!(load(&log) == model.checkpoint);
                }
            }
            let bounds = log.bounds();
            prop_assert_eq!(bounds.newest.0, model.newest);
            prop_assert_eq!(bounds.compacted.0, model.compacted());
            prop_assert_eq!(bounds.checkpoint.0, model.checkpoint_revision());
            prop_assert_eq!(bounds.checkpoint_bytes, model.checkpoint_bytes());
            prop_assert_eq!(bounds.log_bytes, model.bytes());
        }
        prop_assert!(all_records(&log) == model.records);
        prop_assert!(load(&log) == model.checkpoint);
        if let Some(before) = model.compacted().checked_sub(1) {
            let compacted = matches!(log.read(Revision(before), 1), Err(StoreError::Compacted { .. }));
            prop_assert!(compacted);
        }
    }
}
