use std::collections::BTreeSet;

use offpeak_core::model::{Name, Resources};

use super::input::Inputs;

/// The resources that have a name of their own, in the order in which they are told.
const FIXED: [&str; 5] = ["cpu_millis", "memory_bytes", "disk_bytes", "network_bps", "gpu_millis"];

/// Where GPUs stand in a vector.
pub(super) const GPU: usize = 4;

/// All resources of a run in one order, so that sums over many tasks are sums of plain vectors.
#[derive(Clone, Debug)]
pub(super) struct Dimensions {
    counts: Vec<Name>,
}

impl Dimensions {
    pub(super) fn of(inputs: &Inputs) -> Self {
        let capacities = inputs.nodes.iter().map(|node| &node.capacity);
        let requests = inputs.tasks.iter().map(|row| &row.spec.request);
        let counts = capacities.chain(requests).flat_map(|resources| resources.counts.iter());
        let counts: BTreeSet<&Name> = counts.map(|(name, _)| name).collect();
        Self { counts: counts.into_iter().cloned().collect() }
    }

    pub(super) fn len(&self) -> usize {
        FIXED.len() + self.counts.len()
    }

    /// As the columns of the input are called.
    pub(super) fn names(&self) -> Vec<String> {
        let fixed = FIXED.iter().map(|name| (*name).to_owned());
        fixed.chain(self.counts.iter().map(|name| format!("count.{name}"))).collect()
    }

    pub(super) fn vector(&self, resources: &Resources) -> Vec<u64> {
        let fixed = [
            resources.cpu_millis,
            resources.memory_bytes,
            resources.disk_bytes,
            resources.network_bps,
            resources.gpu_millis,
        ];
        let counts = self.counts.iter().map(|name| resources.counts.get(name.as_str()));
        fixed.into_iter().chain(counts).collect()
    }
}
