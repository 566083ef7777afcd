//! A map from dense, never reused ids to objects. Pages are shared between copies until one of them writes: a
//! copy of a whole State costs a pass over its page pointers, so snapshots, checkpoints and what-if forks are cheap.

use std::sync::Arc;

const PAGE: usize = 64;

/// Objects by id.
#[derive(Clone, Debug)]
pub(crate) struct Table<T> {
    pages: Vec<Option<Arc<Page<T>>>>,
    len: usize,
}

#[derive(Clone, Debug)]
struct Page<T> {
    rows: Vec<Option<T>>,
    used: usize,
}

impl<T: Clone> Default for Table<T> {
    fn default() -> Self {
        Self { pages: Vec::new(), len: 0 }
    }
}

impl<T: Clone> Table<T> {
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn get(&self, id: u64) -> Option<&T> {
        let (page, row) = place(id);
        self.pages.get(page)?.as_ref()?.rows[row].as_ref()
    }

    pub(crate) fn get_mut(&mut self, id: u64) -> Option<&mut T> {
        let (page, row) = place(id);
        let page = self.pages.get_mut(page)?.as_mut()?;
        page.rows[row].as_ref()?;
        Arc::make_mut(page).rows[row].as_mut()
    }

    pub(crate) fn insert(&mut self, id: u64, object: T) {
        let (page, row) = place(id);
        if self.pages.len() <= page {
            self.pages.resize_with(page + 1, || None);
        }
        let page = self.pages[page].get_or_insert_with(|| {
            let mut rows = Vec::with_capacity(PAGE);
            rows.resize_with(PAGE, || None);
            Arc::new(Page { rows, used: 0 })
        });
        let page = Arc::make_mut(page);
        assert!(page.rows[row].replace(object).is_none(), "invariant: ids are never used again");
        page.used += 1;
        self.len += 1;
    }

    pub(crate) fn remove(&mut self, id: u64) -> Option<T> {
        let (at, row) = place(id);
        let slot = self.pages.get_mut(at)?;
        let page = Arc::make_mut(slot.as_mut()?);
        let object = page.rows[row].take()?;
        page.used -= 1;
        self.len -= 1;
        if page.used == 0 {
            *slot = None;
        }
        Some(object)
    }

    /// Objects from `first` on, in the order of their ids.
    pub(crate) fn iter_from(&self, first: u64) -> impl Iterator<Item = &T> {
        let (page, row) = place(first);
        let pages = self.pages.get(page..).unwrap_or_default();
        pages.iter().enumerate().flat_map(move |(at, page)| {
            let skipped = if at == 0 { row } else { 0 };
            page.iter().flat_map(move |page| page.rows[skipped..].iter().flatten())
        })
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.iter_from(0)
    }
}

fn place(id: u64) -> (usize, usize) {
    let id = usize::try_from(id).expect("invariant: ids fit the address space");
    (id / PAGE, id % PAGE)
}

#[cfg(test)]
mod tests {
    use super::Table;

    #[test]
    fn a_copy_does_not_see_later_writes() {
        let mut table = Table::default();
        for id in 0..200 {
            table.insert(id, id);
        }
        let copy = table.clone();
        *table.get_mut(70).expect("there") = 7;
        table.remove(199);
        assert_eq!((copy.get(70), copy.get(199), copy.len()), (Some(&70), Some(&199), 200));
        assert_eq!((table.get(70), table.get(199), table.len()), (Some(&7), None, 199));
    }

    #[test]
    fn iteration_begins_at_the_id_given_and_skips_holes() {
        let mut table = Table::default();
        for id in [3, 63, 64, 300] {
            table.insert(id, id);
        }
        table.remove(64);
        assert_eq!(table.iter_from(4).copied().collect::<Vec<_>>(), [63, 300]);
        assert_eq!(table.iter_from(301).count(), 0);
    }
}
