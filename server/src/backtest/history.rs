use std::{
    io::{BufRead, BufReader, Read},
    path::Path,
};

use offpeak_core::{forecast::Share, model::Millis};

use super::{BacktestError, prometheus};
use crate::tables::{self, InputError, Row, Table};

/// The column that counts steps; all others are nodes.
const STEP: &str = "step";

/// The last step that can be given.
const MAX_STEP: u64 = 1_000_000_000;

/// What owners used, and when.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct History {
    /// The time between two steps.
    pub(super) step: Millis,
    /// The nodes' names.
    pub(super) names: Vec<String>,
    /// Ascending by step, without repeats.
    pub(super) rows: Vec<LoadRow>,
}

/// What owners used at one time.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct LoadRow {
    pub(super) step: u64,
    /// By node; `None` where there is no sample.
    pub(super) loads: Vec<Option<Share>>,
}

impl History {
    /// Reads a wide CSV or the JSON of a range query, whichever it is.
    pub(super) fn read(path: &Path, step: Millis) -> Result<Self, BacktestError> {
        let file = tables::label(path);
        let mut text = BufReader::new(tables::open(path)?);
        let is_json = match text.fill_buf() {
            Ok(head) => head.trim_ascii_start().first().is_some_and(|byte| b"{[".contains(byte)),
            // Told with its name by whoever reads on.
            Err(_) => false,
        };
        if is_json {
            return prometheus::read(&file, text, step);
        }
        let text: Box<dyn Read> = Box::new(text);
        Ok(Self::of_table(Table::read(file, text)?, step)?)
    }

    pub(super) fn of_table(mut table: Table, step: Millis) -> Result<Self, InputError> {
        table.need(&[STEP]);
        let mut names = table.header().names.clone();
        names.retain(|name| name != STEP);
        if names.is_empty() {
            table.refuse_header("has no column but step; one a node is needed");
        }
        let mut rows: Vec<LoadRow> = Vec::new();
        table.each_row(|row| {
            let step = row.required(STEP, whole(MAX_STEP));
            if rows.last().is_some_and(|before| before.step >= step) {
                row.refuse(STEP, "does not come after that of the row before");
            }
            rows.push(LoadRow { step, loads: loads(row) });
        })?;
        table.need_rows(rows.len());
        table.finish(Self { step, names, rows })
    }

    /// Steps in a length of time, at least one.
    pub(super) fn steps_in(&self, span: Millis) -> u64 {
        (span.0 / self.step.0).max(1)
    }
}

/// All cells of a row but its step.
fn loads(row: &mut Row<'_>) -> Vec<Option<Share>> {
    let mut loads = Vec::with_capacity(row.width());
    for at in 0..row.width() {
        if row.column(at) != STEP {
            loads.push(row.optional_at(at, whole(1000)).map(Share::permille));
        }
    }
    loads
}

/// A whole number up to a greatest.
fn whole(most: u64) -> impl Fn(&str) -> Result<u64, String> {
    move |text| {
        let is_whole = text.bytes().all(|byte| byte.is_ascii_digit());
        let number = text.parse().ok().filter(|number| is_whole && *number <= most);
        number.ok_or_else(|| format!("is not a whole number from 0 to {most}"))
    }
}
