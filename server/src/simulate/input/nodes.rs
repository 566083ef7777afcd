use std::{collections::BTreeMap, path::Path};

use offpeak_core::model::{GPU_MILLIS_PER_DEVICE, Name, NodeSpec, Resources};

use super::fields::{amounts, labels, name, whole};
use crate::tables::{InputError, Row, Table};

const COLUMNS: [&str; 11] = [
    "name",
    "cpu_millis",
    "memory_bytes",
    "disk_bytes",
    "network_bps",
    "gpus",
    "gpu_model",
    "region",
    "zone",
    "owner",
    "labels",
];

/// The most devices of a node or a task.
pub(super) const MAX_DEVICES: u64 = 64;

/// What the GPUs of a node are when it does not say.
const UNNAMED_GPU: &str = "gpu";

/// Reads the fleet.
pub(in crate::simulate) fn nodes(path: &Path) -> Result<Vec<NodeSpec>, InputError> {
    read(Table::open(path)?)
}

pub(super) fn read(mut table: Table) -> Result<Vec<NodeSpec>, InputError> {
    table.expect_with_counts(&COLUMNS, &["name"]);
    expect_main(&mut table);
    let mut nodes = Vec::new();
    let mut lines = BTreeMap::new();
    table.each_row(|row| {
        let node = node(row);
        check_unique(row, &mut lines, &node.name);
        nodes.push(node);
    })?;
    table.need_rows(nodes.len());
    table.finish(nodes)
}

/// CPU and memory may be left out only where there are countables.
pub(super) fn expect_main(table: &mut Table) {
    if table.header().counts.is_empty() {
        table.need(&["cpu_millis", "memory_bytes"]);
    }
}

/// Refuses a name that an earlier row has.
pub(super) fn check_unique(row: &mut Row<'_>, lines: &mut BTreeMap<Name, u64>, name: &Name) {
    if name.is_empty() {
        return;
    }
    if let Some(line) = lines.get(name).copied() {
        row.refuse("name", format_args!("is the name of line {line} already; names are unique"));
        return;
    }
    lines.insert(name.clone(), row.line);
}

fn node(row: &mut Row<'_>) -> NodeSpec {
    let mut capacity = amounts(row);
    capacity.gpu_millis =
        row.optional("gpus", whole(0..=MAX_DEVICES)).unwrap_or(0) * GPU_MILLIS_PER_DEVICE;
    NodeSpec {
        name: row.required("name", name),
        owner: row.optional("owner", name).unwrap_or_default(),
        region: row.optional("region", name).unwrap_or_default(),
        zone: row.optional("zone", name).unwrap_or_default(),
        labels: row.optional("labels", labels).unwrap_or_default(),
        taints: Vec::new(),
        gpu_model: gpu_model(row, &capacity),
        capacity,
        reservation: Resources::default(),
        report_ttl: None,
        annotations: Default::default(),
    }
}

fn gpu_model(row: &mut Row<'_>, capacity: &Resources) -> Name {
    let model = row.optional("gpu_model", name);
    match (capacity.gpu_millis, model) {
        (0, Some(_)) => {
            row.refuse("gpu_model", "is the model of no device: gpus is 0 or empty");
            Name::default()
        }
        (0, None) => Name::default(),
        (_, Some(model)) => model,
        (_, None) => Name::parse(UNNAMED_GPU).expect("invariant: it is a name"),
    }
}
