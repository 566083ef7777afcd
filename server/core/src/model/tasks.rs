use std::fmt;

use super::{AllocationId, Task, TaskEnd, TaskIndex, TaskPhase};

/// The tasks of a job by index. There are millions of them, so each takes 12 bytes, and that of a job with a single task
/// stands in the job itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tasks(Repr);

/// The list is never of one task, so that equal tasks are equal values.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Repr {
    One(Packed),
    Many(Vec<Packed>),
}

/// A task in as little space as it needs.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(Rust, packed(4))]
struct Packed {
    /// The allocation, or one of the numbers that no allocation has.
    phase: u64,
    attempts: u32,
}

const PENDING: u64 = u64::MAX;
const SUCCEEDED: u64 = u64::MAX - 1;
const FAILED: u64 = u64::MAX - 2;
const CANCELLED: u64 = u64::MAX - 3;
const TIMED_OUT: u64 = u64::MAX - 4;
const MISSED_DEADLINE: u64 = u64::MAX - 5;
const DELAYED: u64 = u64::MAX - 6;
const EVICTED: u64 = u64::MAX - 7;
const DEPENDENCY_FAILED: u64 = u64::MAX - 8;
/// The first of them.
const NO_ID: u64 = DEPENDENCY_FAILED;

impl Packed {
    #[inline]
    fn new(task: Task) -> Self {
        let phase = match task.phase {
            TaskPhase::Pending => PENDING,
            TaskPhase::Delayed => DELAYED,
            TaskPhase::Placed(id) => {
                assert!(Tasks::can_name(id), "invariant: ids never run out");
                id.0
            }
            TaskPhase::Ended(TaskEnd::Succeeded) => SUCCEEDED,
            TaskPhase::Ended(TaskEnd::Failed) => FAILED,
            TaskPhase::Ended(TaskEnd::Cancelled) => CANCELLED,
            TaskPhase::Ended(TaskEnd::TimedOut) => TIMED_OUT,
            TaskPhase::Ended(TaskEnd::MissedDeadline) => MISSED_DEADLINE,
            TaskPhase::Ended(TaskEnd::Evicted) => EVICTED,
            TaskPhase::Ended(TaskEnd::DependencyFailed) => DEPENDENCY_FAILED,
        };
        Self { phase, attempts: task.attempts }
    }

    #[inline]
    fn task(self) -> Task {
        let phase = match self.phase {
            PENDING => TaskPhase::Pending,
            DELAYED => TaskPhase::Delayed,
            SUCCEEDED => TaskPhase::Ended(TaskEnd::Succeeded),
            FAILED => TaskPhase::Ended(TaskEnd::Failed),
            CANCELLED => TaskPhase::Ended(TaskEnd::Cancelled),
            TIMED_OUT => TaskPhase::Ended(TaskEnd::TimedOut),
            MISSED_DEADLINE => TaskPhase::Ended(TaskEnd::MissedDeadline),
            EVICTED => TaskPhase::Ended(TaskEnd::Evicted),
            DEPENDENCY_FAILED => TaskPhase::Ended(TaskEnd::DependencyFailed),
            id => TaskPhase::Placed(AllocationId(id)),
        };
        Task { phase, attempts: self.attempts }
    }
}

impl fmt::Debug for Packed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.task().fmt(f)
    }
}

impl Tasks {
    /// Whether a task can be on the allocation: not on one of the last few of all numbers.
    pub(crate) fn can_name(id: AllocationId) -> bool {
        id.0 < NO_ID
    }

    /// As many new tasks.
    pub(crate) fn new(count: u32) -> Self {
        std::iter::repeat_n(Task::default(), count as usize).collect()
    }

    /// How many there are.
    #[must_use]
    #[inline]
    pub fn len(&self) -> usize {
        self.all().len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.all().is_empty()
    }

    /// One of them, if there is one of this index.
    #[must_use]
    #[inline]
    pub fn get(&self, index: TaskIndex) -> Option<Task> {
        self.all().get(index.0 as usize).map(|task| task.task())
    }

    /// All in order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = Task> + ExactSizeIterator {
        self.all().iter().map(|task| task.task())
    }

    /// All from `first` on that are pending, `limit` at most, as runs: the first one and how many.
    pub(crate) fn pending_runs(&self, first: TaskIndex, limit: u32) -> Vec<(TaskIndex, u32)> {
        let mut runs: Vec<(TaskIndex, u32)> = Vec::new();
        let tasks = (first.0..).zip(&self.all()[(first.0 as usize).min(self.len())..]);
        let pending = tasks.filter(|(_, task)| task.phase == PENDING);
        for (index, _) in pending.take(limit as usize) {
            match runs.last_mut() {
                Some((first, count)) if first.0 + *count == index => *count += 1,
                _ => runs.push((TaskIndex(index), 1)),
            }
        }
        runs
    }

    /// All that are pending or delayed, as runs: the first one, how many, and whether they are delayed.
    pub(crate) fn waiting_runs(&self) -> Vec<(TaskIndex, u32, bool)> {
        let mut runs: Vec<(TaskIndex, u32, bool)> = Vec::new();
        for (index, task) in (0..).zip(self.all()) {
            let delayed = match task.phase {
                PENDING => false,
                DELAYED => true,
                _ => continue,
            };
            match runs.last_mut() {
                Some((first, count, of)) if first.0 + *count == index && *of == delayed => {
                    *count += 1;
                }
                _ => runs.push((TaskIndex(index), 1, delayed)),
            }
        }
        runs
    }

    /// Moves tasks on, `count` from `first` on, that are all in the phase `from`.
    pub(crate) fn shift(
        &mut self,
        (first, count): (TaskIndex, u32),
        from: TaskPhase,
        to: TaskPhase,
    ) {
        let begin = first.0 as usize;
        for task in &mut self.all_mut()[begin..begin + count as usize] {
            let Task { phase, attempts } = task.task();
            assert_eq!(phase, from, "invariant: the event tells where the task stood");
            *task = Packed::new(Task { phase: to, attempts });
        }
    }

    /// Places pending tasks, `count` from `first` on, with the allocations from `allocation` on.
    pub(crate) fn place(&mut self, first: TaskIndex, count: u32, allocation: AllocationId) {
        let begin = first.0 as usize;
        let tasks = &mut self.all_mut()[begin..begin + count as usize];
        for (task, id) in tasks.iter_mut().zip(allocation.0..) {
            assert_eq!({ task.phase }, PENDING, "invariant: a placed task was pending");
            *task = Packed::new(Task {
                phase: TaskPhase::Placed(AllocationId(id)),
                attempts: task.attempts + 1,
            });
        }
    }

    /// Moves a task on.
    #[inline]
    pub(crate) fn set(&mut self, index: TaskIndex, phase: TaskPhase) {
        let task = &mut self.all_mut()[index.0 as usize];
        *task = Packed::new(Task { phase, attempts: task.attempts });
    }

    /// Cuts off or adds new ones at the end.
    pub(crate) fn resize(&mut self, count: u32) {
        let more = std::iter::repeat(Task::default());
        *self = self.iter().chain(more).take(count as usize).collect();
    }

    #[inline]
    fn all(&self) -> &[Packed] {
        match &self.0 {
            Repr::One(task) => std::slice::from_ref(task),
            Repr::Many(tasks) => tasks,
        }
    }

    #[inline]
    fn all_mut(&mut self) -> &mut [Packed] {
        match &mut self.0 {
            Repr::One(task) => std::slice::from_mut(task),
            Repr::Many(tasks) => tasks,
        }
    }
}

impl FromIterator<Task> for Tasks {
    fn from_iter<I: IntoIterator<Item = Task>>(tasks: I) -> Self {
        let mut tasks = tasks.into_iter().map(Packed::new);
        let Some(first) = tasks.next() else { return Self(Repr::Many(Vec::new())) };
        let Some(second) = tasks.next() else { return Self(Repr::One(first)) };
        let mut all = Vec::with_capacity(tasks.size_hint().0 + 2);
        all.extend([first, second]);
        all.extend(tasks);
        all.shrink_to_fit();
        Self(Repr::Many(all))
    }
}

impl<'a> IntoIterator for &'a Tasks {
    type Item = Task;
    type IntoIter = Box<dyn Iterator<Item = Task> + 'a>;

    fn into_iter(self) -> Self::IntoIter {
        Box::new(self.iter())
    }
}

#[cfg(test)]
mod tests {
    use super::{Task, TaskIndex, TaskPhase, Tasks};
    use crate::model::{AllocationId, TaskEnd};

    #[test]
    fn what_is_packed_comes_out_again() {
        let ends = [
            TaskEnd::Succeeded,
            TaskEnd::Failed,
            TaskEnd::Cancelled,
            TaskEnd::TimedOut,
            TaskEnd::MissedDeadline,
            TaskEnd::Evicted,
            TaskEnd::DependencyFailed,
        ];
        let mut phases =
            vec![TaskPhase::Pending, TaskPhase::Delayed, TaskPhase::Placed(AllocationId(1 << 60))];
        phases.extend(ends.map(TaskPhase::Ended));
        let tasks: Vec<Task> =
            phases.into_iter().zip(7..).map(|(phase, attempts)| Task { phase, attempts }).collect();
        assert_eq!(tasks.iter().copied().collect::<Tasks>().iter().collect::<Vec<_>>(), tasks);
    }

    #[test]
    fn equal_tasks_are_equal_whatever_they_were_before() {
        let mut tasks = Tasks::new(3);
        tasks.resize(1);
        assert_eq!(tasks, Tasks::new(1));
        tasks.resize(2);
        assert_eq!(tasks, Tasks::new(2));
    }

    #[test]
    fn runs_are_of_pending_tasks_only() {
        let mut tasks = Tasks::new(6);
        tasks.place(TaskIndex(1), 2, AllocationId(5));
        let runs = |first, limit| tasks.pending_runs(TaskIndex(first), limit);
        assert_eq!(runs(0, 9), [(TaskIndex(0), 1), (TaskIndex(3), 3)]);
        assert_eq!(runs(1, 2), [(TaskIndex(3), 2)]);
        let second = Task { phase: TaskPhase::Placed(AllocationId(6)), attempts: 1 };
        assert_eq!(tasks.get(TaskIndex(2)), Some(second));
    }
}
