//! What tenants ask for: how often each kind of task was submitted of late. Packing prepares for its like.
//!
//! Weights decay with what is asked for, not with time: a quiet night does not make a cell forget its days, nor do many small
//! tasks that hardly fill it.

use std::{
    fmt,
    hash::{Hash, Hasher},
};

use hashbrown::{Equivalent, HashMap};
use rustc_hash::FxBuildHasher;

use crate::model::{Constraints, Horizon, JobSpec, Resources};

/// What one task adds.
const TASK: u64 = 1 << 20;
/// Tasks after which all weights shrink by a sixteenth: half of what is known is of the last 11,000 tasks, or of more, if
/// these ask for too little.
const TASKS_PER_DECAY: u64 = 1_024;
/// What they must ask for, of some resource: this part of the fleet.
const PART_PER_DECAY: u64 = 8;
/// Tasks that are enough however little they ask for.
const MOST_TASKS_PER_DECAY: u64 = 64 * TASKS_PER_DECAY;
/// Kinds of tasks kept; the rarest go first.
const KINDS: usize = 1_024;

/// What tasks of one kind ask for. Spreads do not matter: they are between tasks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DemandKey {
    /// What each task asks for.
    pub request: Resources,
    /// How far ahead the owner's load matters.
    pub horizon: Horizon,
    /// Where it may go, spreads aside.
    pub constraints: Constraints,
}

/// How often each kind of task was submitted, lately counting more.
#[derive(Clone, Default)]
pub struct Profile {
    entries: Vec<(DemandKey, u64)>,
    by_key: HashMap<DemandKey, usize, FxBuildHasher>,
    seen: Seen,
}

/// Tasks seen since weights last shrank.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// How many.
    pub tasks: u64,
    /// What they asked for in all: thousandths of cores, bytes of memory, thousandths of GPUs.
    pub asked: [u64; 3],
}

impl Profile {
    /// As kept in a checkpoint.
    #[must_use]
    pub fn restore(entries: Vec<(DemandKey, u64)>, seen: Seen) -> Self {
        let by_key = (0..).zip(&entries).map(|(at, (key, _))| (key.clone(), at)).collect();
        Self { entries, by_key, seen }
    }

    /// Each kind of task and its weight, which means something beside the others only.
    pub fn entries(&self) -> impl ExactSizeIterator<Item = &(DemandKey, u64)> {
        self.entries.iter()
    }

    /// Tasks seen since weights last shrank.
    #[must_use]
    pub fn seen(&self) -> Seen {
        self.seen
    }

    /// All weights as a number of tasks.
    #[must_use]
    pub fn tasks(&self) -> u64 {
        self.entries.iter().map(|(_, weight)| weight).sum::<u64>() / TASK
    }

    /// Takes in that a job was submitted. Room for what is laid out over time is found by those who do that: none is
    /// promised to its like.
    pub(super) fn observe(&mut self, spec: &JobSpec, fleet: &Resources) {
        if spec.is_timed() {
            return;
        }
        let at = self.by_key.get(&Asked(spec)).copied().unwrap_or_else(|| {
            let mut constraints = spec.constraints.clone();
            constraints.spreads.clear();
            let key =
                DemandKey { request: spec.request.clone(), horizon: spec.horizon(), constraints };
            if self.entries.len() >= KINDS {
                self.drop_rarest();
            }
            self.by_key.insert(key.clone(), self.entries.len());
            self.entries.push((key, 0));
            self.entries.len() - 1
        });
        // A huge job is one wish, not a rule: it counts for at most what is forgotten at once.
        let tasks = u64::from(spec.count).min(TASKS_PER_DECAY);
        self.entries[at].1 += tasks * TASK;
        self.seen.add(tasks, &spec.request);
        if self.seen.are_enough(fleet) {
            self.seen = Seen::default();
            for (_, weight) in &mut self.entries {
                *weight -= *weight / 16;
            }
        }
    }

    fn drop_rarest(&mut self) {
        let rarest = (0..self.entries.len()).min_by_key(|at| (self.entries[*at].1, *at));
        let Some(at) = rarest else { return };
        let (key, _) = self.entries.swap_remove(at);
        self.by_key.remove(&key);
        if let Some((moved, _)) = self.entries.get(at) {
            self.by_key.insert(moved.clone(), at);
        }
    }
}

impl Seen {
    fn add(&mut self, tasks: u64, request: &Resources) {
        self.tasks += tasks;
        for (asked, amount) in self.asked.iter_mut().zip(measured(request)) {
            *asked = asked.saturating_add(amount.saturating_mul(tasks));
        }
    }

    /// Whether weights shrink.
    fn are_enough(&self, fleet: &Resources) -> bool {
        // Of what a fleet has none of, nothing is enough.
        let fill = |(asked, all)| all > 0 && asked >= all / PART_PER_DECAY;
        self.tasks >= MOST_TASKS_PER_DECAY
            || self.tasks >= TASKS_PER_DECAY
                && self.asked.into_iter().zip(measured(fleet)).any(fill)
    }
}

fn measured(resources: &Resources) -> [u64; 3] {
    [resources.cpu_millis, resources.memory_bytes, resources.gpu_millis]
}

/// A job's kind of task, to look for without a copy.
struct Asked<'a>(&'a JobSpec);

impl Hash for Asked<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.request.hash(state);
        self.0.horizon().hash(state);
        self.0.constraints.hash_briefly(state);
    }
}

impl Hash for DemandKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.request.hash(state);
        self.horizon.hash(state);
        self.constraints.hash_briefly(state);
    }
}

impl Equivalent<DemandKey> for Asked<'_> {
    fn equivalent(&self, key: &DemandKey) -> bool {
        let (asked, known) = (&self.0.constraints, &key.constraints);
        self.0.request == key.request
            && self.0.horizon() == key.horizon
            && asked.regions == known.regions
            && asked.zones == known.zones
            && asked.gpu_models == known.gpu_models
            && asked.labels == known.labels
            && asked.tolerations == known.tolerations
    }
}

/// The index is derived, and its order is nobody's business.
impl fmt::Debug for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { entries, seen, .. } = self;
        f.debug_struct("Profile").field("entries", entries).field("seen", seen).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_shrink_when_enough_tasks_ask_for_enough_of_the_fleet() {
        let cores = |cpu_millis| Resources { cpu_millis, ..Resources::default() };
        let are_enough = |tasks, each: u64, fleet: &Resources| {
            let mut seen = Seen::default();
            seen.add(tasks, &cores(each));
            seen.are_enough(fleet)
        };
        let fleet = cores(8 * 1_024_000);
        assert!(are_enough(1_024, 1_000, &fleet));
        assert!(!are_enough(1_023, 2_000, &fleet), "too few");
        assert!(!are_enough(1_024, 999, &fleet), "too small");
        assert!(are_enough(102_400, 10, &fleet), "small, but many");
        assert!(are_enough(65_536, 0, &fleet), "so many that it does not matter what they ask for");
        assert!(!are_enough(1_024, 1_000, &Resources::default()), "of a fleet to come");
    }
}
