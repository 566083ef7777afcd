use std::{collections::BTreeMap, time::Duration};

use offpeak_core::{
    model::EvictionReason,
    scheduler::{Blocker, PendingReason},
};
use serde::{Serialize, Serializer};

use super::{
    fairness::FairnessReport, input::Inputs, ledger::Standing, lending::LendingReport,
    quotes::QuoteReport, run::End,
};

/// The figures of a simulation. All but `timings` are the same in every run of the same files.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    pub(super) tasks: Tasks,
    /// How often tasks were evicted, by reason.
    pub(super) evictions: BTreeMap<&'static str, u64>,
    /// Those of them that moved to another node before their notice ended.
    pub(super) moved: u64,
    /// Only with owners' load.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) lending: Option<LendingReport>,
    /// Only where tenants competed for six hours.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) fairness: Option<FairnessReport>,
    /// Only when they were asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) quotes: Option<QuoteReport>,
    pub(super) pending_reasons: Vec<Reason>,
    pub(super) nodes: Nodes,
    #[serde(serialize_with = "by_name")]
    pub(super) resources: Vec<Resource>,
    pub(super) timings: Timings,
}

/// How many tasks ended up how.
#[derive(Debug, Serialize)]
pub(super) struct Tasks {
    pub(super) submitted: u64,
    pub(super) placed: u64,
    pub(super) succeeded: u64,
    pub(super) pending: u64,
    pub(super) evicted: u64,
    pub(super) missed_deadline: u64,
    pub(super) refused: u64,
}

/// Tasks that wait for one reason; a task counts for each of its reasons.
#[derive(Debug, Serialize)]
pub(super) struct Reason {
    pub(super) blocker: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) dimension: Option<String>,
    pub(super) tasks: u64,
}

#[derive(Debug, Serialize)]
pub(super) struct Nodes {
    pub(super) total: u64,
    pub(super) used: u64,
    pub(super) used_peak: u64,
}

/// One resource, when the last batch had been decided.
#[derive(Debug, Serialize)]
pub(super) struct Resource {
    #[serde(skip)]
    pub(super) name: String,
    pub(super) capacity: u64,
    pub(super) allocated: u64,
    pub(super) allocated_mean: u64,
    pub(super) allocated_peak: u64,
    /// The share of what is free that a task is expected not to be able to use.
    pub(super) fragmentation: Option<f64>,
}

/// What the engine took, by the wall clock.
#[derive(Debug, Serialize)]
pub(super) struct Timings {
    pub(super) batches: u64,
    pub(super) deciding_seconds: f64,
    pub(super) decisions_per_second: f64,
    /// Of a batch, from its submission until nothing was left to do.
    pub(super) batch_micros: Percentiles,
    /// How often the planner ran, and what stating, solving and adopting took in all.
    pub(super) planner_runs: u64,
    pub(super) planner_seconds: f64,
}

#[derive(Debug, Serialize)]
pub(super) struct Percentiles {
    pub(super) p50: f64,
    pub(super) p90: f64,
    pub(super) p99: f64,
    #[serde(rename = "p99.9")]
    pub(super) p999: f64,
    pub(super) max: f64,
}

impl Report {
    pub(super) fn of(inputs: &Inputs, end: &mut End) -> Self {
        let tasks = Tasks::of(end);
        Self {
            evictions: evictions(end),
            moved: end.ledger.moved,
            lending: end.lending.take(),
            fairness: end.fairness.take(),
            quotes: end.quotes.take(),
            pending_reasons: reasons(end),
            nodes: Nodes {
                total: inputs.nodes.len() as u64,
                used: end.arrived.held.nodes,
                used_peak: end.ledger.peak.nodes,
            },
            resources: resources(inputs, end),
            timings: Timings::of(end, tasks.submitted),
            tasks,
        }
    }

    pub(super) fn to_json(&self) -> String {
        let json = serde_json::to_string_pretty(self).expect("invariant: plain figures are JSON");
        json + "\n"
    }
}

fn by_name<S: Serializer>(resources: &[Resource], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(resources.iter().map(|resource| (&resource.name, resource)))
}

impl Tasks {
    fn of(end: &End) -> Self {
        let count = |wanted| end.ledger.count(|standing| standing == wanted);
        Self {
            submitted: end.ledger.count(|_| true),
            placed: count(Standing::Placed),
            succeeded: count(Standing::Succeeded),
            pending: count(Standing::Pending),
            evicted: end.ledger.count(|standing| matches!(standing, Standing::Evicted(_))),
            missed_deadline: count(Standing::MissedDeadline),
            refused: count(Standing::Refused),
        }
    }
}

fn evictions(end: &End) -> BTreeMap<&'static str, u64> {
    end.ledger.evictions.iter().map(|(reason, count)| (eviction(*reason), *count)).collect()
}

/// Waiting tasks by reason, the most frequent first.
fn reasons(end: &End) -> Vec<Reason> {
    let mut counted: BTreeMap<(Blocker, Option<String>), u64> = BTreeMap::new();
    for (record, shape) in end.ledger.rows.iter().zip(&end.mix.of_row) {
        let waiting = record.waiting();
        if waiting == 0 {
            continue;
        }
        for PendingReason { blocker, dimension, .. } in &end.reasons[shape] {
            let dimension = dimension.as_ref().map(ToString::to_string);
            *counted.entry((*blocker, dimension)).or_default() += waiting;
        }
    }
    let reason =
        |((reason, dimension), tasks)| Reason { blocker: blocker(reason), dimension, tasks };
    let mut reasons: Vec<Reason> = counted.into_iter().map(reason).collect();
    reasons.sort_by_key(|reason| std::cmp::Reverse(reason.tasks));
    reasons
}

fn resources(inputs: &Inputs, end: &End) -> Vec<Resource> {
    let mut capacity = vec![0; end.dimensions.len()];
    for node in &inputs.nodes {
        for (sum, amount) in capacity.iter_mut().zip(end.dimensions.vector(&node.capacity)) {
            *sum = u64::saturating_add(*sum, amount);
        }
    }
    let resource = |(at, name): (usize, String)| Resource {
        name,
        capacity: capacity[at],
        allocated: end.arrived.held.amounts[at],
        allocated_mean: end.arrived.mean[at],
        allocated_peak: end.ledger.peak.amounts[at],
        fragmentation: end.arrived.fragmentation[at].map(|millionths| millionths as f64 / 1e6),
    };
    end.dimensions.names().into_iter().enumerate().map(resource).collect()
}

impl Timings {
    fn of(end: &End, tasks: u64) -> Self {
        let total = end.stopwatch.total();
        let [p50, p90, p99, p999, max] =
            end.stopwatch.percentiles([500, 900, 990, 999, 1000]).map(micros);
        Self {
            batches: end.stopwatch.batches() as u64,
            deciding_seconds: total.as_secs_f64(),
            decisions_per_second: (tasks as f64 / total.as_secs_f64()).round(),
            batch_micros: Percentiles { p50, p90, p99, p999, max },
            planner_runs: end.planning.runs,
            planner_seconds: end.planning.took.as_secs_f64(),
        }
    }
}

/// To a tenth.
fn micros(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e7).round() / 10.0
}

pub(super) fn eviction(reason: EvictionReason) -> &'static str {
    match reason {
        EvictionReason::OwnerReturned => "owner_returned",
        EvictionReason::OwnerExpected => "owner_expected",
        EvictionReason::Preempted => "preempted",
        EvictionReason::NodeDrained => "node_drained",
        EvictionReason::NodeLost => "node_lost",
        EvictionReason::NodeRemoved => "node_removed",
        EvictionReason::NodeChanged => "node_changed",
        EvictionReason::OverBudget => "over_budget",
        EvictionReason::Cancelled => "cancelled",
    }
}

fn blocker(blocker: Blocker) -> &'static str {
    match blocker {
        Blocker::NoNodes => "no_nodes",
        Blocker::Budget => "budget",
        Blocker::Gang => "gang",
        Blocker::Spread => "spread",
        Blocker::Dependency => "dependency",
        Blocker::Backoff => "backoff",
        Blocker::Preemption => "preemption",
        Blocker::Queue => "queue",
        Blocker::NodeState => "node_state",
        Blocker::Region => "region",
        Blocker::Zone => "zone",
        Blocker::Labels => "labels",
        Blocker::Taints => "taints",
        Blocker::GpuModel => "gpu_model",
        Blocker::Capacity => "capacity",
        Blocker::Headroom => "headroom",
        Blocker::PlannedStart => "planned_start",
    }
}
