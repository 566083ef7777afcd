//! Columns of numbers and of resources.

use offpeak_core::model::{Counts, LoadSample, NodeId, Resources, Time};

use super::{CodecError, format, model::name};

/// Each value's difference to the one before, the first one's to zero. Nothing is lost where it wraps.
pub(super) fn deltas(values: impl IntoIterator<Item = u64>) -> Vec<i64> {
    let difference = |before: &mut u64, value: u64| {
        Some(value.wrapping_sub(std::mem::replace(before, value)).cast_signed())
    };
    values.into_iter().scan(0, difference).collect()
}

/// The values behind their differences.
pub(super) fn sums(deltas: &[i64]) -> impl Iterator<Item = u64> {
    deltas.iter().scan(0_u64, |sum, delta| {
        *sum = sum.wrapping_add_signed(*delta);
        Some(*sum)
    })
}

pub(super) fn narrow(what: &'static str, value: u64) -> Result<u32, CodecError> {
    u32::try_from(value).map_err(|_| CodecError::Range { what, value })
}

/// A column, absent when it would be all zeros.
pub(super) fn column<T: Default + PartialEq>(values: impl IntoIterator<Item = T>) -> Vec<T> {
    let values: Vec<T> = values.into_iter().collect();
    if values.iter().all(|value| *value == T::default()) { Vec::new() } else { values }
}

/// The value in a row of a column that may be absent.
pub(super) fn cell<T: Copy + Default>(column: &[T], row: usize) -> T {
    column.get(row).copied().unwrap_or_default()
}

/// Columns with a value a row.
pub(super) fn resource_columns<'a>(
    rows: impl Iterator<Item = &'a Resources> + Clone,
) -> format::ResourceColumns {
    let mut counts = Vec::new();
    for (row, amount) in (0..).zip(rows.clone()) {
        let count = |(name, amount): (&offpeak_core::model::Name, u64)| format::CountAt {
            row,
            name: name.to_string(),
            amount,
        };
        counts.extend(amount.counts.iter().map(count));
    }
    format::ResourceColumns {
        cpu_millis: column(rows.clone().map(|row| row.cpu_millis)),
        memory_bytes: column(rows.clone().map(|row| row.memory_bytes)),
        disk_bytes: column(rows.clone().map(|row| row.disk_bytes)),
        network_bps: column(rows.clone().map(|row| row.network_bps)),
        gpu_millis: column(rows.map(|row| row.gpu_millis)),
        counts,
    }
}

/// The `len` rows of columns.
pub(super) fn resource_rows(
    columns: format::ResourceColumns,
    len: usize,
) -> Result<Vec<Resources>, CodecError> {
    let all = [
        &columns.cpu_millis,
        &columns.memory_bytes,
        &columns.disk_bytes,
        &columns.network_bps,
        &columns.gpu_millis,
    ];
    if all.iter().any(|column| !column.is_empty() && column.len() != len) {
        return Err(CodecError::Columns("resources"));
    }
    let mut rows: Vec<Resources> = (0..len)
        .map(|row| Resources {
            cpu_millis: cell(&columns.cpu_millis, row),
            memory_bytes: cell(&columns.memory_bytes, row),
            disk_bytes: cell(&columns.disk_bytes, row),
            network_bps: cell(&columns.network_bps, row),
            gpu_millis: cell(&columns.gpu_millis, row),
            counts: Counts::default(),
        })
        .collect();
    let mut counts = columns.counts.into_iter().peekable();
    while let Some(first) = counts.next() {
        let at = first.row;
        let mut amounts = vec![(name("countable", &first.name)?, first.amount)];
        while let Some(next) = counts.next_if(|next| next.row == at) {
            amounts.push((name("countable", &next.name)?, next.amount));
        }
        let row = usize::try_from(at).ok().and_then(|at| rows.get_mut(at));
        row.ok_or(CodecError::Columns("countables"))?.counts = Counts::new(amounts);
    }
    Ok(rows)
}

pub(super) fn samples_to_message(samples: &[LoadSample]) -> format::Samples {
    format::Samples {
        nodes: deltas(samples.iter().map(|sample| u64::from(sample.node.0))),
        times: deltas(samples.iter().map(|sample| sample.time.0)),
        loads: resource_columns(samples.iter().map(|sample| &sample.load)),
    }
}

pub(super) fn samples_from_message(
    message: format::Samples,
) -> Result<Vec<LoadSample>, CodecError> {
    if message.nodes.len() != message.times.len() {
        return Err(CodecError::Columns("load samples"));
    }
    let loads = resource_rows(message.loads, message.nodes.len())?;
    let mut samples = Vec::with_capacity(loads.len());
    for ((node, time), load) in sums(&message.nodes).zip(sums(&message.times)).zip(loads) {
        let node = NodeId(narrow("a node's id", node)?);
        samples.push(LoadSample { node, time: Time(time), load });
    }
    Ok(samples)
}
