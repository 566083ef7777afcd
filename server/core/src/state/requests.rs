//! Answers to requests with an id: by that id for who asks again, and by age to be forgotten.

use std::{fmt, sync::Arc};

use crate::{
    command::Outcome,
    lookup::Lookup,
    model::{Revision, Time},
    table::Table,
};

/// The answer to a request id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remembered {
    /// Of the request's body.
    pub fingerprint: u128,
    /// The answer.
    pub outcome: Outcome,
    /// When it was given.
    pub time: Time,
    /// The revision that remembers it.
    pub revision: Revision,
}

#[derive(Clone, Default)]
pub(super) struct Requests {
    /// By number, oldest first.
    all: Table<(Arc<str>, Remembered)>,
    oldest: u64,
    next: u64,
    /// The numbers.
    by_id: Lookup,
}

impl Requests {
    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    pub(super) fn get(&self, id: &str) -> Option<&Remembered> {
        let is = |number| self.all.get(number).is_some_and(|(known, _)| **known == *id);
        let number = self.by_id.get(&id, is)?;
        self.all.get(number).map(|(_, remembered)| remembered)
    }

    /// Reads what leads to an id.
    pub(super) fn read_ahead(&self, id: &str) -> u64 {
        self.by_id.read_ahead(&id)
    }

    /// Oldest first.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&Arc<str>, &Remembered)> {
        self.all.iter_from(self.oldest).map(|(id, remembered)| (id, remembered))
    }

    /// Adds one that is newer than all others.
    pub(super) fn add(&mut self, id: &Arc<str>, remembered: Remembered) {
        self.by_id.insert(id, self.next);
        self.all.insert(self.next, (Arc::clone(id), remembered));
        self.next += 1;
    }

    /// Forgets what was remembered up to a revision.
    pub(super) fn forget(&mut self, through: Revision) {
        while let Some((id, _)) =
            self.all.get(self.oldest).filter(|(_, oldest)| oldest.revision <= through)
        {
            self.by_id.remove(id, self.oldest);
            self.all.remove(self.oldest);
            self.oldest += 1;
        }
    }

    /// Whether each of them is found by its id.
    pub(super) fn are_indexed(&self) -> bool {
        let is_found = |number: u64| {
            let kept = self.all.get(number);
            kept.is_some_and(|(id, _)| self.by_id.get(id, |other| other == number).is_some())
        };
        self.by_id.len() == self.all.len() && (self.oldest..self.next).all(is_found)
    }
}

/// What is remembered, and not how it is found.
impl fmt::Debug for Requests {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}
