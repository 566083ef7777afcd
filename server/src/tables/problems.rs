use std::{error::Error, fmt};

/// Problems of one file that are told in full.
const LISTED: usize = 10;

/// The longest part of a value that is repeated to whoever wrote it, in characters.
const SHOWN: usize = 60;

/// What is wrong with one file: the first problems in full, the others counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Problems {
    file: String,
    listed: Vec<String>,
    more: usize,
}

impl Problems {
    pub(crate) fn of(file: String) -> Self {
        Self { file, ..Self::default() }
    }

    pub(crate) fn any(&self) -> bool {
        !self.listed.is_empty()
    }

    /// Takes note of what is wrong in a line as a whole.
    pub(crate) fn line(&mut self, line: u64, what: impl fmt::Display) {
        if self.listed.len() < LISTED {
            self.listed.push(format!("{}:{line}: {what}", self.file));
        } else {
            self.more += 1;
        }
    }

    /// Takes note of what is wrong with one value.
    pub(crate) fn cell(&mut self, line: u64, column: &str, value: &str, what: impl fmt::Display) {
        if value.is_empty() {
            self.line(line, format_args!("{column}: is empty; {what}"));
        } else {
            self.line(line, format_args!("{column}: {:?} {what}", shortened(value)));
        }
    }
}

/// The beginning of a value that is too long to be shown.
pub(crate) fn shortened(value: &str) -> String {
    match value.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}...", &value[..end]),
        None => value.to_owned(),
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.listed.join("\n"))?;
        match self.more {
            0 => Ok(()),
            1 => write!(f, "\nand 1 more problem"),
            more => write!(f, "\nand {more} more problems"),
        }
    }
}

impl Error for Problems {}
