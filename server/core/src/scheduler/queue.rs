//! Who is next: highest priority, then the tenant with the smallest weighted dominant share, then the oldest job.
//!
//! Jobs wait in lanes, one for each priority, tenant and shape. A parked shape's lanes are out of the order until
//! the shape wakes, so that a million tasks that cannot be placed cost nothing.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
};

use super::shape::ShapeId;
use crate::model::{JobId, Priority, TenantId};

/// Where a job waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Lane {
    pub(super) shape: ShapeId,
    pub(super) priority: Priority,
    pub(super) tenant: TenantId,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Queue {
    lanes: BTreeMap<Lane, BTreeSet<JobId>>,
    /// Tenants with active lanes, by priority and share.
    tenants: BTreeMap<Reverse<Priority>, BTreeSet<(u64, TenantId)>>,
    /// Active lanes by their oldest jobs.
    active: BTreeMap<(TenantId, Priority), BTreeSet<(JobId, ShapeId)>>,
    shares: BTreeMap<TenantId, u64>,
}

impl Queue {
    /// Adds a job. Whether its lane is new.
    pub(super) fn push(&mut self, lane: Lane, job: JobId, parked: bool) -> bool {
        let jobs = self.lanes.entry(lane).or_default();
        let (new, head) = (jobs.is_empty(), jobs.first().copied());
        jobs.insert(job);
        if !parked && head.is_none_or(|head| job < head) {
            if let Some(head) = head {
                self.deactivate(lane, head);
            }
            self.activate(lane, job);
        }
        new
    }

    /// Removes a job. Whether its lane is gone.
    pub(super) fn remove(&mut self, lane: Lane, job: JobId) -> bool {
        let Some(jobs) = self.lanes.get_mut(&lane) else { return false };
        let was_head = jobs.first() == Some(&job);
        if !jobs.remove(&job) {
            return false;
        }
        let head = jobs.first().copied();
        if head.is_none() {
            self.lanes.remove(&lane);
        }
        if was_head
            && self.deactivate(lane, job)
            && let Some(head) = head
        {
            self.activate(lane, head);
        }
        head.is_none()
    }

    /// The next job and its lane.
    pub(super) fn next(&self) -> Option<(Lane, JobId)> {
        let (Reverse(priority), tenants) = self.tenants.first_key_value()?;
        let (_, tenant) = *tenants.first().expect("invariant: no empty set is kept");
        let (job, shape) = *self.active[&(tenant, *priority)].first().expect("invariant: as above");
        Some((Lane { shape, priority: *priority, tenant }, job))
    }

    /// Takes the lanes of a parked shape out of the order.
    pub(super) fn park(&mut self, shape: ShapeId) {
        for (lane, head) in self.heads(shape) {
            self.deactivate(lane, head);
        }
    }

    /// Puts the lanes of a shape into the order.
    pub(super) fn wake(&mut self, shape: ShapeId) {
        for (lane, head) in self.heads(shape) {
            self.activate(lane, head);
        }
    }

    /// The jobs of a shape, the highest priority first.
    pub(super) fn jobs(&self, shape: ShapeId) -> impl Iterator<Item = (Priority, JobId)> {
        let lanes = self.lanes_of(shape).rev();
        lanes.flat_map(|(lane, jobs)| jobs.iter().map(|job| (lane.priority, *job)))
    }

    /// The highest priority of any job of a shape.
    pub(super) fn top_priority(&self, shape: ShapeId) -> Option<Priority> {
        self.lanes_of(shape).next_back().map(|(lane, _)| lane.priority)
    }

    pub(super) fn set_share(&mut self, tenant: TenantId, share: u64) {
        let old = self.shares.insert(tenant, share).unwrap_or(0);
        if old == share {
            return;
        }
        let priorities = (tenant, Priority(i32::MIN))..=(tenant, Priority(i32::MAX));
        for (_, priority) in self.active.range(priorities).map(|(key, _)| *key) {
            let tenants =
                self.tenants.get_mut(&Reverse(priority)).expect("invariant: it is active");
            tenants.remove(&(old, tenant));
            tenants.insert((share, tenant));
        }
    }

    fn heads(&self, shape: ShapeId) -> Vec<(Lane, JobId)> {
        self.lanes_of(shape).filter_map(|(lane, jobs)| Some((*lane, *jobs.first()?))).collect()
    }

    fn lanes_of(
        &self,
        shape: ShapeId,
    ) -> impl DoubleEndedIterator<Item = (&Lane, &BTreeSet<JobId>)> {
        let lane = |priority, tenant| Lane { shape, priority, tenant };
        let first = lane(Priority(i32::MIN), TenantId(0));
        self.lanes.range(first..=lane(Priority(i32::MAX), TenantId(u32::MAX)))
    }

    fn activate(&mut self, lane: Lane, head: JobId) {
        let share = self.shares.get(&lane.tenant).copied().unwrap_or(0);
        self.active.entry((lane.tenant, lane.priority)).or_default().insert((head, lane.shape));
        self.tenants.entry(Reverse(lane.priority)).or_default().insert((share, lane.tenant));
    }

    /// Whether it was active.
    fn deactivate(&mut self, lane: Lane, head: JobId) -> bool {
        let Some(heads) = self.active.get_mut(&(lane.tenant, lane.priority)) else { return false };
        if !heads.remove(&(head, lane.shape)) {
            return false;
        }
        if heads.is_empty() {
            self.active.remove(&(lane.tenant, lane.priority));
            let share = self.shares.get(&lane.tenant).copied().unwrap_or(0);
            let key = Reverse(lane.priority);
            let tenants = self.tenants.get_mut(&key).expect("invariant: it is active");
            tenants.remove(&(share, lane.tenant));
            if tenants.is_empty() {
                self.tenants.remove(&key);
            }
        }
        true
    }
}
