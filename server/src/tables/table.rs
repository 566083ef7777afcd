use std::{collections::BTreeSet, io::Read, path::Path};

use csv::{ErrorKind, Reader, ReaderBuilder, StringRecord, Terminator, Trim};
use offpeak_core::model::Name;

use super::{InputError, Problems, problems::shortened, source};

/// Bytes that the CSV reader takes at once.
const BUFFER_BYTES: usize = 1 << 16;

/// What the name of a column of countables begins with.
pub(crate) const COUNT: &str = "count.";

/// The most countables of one file.
const MAX_COUNTS: usize = 64;

/// What a countable may not be called, because it is a dimension of its own.
const DIMENSIONS: [&str; 6] =
    ["cpu_millis", "memory_bytes", "disk_bytes", "network_bps", "gpu_millis", "tasks"];

/// A CSV file with a header.
pub(crate) struct Table {
    file: String,
    reader: Reader<Box<dyn Read>>,
    header: Header,
    problems: Problems,
}

/// The columns of a file.
#[derive(Debug, Default)]
pub(crate) struct Header {
    /// In their order.
    pub(crate) names: Vec<String>,
    /// Those of countables.
    pub(crate) counts: Vec<(usize, Name)>,
}

/// One row, and where to tell what is wrong with it.
pub(crate) struct Row<'t> {
    /// The line on which it begins.
    pub(crate) line: u64,
    record: &'t StringRecord,
    header: &'t Header,
    problems: &'t mut Problems,
    /// Something is wrong with it.
    faulty: bool,
}

/// The line of the header.
const HEADER_LINE: u64 = 1;

impl Table {
    pub(crate) fn open(path: &Path) -> Result<Self, InputError> {
        Self::read(source::label(path), source::open(path)?)
    }

    /// Reads the header.
    pub(crate) fn read(file: String, text: Box<dyn Read>) -> Result<Self, InputError> {
        // The header is a row like any other to the reader, and rows of a wrong length are ours to tell of.
        let mut reader = ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .trim(Trim::All)
            // A carriage return before it is trimmed; were it a line's end too, lines could not be counted.
            .terminator(Terminator::Any(b'\n'))
            .buffer_capacity(BUFFER_BYTES)
            .from_reader(text);
        let mut problems = Problems::of(file.clone());
        let mut record = StringRecord::new();
        let mut header = Header::default();
        match reader.read_record(&mut record) {
            Ok(true) => header.names = record.iter().map(str::to_owned).collect(),
            Ok(false) => problems.line(HEADER_LINE, "is empty; a header is needed"),
            Err(error) if matches!(error.kind(), ErrorKind::Utf8 { .. }) => {
                problems.line(HEADER_LINE, "is not UTF-8");
            }
            Err(source) => return Err(InputError::Read { file, source }),
        }
        let mut seen = BTreeSet::new();
        for name in &header.names {
            if !seen.insert(name) {
                problems
                    .line(HEADER_LINE, format_args!("column {:?} is there twice", shortened(name)));
            }
        }
        Ok(Self { file, reader, header, problems })
    }

    pub(crate) fn header(&self) -> &Header {
        &self.header
    }

    /// Takes note of what is wrong with the header.
    pub(crate) fn refuse_header(&mut self, what: &str) {
        if !self.header.names.is_empty() {
            self.problems.line(HEADER_LINE, what);
        }
    }

    /// Refuses a file without rows, unless it is known why there are none.
    pub(crate) fn need_rows(&mut self, found: usize) {
        if found == 0 && !self.problems.any() {
            self.problems.line(HEADER_LINE, "no row follows the header; at least one is needed");
        }
    }

    /// Refuses every column that is not known, as well as the absence of one that is needed.
    pub(crate) fn expect(&mut self, known: &[&str], needed: &[&str]) {
        self.expect_all(known, needed, false);
    }

    /// The same of a file that may have columns of countables, which it finds.
    pub(crate) fn expect_with_counts(&mut self, known: &[&str], needed: &[&str]) {
        self.expect_all(known, needed, true);
        let counts = self.header.counts.len();
        if counts > MAX_COUNTS {
            let what = format_args!("has {counts} countables, more than the {MAX_COUNTS} allowed");
            self.problems.line(HEADER_LINE, what);
        }
    }

    fn expect_all(&mut self, known: &[&str], needed: &[&str], may_count: bool) {
        if self.header.names.is_empty() {
            return;
        }
        let mut accepted = known.join(", ");
        if may_count {
            accepted = format!("{accepted} and {COUNT}NAME");
        }
        for (at, column) in self.header.names.iter().enumerate() {
            let counted = column.strip_prefix(COUNT).filter(|_| may_count);
            if let Some(name) = counted {
                match countable(name) {
                    Ok(name) => self.header.counts.push((at, name)),
                    Err(what) => self.problems.line(HEADER_LINE, format_args!("{column}: {what}")),
                }
            } else if !known.contains(&column.as_str()) {
                let what =
                    format_args!("unknown column {:?}; known are {accepted}", shortened(column));
                self.problems.line(HEADER_LINE, what);
            }
        }
        self.need(needed);
    }

    /// Refuses the absence of columns.
    pub(crate) fn need(&mut self, columns: &[&str]) {
        if self.header.names.is_empty() {
            return;
        }
        for column in columns.iter().filter(|column| self.header.find(column).is_none()) {
            self.problems.line(HEADER_LINE, format_args!("column {column} is missing"));
        }
    }

    /// Hands out the rows, unless the header is wrong: then nothing can be said of them.
    pub(crate) fn each_row(
        &mut self,
        mut each: impl FnMut(&mut Row<'_>),
    ) -> Result<(), InputError> {
        if self.problems.any() {
            return Ok(());
        }
        let width = self.header.names.len();
        let mut record = StringRecord::new();
        loop {
            match self.reader.read_record(&mut record) {
                Ok(true) => {}
                Ok(false) => return Ok(()),
                Err(error) => {
                    if let ErrorKind::Utf8 { pos, .. } = error.kind() {
                        let line = pos.as_ref().map_or(0, csv::Position::line);
                        self.problems.line(line, "is not UTF-8");
                        continue;
                    }
                    return Err(InputError::Read { file: self.file.clone(), source: error });
                }
            }
            if record.iter().eq([""]) {
                continue;
            }
            let line = self.line_of(&record);
            if record.len() != width {
                let fields = record.len();
                self.problems
                    .line(line, format_args!("has {fields} fields; the header has {width}"));
                continue;
            }
            let (header, problems) = (&self.header, &mut self.problems);
            each(&mut Row { line, record: &record, header, problems, faulty: false });
        }
    }

    /// The line on which a record begins, which was just read. Its own position is that of the blank lines before it.
    fn line_of(&self, record: &StringRecord) -> u64 {
        let begun = record.position().map_or(0, csv::Position::line);
        let inside = record.iter().flat_map(str::bytes).filter(|byte| *byte == b'\n').count();
        let ended = self.reader.position().line();
        begun.max(ended.saturating_sub(1 + inside as u64))
    }

    /// Refuses the file if anything in it is wrong.
    pub(crate) fn finish<T>(self, read: T) -> Result<T, InputError> {
        if self.problems.any() { Err(InputError::Faulty(self.problems)) } else { Ok(read) }
    }
}

fn countable(name: &str) -> Result<Name, String> {
    if DIMENSIONS.contains(&name) {
        return Err(format!("{name:?} is a resource of its own, not a countable"));
    }
    Name::parse(name).map_err(|error| format!("the name of a countable {error}"))
}

impl Header {
    /// Where a column is.
    pub(crate) fn find(&self, column: &str) -> Option<usize> {
        self.names.iter().position(|name| name == column)
    }
}

impl Row<'_> {
    /// A cell's text; empty if there is no such column.
    pub(crate) fn text(&self, column: &str) -> &str {
        self.header.find(column).map_or("", |at| &self.record[at])
    }

    /// How many columns there are.
    pub(crate) fn width(&self) -> usize {
        self.header.names.len()
    }

    /// A column's name.
    pub(crate) fn column(&self, at: usize) -> &str {
        &self.header.names[at]
    }

    /// The file's countables by their positions.
    pub(crate) fn counts(&self) -> &[(usize, Name)] {
        &self.header.counts
    }

    /// A cell's value; `None` if it is empty, absent or wrong.
    pub(crate) fn optional<T>(
        &mut self,
        column: &str,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        let at = self.header.find(column)?;
        self.optional_at(at, parse)
    }

    /// As `optional`, by the column's position.
    pub(crate) fn optional_at<T>(
        &mut self,
        at: usize,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        let text = &self.record[at];
        if text.is_empty() {
            return None;
        }
        match parse(text) {
            Ok(value) => Some(value),
            Err(what) => {
                self.problems.cell(self.line, &self.header.names[at], text, what);
                self.faulty = true;
                None
            }
        }
    }

    /// A cell's value, which must be there; the default if it is wrong.
    pub(crate) fn required<T: Default>(
        &mut self,
        column: &str,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> T {
        if self.text(column).is_empty() {
            self.refuse(column, "a value is needed");
            return T::default();
        }
        self.optional(column, parse).unwrap_or_default()
    }

    /// Takes note of what is wrong with a cell.
    pub(crate) fn refuse(&mut self, column: &str, what: impl std::fmt::Display) {
        let text = self.header.find(column).map_or("", |at| &self.record[at]);
        self.problems.cell(self.line, column, text, what);
        self.faulty = true;
    }

    /// Takes note of what is wrong with the row as a whole, unless one of its cells is the cause.
    pub(crate) fn refuse_row(&mut self, what: impl std::fmt::Display) {
        if !self.faulty {
            self.faulty = true;
            self.problems.line(self.line, what);
        }
    }
}
