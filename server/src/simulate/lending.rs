use std::collections::BTreeMap;

use offpeak_core::{
    event::Event,
    model::{AllocationRef, EvictionReason, JobId, NodeId, TaskEnd, Time},
    state::State,
};
use serde::Serialize;

/// In thousandths of a core times milliseconds.
const CORE_HOUR: u128 = 3_600_000_000;

/// What owners left idle, what of it was lent, and what that cost them, as far as their load is known. In CPU: owners' load
/// is given of CPU and memory alike.
#[derive(Clone)]
pub(super) struct Lending {
    nodes: Vec<Known>,
    /// When tasks that are placed began, to know what an eviction loses.
    begun: BTreeMap<u64, Time>,
    samples: u64,
    short: u64,
    /// What was missing at the samples that found too little, in millionths of the node's capacity.
    missing: u64,
    with_notice: u64,
    at_once: u64,
    /// Thousandths of a core times milliseconds.
    useful: u128,
    lost: u128,
}

/// What is known of one node.
#[derive(Clone, Copy, Default)]
struct Known {
    since: Time,
    /// What the owner uses; absent before the first sample.
    load: Option<u64>,
    lent: u64,
    idle: u128,
    harvested: u128,
}

/// The figures.
#[derive(Debug, Serialize)]
pub(super) struct LendingReport {
    /// What owners left unused: what a clairvoyant could lend at most.
    pub(super) idle_core_hours: f64,
    pub(super) harvested_core_hours: f64,
    pub(super) harvested_share: f64,
    /// Of work that was completed, and of work that evictions cut off.
    pub(super) useful_core_hours: f64,
    pub(super) lost_core_hours: f64,
    pub(super) useful_share: f64,
    pub(super) samples: u64,
    /// Samples of load for which there was no room until tasks were evicted.
    pub(super) shortfalls: u64,
    pub(super) shortfall_share: f64,
    /// What was missing then, on average, as a part of the node.
    pub(super) shortfall_severity: f64,
    /// Evictions for owners, with their whole notice and without.
    pub(super) evictions_with_notice: u64,
    pub(super) evictions_at_once: u64,
    pub(super) evictions_per_lent_core_hour: f64,
}

impl Lending {
    pub(super) fn new(nodes: usize) -> Self {
        Self {
            nodes: vec![Known::default(); nodes],
            begun: BTreeMap::new(),
            samples: 0,
            short: 0,
            missing: 0,
            with_notice: 0,
            at_once: 0,
            useful: 0,
            lost: 0,
        }
    }

    /// Takes what a step did.
    pub(super) fn follow(&mut self, events: &[Event], now: Time, state: &State) {
        for event in events {
            match event {
                Event::LoadReported { samples } => {
                    for sample in samples {
                        self.loaded(sample.node, sample.load.cpu_millis, now, state);
                    }
                }
                Event::TasksPlaced { job, placements } => {
                    let asked = cpu(state, *job);
                    for placement in placements {
                        self.settle(placement.node, now, state).lent +=
                            asked * u64::from(placement.count);
                        let first = placement.allocation.0;
                        let ids = first..first + u64::from(placement.count);
                        self.begun.extend(ids.map(|id| (id, now)));
                    }
                }
                Event::TaskEnded { at, end, .. } => {
                    let work = self.left(at, now, state);
                    self.useful += if *end == TaskEnd::Succeeded { work } else { 0 };
                }
                Event::TaskEvicted { at, reason, .. } => {
                    self.lost += self.left(at, now, state);
                    self.with_notice += u64::from(*reason == EvictionReason::OwnerExpected);
                    self.at_once += u64::from(*reason == EvictionReason::OwnerReturned);
                }
                _ => {}
            }
        }
    }

    fn loaded(&mut self, node: NodeId, load: u64, now: Time, state: &State) {
        let capacity = capacity(state, node);
        let known = self.settle(node, now, state);
        known.load = Some(load);
        let missing = (load + known.lent).saturating_sub(capacity);
        self.samples += 1;
        self.short += u64::from(missing > 0);
        self.missing += missing * 1_000_000 / capacity.max(1);
    }

    /// A task has left its node; what it had done there.
    fn left(&mut self, at: &AllocationRef, now: Time, state: &State) -> u128 {
        let asked = cpu(state, at.job);
        let begun = self.begun.remove(&at.id.0);
        let known = self.settle(at.node, now, state);
        known.lent -= asked;
        let begun = begun.filter(|_| known.load.is_some()).unwrap_or(now);
        u128::from(asked) * u128::from(now.since(begun).0)
    }

    /// Counts what was idle and lent on a node up to now.
    fn settle(&mut self, node: NodeId, now: Time, state: &State) -> &mut Known {
        let capacity = capacity(state, node);
        let known = &mut self.nodes[node.0 as usize];
        if let Some(load) = known.load {
            let (idle, span) =
                (capacity.saturating_sub(load), u128::from(now.since(known.since).0));
            known.idle += u128::from(idle) * span;
            known.harvested += u128::from(known.lent.min(idle)) * span;
        }
        known.since = now;
        known
    }

    /// Everything up to the last sample of load; nothing if no load was reported. What is placed then is on its way to be
    /// useful, and counts as that.
    pub(super) fn report(mut self, end: Time, state: &State) -> Option<LendingReport> {
        if self.samples == 0 {
            return None;
        }
        for node in 0..self.nodes.len() {
            self.settle(NodeId(u32::try_from(node).expect("invariant: few")), end, state);
        }
        for (id, begun) in std::mem::take(&mut self.begun) {
            let allocation = state.allocation(offpeak_core::model::AllocationId(id));
            let counts = |node: NodeId| self.nodes[node.0 as usize].load.is_some();
            let allocation = allocation.filter(|allocation| counts(allocation.at.node));
            let asked = allocation.map_or(0, |allocation| cpu(state, allocation.at.job));
            self.useful += u128::from(asked) * u128::from(end.since(begun).0);
        }
        let idle = self.nodes.iter().map(|known| known.idle).sum();
        let harvested = self.nodes.iter().map(|known| known.harvested).sum();
        let evictions = self.with_notice + self.at_once;
        Some(LendingReport {
            idle_core_hours: core_hours(idle),
            harvested_core_hours: core_hours(harvested),
            harvested_share: share(harvested, idle),
            useful_core_hours: core_hours(self.useful),
            lost_core_hours: core_hours(self.lost),
            useful_share: share(self.useful, idle),
            samples: self.samples,
            shortfalls: self.short,
            shortfall_share: share(self.short.into(), self.samples.into()),
            shortfall_severity: share(self.missing.into(), u128::from(self.short) * 1_000_000),
            evictions_with_notice: self.with_notice,
            evictions_at_once: self.at_once,
            evictions_per_lent_core_hour: share(u128::from(evictions) * CORE_HOUR, harvested),
        })
    }
}

fn capacity(state: &State, node: NodeId) -> u64 {
    state.node(node).map_or(0, |node| node.spec.capacity.cpu_millis)
}

fn cpu(state: &State, job: JobId) -> u64 {
    state.job(job).map_or(0, |job| job.spec.request.cpu_millis)
}

fn core_hours(millis_millis: u128) -> f64 {
    (millis_millis as f64 / CORE_HOUR as f64 * 1e3).round() / 1e3
}

/// Zero of nothing.
fn share(part: u128, whole: u128) -> f64 {
    if whole == 0 { 0.0 } else { (part as f64 / whole as f64 * 1e6).round() / 1e6 }
}
