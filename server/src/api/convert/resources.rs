use std::collections::BTreeMap;

use offpeak::v1;
use offpeak_core::model::{Counts, GPU_MILLIS_PER_DEVICE, MAX_AMOUNT, Name, Resources};

use super::{
    scalars::{MAX_LIST, at_most, name},
    violations::{At, Violations},
};

/// The most GPU devices of a node or a task.
const MAX_DEVICES: u64 = 64;
/// What a countable may not be called, because it is a dimension of its own.
const DIMENSIONS: [&str; 6] =
    ["cpu_millis", "memory_bytes", "disk_bytes", "network_bps", "gpu_millis", "tasks"];

/// What a task asks for: something, and a share of one device or whole devices.
pub(super) fn request(
    violations: &mut Violations,
    at: &At<'_>,
    message: Option<&v1::Resources>,
) -> Resources {
    let Some(message) = message else {
        violations.refuse(at, "is required");
        return Resources::default();
    };
    let request = any(violations, at, message);
    if is_nothing(message) {
        violations.refuse(at, "must ask for something");
    }
    if request.gpu_millis > GPU_MILLIS_PER_DEVICE {
        whole_devices(violations, at, &request);
    }
    request
}

fn is_nothing(message: &v1::Resources) -> bool {
    message.cpu_millis == 0
        && message.memory_bytes == 0
        && message.disk_bytes == 0
        && message.network_bps == 0
        && message.gpu_millis == 0
        && message.counts.values().all(|amount| *amount == 0)
}

/// What a node has or an owner uses: whole devices. Absent is nothing.
pub(super) fn whole(
    violations: &mut Violations,
    at: &At<'_>,
    message: Option<&v1::Resources>,
) -> Resources {
    let Some(message) = message else {
        return Resources::default();
    };
    let amount = any(violations, at, message);
    whole_devices(violations, at, &amount);
    amount
}

fn whole_devices(violations: &mut Violations, at: &At<'_>, amount: &Resources) {
    let at = at.field("gpu_millis");
    if !amount.gpu_millis.is_multiple_of(GPU_MILLIS_PER_DEVICE) {
        violations.refuse(&at, "must be whole devices: a multiple of 1000");
    } else if amount.gpu_millis > MAX_DEVICES * GPU_MILLIS_PER_DEVICE {
        violations.refuse(&at, format_args!("must be at most {MAX_DEVICES} devices"));
    }
}

/// An amount of every dimension; one above the greatest allowed becomes nothing.
fn any(violations: &mut Violations, at: &At<'_>, message: &v1::Resources) -> Resources {
    let mut fixed = |field, amount| bounded(violations, &at.field(field), amount);
    Resources {
        cpu_millis: fixed("cpu_millis", message.cpu_millis),
        memory_bytes: fixed("memory_bytes", message.memory_bytes),
        disk_bytes: fixed("disk_bytes", message.disk_bytes),
        network_bps: fixed("network_bps", message.network_bps),
        gpu_millis: fixed("gpu_millis", message.gpu_millis),
        counts: counts(violations, &at.field("counts"), &message.counts),
    }
}

fn bounded(violations: &mut Violations, at: &At<'_>, amount: u64) -> u64 {
    if amount <= MAX_AMOUNT {
        return amount;
    }
    violations.refuse(at, format_args!("is {amount}, more than the {MAX_AMOUNT} allowed"));
    0
}

fn counts(violations: &mut Violations, at: &At<'_>, map: &BTreeMap<String, u64>) -> Counts {
    if map.is_empty() || !at_most(violations, at, map.len(), MAX_LIST) {
        return Counts::default();
    }
    let mut amounts = Vec::with_capacity(map.len());
    for (text, amount) in map {
        let at = at.key(text);
        amounts.push((countable(violations, &at, text), bounded(violations, &at, *amount)));
    }
    Counts::new(amounts)
}

/// The name of a countable.
pub(super) fn countable(violations: &mut Violations, at: &At<'_>, text: &str) -> Name {
    if DIMENSIONS.contains(&text) {
        violations.refuse(at, "is the name of a dimension of its own");
    }
    name(violations, at, text)
}
