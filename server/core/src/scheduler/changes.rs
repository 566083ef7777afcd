//! A list of changed nodes that many readers follow, each at its own pace. A node that changed again later is
//! skipped at its earlier entry, so that nobody looks at it twice.

use crate::model::NodeId;

/// How far a reader has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Cursor(u64);

/// Changed nodes, oldest first.
#[derive(Clone, Debug, Default)]
pub(super) struct Changes {
    entries: Vec<NodeId>,
    /// The position of the first entry that is still kept.
    base: u64,
    /// The newest position of each node.
    newest: Vec<u64>,
}

impl Changes {
    pub(super) fn push(&mut self, node: NodeId) {
        let index = node.0 as usize;
        if self.newest.len() <= index {
            if self.newest.capacity() <= index {
                self.newest.reserve_exact(index + 1 + index / 8 - self.newest.len());
            }
            self.newest.resize(index + 1, u64::MAX);
        }
        self.newest[index] = self.end().0;
        self.entries.push(node);
        if self.entries.len() > 4 * self.newest.len() + 1024 {
            let old = self.entries.len() / 2;
            self.entries.drain(..old);
            self.base += old as u64;
        }
    }

    pub(super) fn end(&self) -> Cursor {
        Cursor(self.base + self.entries.len() as u64)
    }

    /// The nodes changed since `cursor`, or `None` if so much has changed that it is cheaper to look at all of them.
    pub(super) fn since(&self, cursor: Cursor) -> Option<impl Iterator<Item = NodeId>> {
        let skipped = usize::try_from(cursor.0.checked_sub(self.base)?).ok()?;
        let entries = (cursor.0..).zip(&self.entries[skipped..]);
        Some(
            entries.filter(|(at, node)| self.newest[node.0 as usize] == *at).map(|(_, node)| *node),
        )
    }
}
