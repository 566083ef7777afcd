//! Data on stdout in the format that was asked for; messages on stderr.

use std::{
    collections::BTreeMap,
    io::{self, IsTerminal as _, Write as _},
};

use clap::ValueEnum;
use prost_reflect::DynamicMessage;
use serde::Serialize;

use super::{
    failure::{Failure, exit},
    json::{self, Described},
    table::{self, Cell, Column},
};

/// How data is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people
    #[default]
    Table,
    /// For people with a wide terminal
    Wide,
    /// Proto3 JSON: one object, or an array for a list
    Json,
    /// Proto3 JSON, one object a line
    Jsonl,
    /// Proto3 JSON written as YAML, a list as a sequence
    Yaml,
    /// Names only, such as node/a
    Name,
    /// Comma-separated, for `offpeak statement` and `offpeak forecast` only
    Csv,
}

/// Something that has a row in a table and a page of its own.
pub(crate) trait Show: Described {
    /// What names it for other commands, such as `node/a`.
    fn reference(&self) -> String;
    fn columns(wide: bool) -> Vec<Column>;
    fn row(&self, wide: bool) -> Vec<Cell>;
    fn details(&self) -> Vec<(&'static str, Cell)>;
}

/// Where a command puts what it found out.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Out {
    pub(crate) format: Format,
    pub(crate) quiet: bool,
    pub(crate) color: bool,
    /// Somebody looks.
    pub(crate) terminal: bool,
}

impl Out {
    /// Colours only where somebody looks: on a terminal, without `--no-color` and without `NO_COLOR`.
    pub(crate) fn new(format: Format, quiet: bool, no_color: bool) -> Self {
        let wanted = !no_color && no_color_is_unset();
        let terminal = io::stdout().is_terminal();
        Self { format, quiet, color: wanted && terminal, terminal }
    }

    pub(crate) fn is_wide(self) -> bool {
        self.format == Format::Wide
    }

    /// For people: a table or a sentence. Machines get data instead.
    pub(crate) fn is_for_people(self) -> bool {
        matches!(self.format, Format::Table | Format::Wide)
    }

    pub(crate) fn list<T: Show>(self, items: &[T]) -> Result<(), Failure> {
        match self.format {
            Format::Table | Format::Wide => {
                if items.is_empty() {
                    self.remark("nothing found");
                    return Ok(());
                }
                let wide = self.is_wide();
                let rows: Vec<Vec<Cell>> = items.iter().map(|item| item.row(wide)).collect();
                self.print(&table::render(&T::columns(wide), &rows, self.color))
            }
            Format::Name => {
                let names: Vec<String> = items.iter().map(|item| item.reference() + "\n").collect();
                self.print(&names.concat())
            }
            Format::Jsonl => {
                for item in items {
                    self.object(&json::dynamic(item))?;
                }
                Ok(())
            }
            Format::Json | Format::Yaml | Format::Csv => {
                let dynamic: Vec<DynamicMessage> = items.iter().map(json::dynamic).collect();
                self.object(&dynamic)
            }
        }
    }

    /// One object with all that is known of it, or several as a list.
    pub(crate) fn some<T: Show>(self, items: &[T]) -> Result<(), Failure> {
        match items {
            [item] => match self.format {
                Format::Table | Format::Wide => {
                    self.print(&table::render_details(&item.details(), self.color))
                }
                Format::Name => self.print(&(item.reference() + "\n")),
                _ => self.object(&json::dynamic(item)),
            },
            _ => self.list(items),
        }
    }

    /// What a change did: a sentence for people, the answer for machines.
    pub(crate) fn done<T: Described>(
        self,
        reference: &str,
        what: &str,
        answer: &T,
    ) -> Result<(), Failure> {
        match self.format {
            Format::Table | Format::Wide if self.quiet => Ok(()),
            Format::Table | Format::Wide => self.print(&format!("{reference} {what}\n")),
            Format::Name => self.print(&format!("{reference}\n")),
            _ => self.object(&json::dynamic(answer)),
        }
    }

    /// Anything that serializes, in the machine format that was asked for (JSON when a table was).
    pub(crate) fn object<T: Serialize>(self, value: &T) -> Result<(), Failure> {
        let text = match self.format {
            Format::Yaml => serde_saphyr::to_string(value).map_err(cannot_encode)?,
            Format::Jsonl => serde_json::to_string(value).map_err(cannot_encode)?,
            _ => serde_json::to_string_pretty(value).map_err(cannot_encode)?,
        };
        self.print(text.trim_end())?;
        self.print("\n")
    }

    pub(crate) fn print(self, text: &str) -> Result<(), Failure> {
        let mut stdout = io::stdout().lock();
        stdout.write_all(text.as_bytes())?;
        Ok(stdout.flush()?)
    }

    /// A message for people, on stderr, unless they asked for quiet.
    pub(crate) fn remark(self, text: &str) {
        if !self.quiet {
            complain(&format!("{text}\n"));
        }
    }
}

/// Annotations on the page of their object, one a line.
pub(crate) fn annotations(
    annotations: &BTreeMap<String, String>,
) -> impl Iterator<Item = (&'static str, Cell)> {
    annotations.iter().enumerate().map(|(index, (key, text))| {
        let name = if index == 0 { "Annotations" } else { "" };
        (name, format!("{key}: {}", text.escape_debug()).into())
    })
}

/// Writes to stderr. If even that fails there is nobody left to tell.
pub(crate) fn complain(text: &str) {
    let _ = io::stderr().write_all(text.as_bytes());
}

/// The convention of <https://no-color.org>: set and not empty.
pub(crate) fn no_color_is_unset() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

fn cannot_encode(error: impl std::fmt::Display) -> Failure {
    Failure::new(exit::FAILURE, format!("cannot encode the output: {error}"))
}
