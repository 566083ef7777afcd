use std::{
    borrow::Borrow,
    cmp::Ordering,
    collections::BTreeMap,
    fmt,
    hash::{Hash, Hasher},
    sync::Arc,
};

use super::JobId;

/// How the names begin that the cell gives to jobs; an id follows.
const JOB_PREFIX: &str = "job-";

/// The most digits of an id.
const DIGITS: usize = 20;

/// Labels by key.
pub type Labels = BTreeMap<Label, Label>;

/// The name of an object: 1 to 63 ASCII letters, digits, `-`, `_` or `.`, with a letter or digit at both ends.
///
/// The empty default stands where a name is optional, such as a node's zone. Most names are short and stand here as they
/// are: making, copying and comparing one then touches no other memory.
#[derive(Clone, PartialEq, Eq)]
pub struct Name(Text);

/// Short whenever it can be, so that equal names are equal values.
#[derive(Clone, PartialEq, Eq)]
enum Text {
    Short {
        len: u8,
        /// Zeros behind the text.
        bytes: [u8; SHORT],
    },
    Long(Arc<str>),
}

/// The most bytes of a short text.
const SHORT: usize = 22;

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
        Ok(Self::of(text.as_bytes()).unwrap_or_else(|| Self(Text::Long(text.into()))))
    }

    /// A short text, which is ASCII.
    fn of(text: &[u8]) -> Option<Self> {
        let mut bytes = [0; SHORT];
        bytes.get_mut(..text.len())?.copy_from_slice(text);
        Some(Self(Text::Short { len: u8::try_from(text.len()).ok()?, bytes }))
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
        Self::of(&text[begin..]).unwrap_or_else(|| Self(Text::Long(ascii(&text[begin..]).into())))
    }

    /// The job that the cell would call so.
    #[must_use]
    pub fn job_id(&self) -> Option<JobId> {
        let digits = self.as_bytes().strip_prefix(JOB_PREFIX.as_bytes())?;
        if digits.is_empty() || digits.len() > 1 && digits[0] == b'0' {
            return None;
        }
        let mut id: u64 = 0;
        for digit in digits {
            let digit = digit.checked_sub(b'0').filter(|digit| *digit < 10)?;
            id = id.checked_mul(10)?.checked_add(u64::from(digit))?;
        }
        Some(JobId(id))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match &self.0 {
            Text::Short { .. } => ascii(self.as_bytes()),
            Text::Long(text) => text,
        }
    }

    /// The text as bytes, which all are ASCII.
    #[must_use]
    #[inline]
    pub fn as_bytes(&self) -> &[u8] {
        match &self.0 {
            Text::Short { len, bytes } => &bytes[..usize::from(*len)],
            Text::Long(text) => text.as_bytes(),
        }
    }

    /// Whether an optional name is absent.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.as_bytes().is_empty()
    }
}

fn ascii(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("invariant: names are ASCII")
}

impl Default for Name {
    fn default() -> Self {
        Self(Text::Short { len: 0, bytes: [0; SHORT] })
    }
}

/// That of the texts.
impl Ord for Name {
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_bytes().cmp(other.as_bytes())
    }
}

impl PartialOrd for Name {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
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
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self.as_str(), f)
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

#[expect(
    clippy::impl_hash_borrow_with_str_and_bytes,
    reason = "hashed maps are asked with whole names; text and bytes are for ordered ones"
)]
impl Hash for Name {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

impl Borrow<str> for Name {
    fn borrow(&self) -> &str {
        self.as_str()
    }
}

/// Cheaper to look up than text, and in the same order.
impl Borrow<[u8]> for Name {
    fn borrow(&self) -> &[u8] {
        self.as_bytes()
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
    fn names_long_and_short_are_in_the_order_of_their_texts() {
        let texts = [1, 2, 21, 22, 23, 63].map(|len| ["a", "b"].map(|text| text.repeat(len)));
        let mut texts: Vec<String> = texts.into_iter().flatten().collect();
        texts.sort_unstable();
        let names: Vec<Name> =
            texts.iter().map(|text| Name::parse(text).expect("a name")).collect();
        assert!(names.is_sorted_by(|a, b| a < b));
        assert!(names.iter().map(Name::as_str).eq(&texts));
    }

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
