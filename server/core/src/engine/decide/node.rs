//! Commands about nodes.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::{check_revision, done};
use crate::{
    command::{Detail, LoadReport, NodePatch, Target},
    engine::Decision,
    event::Event,
    model::{
        AllocationId, AllocationRef, EvictionReason, LoadSample, Millis, Node, NodeBounds, NodeId,
        NodeMode, NodeSpec, Notice, Time,
    },
    rejection::Rejection,
    state::State,
};

/// How far ahead of the cell's clock a load sample may lie.
const LOAD_SKEW: Millis = Millis::MINUTE;

pub(super) fn register(state: &State, nodes: Vec<NodeSpec>) -> Result<Decision, Rejection> {
    let mut names = BTreeSet::new();
    for spec in &nodes {
        if state.node_named(spec.name.as_str()).is_some() {
            return Err(Rejection::NodeExists(spec.name.clone()));
        }
        if !names.insert(&spec.name) {
            return Err(Rejection::DuplicateNode(spec.name.clone()));
        }
        check_spec(spec)?;
    }
    let (first, ..) = state.next_ids();
    let ids = (first.0..).map(NodeId);
    let register = |(id, spec)| Event::NodeRegistered { id, spec: Arc::new(spec) };
    Ok(done(ids.zip(nodes).map(register).collect()))
}

pub(super) fn update(
    state: &State,
    target: &Target,
    patch: NodePatch,
) -> Result<Decision, Rejection> {
    let node = find(state, target)?;
    let old = NodeSpec::clone(&node.spec);
    let spec = NodeSpec {
        name: old.name,
        owner: patch.owner.unwrap_or(old.owner),
        region: patch.region.unwrap_or(old.region),
        zone: patch.zone.unwrap_or(old.zone),
        labels: patch.labels.unwrap_or(old.labels),
        taints: patch.taints.unwrap_or(old.taints),
        capacity: patch.capacity.unwrap_or(old.capacity),
        gpu_model: patch.gpu_model.unwrap_or(old.gpu_model),
        reservation: patch.reservation.unwrap_or(old.reservation),
        report_ttl: patch.report_ttl.unwrap_or(old.report_ttl),
        annotations: patch.annotations.unwrap_or(old.annotations),
    };
    check_spec(&spec)?;
    if spec == *node.spec {
        return Ok(done(Vec::new()));
    }
    Ok(done(vec![Event::NodeUpdated { id: node.id, spec: Arc::new(spec) }]))
}

fn check_spec(spec: &NodeSpec) -> Result<(), Rejection> {
    if spec.gpu_model.is_empty() != (spec.capacity.gpu_millis == 0) {
        return Err(Rejection::GpuModelMismatch(spec.name.clone()));
    }
    if let Some((dimension, _)) = spec.reservation.shortfalls(&spec.capacity).into_iter().next() {
        let (node, dimension) = (spec.name.clone(), dimension.to_string());
        return Err(Rejection::ReservationAboveCapacity { node, dimension });
    }
    Ok(())
}

pub(super) fn cordon(state: &State, target: &Target) -> Result<Decision, Rejection> {
    let node = find(state, target)?;
    if node.mode == NodeMode::Cordoned {
        return Ok(done(Vec::new()));
    }
    let mut events = vec![mode_changed(node, NodeMode::Cordoned)];
    events.extend(withdrawn(state, node));
    Ok(done(events))
}

pub(super) fn uncordon(state: &State, target: &Target) -> Result<Decision, Rejection> {
    let node = find(state, target)?;
    if node.mode == NodeMode::Open {
        return Ok(done(Vec::new()));
    }
    let mut events = vec![mode_changed(node, NodeMode::Open)];
    events.extend(withdrawn(state, node));
    Ok(done(events))
}

fn mode_changed(node: &Node, mode: NodeMode) -> Event {
    Event::NodeModeChanged { id: node.id, mode, lost: node.lost }
}

/// Calls off what was announced because the node is drained, the rest of its gangs on other nodes included; what
/// another drain demands stays.
fn withdrawn(state: &State, node: &Node) -> Vec<Event> {
    let mut events = Vec::new();
    for (at, deadline) in concerned(state, node, None) {
        let old = state.allocation(at.id).and_then(|allocation| allocation.notice);
        let Some(old) = old.filter(|old| old.reason == EvictionReason::NodeDrained) else {
            continue;
        };
        match deadline {
            None => events.push(Event::NoticeWithdrawn { at }),
            Some(deadline) if deadline != old.deadline => {
                events.push(Event::NoticeGiven { at, notice: drained(deadline), by: None });
            }
            Some(_) => {}
        }
    }
    events
}

fn drained(deadline: Time) -> Notice {
    Notice { reason: EvictionReason::NodeDrained, deadline }
}

/// The allocations that a drain of the node concerns, with those of their gangs on other nodes, and when they have to
/// go once the node's drain ends at `deadline`: a gang with the first of its nodes.
fn concerned(
    state: &State,
    node: &Node,
    deadline: Option<Time>,
) -> Vec<(AllocationRef, Option<Time>)> {
    let mut concerned: BTreeMap<AllocationId, (AllocationRef, Option<Time>)> = BTreeMap::new();
    for id in &node.allocations {
        let at = state.allocation(*id).expect("invariant: it is live").at;
        if concerned.contains_key(id) {
            continue;
        }
        let job = state.job(at.job).expect("invariant: it is live");
        if !job.spec.gang {
            concerned.insert(*id, (at, deadline));
            continue;
        }
        let members = state.allocations_of(job).map(|allocation| allocation.at);
        let members: Vec<AllocationRef> = members.collect();
        let others = members.iter().filter(|at| at.node != node.id);
        let drains = others.filter_map(|at| match state.node(at.node)?.mode {
            NodeMode::Draining { deadline } => Some(deadline),
            _ => None,
        });
        let first = drains.chain(deadline).min();
        concerned.extend(members.into_iter().map(|at| (at.id, (at, first))));
    }
    concerned.into_values().collect()
}

pub(super) fn drain(
    state: &State,
    now: Time,
    target: &Target,
    grace: Option<Millis>,
) -> Result<Decision, Rejection> {
    let node = find(state, target)?;
    let deadline = now.after(grace.unwrap_or(state.policy().notice));
    let mut events = vec![mode_changed(node, NodeMode::Draining { deadline })];
    let mut notices = 0;
    for (at, deadline) in concerned(state, node, Some(deadline)) {
        let notice = drained(deadline.expect("invariant: at least this drain ends"));
        let old = state.allocation(at.id).and_then(|allocation| allocation.notice);
        let moves = old.is_none_or(|old| {
            notice.deadline < old.deadline
                || old.reason == EvictionReason::NodeDrained && old.deadline != notice.deadline
        });
        if moves {
            let keeps = old.filter(|old| old.reason == EvictionReason::Cancelled);
            let notice = keeps.map_or(notice, |old| notice.beside(Some(old)));
            events.push(Event::NoticeGiven { at, notice, by: None });
            notices += 1;
        }
    }
    Ok(Decision { events, detail: Detail::Notices(notices) })
}

pub(super) fn remove(state: &State, target: &Target, force: bool) -> Result<Decision, Rejection> {
    let node = find(state, target)?;
    if !node.allocations.is_empty() && !force {
        return Err(Rejection::NodeInUse {
            node: node.spec.name.clone(),
            allocations: node.allocations.len(),
        });
    }
    let mut ids = node.allocations.clone();
    ids.sort_unstable();
    let mut events: Vec<Event> = ids
        .into_iter()
        .map(|id| {
            let allocation = state.allocation(id).expect("invariant: it is live");
            Event::taken_back(allocation, EvictionReason::NodeRemoved, None)
        })
        .collect();
    let (name, region) = (node.spec.name.clone(), node.spec.region.clone());
    events.push(Event::NodeRemoved { id: node.id, name, region });
    Ok(done(events))
}

pub(super) fn report_load(
    state: &State,
    now: Time,
    reports: Vec<LoadReport>,
) -> Result<Decision, Rejection> {
    let mut newest: BTreeMap<NodeId, Time> = BTreeMap::new();
    let mut samples = Vec::with_capacity(reports.len());
    let mut found = BTreeMap::new();
    let mut ignored = 0;
    for report in reports {
        let name = report.node.as_str();
        let Some(node) = state.node_named(name) else {
            return Err(Rejection::NodeNotFound(name.to_owned()));
        };
        let time = report.time.unwrap_or(now);
        if time > now.after(LOAD_SKEW) {
            return Err(Rejection::LoadFromFuture(node.spec.name.clone()));
        }
        let known = node.history.newest.as_ref().map(|(time, _)| *time);
        if newest.get(&node.id).copied().or(known).is_some_and(|known| time <= known) {
            ignored += 1;
            continue;
        }
        if node.lost {
            found.insert(node.id, node.mode);
        }
        newest.insert(node.id, time);
        samples.push(LoadSample { node: node.id, time, load: report.load });
    }
    let accepted = samples.len() as u64;
    let mut events = Vec::new();
    if accepted > 0 {
        events.push(Event::LoadReported { samples });
    }
    events.extend(found.into_iter().map(|(id, mode)| Event::NodeFound { id, mode }));
    Ok(Decision { events, detail: Detail::Load { accepted, ignored } })
}

/// What was found for nodes that are gone since is dropped.
pub(super) fn bound(state: &State, mut bounds: Vec<NodeBounds>) -> Decision {
    bounds.retain(|found| {
        state.node(found.node).is_some_and(|node| node.bounds.as_ref() != Some(&found.bounds))
    });
    done(if bounds.is_empty() { Vec::new() } else { vec![Event::ForecastMade { bounds }] })
}

fn find<'a>(state: &'a State, target: &Target) -> Result<&'a Node, Rejection> {
    let name = target.name.as_str();
    let node = state.node_named(name).ok_or_else(|| Rejection::NodeNotFound(name.to_owned()))?;
    check_revision("node", target, node.revision)?;
    Ok(node)
}
