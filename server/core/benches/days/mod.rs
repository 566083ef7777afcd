//! Days of idle capacity to pack work into: instances as files, what is drawn for a try-out, and the score of a solution.

use std::{collections::BTreeMap, fs::File, io::Read};

use flate2::read::GzDecoder;
use serde_json::Value;

/// CPU in thousandths, memory in MiB, whole GPUs.
pub(crate) type Amounts = [u64; 3];

/// A node: what it has, and by slot what its owner leaves and was expected to leave.
pub(crate) struct Node {
    pub(crate) capacity: Amounts,
    pub(crate) idle: Vec<Amounts>,
    pub(crate) forecast: Vec<Amounts>,
}

/// Work of `slots` slots that may begin at `release` and counts only if it is complete by `deadline`.
pub(crate) struct Work {
    pub(crate) release: usize,
    pub(crate) deadline: usize,
    pub(crate) slots: usize,
    pub(crate) demand: Amounts,
    /// May be taken back and go on elsewhere; else it begins anew.
    pub(crate) resumes: bool,
    pub(crate) value: f64,
}

/// A day.
pub(crate) struct Day {
    pub(crate) slots: usize,
    pub(crate) slot_minutes: u64,
    /// Slots that each return costs.
    pub(crate) overhead: usize,
    pub(crate) nodes: Vec<Node>,
    pub(crate) work: Vec<Work>,
}

/// Where a piece of work was: a node, the first slot, the last one.
pub(crate) type Run = (usize, usize, usize);

/// By the place of the work in [`Day::work`]: the runs that completed it.
pub(crate) type Solution = BTreeMap<usize, Vec<Run>>;

impl Day {
    /// Reads an instance.
    pub(crate) fn read(path: &str) -> Self {
        let file = File::open(path).unwrap_or_else(|error| panic!("{path}: {error}"));
        let mut text = String::new();
        GzDecoder::new(file).read_to_string(&mut text).expect("gzipped text");
        let day: Value = serde_json::from_str(&text).expect("JSON");
        let series = |node: &Value, name: &str| list(&node[name]).iter().map(amounts).collect();
        let nodes = list(&day["nodes"]).iter().map(|node| Node {
            capacity: amounts(&node["cap"]),
            idle: series(node, "idle"),
            forecast: series(node, "forecast"),
        });
        let work = list(&day["jobs"]).iter().map(|work| Work {
            release: size(&work["r"]),
            deadline: size(&work["d"]),
            slots: size(&work["p"]),
            demand: amounts(&work["dem"]),
            resumes: work["preempt"] == 1,
            value: work["value"].as_f64().expect("a value"),
        });
        Self {
            slots: size(&day["slots"]),
            slot_minutes: number(&day["slot_minutes"]),
            overhead: size(&day["overhead"]),
            nodes: nodes.collect(),
            work: work.collect(),
        }
    }

    /// A small one whose owners leave a valley and are wrong once.
    pub(crate) fn small() -> Self {
        let capacity = [8_000, 16_384, 1];
        let node = |at: usize| {
            let idle = |slot: usize| if (slot + at) % 8 < 4 { capacity } else { [2_000, 4_096, 0] };
            let forecast: Vec<Amounts> = (0..16).map(idle).collect();
            let mut idle = forecast.clone();
            idle[2] = [1_000, 2_048, 0];
            Node { capacity, idle, forecast }
        };
        let work = |at: usize| Work {
            release: at % 3,
            deadline: 16,
            slots: 1 + at % 3,
            demand: [2_000, 2_048, u64::from(at.is_multiple_of(5))],
            resumes: at.is_multiple_of(2),
            value: 1.0,
        };
        Self {
            slots: 16,
            slot_minutes: 15,
            overhead: 1,
            nodes: (0..3).map(node).collect(),
            work: (0..30).map(work).collect(),
        }
    }

    /// What the solution is worth.
    ///
    /// # Panics
    /// When it is none: work outside its time, too little of it, or more on a node than its owner left.
    pub(crate) fn score(&self, solution: &Solution) -> f64 {
        let mut idle: Vec<Vec<Amounts>> = self.nodes.iter().map(|node| node.idle.clone()).collect();
        let mut value = 0.0;
        for (at, runs) in solution {
            let work = &self.work[*at];
            let (mut done, mut from) = (0, work.release);
            for (node, first, last) in runs {
                assert!(*first >= from && last >= first && *last < work.deadline, "in its time");
                for slot in &mut idle[*node][*first..=*last] {
                    for (left, taken) in slot.iter_mut().zip(work.demand) {
                        *left = left.checked_sub(taken).expect("the owner leaves so much");
                    }
                }
                (done, from) = (done + last - first + 1, last + 1);
            }
            let returns = runs.len() - 1;
            assert!(work.resumes || returns == 0, "it was not taken back");
            assert!(done >= work.slots + returns * self.overhead, "all of it was done");
            value += work.value;
        }
        value
    }
}

fn list(value: &Value) -> &[Value] {
    value.as_array().expect("a list")
}

fn number(value: &Value) -> u64 {
    value.as_u64().expect("a number")
}

fn size(value: &Value) -> usize {
    usize::try_from(number(value)).expect("small")
}

fn amounts(value: &Value) -> Amounts {
    std::array::from_fn(|at| number(&value[at]))
}
