//! A vector whose pages are shared between copies until one of them writes, as those of a [`crate::table::Table`] are: a
//! copy costs a pass over the pages, and the first write to a page after it a copy of few elements.

use std::{
    array,
    ops::{Index, IndexMut},
    sync::Arc,
};

/// Elements in a page. Each write looks up its page, and after a copy the first one copies it.
const PAGE: usize = 16;

type Page<T> = [T; PAGE];

/// Elements by position. Those beyond the end that share its page are there already, as defaults.
#[derive(Clone, Debug, Default)]
pub(crate) struct Paged<T> {
    pages: Vec<Arc<Page<T>>>,
    len: usize,
}

impl<T: Clone + Default> Paged<T> {
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn get(&self, at: usize) -> Option<&T> {
        (at < self.len).then(|| &self[at])
    }

    /// Makes it at least so long.
    pub(crate) fn grow_to(&mut self, len: usize) {
        self.len = self.len.max(len);
        let pages = self.len.div_ceil(PAGE);
        let page = || Arc::new(array::from_fn(|_| T::default()));
        self.pages.resize_with(pages.max(self.pages.len()), page);
    }

    pub(crate) fn push(&mut self, element: T) {
        let at = self.len;
        self.grow_to(at + 1);
        self[at] = element;
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.pages.iter().flat_map(|page| page.iter()).take(self.len)
    }

    /// All of them for changes: no page is shared then.
    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.pages.iter_mut().flat_map(Arc::make_mut).take(self.len)
    }

    /// How many copies share the page of this position.
    #[inline]
    pub(crate) fn sharers(&self, at: usize) -> usize {
        Arc::strong_count(&self.pages[at / PAGE])
    }

    /// How many pages are not those of `earlier`.
    pub(crate) fn pages_changed(&self, earlier: &Self) -> usize {
        let same = self.pages.iter().zip(&earlier.pages).filter(|(a, b)| Arc::ptr_eq(a, b)).count();
        self.pages.len().max(earlier.pages.len()) - same
    }
}

impl<T> Index<usize> for Paged<T> {
    type Output = T;

    #[inline]
    fn index(&self, at: usize) -> &T {
        &self.pages[at / PAGE][at % PAGE]
    }
}

impl<T: Clone> IndexMut<usize> for Paged<T> {
    #[inline]
    fn index_mut(&mut self, at: usize) -> &mut T {
        &mut Arc::make_mut(&mut self.pages[at / PAGE])[at % PAGE]
    }
}

#[cfg(test)]
mod tests {
    use super::{PAGE, Paged};

    #[test]
    fn a_copy_does_not_see_later_writes() {
        let mut paged = Paged::default();
        (0..40).for_each(|element| paged.push(element));
        let copy = paged.clone();
        paged[17] = 7;
        paged.push(40);
        assert_eq!((copy[17], copy.len(), copy.get(40)), (17, 40, None));
        assert_eq!((paged[17], paged.len(), paged.get(40)), (7, 41, Some(&40)));
        assert!(copy.iter().copied().eq(0..40));
    }

    #[test]
    fn only_pages_that_were_written_are_no_longer_shared() {
        let mut paged = Paged::default();
        paged.grow_to(3 * PAGE);
        let copy = paged.clone();
        assert_eq!(paged.pages_changed(&copy), 0);
        paged[PAGE] = 1;
        paged.grow_to(3 * PAGE + 1);
        assert_eq!((paged.pages_changed(&copy), copy.pages_changed(&paged)), (2, 2));
        assert_eq!(paged.iter_mut().map(|element| *element).sum::<i32>(), 1);
        assert_eq!(paged.pages_changed(&copy), 4, "all were asked for");
    }
}
