//! Requests that change nodes.

use std::collections::HashSet;

use offpeak::v1;
use offpeak_core::{
    command::{Command, LoadReport, NodePatch, Request},
    model::{NodeSpec, Resources, Taint},
};

use super::{
    extras::annotations,
    mutation,
    resources::whole,
    scalars::{
        at_most, duration, key, label, label_map, list, mask, name, optional_name, require, target,
        time,
    },
    violations::{At, Violations},
};

/// The most nodes, samples or reports of one request.
pub(super) const MAX_BATCH: usize = 10_000;

/// What may be changed of a node.
const NODE_PATHS: [&str; 10] = [
    "owner",
    "region",
    "zone",
    "labels",
    "taints",
    "capacity",
    "gpu_model",
    "reservation",
    "report_ttl",
    "annotations",
];

mutation!(RegisterNodesRequest, "RegisterNodes", register);
mutation!(UpdateNodeRequest, "UpdateNode", update);
mutation!(CordonNodeRequest, "CordonNode", cordon);
mutation!(UncordonNodeRequest, "UncordonNode", uncordon);
mutation!(DrainNodeRequest, "DrainNode", drain);
mutation!(RemoveNodeRequest, "RemoveNode", remove);

fn register(message: &v1::RegisterNodesRequest, violations: &mut Violations) -> Command {
    let root = At::Root;
    let at = root.field("nodes");
    if message.nodes.is_empty() {
        violations.refuse(&at, "must not be empty");
    }
    if !at_most(violations, &at, message.nodes.len(), MAX_BATCH) {
        return Command::RegisterNodes(Vec::new());
    }
    let mut seen = HashSet::with_capacity(message.nodes.len());
    let mut specs = Vec::with_capacity(message.nodes.len());
    for (index, node) in message.nodes.iter().enumerate() {
        let at = at.index(index);
        if !seen.insert(node.name.as_str()) && !node.name.is_empty() {
            violations.refuse(&at.field("name"), "is the name of an earlier node of this request");
        }
        specs.push(spec(violations, &at, node));
    }
    Command::RegisterNodes(specs)
}

fn spec(violations: &mut Violations, at: &At<'_>, node: &v1::Node) -> NodeSpec {
    let capacity_at = at.field("capacity");
    let capacity = require(violations, &capacity_at, node.capacity.as_ref());
    let capacity = whole(violations, &capacity_at, capacity);
    let reservation_at = at.field("reservation");
    let reservation = whole(violations, &reservation_at, node.reservation.as_ref());
    check_reservation(violations, &reservation_at, &reservation, &capacity);
    let gpu_model_at = at.field("gpu_model");
    if node.gpu_model.is_empty() != (capacity.gpu_millis == 0) {
        violations.refuse(&gpu_model_at, "must be given exactly when the capacity has GPUs");
    }
    NodeSpec {
        name: name(violations, &at.field("name"), &node.name),
        owner: optional_name(violations, &at.field("owner"), &node.owner),
        region: optional_name(violations, &at.field("region"), &node.region),
        zone: optional_name(violations, &at.field("zone"), &node.zone),
        labels: label_map(violations, &at.field("labels"), &node.labels),
        taints: taints(violations, &at.field("taints"), &node.taints),
        capacity,
        gpu_model: optional_name(violations, &gpu_model_at, &node.gpu_model),
        reservation,
        report_ttl: report_ttl(violations, at, node),
        annotations: annotations(violations, &at.field("annotations"), &node.annotations),
    }
}

fn check_reservation(
    violations: &mut Violations,
    at: &At<'_>,
    reservation: &Resources,
    capacity: &Resources,
) {
    for (dimension, missing) in reservation.shortfalls(capacity) {
        violations
            .refuse(at, format_args!("is {missing} more than the capacity has of {dimension}"));
    }
}

fn taints(violations: &mut Violations, at: &At<'_>, taints: &[v1::Taint]) -> Vec<Taint> {
    list(violations, at, taints, |violations, at, taint| Taint {
        key: key(violations, &at.field("key"), &taint.key),
        value: label(violations, &at.field("value"), &taint.value),
    })
}

fn report_ttl(
    violations: &mut Violations,
    at: &At<'_>,
    node: &v1::Node,
) -> Option<offpeak_core::model::Millis> {
    let at = at.field("report_ttl");
    let ttl = duration(violations, &at, node.report_ttl?);
    if ttl.0 == 0 {
        violations.refuse(&at, "must be positive; leave it out for none");
    }
    Some(ttl)
}

fn update(message: &v1::UpdateNodeRequest, violations: &mut Violations) -> Command {
    let root = At::Root;
    let at = root.field("node");
    let paths = mask(violations, message.update_mask.as_ref(), &NODE_PATHS);
    let absent = v1::Node::default();
    let node = require(violations, &at, message.node.as_ref()).unwrap_or(&absent);
    let target = target(violations, &at.field("name"), &node.name, message.expected_revision);
    let mut patch = NodePatch::default();
    for path in paths {
        patch_node(violations, &at, node, path, &mut patch);
    }
    if let (Some(reservation), Some(capacity)) = (&patch.reservation, &patch.capacity) {
        check_reservation(violations, &at.field("reservation"), reservation, capacity);
    }
    Command::UpdateNode { target, patch: Box::new(patch) }
}

fn patch_node(
    violations: &mut Violations,
    at: &At<'_>,
    node: &v1::Node,
    path: &str,
    patch: &mut NodePatch,
) {
    match path {
        "owner" => patch.owner = Some(optional_name(violations, &at.field("owner"), &node.owner)),
        "region" => {
            patch.region = Some(optional_name(violations, &at.field("region"), &node.region));
        }
        "zone" => patch.zone = Some(optional_name(violations, &at.field("zone"), &node.zone)),
        "labels" => {
            patch.labels = Some(label_map(violations, &at.field("labels"), &node.labels));
        }
        "taints" => patch.taints = Some(taints(violations, &at.field("taints"), &node.taints)),
        "capacity" => {
            let at = at.field("capacity");
            let capacity = require(violations, &at, node.capacity.as_ref());
            patch.capacity = Some(whole(violations, &at, capacity));
        }
        "gpu_model" => {
            let at = at.field("gpu_model");
            patch.gpu_model = Some(optional_name(violations, &at, &node.gpu_model));
        }
        "reservation" => {
            let at = at.field("reservation");
            patch.reservation = Some(whole(violations, &at, node.reservation.as_ref()));
        }
        "annotations" => {
            let at = at.field("annotations");
            patch.annotations = Some(annotations(violations, &at, &node.annotations));
        }
        "report_ttl" => patch.report_ttl = Some(report_ttl(violations, at, node)),
        _ => unreachable!("invariant: the mask was checked"),
    }
}

fn cordon(message: &v1::CordonNodeRequest, violations: &mut Violations) -> Command {
    let at = At::Root;
    let at = at.field("name");
    Command::CordonNode(target(violations, &at, &message.name, message.expected_revision))
}

fn uncordon(message: &v1::UncordonNodeRequest, violations: &mut Violations) -> Command {
    let at = At::Root;
    let at = at.field("name");
    Command::UncordonNode(target(violations, &at, &message.name, message.expected_revision))
}

fn drain(message: &v1::DrainNodeRequest, violations: &mut Violations) -> Command {
    let at = At::Root;
    Command::DrainNode {
        target: target(violations, &at.field("name"), &message.name, message.expected_revision),
        grace: message.grace.map(|grace| duration(violations, &at.field("grace"), grace)),
    }
}

fn remove(message: &v1::RemoveNodeRequest, violations: &mut Violations) -> Command {
    let at = At::Root;
    Command::RemoveNode {
        target: target(violations, &at.field("name"), &message.name, message.expected_revision),
        force: message.force,
    }
}

/// One batch of a stream of load reports.
pub(crate) fn report_load(message: &v1::ReportLoadRequest) -> Result<Request, Violations> {
    let mut violations = Violations::default();
    let root = At::Root;
    let at = root.field("samples");
    let mut reports = Vec::new();
    if at_most(&mut violations, &at, message.samples.len(), MAX_BATCH) {
        reports.reserve(message.samples.len());
        for (index, sample) in message.samples.iter().enumerate() {
            reports.push(load_report(&mut violations, &at.index(index), sample));
        }
    }
    violations.check(Request {
        command: Command::ReportLoad(reports),
        request_id: None,
        validate_only: false,
    })
}

fn load_report(violations: &mut Violations, at: &At<'_>, sample: &v1::LoadSample) -> LoadReport {
    let load_at = at.field("load");
    let load = require(violations, &load_at, sample.load.as_ref());
    LoadReport {
        node: name(violations, &at.field("node"), &sample.node),
        time: sample.time.map(|taken| time(violations, &at.field("time"), taken)),
        load: whole(violations, &load_at, load),
    }
}
