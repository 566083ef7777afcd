use std::{collections::BTreeMap, sync::Arc};

use super::Label;

/// Free text by key, for people and their tools: nothing is selected or decided by it. Most objects have none, and then
/// it takes no memory of its own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Annotations(Option<Arc<BTreeMap<Label, Arc<str>>>>);

impl Annotations {
    /// The most bytes of all keys and texts of an object.
    pub const MAX_BYTES: usize = 4 * 1024;

    /// The texts in the order of their keys.
    pub fn iter(&self) -> impl Iterator<Item = (&Label, &Arc<str>)> {
        self.0.iter().flat_map(|texts| texts.iter())
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }
}

impl FromIterator<(Label, Arc<str>)> for Annotations {
    fn from_iter<I: IntoIterator<Item = (Label, Arc<str>)>>(texts: I) -> Self {
        let texts: BTreeMap<Label, Arc<str>> = texts.into_iter().collect();
        Self((!texts.is_empty()).then(|| Arc::new(texts)))
    }
}
