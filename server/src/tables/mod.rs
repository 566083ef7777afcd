//! Tables that people give us as files, for simulations and backtests.
//!
//! `source` opens a file, unpacks gzip and knows standard input. `table` finds the columns, hands out rows and takes
//! note of every fault by file, line and column in `problems`. What a column means is for whoever reads it to know.

mod problems;
mod source;
mod table;

pub use problems::Problems;
pub use source::InputError;
#[cfg(test)]
pub(crate) use source::unpacked;
pub(crate) use source::{is_standard, label, open};
pub(crate) use table::{Row, Table};
