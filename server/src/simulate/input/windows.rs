use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use offpeak_core::model::{HeldShare, Millis, Name, NodeSpec};

use super::fields::{name, names, positive_seconds, seconds, whole};
use crate::tables::{InputError, Row, Table};

const COLUMNS: [&str; 6] = ["owner", "start_s", "end_s", "every_s", "permille", "regions"];

/// All of a node's capacity.
const WHOLE_PERMILLE: u64 = 1000;

/// The most stretches of time that one row may stand for.
const MAX_STRETCHES: u64 = 10_000;

/// Stretches of time in which an owner wants its nodes back, or a part of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::simulate) struct HeldWindows {
    pub(in crate::simulate) share: HeldShare,
    /// Only nodes in one of these regions; empty: in all.
    pub(in crate::simulate) regions: Vec<Name>,
    /// Each from when and until when, after the beginning.
    pub(in crate::simulate) stretches: Vec<(Millis, Millis)>,
}

/// Reads what owners want back and when, by owner. What comes again and again does so until `last`.
pub(in crate::simulate) fn windows(
    path: &Path,
    nodes: &[NodeSpec],
    last: Millis,
) -> Result<BTreeMap<Name, Vec<HeldWindows>>, InputError> {
    read(Table::open(path)?, nodes, last)
}

pub(super) fn read(
    mut table: Table,
    nodes: &[NodeSpec],
    last: Millis,
) -> Result<BTreeMap<Name, Vec<HeldWindows>>, InputError> {
    table.expect(&COLUMNS, &["owner", "start_s", "end_s"]);
    let owners: BTreeSet<&Name> = nodes.iter().map(|node| &node.owner).collect();
    let mut windows: BTreeMap<Name, Vec<HeldWindows>> = BTreeMap::new();
    table.each_row(|row| {
        let owner: Name = row.required("owner", name);
        if !owner.is_empty() && !owners.contains(&owner) {
            row.refuse("owner", "owns none of the nodes");
        }
        let held = held(row, last);
        windows.entry(owner).or_default().push(held);
    })?;
    table.finish(windows)
}

fn held(row: &mut Row<'_>, last: Millis) -> HeldWindows {
    let start: Millis = row.required("start_s", seconds);
    let end: Millis = row.required("end_s", positive_seconds);
    if end <= start && end > Millis(0) {
        row.refuse("end_s", "is not after start_s");
    }
    let length = Millis(end.0.saturating_sub(start.0));
    let every = row.optional("every_s", positive_seconds);
    if every.is_some_and(|every| every < length) {
        row.refuse("every_s", "is shorter than the window itself");
    }
    let times = every.map_or(1, |every| last.0.saturating_sub(start.0) / every.0.max(1) + 1);
    if times > MAX_STRETCHES {
        row.refuse("every_s", format_args!("comes to more than {MAX_STRETCHES} windows"));
    }
    let permille = row.optional("permille", whole(1..=WHOLE_PERMILLE)).unwrap_or(WHOLE_PERMILLE);
    let stretch = |time: u64| {
        let later = every.map_or(0, |every| every.0.saturating_mul(time));
        (Millis(start.0.saturating_add(later)), Millis(end.0.saturating_add(later)))
    };
    HeldWindows {
        share: HeldShare::of_all(u16::try_from(permille).expect("invariant: at most 1000")),
        regions: row.optional("regions", names).unwrap_or_default(),
        stretches: (0..times.min(MAX_STRETCHES)).map(stretch).collect(),
    }
}
