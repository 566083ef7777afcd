use std::{
    hash::{Hash, Hasher},
    sync::Arc,
};

use super::{
    AllocationId, Annotations, Dependency, Horizon, JobExtras, JobId, Label, Labels, Millis, Name,
    Payload, Resources, RetryPolicy, Revision, TaskIndex, Tasks, TenantId, Time,
};

/// Higher goes first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Priority(pub i32);

/// What a job is, as asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobSpec {
    /// Identical tasks, at least 1.
    pub count: u32,
    /// What each task asks for: not nothing.
    pub request: Resources,
    /// Where its tasks may go.
    pub constraints: Constraints,
    /// Higher goes first.
    pub priority: Priority,
    /// How long each task must be left alone once placed.
    pub min_runtime: Millis,
    /// A task that runs longer fails.
    pub max_runtime: Option<Millis>,
    /// Tasks not placed by then fail.
    pub deadline: Option<Time>,
    /// Work that is not complete by then is of no use: a task that cannot be any more is not started, and fails.
    pub complete_by: Option<Time>,
    /// All tasks are placed together or none is.
    pub gang: bool,
    /// Free for the tenant's use.
    pub labels: Labels,
    /// How long before an eviction the notice comes.
    pub notice: Option<Millis>,
    /// What becomes of a task meanwhile.
    pub on_notice: OnNotice,
    /// What few jobs ask for.
    pub extras: Option<Arc<JobExtras>>,
}

/// What becomes of a task that is under notice, as long as that runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnNotice {
    /// It stays to the end, so that it can save its work.
    #[default]
    Stay,
    /// It would begin anew elsewhere anyway, so it moves as soon as another node has room for it.
    Move,
}

impl JobSpec {
    /// When its tasks are tried again, if it says.
    #[must_use]
    #[inline]
    pub fn retry(&self) -> Option<&RetryPolicy> {
        self.extras.as_ref()?.retry.as_ref()
    }

    /// The jobs that it waits for.
    #[must_use]
    #[inline]
    pub fn dependencies(&self) -> &[Dependency] {
        self.extras.as_ref().map_or(&[], |extras| &extras.dependencies)
    }

    /// What its tasks run.
    #[must_use]
    pub fn payload(&self) -> Option<&Payload> {
        self.extras.as_ref()?.payload.as_ref()
    }

    /// Free text for people.
    #[must_use]
    pub fn annotations(&self) -> Annotations {
        self.extras.as_ref().map(|extras| extras.annotations.clone()).unwrap_or_default()
    }

    /// Changes what few jobs ask for; nothing of it is kept if nothing is asked for.
    pub fn change_extras(&mut self, change: impl FnOnce(&mut JobExtras)) {
        let mut extras = self.extras.as_deref().cloned().unwrap_or_default();
        change(&mut extras);
        self.extras = (extras != JobExtras::default()).then(|| Arc::new(extras));
    }

    /// How far ahead the owner's load matters to a task that is placed now.
    #[must_use]
    pub fn horizon(&self) -> Horizon {
        Horizon::covering(
            self.max_runtime.map_or(self.min_runtime, |max| max.min(self.min_runtime)),
        )
    }

    /// How long a task runs as far as is known: `max_runtime`, or `min_runtime` if that is all that is said.
    #[must_use]
    pub fn runtime(&self) -> Millis {
        self.max_runtime.unwrap_or(self.min_runtime)
    }

    /// When a task must have been placed: by the deadline, and so that it can run for its [`Self::runtime`] until it must
    /// be complete.
    #[must_use]
    pub fn latest_start(&self) -> Option<Time> {
        let completes = self.complete_by.map(|by| Time(by.0.saturating_sub(self.runtime().0)));
        self.deadline.into_iter().chain(completes).min()
    }

    /// Whether its tasks are laid out over time, by what they are worth and how little they can wait: it says by when they
    /// must be complete and how long they run, and each may start by itself.
    #[must_use]
    pub fn is_timed(&self) -> bool {
        self.complete_by.is_some() && !self.gang && self.constraints.spreads.is_empty()
    }
}

/// Where tasks may go. The derived order has no meaning beyond being total: it lets constraints be keys.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Constraints {
    /// Any of these; empty: anywhere. Sorted, as are all lists here.
    pub regions: Vec<Name>,
    /// Any of these.
    pub zones: Vec<Name>,
    /// Any of these.
    pub gpu_models: Vec<Name>,
    /// All of these must hold.
    pub labels: Vec<LabelSelector>,
    /// Taints that do not keep the tasks off.
    pub tolerations: Vec<Toleration>,
    /// How the job's own tasks lie to each other.
    pub spreads: Vec<Spread>,
}

impl Constraints {
    /// Hashes what differs most often, spreads aside: equal constraints have equal hashes, and most have none at all.
    pub(crate) fn hash_briefly<H: Hasher>(&self, state: &mut H) {
        for names in [&self.regions, &self.zones, &self.gpu_models] {
            names.iter().for_each(|name| name.hash(state));
        }
        self.labels.iter().for_each(|selector| selector.hash(state));
    }
}

/// A demand on a node's labels.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LabelSelector {
    /// The label.
    pub key: Label,
    /// What must hold of it.
    pub operator: SelectorOperator,
}

/// What must hold of a label.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SelectorOperator {
    /// Has one of these values.
    In(Vec<Label>),
    /// Is absent or has another value.
    NotIn(Vec<Label>),
    /// Is there.
    Exists,
    /// Is not there.
    NotExists,
}

/// A taint that does not keep a task off.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Toleration {
    /// `None`: every taint.
    pub key: Option<Label>,
    /// `None`: any value.
    pub value: Option<Label>,
}

/// How a job's own tasks lie to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Spread {
    /// What counts as one place.
    pub topology: Topology,
    /// No more tasks of the job than this in one place.
    pub max_per_place: Option<u32>,
    /// No zone has more than this many tasks more than the emptiest feasible zone.
    pub max_skew: Option<u32>,
}

/// What counts as one place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Topology {
    /// A node.
    Node,
    /// A zone of a region.
    Zone,
}

/// A tenant's wish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// Its id; a smaller id is an older job.
    pub id: JobId,
    /// Whose it is.
    pub tenant: TenantId,
    /// Unique among the tenant's jobs.
    pub name: Name,
    /// What was asked for.
    pub spec: Arc<JobSpec>,
    /// Its tasks by index.
    pub tasks: Tasks,
    /// How many tasks are in each phase.
    pub counts: TaskCounts,
    /// No task with a smaller index is pending.
    pub(crate) first_pending: TaskIndex,
    /// How often its tasks were evicted.
    pub evictions: u32,
    /// When it was submitted.
    pub created: Time,
    /// When it ended, and how.
    pub ended: Option<(Time, JobState)>,
    /// The last change of its description, or its end.
    pub revision: Revision,
}

/// One schedulable unit of a job.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Task {
    /// Where it stands.
    pub phase: TaskPhase,
    /// How often it was placed.
    pub attempts: u32,
}

/// Where a task stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TaskPhase {
    /// Waits for a place.
    #[default]
    Pending,
    /// Waits for the end of a back-off or for other jobs, and not for a place.
    Delayed,
    /// Holds an allocation.
    Placed(AllocationId),
    /// Will not run any more.
    Ended(TaskEnd),
}

/// How a task ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TaskEnd {
    /// Reported as succeeded.
    Succeeded,
    /// Reported as failed.
    Failed,
    /// Cancelled with its job, or cut off by a smaller count.
    Cancelled,
    /// Ran longer than `max_runtime`; counts as failed.
    TimedOut,
    /// Was not placed by the deadline; counts as failed.
    MissedDeadline,
    /// Was evicted more often than its job allows; counts as failed.
    Evicted,
    /// A job that had to succeed first did not; counts as cancelled.
    DependencyFailed,
}

/// How many tasks of a job are in each phase.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TaskCounts {
    /// Waiting for a place.
    pub pending: u32,
    /// Holding an allocation.
    pub placed: u32,
    /// Of those placed, how many were reported as started.
    pub running: u32,
    /// Ended well.
    pub succeeded: u32,
    /// Ended otherwise.
    pub failed: u32,
    /// Cancelled.
    pub cancelled: u32,
    /// Waiting for the end of a back-off or for other jobs.
    pub delayed: u32,
}

/// Where a job stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum JobState {
    /// No task is placed.
    Pending,
    /// At least one task is placed.
    Running,
    /// Every task succeeded, those cut off by a smaller count aside.
    Succeeded,
    /// Every task ended and at least one failed.
    Failed,
    /// Cancelled.
    Cancelled,
}

impl Job {
    /// Where it stands.
    #[must_use]
    pub fn state(&self) -> JobState {
        match self.ended {
            Some((_, state)) => state,
            None if self.counts.placed > 0 => JobState::Running,
            None => JobState::Pending,
        }
    }

    /// Whether none of its tasks was ever placed, and all may be.
    #[must_use]
    pub fn waits_for_its_first_place(&self) -> bool {
        self.counts.pending == self.spec.count
            && self.ended.is_none()
            && self.tasks.iter().all(|task| task.attempts == 0)
    }

    /// The state in which it ends once no task is unfinished.
    #[must_use]
    pub fn final_state(&self) -> Option<JobState> {
        if self.waits() || self.counts.placed > 0 {
            return None;
        }
        Some(if self.counts.failed > 0 {
            JobState::Failed
        } else if self.counts.succeeded > 0 {
            JobState::Succeeded
        } else {
            JobState::Cancelled
        })
    }

    /// Whether any of its tasks has no place: it is pending or delayed.
    #[must_use]
    pub fn waits(&self) -> bool {
        self.counts.pending > 0 || self.counts.delayed > 0
    }

    /// Whether any of its tasks may be placed. A gang waits for those of its tasks that wait out a back-off, so that it
    /// is placed whole.
    #[must_use]
    #[inline]
    pub fn is_ready(&self) -> bool {
        self.counts.pending > 0 && !(self.spec.gang && self.counts.delayed > 0)
    }

    /// Whether it waits for other jobs: then none of its tasks was ever placed.
    #[must_use]
    pub fn waits_for_jobs(&self) -> bool {
        let first = || self.tasks.get(TaskIndex(0));
        self.counts.delayed > 0
            && !self.spec.dependencies().is_empty()
            && first().is_some_and(|task| task.phase == TaskPhase::Delayed && task.attempts == 0)
    }

    /// Its pending tasks as runs of consecutive indices (first, count), ascending, `limit` tasks at most.
    #[must_use]
    pub fn pending_runs(&self, limit: u32) -> Vec<(TaskIndex, u32)> {
        self.tasks.pending_runs(self.first_pending, limit.min(self.counts.pending))
    }

    /// One of its tasks.
    ///
    /// # Panics
    /// When it has no such task.
    #[must_use]
    #[inline]
    pub fn task(&self, index: TaskIndex) -> Task {
        self.tasks.get(index).expect("invariant: whoever asks has seen that it is there")
    }
}
