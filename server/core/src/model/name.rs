use std::{borrow::Borrow, collections::BTreeMap, fmt, sync::Arc};

/// Labels by key.
pub type Labels = BTreeMap<Label, Label>;

/// The name of an object: 1 to 63 ASCII letters, digits, `-`, `_` or `.`, with a letter or digit at both ends.
///
/// The empty default stands where a name is optional, such as a node's zone.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(Arc<str>);

/// The key or value of a label: as a name, but also empty, and with `/` inside.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Label(Arc<str>);

/// Why a text is no name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TextError {
    /// Nothing was given.
    #[error("must not be empty")]
    Empty,
    /// Longer than 63 characters.
    #[error("has {found} bytes, more than the {limit} allowed")]
    TooLong {
        /// Bytes found.
        found: usize,
        /// Bytes allowed.
        limit: usize,
    },
    /// A character outside the allowed set.
    #[error("has the character {found:?} at byte {at}; {allowed} are allowed")]
    Character {
        /// The offending character, escaped when printed.
        found: char,
        /// Its position in bytes.
        at: usize,
        /// The allowed set in words.
        allowed: &'static str,
    },
    /// Begins or ends with punctuation.
    #[error("must begin and end with a letter or digit")]
    Ends,
}

impl Name {
    /// The greatest length in bytes.
    pub const MAX_BYTES: usize = 63;

    /// Checks and takes a name.
    pub fn parse(text: &str) -> Result<Self, TextError> {
        if text.is_empty() {
            return Err(TextError::Empty);
        }
        check(text, "", "letters, digits, '-', '_' and '.'")?;
        Ok(Self(text.into()))
    }

    /// Checks and takes a name that may be absent.
    pub fn parse_optional(text: &str) -> Result<Self, TextError> {
        if text.is_empty() { Ok(Self::default()) } else { Self::parse(text) }
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether an optional name is absent.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Label {
    /// Checks and takes a label's key or value.
    pub fn parse(text: &str) -> Result<Self, TextError> {
        if !text.is_empty() {
            check(text, "/", "letters, digits, '-', '_', '.' and '/'")?;
        }
        Ok(Self(text.into()))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn check(text: &str, extra: &str, allowed: &'static str) -> Result<(), TextError> {
    if text.len() > Name::MAX_BYTES {
        return Err(TextError::TooLong { found: text.len(), limit: Name::MAX_BYTES });
    }
    for (at, found) in text.char_indices() {
        let fine = found.is_ascii_alphanumeric() || "-_.".contains(found) || extra.contains(found);
        if !fine {
            return Err(TextError::Character { found, at, allowed });
        }
    }
    let end = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    if end(text.chars().next()) && end(text.chars().next_back()) {
        Ok(())
    } else {
        Err(TextError::Ends)
    }
}

/// As quoted text, which is how messages show it.
impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// As quoted text, which is how messages show it.
impl fmt::Debug for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl Borrow<str> for Name {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for Label {
    fn borrow(&self) -> &str {
        &self.0
    }
}
