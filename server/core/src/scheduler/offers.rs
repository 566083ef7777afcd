//! Where room can be made for the tasks of a job, the cheapest first.

use std::collections::BTreeMap;

use super::spread::Spread;
use crate::model::{Allocation, Name, NodeId, Priority, TenantId};

/// What making room on a node costs: the worst victim's priority, then the work lost, then how many.
pub(super) type Cost = (Option<Priority>, u64, usize, NodeId);

/// Where room for one more task of a job can be made.
#[derive(Default)]
pub(super) struct Offers {
    /// By what that costs, by zone for jobs that spread over zones.
    by_place: BTreeMap<(Name, Name), BTreeMap<Cost, Vec<Allocation>>>,
    /// Whose jobs they are for, at which priority; nothing if they are for one job.
    pub(super) for_all_of: Option<(TenantId, Priority)>,
    /// Whether they are of all nodes, or of enough of them.
    pub(super) all: bool,
}

impl Offers {
    pub(super) fn of(for_all_of: Option<(TenantId, Priority)>) -> Self {
        Self { for_all_of, ..Self::default() }
    }

    /// Forgets those of a few nodes, since all are looked at now.
    pub(super) fn begin_anew(&mut self) {
        self.by_place.clear();
        self.all = true;
    }

    pub(super) fn add(&mut self, place: (Name, Name), cost: Cost, victims: Vec<Allocation>) {
        self.by_place.entry(place).or_default().insert(cost, victims);
    }

    /// Whether there is one for which nobody need go.
    pub(super) fn has_free(&self) -> bool {
        let mut first = self.by_place.values().filter_map(|nodes| nodes.first_key_value());
        first.any(|(_, victims)| victims.is_empty())
    }

    /// Takes out the cheapest that the spread allows. Nodes and zones that are full are dropped on the way.
    pub(super) fn best(&mut self, spread: &Spread) -> Option<(NodeId, Vec<Allocation>)> {
        self.by_place.retain(|zone, nodes| {
            while let Some(first) = nodes.first_entry() {
                if spread.node_room(first.key().3) > 0 && spread.zone_room(zone) > 0 {
                    return true;
                }
                first.remove();
            }
            false
        });
        let emptiest = self.by_place.keys().map(|zone| spread.in_zone(zone)).min()?;
        let (zone, cost) = self
            .by_place
            .iter()
            .filter_map(|(zone, nodes)| Some((zone, *nodes.first_key_value()?.0)))
            .filter(|(zone, cost)| spread.room(cost.3, zone, emptiest) > 0)
            .min_by_key(|(_, cost)| *cost)?;
        let zone = zone.clone();
        let victims = self.by_place.get_mut(&zone)?.remove(&cost)?;
        Some((cost.3, victims))
    }
}
