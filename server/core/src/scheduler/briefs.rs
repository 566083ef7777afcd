//! What a look at all rooms looks at first: little of each, and of several together less still.

use super::{amounts::Want, kind::KindId, most::Most, room::Room};

/// Rooms that are passed over together.
const PAGE: usize = 16;

/// What one room has free for whoever breaks its promises; nothing where it takes no tasks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Brief {
    most: Most,
    kind: KindId,
    open: bool,
}

/// A page of rooms: some room may have so much of something.
#[derive(Clone, Copy, Debug, Default)]
struct Page {
    most: Most,
    /// It may be less by now.
    stale: bool,
    open: bool,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Briefs {
    all: Vec<Brief>,
    pages: Vec<Page>,
}

impl Briefs {
    /// Makes room for so many, and some more: for twice as many would be too much in a large fleet.
    pub(super) fn grow_to(&mut self, len: usize) {
        if len > self.all.capacity() {
            self.all.reserve_exact(len + len / 8 - self.all.len());
        }
        self.all.resize(len.max(self.all.len()), Brief::default());
        self.pages.resize(self.all.len().div_ceil(PAGE), Page::default());
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Brief> {
        self.all.iter()
    }

    #[inline]
    pub(super) fn set(&mut self, at: usize, room: Option<&Room>) {
        self.put(at, room.map(Brief::of).unwrap_or_default());
    }

    #[inline]
    fn put(&mut self, at: usize, brief: Brief) {
        let page = &mut self.pages[at / PAGE];
        page.stale |= self.all[at].open;
        if brief.open {
            page.most.cover(&brief.most);
            page.open = true;
        }
        self.all[at] = brief;
    }

    /// Whether what is kept of a room is so, and nothing is passed over because of it.
    pub(super) fn is_true(&self, at: usize, room: &Room) -> bool {
        let (brief, mut page) = (Brief::of(room), self.pages[at / PAGE]);
        let most = page.most;
        page.most.cover(&brief.most);
        self.all[at] == brief && (!brief.open || page.open && page.most == most)
    }

    /// The first room from `from` on, before `end`, that is worth a look for one task.
    pub(super) fn next_that_may_fit(
        &mut self,
        from: usize,
        end: usize,
        want: &Want,
    ) -> Option<(usize, KindId)> {
        let mut at = from;
        while at < end {
            let next_page = (at / PAGE + 1) * PAGE;
            if !self.page(at / PAGE).may_fit(want) {
                at = next_page;
                continue;
            }
            let last = next_page.min(end);
            let found = self.all[at..last].iter().position(|brief| brief.may_fit(want));
            if let Some(steps) = found {
                return Some((at + steps, self.all[at + steps].kind));
            }
            at = last;
        }
        None
    }

    fn page(&mut self, number: usize) -> &Page {
        let page = &mut self.pages[number];
        if page.stale {
            *page = Page::default();
            let first = number * PAGE;
            let last = self.all.len().min(first + PAGE);
            for brief in self.all[first..last].iter().filter(|brief| brief.open) {
                page.most.cover(&brief.most);
                page.open = true;
            }
        }
        page
    }
}

impl Brief {
    fn of(room: &Room) -> Self {
        let most = Most::of(&room.free, room.gpus.whole(0), || room.gpus.shares(0).max());
        Self { most, kind: room.kind, open: room.open }
    }

    #[inline]
    fn may_fit(&self, want: &Want) -> bool {
        self.open && self.most.may_fit(want)
    }

    /// Whether it lacks at most one thing of what a task asks for, as far as can be told here.
    pub(super) fn lacks_one_at_most(&self, want: &Want) -> bool {
        self.open && self.most.lacks(want) <= 1
    }

    pub(super) fn kind(&self) -> KindId {
        self.kind
    }
}

impl Page {
    #[inline]
    fn may_fit(&self, want: &Want) -> bool {
        self.open && self.most.may_fit(want)
    }
}

#[cfg(test)]
mod tests {
    use super::{Brief, Briefs, Most, PAGE};
    use crate::scheduler::amounts::Want;

    fn want(cpu_millis: i64) -> Want {
        Want { columns: [cpu_millis, 0, 0, 0], ..Want::default() }
    }

    /// As if the room at this place had so much CPU from now on.
    fn set(briefs: &mut Briefs, at: usize, cpu_millis: i64) {
        let most = Most { cpu_millis, ..Most::default() };
        briefs.put(at, Brief { most, open: true, ..Brief::default() });
    }

    #[test]
    fn pages_without_room_are_passed_over_and_looked_at_again_when_they_have_some() {
        let mut briefs = Briefs::default();
        briefs.grow_to(3 * PAGE);
        (0..3 * PAGE).for_each(|at| set(&mut briefs, at, 1));
        set(&mut briefs, PAGE + 3, 5);
        let next = |briefs: &mut Briefs, from| {
            briefs.next_that_may_fit(from, 3 * PAGE, &want(5)).map(|(at, _)| at)
        };
        assert_eq!(next(&mut briefs, 0), Some(PAGE + 3));
        assert_eq!(next(&mut briefs, PAGE + 4), None);
        set(&mut briefs, PAGE + 3, 4);
        assert_eq!(next(&mut briefs, 0), None);
        assert!(!briefs.pages[1].most.may_fit(&want(5)), "its most was made out anew");
        set(&mut briefs, 3 * PAGE - 1, 6);
        assert_eq!(next(&mut briefs, 2), Some(3 * PAGE - 1));
        assert_eq!(briefs.next_that_may_fit(2, 3 * PAGE - 1, &want(5)), None);
    }
}
