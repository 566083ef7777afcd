use std::fmt;

/// Where in a request something stands. Only a violation makes it a text.
#[derive(Clone, Copy, Debug)]
pub(crate) enum At<'a> {
    /// The request itself.
    Root,
    /// A field of a message.
    Field(&'a Self, &'static str),
    /// An element of the list that stands at the parent.
    Index(&'a Self, usize),
    /// An entry of the map that stands at the parent.
    Key(&'a Self, &'a str),
}

/// What is wrong with a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Violation {
    /// The path of the field.
    pub(crate) field: String,
    /// What is wrong and what would be right.
    pub(crate) description: String,
}

/// All that is wrong with a request, as far as it fits into an answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Violations {
    found: Vec<Violation>,
    omitted: usize,
}

impl<'a> At<'a> {
    pub(crate) fn field(&'a self, name: &'static str) -> Self {
        Self::Field(self, name)
    }

    pub(crate) fn index(&'a self, index: usize) -> Self {
        Self::Index(self, index)
    }

    pub(crate) fn key(&'a self, key: &'a str) -> Self {
        Self::Key(self, key)
    }
}

impl fmt::Display for At<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Root => Ok(()),
            Self::Field(Self::Root, name) => f.write_str(name),
            Self::Field(parent, name) => write!(f, "{parent}.{name}"),
            Self::Index(parent, index) => write!(f, "{parent}[{index}]"),
            Self::Key(parent, key) => write!(f, "{parent}[{:?}]", shortened(key)),
        }
    }
}

impl Violations {
    /// How many are told. The details of a status travel in headers, which are small.
    pub(crate) const MAX: usize = 10;

    /// Notes one.
    pub(crate) fn refuse(&mut self, at: &At<'_>, description: impl fmt::Display) {
        if self.found.len() < Self::MAX {
            let description = description.to_string();
            self.found.push(Violation { field: at.to_string(), description });
        } else {
            self.omitted += 1;
        }
    }

    /// The value if nothing is wrong.
    pub(crate) fn check<T>(self, value: T) -> Result<T, Self> {
        if self.found.is_empty() { Ok(value) } else { Err(self) }
    }

    /// Those that are told.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Violation> {
        self.found.iter()
    }
}

/// In one line; the first few of many.
impl fmt::Display for Violations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 3;
        for (at, Violation { field, description }) in self.found.iter().take(SHOWN).enumerate() {
            let separator = if at == 0 { "" } else { "; " };
            write!(f, "{separator}{field}: {description}")?;
        }
        let more = self.found.len().saturating_sub(SHOWN) + self.omitted;
        if more > 0 { write!(f, "; and {more} more") } else { Ok(()) }
    }
}

/// A text of a client, cut so that an answer that quotes it stays small.
pub(crate) fn shortened(text: &str) -> &str {
    const LIMIT: usize = 80;
    &text[..text.floor_char_boundary(LIMIT)]
}
