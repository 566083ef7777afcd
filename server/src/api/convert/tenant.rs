//! Requests that change tenants.

use std::collections::BTreeMap;

use offpeak::v1;
use offpeak_core::{
    command::{Command, TenantPatch},
    model::{Counts, Name, Priority, Quota, Resources, TenantSpec},
};

use super::{
    billing::budget,
    extras::annotations,
    job::{MAX_PRIORITY, MIN_PRIORITY},
    mutation,
    resources::countable,
    scalars::{MAX_LIST, at_most, label_map, mask, name, require, target, within},
    violations::{At, Violations},
};

/// The greatest weight.
const MAX_WEIGHT: u32 = 1_000_000;

/// What may be changed of a tenant.
const TENANT_PATHS: [&str; 8] = [
    "quota",
    "weight",
    "priority_ceiling",
    "labels",
    "budget",
    "annotations",
    "parent",
    "guarantee",
];

mutation!(CreateTenantRequest, "CreateTenant", create);
mutation!(UpdateTenantRequest, "UpdateTenant", update);
mutation!(DeleteTenantRequest, "DeleteTenant", delete);

fn create(message: &v1::CreateTenantRequest, violations: &mut Violations) -> Command {
    let root = At::Root;
    let at = root.field("tenant");
    let absent = v1::Tenant::default();
    let tenant = require(violations, &at, message.tenant.as_ref()).unwrap_or(&absent);
    Command::CreateTenant(Box::new(TenantSpec {
        name: name(violations, &at.field("name"), &tenant.name),
        parent: parent(violations, &at, tenant),
        quota: quota(violations, &at, tenant),
        guarantee: guarantee(violations, &at, tenant),
        weight: weight(violations, &at, tenant),
        priority_ceiling: ceiling(violations, &at, tenant),
        labels: label_map(violations, &at.field("labels"), &tenant.labels),
        budget: budget(violations, &at, tenant),
        annotations: annotations(violations, &at.field("annotations"), &tenant.annotations),
    }))
}

fn update(message: &v1::UpdateTenantRequest, violations: &mut Violations) -> Command {
    let root = At::Root;
    let at = root.field("tenant");
    let paths = mask(violations, message.update_mask.as_ref(), &TENANT_PATHS);
    let absent = v1::Tenant::default();
    let tenant = require(violations, &at, message.tenant.as_ref()).unwrap_or(&absent);
    let target = target(violations, &at.field("name"), &tenant.name, message.expected_revision);
    let mut patch = TenantPatch::default();
    for path in paths {
        match path {
            "quota" => patch.quota = Some(quota(violations, &at, tenant)),
            "weight" => patch.weight = Some(weight(violations, &at, tenant)),
            "priority_ceiling" => patch.priority_ceiling = Some(ceiling(violations, &at, tenant)),
            "labels" => {
                patch.labels = Some(label_map(violations, &at.field("labels"), &tenant.labels));
            }
            "budget" => patch.budget = Some(budget(violations, &at, tenant)),
            "annotations" => {
                let at = at.field("annotations");
                patch.annotations = Some(annotations(violations, &at, &tenant.annotations));
            }
            "parent" => patch.parent = Some(parent(violations, &at, tenant)),
            "guarantee" => patch.guarantee = Some(guarantee(violations, &at, tenant)),
            _ => unreachable!("invariant: the mask was checked"),
        }
    }
    Command::UpdateTenant { target, patch: Box::new(patch) }
}

fn delete(message: &v1::DeleteTenantRequest, violations: &mut Violations) -> Command {
    let at = At::Root;
    let at = at.field("name");
    Command::DeleteTenant(target(violations, &at, &message.name, message.expected_revision))
}

fn parent(violations: &mut Violations, at: &At<'_>, tenant: &v1::Tenant) -> Name {
    if tenant.parent.is_empty() {
        return Name::default();
    }
    name(violations, &at.field("parent"), &tenant.parent)
}

/// Not bounded either, as limits are not.
fn guarantee(violations: &mut Violations, at: &At<'_>, tenant: &v1::Tenant) -> Resources {
    let Some(guarantee) = &tenant.guarantee else {
        return Resources::default();
    };
    let counts = counts(violations, &at.field("guarantee").field("counts"), &guarantee.counts);
    Resources {
        cpu_millis: guarantee.cpu_millis,
        memory_bytes: guarantee.memory_bytes,
        disk_bytes: guarantee.disk_bytes,
        network_bps: guarantee.network_bps,
        gpu_millis: guarantee.gpu_millis,
        counts: Counts::new(counts),
    }
}

/// Limits are not bounded: the sum over a fleet may be more than any one node can have.
fn quota(violations: &mut Violations, at: &At<'_>, tenant: &v1::Tenant) -> Quota {
    let Some(quota) = &tenant.quota else {
        return Quota::default();
    };
    let at = at.field("quota");
    Quota {
        cpu_millis: quota.cpu_millis,
        memory_bytes: quota.memory_bytes,
        disk_bytes: quota.disk_bytes,
        network_bps: quota.network_bps,
        gpu_millis: quota.gpu_millis,
        counts: counts(violations, &at.field("counts"), &quota.counts),
        tasks: quota.tasks,
    }
}

fn counts(
    violations: &mut Violations,
    at: &At<'_>,
    map: &BTreeMap<String, u64>,
) -> BTreeMap<Name, u64> {
    if !at_most(violations, at, map.len(), MAX_LIST) {
        return BTreeMap::new();
    }
    let mut counts = BTreeMap::new();
    for (text, limit) in map {
        counts.insert(countable(violations, &at.key(text), text), *limit);
    }
    counts
}

fn weight(violations: &mut Violations, at: &At<'_>, tenant: &v1::Tenant) -> u32 {
    within(violations, &at.field("weight"), tenant.weight, (0, MAX_WEIGHT));
    tenant.weight.max(1)
}

fn ceiling(violations: &mut Violations, at: &At<'_>, tenant: &v1::Tenant) -> Priority {
    let ceiling = tenant.priority_ceiling.unwrap_or(MAX_PRIORITY);
    within(violations, &at.field("priority_ceiling"), ceiling, (MIN_PRIORITY, MAX_PRIORITY));
    Priority(ceiling)
}
