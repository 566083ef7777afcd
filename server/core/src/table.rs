//! A map from dense, never reused ids to objects. Pages are shared between copies until one of them writes: a
//! copy of a whole State costs a pass over its chapter pointers, so snapshots, checkpoints and what-if forks are
//! cheap. Pages and chapters whose objects are all gone are dropped, since most ids are those of the past.

use std::{array, sync::Arc};

/// Objects in a page: what a first write after a copy has to copy.
const PAGE: usize = 64;
/// Pages in a chapter.
const CHAPTER: usize = 256;

/// Objects by id.
#[derive(Clone, Debug)]
pub(crate) struct Table<T> {
    chapters: Vec<Option<Arc<Chapter<T>>>>,
    len: usize,
}

type Page<T> = Block<T, PAGE>;
type Chapter<T> = Block<Arc<Page<T>>, CHAPTER>;

/// A fixed number of places of which some are taken. The places lie in the block itself, so that an object is two
/// steps from its table, and how many are taken beside what else every write looks at.
#[derive(Clone, Debug)]
#[repr(C)]
struct Block<T, const N: usize> {
    taken: usize,
    places: [Option<T>; N],
}

impl<T, const N: usize> Default for Block<T, N> {
    fn default() -> Self {
        Self { taken: 0, places: array::from_fn(|_| None) }
    }
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self { chapters: Vec::new(), len: 0 }
    }
}

impl<T: Clone> Table<T> {
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    #[inline]
    pub(crate) fn get(&self, id: u64) -> Option<&T> {
        let (chapter, page, row) = place(id);
        self.chapters.get(chapter)?.as_ref()?.places[page].as_ref()?.places[row].as_ref()
    }

    /// How many copies share the object's page; 0 without one.
    #[inline]
    pub(crate) fn sharers(&self, id: u64) -> usize {
        let (chapter, page, _) = place(id);
        let chapter = self.chapters.get(chapter).and_then(Option::as_ref);
        chapter.and_then(|chapter| chapter.places[page].as_ref()).map_or(0, Arc::strong_count)
    }

    /// The object for a change. The page is no longer shared then, whether or not the object is there.
    #[inline]
    pub(crate) fn get_mut(&mut self, id: u64) -> Option<&mut T> {
        let (chapter, page, row) = place(id);
        let chapter = Arc::make_mut(self.chapters.get_mut(chapter)?.as_mut()?);
        Arc::make_mut(chapter.places[page].as_mut()?).places[row].as_mut()
    }

    pub(crate) fn insert(&mut self, id: u64, object: T) {
        let (_, _, row) = place(id);
        let page = self.page_to_fill(id);
        page.taken += 1;
        assert!(page.places[row].replace(object).is_none(), "invariant: ids are never used again");
        self.len += 1;
    }

    /// Inserts objects under `count` consecutive ids from `first` on.
    pub(crate) fn insert_run(&mut self, first: u64, count: u32, mut object: impl FnMut(u64) -> T) {
        let mut ids = first..first + u64::from(count);
        while let Some(id) = ids.clone().next() {
            let (_, _, row) = place(id);
            let page = self.page_to_fill(id);
            let mut taken = 0;
            for (place, id) in page.places[row..].iter_mut().zip(&mut ids) {
                assert!(place.is_none(), "invariant: ids are never used again");
                *place = Some(object(id));
                taken += 1;
            }
            page.taken += taken;
            self.len += taken;
        }
    }

    /// The page of an object that is about to be inserted.
    #[inline]
    fn page_to_fill(&mut self, id: u64) -> &mut Page<T> {
        let (chapter, page, _) = place(id);
        if self.chapters.len() <= chapter {
            self.chapters.resize_with(chapter + 1, || None);
        }
        let chapter = Arc::make_mut(self.chapters[chapter].get_or_insert_default());
        let page = &mut chapter.places[page];
        chapter.taken += usize::from(page.is_none());
        Arc::make_mut(page.get_or_insert_default())
    }

    pub(crate) fn remove(&mut self, id: u64) -> Option<T> {
        let (at, page_at, row) = place(id);
        let chapter = Arc::make_mut(self.chapters.get_mut(at)?.as_mut()?);
        let page = Arc::make_mut(chapter.places[page_at].as_mut()?);
        let object = page.places[row].take()?;
        page.taken -= 1;
        self.len -= 1;
        if page.taken == 0 {
            chapter.places[page_at] = None;
            chapter.taken -= 1;
        }
        if chapter.taken == 0 {
            self.chapters[at] = None;
        }
        Some(object)
    }

    /// Objects from `first` on, in the order of their ids.
    pub(crate) fn iter_from(&self, first: u64) -> impl Iterator<Item = &T> {
        let (chapter, page, row) = place(first);
        let chapters = self.chapters.get(chapter..).unwrap_or_default();
        let pages = chapters.iter().enumerate().flat_map(move |(at, chapter)| {
            let skipped = if at == 0 { page } else { 0 };
            let pages = chapter.iter().flat_map(move |chapter| &chapter.places[skipped..]);
            pages.enumerate().map(move |(on, page)| (at == 0 && on == 0, page))
        });
        pages.flat_map(move |(is_first, page)| {
            let skipped = if is_first { row } else { 0 };
            page.iter().flat_map(move |page| page.places[skipped..].iter().flatten())
        })
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.iter_from(0)
    }

    /// The objects of a page.
    pub(crate) fn page(&self, number: usize) -> impl Iterator<Item = &T> {
        let page = page_of(self.chapters.get(number / CHAPTER), number % CHAPTER);
        page.into_iter().flat_map(|page| page.places.iter().flatten())
    }

    /// The numbers of the pages that are not those of `earlier`. Copies share what neither has written since, so a page
    /// that both have is the same.
    pub(crate) fn pages_changed<'a>(&'a self, earlier: &'a Self) -> impl Iterator<Item = usize> {
        let chapters = self.chapters.len().max(earlier.chapters.len());
        (0..chapters).flat_map(move |at| {
            let (now, then) = (self.chapters.get(at), earlier.chapters.get(at));
            let known = is_same(now.and_then(Option::as_ref), then.and_then(Option::as_ref));
            let pages = if known { 0..0 } else { 0..CHAPTER };
            let changed = pages.filter(move |on| !is_same(page_of(now, *on), page_of(then, *on)));
            changed.map(move |on| at * CHAPTER + on)
        })
    }
}

fn page_of<T>(chapter: Option<&Option<Arc<Chapter<T>>>>, page: usize) -> Option<&Arc<Page<T>>> {
    chapter?.as_ref()?.places[page].as_ref()
}

fn is_same<T>(one: Option<&Arc<T>>, other: Option<&Arc<T>>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => Arc::ptr_eq(one, other),
        (one, other) => one.is_none() && other.is_none(),
    }
}

/// Chapter, page and row.
fn place(id: u64) -> (usize, usize, usize) {
    let id = usize::try_from(id).expect("invariant: ids fit the address space");
    (id / PAGE / CHAPTER, id / PAGE % CHAPTER, id % PAGE)
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

    #[test]
    fn pages_that_either_copy_wrote_are_told_apart() {
        let mut table = Table::default();
        for id in 0..200 {
            table.insert(id, id);
        }
        let copy = table.clone();
        assert_eq!(table.pages_changed(&copy).count(), 0);
        *table.get_mut(70).expect("there") = 7;
        for id in 192..200 {
            table.remove(id);
        }
        table.insert(20_000, 1);
        let changed = [1, 3, 20_000 / super::PAGE];
        assert_eq!(table.pages_changed(&copy).collect::<Vec<_>>(), changed);
        assert_eq!(copy.pages_changed(&table).collect::<Vec<_>>(), changed);
        assert_eq!(table.page(1).nth(6), Some(&7));
        assert_eq!((table.page(3).count(), table.page(9_999).count()), (0, 0));
    }

    #[test]
    fn what_is_gone_is_dropped() {
        let mut table = Table::default();
        for id in 0..40_000 {
            table.insert(id, id);
        }
        for id in 0..39_999 {
            assert_eq!(table.remove(id), Some(id));
        }
        assert_eq!(table.chapters.iter().flatten().count(), 1);
        assert_eq!(table.iter().copied().collect::<Vec<_>>(), [39_999]);
        assert_eq!(table.remove(0), None);
    }
}
