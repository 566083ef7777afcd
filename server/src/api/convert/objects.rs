//! Objects of the state as messages.

use std::collections::BTreeMap;

use offpeak::v1;
use offpeak_core::{
    event::PlacementReason,
    model::{
        Allocation, Constraints, Counts, EvictionReason, Horizon, Job, JobSpec, JobState,
        LabelSelector, Labels, Millis, Name, Node, NodeId, NodeMode, NodeSpec, Notice, OnNotice,
        PlannedStart, PreemptedFor, Preemptor, Quota, Quote, Resources, SelectorOperator,
        StartPlace, TaskEnd, TaskIndex, TaskPhase, TenantSpec, Time, Topology,
    },
    state::State,
};
use prost_types::{Duration, Timestamp};

use super::{
    billing::budget_message,
    extras::{annotation_map, dependency, payload_message, retry_policy},
};

/// The last millisecond that a timestamp can tell: of the year 9999.
const END_OF_TIME: Time = Time(253_402_300_799_999);

/// A point in time as a well-known type. What lies later, such as the end of a very long drain, is the end of time.
pub(crate) fn timestamp(time: Time) -> Timestamp {
    let (seconds, nanos) = parts(time.min(END_OF_TIME).0);
    Timestamp { seconds, nanos }
}

pub(crate) fn span(millis: Millis) -> Duration {
    let (seconds, nanos) = parts(millis.0);
    Duration { seconds, nanos }
}

fn parts(millis: u64) -> (i64, i32) {
    let seconds = i64::try_from(millis / 1_000).expect("invariant: a thousandth of u64 fits");
    let nanos = i32::try_from(millis % 1_000 * 1_000_000).expect("invariant: less than a second");
    (seconds, nanos)
}

/// An amount as a message.
pub(crate) fn resources(amount: &Resources) -> v1::Resources {
    v1::Resources {
        cpu_millis: amount.cpu_millis,
        memory_bytes: amount.memory_bytes,
        disk_bytes: amount.disk_bytes,
        network_bps: amount.network_bps,
        gpu_millis: amount.gpu_millis,
        counts: counts(&amount.counts),
    }
}

fn counts(counts: &Counts) -> BTreeMap<String, u64> {
    counts.iter().map(|(name, amount)| (name.to_string(), amount)).collect()
}

pub(super) fn labels(labels: &Labels) -> BTreeMap<String, String> {
    labels.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect()
}

pub(super) fn texts(names: &[Name]) -> Vec<String> {
    names.iter().map(Name::to_string).collect()
}

/// A node with everything that is known of it.
pub(crate) fn node(state: &State, node: &Node) -> v1::Node {
    let node_state = node_state(node);
    let drain_deadline = match node.mode {
        NodeMode::Draining { deadline } if node_state == v1::NodeState::Draining => Some(deadline),
        _ => None,
    };
    let newest = node.history.newest.as_ref();
    v1::Node {
        state: node_state.into(),
        drain_deadline: drain_deadline.map(timestamp),
        owner_load: newest.map(|(_, load)| resources(load)),
        owner_load_time: newest.map(|(time, _)| timestamp(*time)),
        forecast: node.forecast(state.policy(), Horizon::FiveMinutes).as_ref().map(resources),
        lent: Some(resources(&node.lent)),
        headroom: Some(resources(&node.headroom(Horizon::FiveMinutes))),
        allocation_count: u32::try_from(node.allocations.len()).unwrap_or(u32::MAX),
        overcommitted: node.is_overcommitted(),
        create_time: Some(timestamp(node.created)),
        revision: node.revision.0,
        ..node_description(&node.spec)
    }
}

/// A node as registered.
pub(crate) fn node_description(spec: &NodeSpec) -> v1::Node {
    let taints = spec.taints.iter();
    v1::Node {
        name: spec.name.to_string(),
        owner: spec.owner.to_string(),
        region: spec.region.to_string(),
        zone: spec.zone.to_string(),
        labels: labels(&spec.labels),
        taints: taints
            .map(|taint| v1::Taint { key: taint.key.to_string(), value: taint.value.to_string() })
            .collect(),
        capacity: Some(resources(&spec.capacity)),
        gpu_model: spec.gpu_model.to_string(),
        reservation: Some(resources(&spec.reservation)),
        report_ttl: spec.report_ttl.map(span),
        annotations: annotation_map(&spec.annotations),
        ..v1::Node::default()
    }
}

/// Where a node stands.
pub(crate) fn node_state(node: &Node) -> v1::NodeState {
    node_state_in(node.mode, node.lost)
}

/// Where a node stands that is wanted in this mode.
pub(crate) fn node_state_in(mode: NodeMode, lost: bool) -> v1::NodeState {
    match mode {
        _ if lost => v1::NodeState::Lost,
        NodeMode::Open => v1::NodeState::Ready,
        NodeMode::Cordoned => v1::NodeState::Cordoned,
        NodeMode::Draining { .. } => v1::NodeState::Draining,
    }
}

/// A load sample of the node called `node`.
pub(crate) fn load_sample(node: &Name, time: Time, load: &Resources) -> v1::LoadSample {
    v1::LoadSample {
        node: node.to_string(),
        time: Some(timestamp(time)),
        load: Some(resources(load)),
    }
}

/// A tenant as asked for.
pub(crate) fn tenant_description(spec: &TenantSpec) -> v1::Tenant {
    v1::Tenant {
        name: spec.name.to_string(),
        quota: Some(quota(&spec.quota)),
        weight: spec.weight,
        priority_ceiling: Some(spec.priority_ceiling.0),
        labels: labels(&spec.labels),
        budget: budget_message(&spec.budget),
        annotations: annotation_map(&spec.annotations),
        parent: spec.parent.to_string(),
        guarantee: (!spec.guarantee.is_zero()).then(|| resources(&spec.guarantee)),
        ..v1::Tenant::default()
    }
}

fn quota(quota: &Quota) -> v1::Quota {
    v1::Quota {
        cpu_millis: quota.cpu_millis,
        memory_bytes: quota.memory_bytes,
        disk_bytes: quota.disk_bytes,
        network_bps: quota.network_bps,
        gpu_millis: quota.gpu_millis,
        counts: quota.counts.iter().map(|(name, limit)| (name.to_string(), *limit)).collect(),
        tasks: quota.tasks,
    }
}

/// A job with everything that is known of it, but for the reasons why its tasks wait.
///
/// # Panics
/// When the job is not of this state.
pub(crate) fn job(state: &State, job: &Job) -> v1::Job {
    let counts = job.counts;
    v1::Job {
        id: job.id.0,
        state: job_state(job.state()).into(),
        tasks: Some(v1::TaskCounts {
            pending: counts.pending,
            placed: counts.placed,
            running: counts.running,
            succeeded: counts.succeeded,
            failed: counts.failed,
            cancelled: counts.cancelled,
            delayed: counts.delayed,
        }),
        evictions: job.evictions.into(),
        create_time: Some(timestamp(job.created)),
        end_time: job.ended.map(|(time, _)| timestamp(time)),
        revision: job.revision.0,
        waits_for: state.awaited(job).map(|awaited| awaited.name.to_string()).collect(),
        next_retry_time: next_retry(state, job),
        end_reason: end_reason(state, job),
        last_preemption: state.preempted(job.id).map(|(by, time)| preemption(by, *time)),
        planned_start: state.planned_start(job.id).map(|planned| {
            planned_start(planned, |node| {
                let node = state.node(node).expect("invariant: a start is planned on a node");
                &node.spec.name
            })
        }),
        quote: state.quotes().get(job.id).map(quote),
        ..job_description(tenant_name(state, job), &job.name, &job.spec)
    }
}

/// When a job would start.
pub(crate) fn quote(quote: &Quote) -> v1::Quote {
    v1::Quote {
        quote_time: Some(timestamp(quote.made)),
        p50_start_time: quote.times.map(|(p50, _)| timestamp(p50)),
        p95_start_time: quote.times.map(|(_, p95)| timestamp(p95)),
    }
}

/// A job as lists and snapshots show it: without its payload.
///
/// # Panics
/// When the job is not of this state.
pub(crate) fn listed_job(state: &State, job: &Job) -> v1::Job {
    let mut message = self::job(state, job);
    if let Some(spec) = &mut message.spec {
        spec.payload = None;
    }
    message
}

fn next_retry(state: &State, job: &Job) -> Option<Timestamp> {
    if job.counts.delayed == 0 { None } else { state.next_retry(job.id).map(timestamp) }
}

/// Why the job ended, where its state does not tell.
fn end_reason(state: &State, job: &Job) -> String {
    let hopeless = TaskPhase::Ended(TaskEnd::DependencyFailed);
    if job.ended.is_none() || job.spec.dependencies().is_empty() {
        return String::new();
    }
    if job.tasks.get(TaskIndex(0)).is_none_or(|task| task.phase != hopeless) {
        return String::new();
    }
    let failed: Vec<&str> = state.failed_dependencies(job).map(|job| job.name.as_str()).collect();
    match failed.as_slice() {
        [] => "a dependency failed".to_owned(),
        failed => format!("dependency failed: {}", failed.join(", ")),
    }
}

fn tenant_name<'s>(state: &'s State, job: &Job) -> &'s Name {
    &state.tenant(job.tenant).expect("invariant: a job has a tenant").spec.name
}

/// A job as asked for.
pub(crate) fn job_description(tenant: &Name, name: &Name, spec: &JobSpec) -> v1::Job {
    v1::Job {
        tenant: tenant.to_string(),
        name: name.to_string(),
        spec: Some(job_spec(spec)),
        ..v1::Job::default()
    }
}

/// What was asked for.
pub(crate) fn job_spec(spec: &JobSpec) -> v1::JobSpec {
    v1::JobSpec {
        count: spec.count,
        request: Some(resources(&spec.request)),
        constraints: constraints(&spec.constraints),
        priority: spec.priority.0,
        min_runtime: (spec.min_runtime.0 > 0).then(|| span(spec.min_runtime)),
        max_runtime: spec.max_runtime.map(span),
        deadline: spec.deadline.map(timestamp),
        complete_by: spec.complete_by.map(timestamp),
        gang: spec.gang,
        labels: labels(&spec.labels),
        notice: spec.notice.map(span),
        on_notice: on_notice(spec.on_notice).into(),
        retry: spec.retry().map(retry_policy),
        dependencies: spec.dependencies().iter().map(dependency).collect(),
        payload: spec.payload().map(|payload| payload_message(payload, str::to_owned)),
        annotations: annotation_map(&spec.annotations()),
    }
}

/// What is the default is not told, so that descriptions of jobs that do not care stay as they were.
fn on_notice(on_notice: OnNotice) -> v1::OnNotice {
    match on_notice {
        OnNotice::Stay => v1::OnNotice::Unspecified,
        OnNotice::Move => v1::OnNotice::Move,
    }
}

fn constraints(constraints: &Constraints) -> Option<v1::Constraints> {
    if *constraints == Constraints::default() {
        return None;
    }
    let tolerations = constraints.tolerations.iter().map(|toleration| v1::Toleration {
        key: toleration.key.as_ref().map(ToString::to_string).unwrap_or_default(),
        value: toleration.value.as_ref().map(ToString::to_string),
    });
    let spreads = constraints.spreads.iter().map(|spread| v1::Spread {
        topology: match spread.topology {
            Topology::Node => v1::SpreadTopology::Node.into(),
            Topology::Zone => v1::SpreadTopology::Zone.into(),
        },
        max_per_place: spread.max_per_place.unwrap_or(0),
        max_skew: spread.max_skew.unwrap_or(0),
    });
    Some(v1::Constraints {
        regions: texts(&constraints.regions),
        zones: texts(&constraints.zones),
        gpu_models: texts(&constraints.gpu_models),
        labels: constraints.labels.iter().map(selector).collect(),
        tolerations: tolerations.collect(),
        spreads: spreads.collect(),
    })
}

fn selector(selector: &LabelSelector) -> v1::LabelSelector {
    let (operator, values) = match &selector.operator {
        SelectorOperator::In(values) => (v1::SelectorOperator::In, values.as_slice()),
        SelectorOperator::NotIn(values) => (v1::SelectorOperator::NotIn, values.as_slice()),
        SelectorOperator::Exists => (v1::SelectorOperator::Exists, [].as_slice()),
        SelectorOperator::NotExists => (v1::SelectorOperator::NotExists, [].as_slice()),
    };
    v1::LabelSelector {
        key: selector.key.to_string(),
        operator: operator.into(),
        values: values.iter().map(ToString::to_string).collect(),
    }
}

/// Where a job stands.
pub(crate) fn job_state(state: JobState) -> v1::JobState {
    match state {
        JobState::Pending => v1::JobState::Pending,
        JobState::Running => v1::JobState::Running,
        JobState::Succeeded => v1::JobState::Succeeded,
        JobState::Failed => v1::JobState::Failed,
        JobState::Cancelled => v1::JobState::Cancelled,
    }
}

/// A live allocation.
///
/// # Panics
/// When the allocation is not of this state.
pub(crate) fn allocation(state: &State, allocation: &Allocation) -> v1::Allocation {
    let at = allocation.at;
    let job = state.job(at.job).expect("invariant: a live allocation has a job");
    let node = state.node(at.node).expect("invariant: a live allocation has a node");
    let allocation_state = match allocation.started() {
        Some(_) => v1::AllocationState::Running,
        None => v1::AllocationState::Placed,
    };
    v1::Allocation {
        id: at.id.0,
        tenant: tenant_name(state, job).to_string(),
        job: job.name.to_string(),
        task: at.task.0,
        attempt: state.attempt_of(allocation),
        node: node.spec.name.to_string(),
        resources: Some(resources(&job.spec.request)),
        gpu_devices: allocation.devices.iter().collect(),
        state: allocation_state.into(),
        place_time: Some(timestamp(allocation.placed)),
        start_time: allocation.started().map(timestamp),
        notice: allocation
            .notice
            .map(|given| notice(given, state.preemptor(at.id).map(AsRef::as_ref))),
    }
}

/// When and where tasks are to start.
pub(crate) fn planned_start<'n>(
    planned: &PlannedStart,
    name: impl Fn(NodeId) -> &'n Name,
) -> v1::PlannedStart {
    let place = |place: &StartPlace| v1::StartPlace {
        node: name(place.node).to_string(),
        tasks: place.tasks,
    };
    let places: Vec<v1::StartPlace> = planned.places.iter().map(place).collect();
    v1::PlannedStart {
        start_time: Some(timestamp(planned.start)),
        node: places.first().map(|first| first.node.clone()).unwrap_or_default(),
        tasks: planned.tasks(),
        places,
    }
}

/// An announced eviction.
pub(crate) fn notice(notice: Notice, by: Option<&Preemptor>) -> v1::EvictionNotice {
    v1::EvictionNotice {
        reason: eviction_reason(notice.reason).into(),
        deadline: Some(timestamp(notice.deadline)),
        preempting_tenant: by.map(|by| by.tenant.to_string()).unwrap_or_default(),
        preempting_job: by.map(|by| by.name.to_string()).unwrap_or_default(),
        preemption_right: by.map(|by| preemption_right(by.right).into()).unwrap_or_default(),
    }
}

fn preemption(by: &Preemptor, time: Time) -> v1::Preemption {
    v1::Preemption {
        tenant: by.tenant.to_string(),
        job: by.name.to_string(),
        right: preemption_right(by.right).into(),
        time: Some(timestamp(time)),
    }
}

fn preemption_right(right: PreemptedFor) -> v1::PreemptionRight {
    match right {
        PreemptedFor::Priority => v1::PreemptionRight::Priority,
        PreemptedFor::Guarantee => v1::PreemptionRight::Guarantee,
    }
}

/// Why a task was placed on just that node.
pub(crate) fn placement_reason(reason: PlacementReason) -> v1::PlacementReason {
    match reason {
        PlacementReason::Unknown => v1::PlacementReason::Unspecified,
        PlacementReason::Kept => v1::PlacementReason::Kept,
        PlacementReason::Tightest => v1::PlacementReason::Tightest,
        PlacementReason::LastRoom => v1::PlacementReason::LastRoom,
        PlacementReason::Spread => v1::PlacementReason::Spread,
        PlacementReason::Batch => v1::PlacementReason::Batch,
        PlacementReason::Planned => v1::PlacementReason::Planned,
    }
}

/// Why an allocation is taken back.
pub(crate) fn eviction_reason(reason: EvictionReason) -> v1::EvictionReason {
    match reason {
        EvictionReason::OwnerReturned => v1::EvictionReason::OwnerReturned,
        EvictionReason::OwnerExpected => v1::EvictionReason::OwnerExpected,
        EvictionReason::Preempted => v1::EvictionReason::Preempted,
        EvictionReason::NodeDrained => v1::EvictionReason::NodeDrained,
        EvictionReason::NodeLost => v1::EvictionReason::NodeLost,
        EvictionReason::NodeRemoved => v1::EvictionReason::NodeRemoved,
        EvictionReason::NodeChanged => v1::EvictionReason::NodeChanged,
        EvictionReason::OverBudget => v1::EvictionReason::OverBudget,
        EvictionReason::Cancelled => v1::EvictionReason::Cancelled,
    }
}
