use std::sync::Arc;

use crate::model::{Millis, Name, PriceBook, Rate, Resources, Revision, Time};

/// Price books that are kept at most, the one in force included.
pub const BOOKS_KEPT: usize = 1_000;

/// The price books of a cell and since when each holds: for what is placed from then on, until the next one does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Books(Arc<Vec<KeptBook>>);

/// A price book as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptBook {
    /// Since when it holds.
    pub since: Time,
    /// The revision that set it.
    pub revision: Revision,
    /// What it says.
    pub book: Arc<PriceBook>,
}

impl Books {
    /// The book that holds for what was placed at a time.
    #[must_use]
    #[inline]
    pub fn at(&self, placed: Time) -> Option<&PriceBook> {
        let newest = self.0.last()?;
        if newest.since <= placed {
            return Some(&newest.book);
        }
        let later = self.0.partition_point(|kept| kept.since <= placed);
        later.checked_sub(1).map(|at| self.0[at].book.as_ref())
    }

    /// The newest book.
    #[must_use]
    pub fn newest(&self) -> Option<&KeptBook> {
        self.0.last()
    }

    /// All books that are kept, the oldest first.
    #[must_use]
    pub fn all(&self) -> &[KeptBook] {
        &self.0
    }

    /// Whether there is none: nothing costs anything.
    #[must_use]
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether another book may be added while the oldest allocation was placed at this time.
    #[must_use]
    pub fn have_room(&self, oldest_placed: Time) -> bool {
        self.0.len() < BOOKS_KEPT || self.0.get(1).is_some_and(|next| next.since <= oldest_placed)
    }

    /// Adds a book. One that would hold from the same time on never did; when there are too many, the oldest goes that no
    /// allocation needs.
    pub(crate) fn add(&mut self, new: KeptBook, oldest_placed: Time) {
        let books = Arc::make_mut(&mut self.0);
        if books.last().is_some_and(|last| last.since == new.since) {
            books.pop();
        }
        if books.len() >= BOOKS_KEPT && books.get(1).is_some_and(|next| next.since <= oldest_placed)
        {
            books.remove(0);
        }
        books.push(new);
    }

    /// What a task costs that was placed at a time; nothing before there were prices.
    #[must_use]
    #[inline]
    pub fn rate(
        &self,
        placed: Time,
        (request, min_runtime): (&Resources, Millis),
        region: &Name,
        gpu_model: &Name,
    ) -> Rate {
        match self.at(placed) {
            Some(book) => book.rate(request, min_runtime, region, gpu_model),
            None => Rate::default(),
        }
    }
}
