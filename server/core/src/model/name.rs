use std::{borrow::Borrow, collections::BTreeMap, fmt, sync::Arc};

use super::JobId;

/// How the names begin that the cell gives to jobs; an id follows.
const JOB_PREFIX: &str = "job-";

/// The most digits of an id.
const DIGITS: usize = 20;

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

    /// What the cell calls a job that came without a name.
    #[must_use]
    pub fn of_job(id: JobId) -> Self {
        let mut text = [0; JOB_PREFIX.len() + DIGITS];
        let mut at = text.len();
        let mut left = id.0;
        loop {
            at -= 1;
            text[at] = b'0' + u8::try_from(left % 10).expect("invariant: a digit");
            left /= 10;
            if left == 0 {
                break;
            }
        }
        let begin = at - JOB_PREFIX.len();
        text[begin..at].copy_from_slice(JOB_PREFIX.as_bytes());
        Self(std::str::from_utf8(&text[begin..]).expect("invariant: it is ASCII").into())
    }

    /// The job that the cell would call so.
    #[must_use]
    pub fn job_id(&self) -> Option<JobId> {
        let digits = self.0.strip_prefix(JOB_PREFIX)?;
        let canonical = digits.len() == 1 || !digits.starts_with('0');
        let all_digits = digits.bytes().all(|digit| digit.is_ascii_digit());
        if canonical && all_digits { digits.parse().ok().map(JobId) } else { None }
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

#[cfg(test)]
mod tests {
    use super::{JobId, Name};

    #[test]
    fn only_the_cells_own_names_lead_to_ids() {
        for id in [0, 7, 10, u64::MAX] {
            let name = Name::of_job(JobId(id));
            assert_eq!((name.as_str(), name.job_id()), (&*format!("job-{id}"), Some(JobId(id))));
            assert_eq!(Name::parse(name.as_str()).as_ref(), Ok(&name));
        }
        for other in ["job-", "job-07", "job-1x", "job-18446744073709551616", "7", "Job-7"] {
            let name = Name::parse(other).ok();
            assert_eq!(name.and_then(|name| name.job_id()), None, "{other}");
        }
    }
}
