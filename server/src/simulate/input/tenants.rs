use std::path::Path;

use offpeak_core::{
    command::{Command, Request},
    engine::Engine,
    model::{Labels, Priority, Quota, Resources, TenantSpec, Time},
    state::State,
};

use super::{
    fields::{amount, name, signed, whole},
    tasks::HISTORY,
};
use crate::tables::{InputError, Row, Table};

const COLUMNS: [&str; 9] = [
    "name",
    "parent",
    "weight",
    "priority_ceiling",
    "guarantee_cpu_millis",
    "guarantee_memory_bytes",
    "guarantee_disk_bytes",
    "guarantee_network_bps",
    "guarantee_gpu_millis",
];

/// The greatest weight and the extremes of a priority, as in the API.
const MAX_WEIGHT: u64 = 1_000_000;
const MAX_PRIORITY: i32 = 1_000;

/// Reads the customers, parents before their children. What a cell would refuse is a fault of the row.
pub(in crate::simulate) fn tenants(path: &Path) -> Result<Vec<TenantSpec>, InputError> {
    read(Table::open(path)?)
}

pub(super) fn read(mut table: Table) -> Result<Vec<TenantSpec>, InputError> {
    table.expect(&COLUMNS, &["name"]);
    let mut tenants = Vec::new();
    let mut cell = Engine::new(State::default(), Time(0));
    table.each_row(|row| {
        let spec = tenant(row);
        if spec.name.is_empty() {
            return;
        }
        if spec.name.as_str() == HISTORY {
            row.refuse("name", "is the tenant of the history; choose another name");
            return;
        }
        let command = Command::CreateTenant(Box::new(spec.clone()));
        let request = Request { command, request_id: None, validate_only: false };
        for reply in cell.step(Time(0), vec![request]).replies {
            if let Err(rejection) = reply {
                row.refuse_row(rejection.to_string());
            }
        }
        tenants.push(spec);
    })?;
    table.finish(tenants)
}

fn tenant(row: &mut Row<'_>) -> TenantSpec {
    let weight = row.optional("weight", whole(1..=MAX_WEIGHT)).unwrap_or(1);
    let ceiling = row.optional("priority_ceiling", signed(-MAX_PRIORITY..=MAX_PRIORITY));
    let mut sure = |column| row.optional(column, amount).unwrap_or(0);
    let guarantee = Resources {
        cpu_millis: sure("guarantee_cpu_millis"),
        memory_bytes: sure("guarantee_memory_bytes"),
        disk_bytes: sure("guarantee_disk_bytes"),
        network_bps: sure("guarantee_network_bps"),
        gpu_millis: sure("guarantee_gpu_millis"),
        ..Resources::default()
    };
    TenantSpec {
        name: row.required("name", name),
        parent: row.optional("parent", name).unwrap_or_default(),
        quota: Quota::default(),
        guarantee,
        weight: u32::try_from(weight).expect("invariant: at most a million"),
        priority_ceiling: Priority(ceiling.unwrap_or(MAX_PRIORITY)),
        labels: Labels::new(),
        annotations: Default::default(),
        budget: Default::default(),
    }
}
