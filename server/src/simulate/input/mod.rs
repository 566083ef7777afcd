//! What is simulated, read from CSV files.
//!
//! `source` opens a file, unpacks gzip and knows standard input. `table` finds the columns, hands out rows and takes
//! note of every fault by file, line and column; `fields` turns a cell's text into a value or says what would be
//! accepted. `nodes`, `tenants`, `tasks`, `load` and `windows` know the columns of their files. Nothing is guessed: an unknown column is a
//! fault, since a misspelt one would silently change what is simulated.

mod fields;
mod load;
mod nodes;
mod tasks;
mod tenants;
mod windows;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use offpeak_core::model::{Name, NodeSpec, TenantSpec};

pub(super) use load::{LoadSamples, load};
pub(super) use nodes::nodes;
pub(super) use tasks::{END_SLACK, FOR_GOOD, HISTORY, JobRow, history, tasks};
pub(super) use tenants::tenants;
pub(super) use windows::{HeldWindows, windows};

/// All that is simulated.
#[derive(Debug)]
pub(super) struct Inputs {
    /// The fleet.
    pub(super) nodes: Vec<NodeSpec>,
    /// Customers, parents before their children; those that only tasks name aside.
    pub(super) tenants: Vec<TenantSpec>,
    /// What is asked for, in the order of the file.
    pub(super) tasks: Vec<JobRow>,
    /// What was asked for yesterday.
    pub(super) history: Vec<JobRow>,
    /// Owners' load, ascending by time.
    pub(super) load: Vec<LoadSamples>,
    /// When owners want their nodes back, as far as they say so beforehand.
    pub(super) windows: BTreeMap<Name, Vec<HeldWindows>>,
}
