//! Adds up what the watch tells: who holds what where, and for how long.

use std::{collections::BTreeMap, mem};

use offpeak::v1::{Event, EvictionReason, Job, event::Kind};
use offpeak_client::WatchMessage;

use crate::{executor::Executor, fleet::Fleet};

/// Lines of one kind kept for the next report.
const LINES: u32 = 2;

pub(crate) struct Tally {
    node_index: BTreeMap<String, usize>,
    /// What each task of a job asks for, in thousandths of a core.
    cpu_millis: BTreeMap<(String, String), u64>,
    held: BTreeMap<u64, Hold>,
    /// By node.
    pub(crate) lent_cpu_millis: Vec<u64>,
    pub(crate) counts: Counts,
    /// Thousandths of a core times milliseconds.
    pub(crate) harvested: u128,
    /// What to show of the events since the last report.
    lines: Vec<String>,
    shown: BTreeMap<&'static str, u32>,
}

#[derive(Clone, Copy, Default)]
pub(crate) struct Counts {
    pub(crate) submitted: u64,
    pub(crate) placements: u64,
    pub(crate) finished: u64,
    pub(crate) notices: u64,
    pub(crate) evictions: u64,
    /// Evictions that came no sooner than their notice said.
    pub(crate) kept: u64,
}

struct Hold {
    node: usize,
    cpu_millis: u64,
    since_ms: u64,
    deadline_ms: Option<u64>,
}

impl Tally {
    pub(crate) fn new(fleet: &Fleet) -> Self {
        let names = fleet.nodes.iter().map(|node| node.name.clone());
        Self {
            node_index: names.zip(0..).collect(),
            cpu_millis: BTreeMap::new(),
            held: BTreeMap::new(),
            lent_cpu_millis: vec![0; fleet.nodes.len()],
            counts: Counts::default(),
            harvested: 0,
            lines: Vec::new(),
            shown: BTreeMap::new(),
        }
    }

    /// A job is about to be submitted.
    pub(crate) fn expect(&mut self, job: &Job) {
        let spec = job.spec.as_ref();
        let request = spec.and_then(|spec| spec.request.as_ref());
        let cpu_millis = request.map_or(0, |request| request.cpu_millis);
        self.cpu_millis.insert((job.tenant.clone(), job.name.clone()), cpu_millis);
        self.counts.submitted += spec.map_or(0, |spec| u64::from(spec.count));
    }

    pub(crate) fn take(&mut self, message: WatchMessage, executor: &mut Executor) {
        if let WatchMessage::Events(batch) = message {
            batch.events.into_iter().for_each(|event| self.event(event, executor));
        }
    }

    fn event(&mut self, event: Event, executor: &mut Executor) {
        let time_ms = event.time.map_or(0, millis);
        match event.kind {
            Some(Kind::TasksPlaced(placed)) => {
                let key = (placed.tenant, placed.job);
                let cpu_millis = self.cpu_millis.get(&key).copied().unwrap_or(0);
                for placement in placed.placements {
                    self.tell("placed", || format!("{}/{} on {}", key.0, key.1, placement.node));
                    let Some(node) = self.node_index.get(&placement.node).copied() else {
                        continue;
                    };
                    for offset in 0..placement.count {
                        let id = placement.allocation_id + u64::from(offset);
                        let hold = Hold { node, cpu_millis, since_ms: time_ms, deadline_ms: None };
                        self.held.insert(id, hold);
                        executor.placed(&key, placement.task + offset, id, time_ms);
                    }
                    self.lent_cpu_millis[node] += cpu_millis * u64::from(placement.count);
                    self.counts.placements += u64::from(placement.count);
                }
            }
            Some(Kind::NoticeGiven(given)) => {
                self.counts.notices += 1;
                let reason = reason(given.notice.as_ref().map_or(0, |notice| notice.reason));
                let deadline = given.notice.and_then(|notice| notice.deadline).map(millis);
                let left = deadline.map_or(0, |deadline| deadline.saturating_sub(time_ms) / 1000);
                let (tenant, job, node) = (&given.tenant, &given.job, &given.node);
                self.tell("notice", || {
                    format!("{tenant}/{job} on {node}: {reason}, evicted in {left} s")
                });
                if let Some(hold) = self.held.get_mut(&given.allocation_id) {
                    hold.deadline_ms = deadline;
                }
            }
            Some(Kind::TaskEvicted(evicted)) => {
                self.counts.evictions += 1;
                let (tenant, job, node) = (&evicted.tenant, &evicted.job, &evicted.node);
                let reason = reason(evicted.reason);
                self.tell("evicted", || format!("{tenant}/{job} from {node}: {reason}"));
                let hold = self.release(evicted.allocation_id, time_ms);
                let deadline = hold.and_then(|hold| hold.deadline_ms);
                self.counts.kept += u64::from(deadline.is_some_and(|at| at <= time_ms));
            }
            Some(Kind::TaskEnded(ended)) => {
                self.counts.finished += 1;
                self.release(ended.allocation_id, time_ms);
            }
            _ => {}
        }
    }

    /// Counts what is still held up to now.
    pub(crate) fn settle(&mut self, now_ms: u64) {
        let ids: Vec<u64> = self.held.keys().copied().collect();
        for id in ids {
            self.release(id, now_ms);
        }
    }

    fn release(&mut self, id: u64, time_ms: u64) -> Option<Hold> {
        let hold = self.held.remove(&id)?;
        self.lent_cpu_millis[hold.node] -= hold.cpu_millis;
        let held_ms = time_ms.saturating_sub(hold.since_ms);
        self.harvested += u128::from(hold.cpu_millis) * u128::from(held_ms);
        Some(hold)
    }

    /// Keeps a line unless there are enough of its kind.
    fn tell(&mut self, kind: &'static str, text: impl FnOnce() -> String) {
        let shown = self.shown.entry(kind).or_default();
        *shown += 1;
        if *shown <= LINES {
            self.lines.push(format!("{kind:>16} {}", text()));
        }
    }

    /// The lines since the last report.
    pub(crate) fn take_lines(&mut self) -> Vec<String> {
        self.shown.clear();
        mem::take(&mut self.lines)
    }

    /// Tasks that wait for a place.
    pub(crate) fn waiting(&self) -> u64 {
        self.counts.submitted.saturating_sub(self.counts.finished + self.held.len() as u64)
    }
}

fn millis(time: prost_types::Timestamp) -> u64 {
    let seconds = u64::try_from(time.seconds).unwrap_or(0);
    seconds * 1000 + u64::try_from(time.nanos / 1_000_000).unwrap_or(0)
}

fn reason(reason: i32) -> &'static str {
    match EvictionReason::try_from(reason) {
        Ok(EvictionReason::OwnerReturned) => "the owner is back",
        Ok(EvictionReason::OwnerExpected) => "the owner is expected",
        Ok(EvictionReason::Preempted) => "higher priority",
        _ => "the node changed",
    }
}
