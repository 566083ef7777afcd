//! Questions about what would be: why a job waits and what would help, and what submitting one would come to.
//!
//! Both are asked of a fork of the engine, and the answers name its revision.

use std::{collections::BTreeMap, sync::Arc};

use offpeak::v1::{
    ExplainJobRequest, ExplainJobResponse, NodeFit, PlanJobRequest, PlanJobResponse,
    PlannedEviction, PlannedPlacement, SubmitJobRequest, Suggestion, WaitTier,
};
use offpeak_core::{
    command::Detail,
    engine::{Fork, Step},
    event::Event,
    model::{AllocationId, Early, Job, JobSpec, Name, NodeId, TenantId},
    rejection::Rejection,
    scheduler::{Blocker, Explanation, blockers_on},
    state::State,
};

use super::{
    convert::{self, At, Violations},
    job,
    status::ApiError,
};
use crate::{advice, cell::Cell};

/// Tasks of a job beyond which it is not worked out what to ask for instead: each guess would place all of them.
const ADVISED_TASKS: u32 = 10_000;

/// A checked question why a job waits.
pub(super) struct Why {
    tenant: Name,
    name: Name,
    node: Option<Name>,
}

impl Why {
    pub(super) fn parse(message: &ExplainJobRequest) -> Result<Self, ApiError> {
        let mut violations = Violations::default();
        let root = At::Root;
        let why = Self {
            tenant: convert::name(&mut violations, &root.field("tenant"), &message.tenant),
            name: convert::name(&mut violations, &root.field("name"), &message.name),
            node: convert::given_name(&mut violations, &root.field("node"), &message.node),
        };
        Ok(violations.check(why)?)
    }

    pub(super) fn answer(&self, cell: &Cell, fork: &Fork) -> Result<ExplainJobResponse, ApiError> {
        let state = fork.state();
        let job = job::find(state, &self.tenant, &self.name)?;
        let mut found = convert::job(state, job);
        let mut answer = ExplainJobResponse {
            revision: state.revision().0,
            nodes: count(state.node_count()),
            ..ExplainJobResponse::default()
        };
        let known = cell.explain_fully(state, job);
        let nearest = match &self.node {
            Some(name) => Some(
                state
                    .node_named(name.as_str())
                    .ok_or_else(|| ApiError::from(Rejection::NodeNotFound(name.to_string())))?,
            ),
            None => known.nearest.and_then(|id| state.node(id)),
        };
        let fit = nearest.map(|node| {
            let reasons = blockers_on(state, node, &job.spec);
            NodeFit {
                node: node.spec.name.to_string(),
                fits: reasons.is_empty(),
                reasons: reasons.iter().map(convert::node_reason).collect(),
            }
        });
        if !known.reasons.is_empty() {
            found.pending_reasons = job::told(&known.reasons, &found.waits_for);
            found.reasons_revision = answer.revision;
        }
        if job.is_ready() {
            answer.suggestions = suggestions(fork, job.tenant, &waiting(job));
            answer.allowed_nodes = known.allowed;
            answer.large_enough_nodes = known.large_enough;
        }
        let (tier, why) = foremost(state, job, &known);
        answer.tier = tier.into();
        answer.summary = summary(job, why, &answer.suggestions);
        answer.nearest = fit.filter(|_| self.node.is_some() || job.is_ready());
        answer.job = Some(found);
        Ok(answer)
    }
}

/// What of a job waits, as a job of its own.
fn waiting(job: &Job) -> JobSpec {
    JobSpec { count: job.counts.pending, ..(*job.spec).clone() }
}

fn suggestions(fork: &Fork, tenant: TenantId, spec: &JobSpec) -> Vec<Suggestion> {
    if spec.count > ADVISED_TASKS {
        return Vec::new();
    }
    let advised = fork.clone().advise(tenant, spec);
    let suggestion = |advised: offpeak_core::scheduler::Advice| Suggestion {
        message: advice::words(&advised.change, spec),
        spec: Some(convert::job_spec(&advised.change.apply(spec))),
        paths: vec![advice::path(&advised.change)],
        tasks: advised.tasks,
    };
    advised.into_iter().map(suggestion).collect()
}

/// The foremost reason why a job's tasks wait, and the sentence for it: the only place that has one.
fn foremost(state: &State, job: &Job, known: &Explanation) -> (WaitTier, &'static str) {
    let waits_for = |blocker| known.reasons.iter().any(|reason| reason.blocker == blocker);
    let all = state.node_count();
    let is_barred = known.allowed == 0 && all > 0;
    match () {
        () if job.counts.pending + job.counts.delayed == 0 => (WaitTier::Unspecified, ""),
        () if waits_for(Blocker::Dependency) => (WaitTier::Dependency, "other jobs must end first"),
        () if job.counts.pending > 0 && !job.is_ready() => {
            (WaitTier::Backoff, "some failed, and are not tried again yet")
        }
        () if !job.is_ready() && job.counts.delayed == 1 => {
            (WaitTier::Backoff, "it failed, and is not tried again yet")
        }
        () if !job.is_ready() => (WaitTier::Backoff, "they failed, and are not tried again yet"),
        () if all == 0 => (WaitTier::Capacity, "the cell has no nodes"),
        () if is_barred && waits_for(Blocker::NodeState) && is_met_somewhere(state, &job.spec) => (
            WaitTier::Capacity,
            "every node that meets the constraints is cordoned, draining or lost",
        ),
        () if is_barred => (WaitTier::Misconfigured, "no node meets the constraints"),
        () if known.large_enough == 0 => {
            (WaitTier::ExceedsEveryNode, "a task is larger than every node that it may use")
        }
        () if waits_for(Blocker::Budget) => {
            (WaitTier::OverBudget, "the tenant's budget is used up")
        }
        () if waits_for(Blocker::PlannedStart) => {
            (WaitTier::PlannedStart, "a start is planned and has not come yet")
        }
        () if waits_for(Blocker::Preemption) => {
            (WaitTier::BehindOthers, "room is being made for it")
        }
        () if waits_for(Blocker::Queue) => (WaitTier::BehindOthers, "others come first"),
        () if waits_for(Blocker::Gang) => {
            (WaitTier::Capacity, "there is room for some, but all must start together")
        }
        () if waits_for(Blocker::Spread) => {
            (WaitTier::Capacity, "there is room, but not where the job's spreads allow it")
        }
        () => (WaitTier::Capacity, "there is not enough room now"),
    }
}

/// Whether some node meets a job's constraints and only its state, or what is free, is in the way.
fn is_met_somewhere(state: &State, spec: &JobSpec) -> bool {
    let passing = [Blocker::NodeState, Blocker::Capacity, Blocker::Headroom];
    let meets = |node| {
        let blockers = blockers_on(state, node, spec);
        blockers.iter().all(|reason| passing.contains(&reason.blocker))
    };
    state.nodes().any(meets)
}

fn summary(job: &Job, why: &str, suggestions: &[Suggestion]) -> String {
    let tasks = match job.counts.pending + job.counts.delayed {
        0 => return "no task waits".to_owned(),
        1 => "1 task waits".to_owned(),
        waiting => format!("{waiting} tasks wait"),
    };
    let help = match suggestions.first() {
        Some(suggestion) => format!("; would start now: {}", suggestion.message),
        None => String::new(),
    };
    format!("{tasks}: {why}{help}")
}

/// A checked question what submitting a job would come to.
pub(super) struct Plan {
    request: offpeak_core::command::Request,
}

impl Plan {
    pub(super) fn parse(message: PlanJobRequest) -> Result<Self, ApiError> {
        let submission = SubmitJobRequest { job: message.job, ..SubmitJobRequest::default() };
        Ok(Self { request: convert::accept(submission)? })
    }

    pub(super) fn answer(self, cell: &Cell, fork: &Fork) -> Result<PlanJobResponse, ApiError> {
        let revision = fork.state().revision().0;
        let mut after = fork.clone();
        let Step { replies, batch } = after.step(vec![self.request]);
        let outcome = replies.into_iter().next().expect("invariant: one reply a request")?;
        let Detail::Job { id, name } = outcome.detail else {
            unreachable!("invariant: a submission is answered with its job");
        };
        let state = after.state();
        let job = state.job(id).expect("invariant: it was just submitted");
        let tenant = state.tenant(job.tenant).expect("invariant: a job has a tenant");
        let description = convert::tenant(state, tenant, None, state.now());
        let reasons = cell.explain(state, job);
        let suggestions =
            if job.is_ready() { suggestions(fork, job.tenant, &job.spec) } else { Vec::new() };
        Ok(PlanJobResponse {
            revision,
            name: name.to_string(),
            placements: placements(state, job, &batch.events),
            evictions: evictions(state, &batch.events),
            pending: job.counts.pending + job.counts.delayed,
            pending_reasons: job::told(&reasons, &convert::job(state, job).waits_for),
            suggestions,
            usage: description.total_usage,
            quota: description.quota,
        })
    }
}

fn placements(state: &State, job: &Job, events: &[Event]) -> Vec<PlannedPlacement> {
    let own = events.iter().filter_map(|event| match event {
        Event::TasksPlaced { job: placed, placements } if *placed == job.id => Some(placements),
        _ => None,
    });
    let placement = |placement: &offpeak_core::event::Placement| {
        let node = state.node(placement.node).expect("invariant: it was placed there");
        PlannedPlacement {
            node: node.spec.name.to_string(),
            region: node.spec.region.to_string(),
            first_task: placement.task.0,
            tasks: placement.count,
            gpu_devices: placement.devices.iter().collect(),
            reason: convert::placement_reason(placement.reason).into(),
        }
    };
    own.flatten().map(placement).collect()
}

fn evictions(state: &State, events: &[Event]) -> Vec<PlannedEviction> {
    let moved = events.iter().filter_map(|event| match event {
        Event::TaskEvicted { at, early: Some(Early::Moved(node)), .. } => Some((at.id, *node)),
        _ => None,
    });
    let moved: BTreeMap<AllocationId, NodeId> = moved.collect();
    events.iter().filter_map(|event| eviction(state, event, &moved)).collect()
}

fn eviction(
    state: &State,
    event: &Event,
    moved: &BTreeMap<AllocationId, NodeId>,
) -> Option<PlannedEviction> {
    let Event::NoticeGiven { at, notice, by } = event else { return None };
    let job = state.job(at.job)?;
    let moved_to = moved.get(&at.id).and_then(|node| state.node(*node));
    Some(PlannedEviction {
        allocation_id: at.id.0,
        tenant: state.tenant(job.tenant)?.spec.name.to_string(),
        job: job.name.to_string(),
        task: at.task.0,
        node: state.node(at.node)?.spec.name.to_string(),
        notice: Some(convert::notice(*notice, by.as_deref())),
        moved_to: moved_to.map(|node| node.spec.name.to_string()).unwrap_or_default(),
    })
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// Answers on a thread of its own: a look at all nodes is too long for one that serves connections.
pub(super) async fn aside<T: Send + 'static>(
    cell: &Cell,
    fork: Arc<Fork>,
    answer: impl FnOnce(&Cell, &Fork) -> Result<T, ApiError> + Send + 'static,
) -> Result<T, ApiError> {
    let cell = cell.clone();
    tokio::task::spawn_blocking(move || answer(&cell, &fork)).await.map_err(ApiError::from)?
}
