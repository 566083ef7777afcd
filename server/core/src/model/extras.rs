use std::{collections::BTreeMap, sync::Arc};

use super::{Annotations, JobId, JobState, Name, RetryPolicy};

/// What few jobs ask for. It is shared and apart from the rest of the description, so that it costs other jobs nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JobExtras {
    /// When tasks are tried again; `None`: evicted ones always, others never.
    pub retry: Option<RetryPolicy>,
    /// The jobs that it waits for, in the order of their names.
    pub dependencies: Vec<Dependency>,
    /// What its tasks run. Means nothing to the cell.
    pub payload: Option<Payload>,
    /// Free text for people.
    pub annotations: Annotations,
}

/// A job that another one waits for. It is older than that one, so that no two jobs can wait for each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dependency {
    /// Which one, of the same tenant; 0 before the job that waits is taken on.
    pub job: JobId,
    /// What it was called then.
    pub name: Name,
    /// For what of it.
    pub condition: DependencyCondition,
}

/// What of a job another one waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DependencyCondition {
    /// That it succeeds. If it ends otherwise, the job that waits is cancelled.
    Success,
    /// That it ends, however.
    End,
}

/// What tasks run, for whoever runs them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Payload {
    /// The program and what always goes with it.
    pub command: Vec<Arc<str>>,
    /// What follows the command.
    pub arguments: Vec<Arc<str>>,
    /// Variables by name.
    pub environment: BTreeMap<Arc<str>, Arc<str>>,
    /// What it runs in.
    pub image: Arc<str>,
    /// The index that the first task is told; the others follow.
    pub first_index: u32,
    /// By how much each task's index exceeds that of the one before; at least 1.
    pub index_step: u32,
}

impl DependencyCondition {
    /// Whether a job that ended so is what was waited for.
    #[must_use]
    pub fn is_met(self, state: JobState) -> bool {
        self == Self::End || state == JobState::Succeeded
    }
}

impl Payload {
    /// The most bytes of all its texts.
    pub const MAX_BYTES: usize = 32 * 1024;
}
