use std::{collections::BTreeMap, path::Path};

use offpeak_core::model::{Millis, NodeSpec};

use super::fields::{seconds, whole};
use crate::tables::{InputError, Row, Table};

/// The column that counts steps, and the one that says the time.
const STEP: &str = "step";
const TIME: &str = "time_s";

/// All of a node's capacity.
const WHOLE_PERMILLE: u64 = 1000;

/// The last step that can be given.
const MAX_STEP: u64 = 10_000_000;

/// What owners use at one time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::simulate) struct LoadSamples {
    /// After the beginning.
    pub(in crate::simulate) at: Millis,
    /// Nodes by their row, each with the part of its capacity in thousandths.
    pub(in crate::simulate) permille: Vec<(usize, u64)>,
}

/// Reads owners' load, in the order of time.
pub(in crate::simulate) fn load(
    path: &Path,
    nodes: &[NodeSpec],
    step: Millis,
) -> Result<Vec<LoadSamples>, InputError> {
    read(Table::open(path)?, nodes, step)
}

pub(super) fn read(
    mut table: Table,
    nodes: &[NodeSpec],
    step: Millis,
) -> Result<Vec<LoadSamples>, InputError> {
    let clock = clock(&mut table);
    let columns = columns(&mut table, nodes);
    let mut samples: Vec<LoadSamples> = Vec::new();
    let mut lines = BTreeMap::new();
    table.each_row(|row| {
        let at = match clock {
            STEP => Millis(row.required(STEP, whole(0..=MAX_STEP)) * step.0),
            _ => row.required(TIME, seconds),
        };
        if let Some(line) = lines.insert(at, row.line) {
            row.refuse(clock, format_args!("is the time of line {line} already"));
        }
        samples.push(LoadSamples { at, permille: permille(row, &columns) });
    })?;
    samples.sort_by_key(|samples| samples.at);
    table.finish(samples)
}

/// The column with the time.
fn clock(table: &mut Table) -> &'static str {
    match (table.header().find(STEP), table.header().find(TIME)) {
        (Some(_), None) => STEP,
        (None, Some(_)) => TIME,
        (found, _) => {
            let what = if found.is_some() { "has both" } else { "needs one of" };
            table.refuse_header(&format!("{what} the columns {STEP} and {TIME}; give one"));
            STEP
        }
    }
}

/// The columns of nodes, each with the node's row.
fn columns(table: &mut Table, nodes: &[NodeSpec]) -> Vec<(usize, usize)> {
    let rows: BTreeMap<&str, usize> =
        nodes.iter().enumerate().map(|(row, node)| (node.name.as_str(), row)).collect();
    let mut columns = Vec::new();
    let mut unknown = Vec::new();
    for (at, column) in table.header().names.iter().enumerate() {
        match rows.get(column.as_str()) {
            Some(row) => columns.push((at, *row)),
            None if [STEP, TIME].contains(&column.as_str()) => {}
            None => unknown.push(column.clone()),
        }
    }
    for column in unknown {
        table.refuse_header(&format!("column {column:?} is the name of no node"));
    }
    columns
}

fn permille(row: &mut Row<'_>, columns: &[(usize, usize)]) -> Vec<(usize, u64)> {
    let mut permille = Vec::with_capacity(columns.len());
    for (at, node) in columns {
        if let Some(load) = row.optional_at(*at, whole(0..=WHOLE_PERMILLE)) {
            permille.push((*node, load));
        }
    }
    permille
}
