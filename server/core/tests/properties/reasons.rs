//! The slow reckoning of why tasks wait: every node is asked for every blocker.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
};

use offpeak_core::{
    model::{Dimension, EvictionReason, JobId, JobSpec, NodeId, NodeMode},
    scheduler::{Blocker, PendingReason},
};

use super::naive::{Naive, Task, allows, amount};

/// By blocker and dimension: how many nodes, and the least that one of them lacks.
type Counted = BTreeMap<Key, (u32, u64)>;
type Key = (Blocker, Option<Dimension>);

impl Naive {
    /// Jobs with tasks that wait, for a place or otherwise.
    pub(super) fn waiting(&self) -> impl Iterator<Item = JobId> {
        let waits = |task: &Task| [Task::Pending, Task::Delayed].contains(task);
        let jobs = self.jobs.iter().filter(move |(_, job)| job.tasks.iter().any(waits));
        jobs.map(|(id, _)| *id)
    }

    /// Why the job's tasks wait.
    pub(super) fn reasons(&self, id: JobId) -> Vec<PendingReason> {
        let mut reasons = Vec::new();
        if self.jobs[&id].tasks.contains(&Task::Delayed) {
            let blocker = match self.is_free(id) {
                true => Blocker::Backoff,
                false => Blocker::Dependency,
            };
            reasons.push(between_tasks(blocker));
        }
        if self.jobs[&id].is_queued() {
            reasons.extend(self.reasons_in_queue(id));
        }
        reasons
    }

    /// Why the job's pending tasks wait.
    fn reasons_in_queue(&self, id: JobId) -> Vec<PendingReason> {
        let spec = &self.jobs[&id].spec;
        if self.nodes.is_empty() {
            let stopped = self.is_stopped(id).then(|| between_tasks(Blocker::Budget));
            return stopped.into_iter().chain([between_tasks(Blocker::NoNodes)]).collect();
        }
        let mut counted = Counted::new();
        let (mut is_free, mut makes_room) = (false, false);
        for node in self.nodes.keys() {
            let rules = self.broken_rules(*node, spec);
            let lacks = self.lacks(*node, spec);
            is_free |= rules.is_empty() && lacks.is_empty();
            let preempted =
                |notice: Option<EvictionReason>| notice == Some(EvictionReason::Preempted);
            let mut leaving = self.on(*node).map(|allocation| allocation.notice.map(|n| n.reason));
            makes_room |= rules.is_empty() && !lacks.is_empty() && leaving.any(preempted);
            let rules = rules.into_iter().map(|blocker| ((blocker, None), 0));
            for (key, by) in rules.chain(lacks) {
                let (nodes, least) = counted.entry(key).or_insert((0, u64::MAX));
                (*nodes, *least) = (*nodes + 1, by.min(*least));
            }
        }
        let first = match () {
            () if is_free && spec.gang => Some(Blocker::Gang),
            () if is_free && !spec.constraints.spreads.is_empty() => Some(Blocker::Spread),
            () if is_free => Some(Blocker::Queue),
            () => makes_room.then_some(Blocker::Preemption),
        };
        let stopped = self.is_stopped(id);
        let first = if stopped { Some(Blocker::Budget) } else { first };
        let counted = counted.into_iter().map(|((blocker, dimension), (nodes, least))| {
            PendingReason { blocker, dimension, nodes, smallest_shortfall: least }
        });
        let planned = self.planned.contains_key(&id).then_some(Blocker::PlannedStart);
        let between = first.into_iter().map(between_tasks);
        between.chain(counted).chain(planned.map(between_tasks)).collect()
    }

    /// The node's rules that each by itself would keep the job off.
    fn broken_rules(&self, id: NodeId, spec: &JobSpec) -> BTreeSet<Blocker> {
        let node = &self.nodes[&id];
        let mut broken = BTreeSet::new();
        if node.mode != NodeMode::Open || node.lost {
            broken.insert(Blocker::NodeState);
        }
        let constraints = &spec.constraints;
        let none = || JobSpec { constraints: Default::default(), ..spec.clone() };
        let mut only = [none(), none(), none(), none(), none()];
        let [region, zone, labels, taints, model] = &mut only;
        region.constraints.regions.clone_from(&constraints.regions);
        zone.constraints.zones.clone_from(&constraints.zones);
        labels.constraints.labels.clone_from(&constraints.labels);
        taints.constraints.tolerations.clone_from(&constraints.tolerations);
        model.constraints.gpu_models.clone_from(&constraints.gpu_models);
        let blockers =
            [Blocker::Region, Blocker::Zone, Blocker::Labels, Blocker::Taints, Blocker::GpuModel];
        for (blocker, only) in blockers.into_iter().zip(&only) {
            let mut seen = (*node.spec).clone();
            if blocker != Blocker::Taints {
                seen.taints.clear();
            }
            if !allows(&seen, only) {
                broken.insert(blocker);
            }
        }
        broken
    }

    /// In what the node is too small, or else in what it is too full.
    fn lacks(&self, id: NodeId, spec: &JobSpec) -> Vec<(Key, u64)> {
        let node = &self.nodes[&id];
        let lacks = |blocker, available: &dyn Fn(&Dimension, u64) -> u64| {
            let amounts = spec.request.amounts();
            let lacks = amounts.filter_map(|(dimension, wanted)| {
                let by = wanted.saturating_sub(available(&dimension, wanted));
                (by > 0).then_some(((blocker, Some(dimension)), by))
            });
            lacks.collect::<Vec<(Key, u64)>>()
        };
        let small =
            lacks(Blocker::Capacity, &|dimension, _| amount(&node.spec.capacity, dimension));
        if !small.is_empty() {
            return small;
        }
        lacks(Blocker::Headroom, &|dimension, wanted| match dimension {
            Dimension::Gpu => self.gpus_in_reach(id, spec, wanted),
            _ => {
                let lent =
                    self.on(id).map(|a| amount(&self.jobs[&a.at.job].spec.request, dimension));
                let lent: u64 = lent.sum();
                let taken = lent + self.held_back(node, spec.horizon(), dimension);
                amount(&node.spec.capacity, dimension).saturating_sub(taken)
            }
        })
    }

    /// The largest request up to `wanted` that finds devices on the node: a share, or whole devices.
    fn gpus_in_reach(&self, node: NodeId, spec: &JobSpec, wanted: u64) -> u64 {
        let fits = |gpu_millis: &u64| {
            let mut asked = spec.clone();
            asked.request.gpu_millis = *gpu_millis;
            self.some_devices(node, &asked).is_some()
        };
        let left = self.used(node).into_iter().map(|used| 1000 - used).filter(|left| *left > 0);
        let mut requests: Vec<u64> = match wanted {
            ..1000 => left.map(|left| left.min(wanted)).collect(),
            _ => (1..=wanted / 1000).map(|devices| devices * 1000).collect(),
        };
        requests.sort_unstable_by_key(|request| Reverse(*request));
        requests.dedup();
        requests.into_iter().find(fits).unwrap_or(0)
    }
}

fn between_tasks(blocker: Blocker) -> PendingReason {
    PendingReason { blocker, dimension: None, nodes: 0, smallest_shortfall: 0 }
}
