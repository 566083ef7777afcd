use std::{collections::BTreeMap, sync::Arc};

use super::Forecaster;
use crate::{
    forecast::{DayAhead, Kin, NodeForecast},
    model::{Dimension, Name, NodeId, Time},
};

/// What is remembered of some nodes, to look ahead elsewhere: what is large is shared with the forecaster until it learns
/// more.
#[derive(Clone, Debug, Default)]
pub struct Memories {
    kin: Vec<Kin>,
    nodes: BTreeMap<NodeId, Vec<Memory>>,
}

#[derive(Clone, Debug)]
struct Memory {
    dimension: Dimension,
    /// The place of what is known of its fleet.
    kin: usize,
    forecast: Arc<NodeForecast>,
}

impl Forecaster {
    /// What is remembered of these nodes; those that are not known are left out.
    #[must_use]
    pub fn memories(&self, nodes: &[NodeId]) -> Memories {
        let mut places: BTreeMap<(&Name, &Dimension), usize> = BTreeMap::new();
        let mut memories = Memories::default();
        for id in nodes {
            let Some(known) = self.nodes.get(id) else { continue };
            let Some(spec) = &known.spec else { continue };
            let Some(owner) = self.owners.get(&spec.owner) else { continue };
            let mut of_node = Vec::with_capacity(known.forecasts.len());
            for (dimension, forecast) in &known.forecasts {
                let Some(fleet) = owner.fleets.get(dimension) else { continue };
                let kin = *places.entry((&spec.owner, dimension)).or_insert_with(|| {
                    memories.kin.push(fleet.kin());
                    memories.kin.len() - 1
                });
                let (dimension, forecast) = (dimension.clone(), Arc::clone(forecast));
                of_node.push(Memory { dimension, kin, forecast });
            }
            memories.nodes.insert(*id, of_node);
        }
        memories
    }
}

impl Memories {
    /// What is to be expected of a resource of a node in the coming day; `None` where nothing has been learned.
    #[must_use]
    pub fn day_ahead(&self, node: NodeId, dimension: &Dimension, now: Time) -> Option<DayAhead> {
        let memories = self.nodes.get(&node)?;
        let memory = memories.iter().find(|memory| memory.dimension == *dimension)?;
        memory.forecast.day_ahead(&self.kin[memory.kin], now)
    }
}
