//! Nodes whose descriptions are alike to every filter: what a shape may use is asked once a kind, not once a node.

use std::sync::Arc;

use hashbrown::HashMap;
use rustc_hash::FxBuildHasher;

use super::filter;
use crate::model::{Constraints, Labels, Name, NodeSpec, Taint};

/// A kind's place in [`Kinds`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct KindId(pub(super) u32);

/// A zone's place in [`Kinds`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ZoneId(pub(super) u32);

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct KindKey {
    region: Name,
    zone: Name,
    gpu_model: Name,
    labels: Labels,
    taints: Vec<Taint>,
}

/// All kinds seen.
#[derive(Clone, Debug, Default)]
pub(super) struct Kinds {
    by_key: HashMap<KindKey, KindId, FxBuildHasher>,
    /// A description of each kind: any node's of it.
    specs: Vec<NodeSpec>,
    zones: Vec<(Name, Name)>,
    zone_of: Vec<ZoneId>,
}

/// What is known of a shape and each kind.
#[derive(Clone, Debug, Default)]
pub(super) struct Allowed(Vec<Option<bool>>);

impl Kinds {
    /// The kind of a node; only one that is new is written down.
    pub(super) fn of(shared: &mut Arc<Self>, spec: &NodeSpec) -> KindId {
        let key = KindKey {
            region: spec.region.clone(),
            zone: spec.zone.clone(),
            gpu_model: spec.gpu_model.clone(),
            labels: spec.labels.clone(),
            taints: spec.taints.clone(),
        };
        if let Some(id) = shared.by_key.get(&key) {
            return *id;
        }
        let kinds = Arc::make_mut(shared);
        let id = KindId(u32::try_from(kinds.specs.len()).expect("invariant: fewer than 2^32"));
        let zone = (key.region.clone(), key.zone.clone());
        let at = kinds.zones.iter().position(|known| *known == zone).unwrap_or_else(|| {
            kinds.zones.push(zone);
            kinds.zones.len() - 1
        });
        kinds.zone_of.push(ZoneId(u32::try_from(at).expect("invariant: fewer than 2^32")));
        kinds.specs.push(spec.clone());
        kinds.by_key.insert(key, id);
        id
    }

    pub(super) fn len(&self) -> usize {
        self.specs.len()
    }

    pub(super) fn spec(&self, kind: KindId) -> &NodeSpec {
        &self.specs[kind.0 as usize]
    }

    pub(super) fn zone_of(&self, kind: KindId) -> ZoneId {
        self.zone_of[kind.0 as usize]
    }

    pub(super) fn zone_count(&self) -> usize {
        self.zones.len()
    }
}

impl Allowed {
    /// Whether tasks with these constraints may go to nodes of the kind.
    pub(super) fn ask(&mut self, kinds: &Kinds, kind: KindId, constraints: &Constraints) -> bool {
        let at = kind.0 as usize;
        if self.0.len() <= at {
            self.0.resize(kinds.len(), None);
        }
        *self.0[at].get_or_insert_with(|| filter::allows(&kinds.specs[at], constraints))
    }
}
