//! Who is next: highest priority, then the tenant with the smallest weighted dominant share, then the oldest job.
//!
//! Jobs of one priority and tenant are a group. A new job waits at the end of its group; when it comes to the front and
//! its shape is parked, it goes to the backlog of its lane: the jobs of the group that have that shape. A lane whose
//! shape wakes offers the oldest of its backlog. So a million tasks that cannot be placed cost nothing, and a job that
//! is placed at once is pushed and popped.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, VecDeque},
};

use hashbrown::HashMap;
use rustc_hash::FxBuildHasher;

use super::shape::ShapeId;
use crate::model::{JobId, Priority, TenantId};

/// Where a job waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Lane {
    pub(super) shape: ShapeId,
    pub(super) priority: Priority,
    pub(super) tenant: TenantId,
}

type GroupKey = (TenantId, Priority);

#[derive(Clone, Debug, Default)]
pub(super) struct Queue {
    /// The lane in which a job waits.
    waiting: HashMap<JobId, Lane, FxBuildHasher>,
    groups: HashMap<GroupKey, Group, FxBuildHasher>,
    /// Jobs that have been at the front of their groups, by lane.
    backlogs: BTreeMap<Lane, BTreeSet<JobId>>,
    /// Groups that may have somebody to offer, by priority and share.
    order: BTreeMap<Reverse<Priority>, BTreeSet<(u64, TenantId)>>,
    shares: HashMap<TenantId, u64, FxBuildHasher>,
    parked: BTreeSet<ShapeId>,
    /// Jobs waiting of each shape, and those of each priority among them.
    shapes: HashMap<ShapeId, BTreeMap<Priority, u32>, FxBuildHasher>,
}

#[derive(Clone, Debug, Default)]
struct Group {
    /// Ascending; some do not wait any more.
    fresh: VecDeque<(JobId, ShapeId)>,
    /// The oldest job of each backlog whose shape is not parked.
    heads: BTreeSet<(JobId, ShapeId)>,
    /// Stands in the order with this share.
    listed: Option<u64>,
}

impl Queue {
    pub(super) fn lane_of(&self, job: JobId) -> Option<Lane> {
        self.waiting.get(&job).copied()
    }

    /// Shapes that are out of the order.
    pub(super) fn parked(&self) -> &BTreeSet<ShapeId> {
        &self.parked
    }

    /// Adds a job that does not wait yet.
    pub(super) fn push(&mut self, lane: Lane, job: JobId) {
        self.waiting.insert(job, lane);
        let priorities = self.shapes.entry(lane.shape).or_default();
        *priorities.entry(lane.priority).or_default() += 1;
        let parked = !self.parked.is_empty() && self.parked.contains(&lane.shape);
        let group = self.groups.entry((lane.tenant, lane.priority)).or_default();
        if !parked && group.fresh.back().is_none_or(|(newest, _)| *newest < job) {
            group.fresh.push_back((job, lane.shape));
            self.list(lane.tenant, lane.priority);
        } else {
            self.put_back(lane, job);
        }
    }

    /// Removes a job. Whether it was the last of its shape.
    pub(super) fn remove(&mut self, job: JobId) -> Option<(Lane, bool)> {
        let lane = self.waiting.remove(&job)?;
        let priorities = self.shapes.get_mut(&lane.shape).expect("invariant: the job waited");
        let count = priorities.get_mut(&lane.priority).expect("invariant: the job waited");
        *count -= 1;
        if *count == 0 {
            priorities.remove(&lane.priority);
        }
        let last = priorities.is_empty();
        if last {
            self.shapes.remove(&lane.shape);
            self.parked.remove(&lane.shape);
        }
        self.take_back(lane, job);
        Some((lane, last))
    }

    /// Whether several tenants compete at the priority that is next: then their shares must be current.
    pub(super) fn is_contested(&self) -> bool {
        self.order.first_key_value().is_some_and(|(_, tenants)| tenants.len() > 1)
    }

    /// The next job and its lane.
    pub(super) fn next(&mut self) -> Option<(Lane, JobId)> {
        loop {
            let (Reverse(priority), tenants) = self.order.first_key_value()?;
            let (priority, (_, tenant)) = (*priority, *tenants.first()?);
            if let Some((job, shape)) = self.front(tenant, priority) {
                return Some((Lane { shape, priority, tenant }, job));
            }
            self.unlist(tenant, priority);
        }
    }

    /// The oldest job of a group that may be placed. Those at its front that may not are moved to their backlogs.
    fn front(&mut self, tenant: TenantId, priority: Priority) -> Option<(JobId, ShapeId)> {
        loop {
            let group = self.groups.get_mut(&(tenant, priority))?;
            let head = group.heads.first().copied();
            let Some((job, shape)) = group.fresh.front().copied() else { return head };
            if head.is_some_and(|(oldest, _)| oldest < job) {
                return head;
            }
            let lane = Lane { shape, priority, tenant };
            if self.waiting.get(&job) != Some(&lane) {
                group.fresh.pop_front();
            } else if self.parked.contains(&shape) {
                group.fresh.pop_front();
                self.put_back(lane, job);
            } else {
                return Some((job, shape));
            }
        }
    }

    fn put_back(&mut self, lane: Lane, job: JobId) {
        let backlog = self.backlogs.entry(lane).or_default();
        let head = backlog.first().copied();
        backlog.insert(job);
        if !self.parked.contains(&lane.shape) && head.is_none_or(|head| job < head) {
            let group = self.groups.entry((lane.tenant, lane.priority)).or_default();
            if let Some(head) = head {
                group.heads.remove(&(head, lane.shape));
            }
            group.heads.insert((job, lane.shape));
            self.list(lane.tenant, lane.priority);
        }
    }

    fn take_back(&mut self, lane: Lane, job: JobId) {
        let Some(backlog) = self.backlogs.get_mut(&lane) else { return };
        backlog.remove(&job);
        let next = backlog.first().copied();
        if next.is_none() {
            self.backlogs.remove(&lane);
        }
        let group = self.groups.get_mut(&(lane.tenant, lane.priority));
        let group = group.expect("invariant: a lane has a group");
        if group.heads.remove(&(job, lane.shape))
            && let Some(next) = next
        {
            group.heads.insert((next, lane.shape));
        }
    }

    /// Takes the jobs of a shape out of the order.
    pub(super) fn park(&mut self, shape: ShapeId) {
        self.parked.insert(shape);
        for (lane, head) in self.heads(shape) {
            let group = self.groups.get_mut(&(lane.tenant, lane.priority));
            group.expect("invariant: a lane has a group").heads.remove(&(head, shape));
        }
    }

    /// Puts the jobs of a shape into the order.
    pub(super) fn wake(&mut self, shape: ShapeId) {
        self.parked.remove(&shape);
        for (lane, head) in self.heads(shape) {
            let group = self.groups.get_mut(&(lane.tenant, lane.priority));
            group.expect("invariant: a lane has a group").heads.insert((head, shape));
            self.list(lane.tenant, lane.priority);
        }
    }

    /// The jobs of a parked shape, the highest priority first.
    pub(super) fn jobs(&mut self, shape: ShapeId) -> impl Iterator<Item = (Priority, JobId)> {
        self.settle(shape);
        let lanes = self.backlogs_of(shape).rev();
        lanes.flat_map(|(lane, jobs)| jobs.iter().map(|job| (lane.priority, *job)))
    }

    /// Moves the jobs of a parked shape to their backlogs, also those that have not come to the front yet.
    fn settle(&mut self, shape: ShapeId) {
        let backlogged: usize = self.backlogs_of(shape).map(|(_, jobs)| jobs.len()).sum();
        let waiting = self.shapes.get(&shape).map_or(0, |all| all.values().sum::<u32>() as usize);
        if backlogged == waiting {
            return;
        }
        let groups: Vec<GroupKey> = self
            .order
            .iter()
            .flat_map(|(priority, tenants)| tenants.iter().map(|(_, t)| (*t, priority.0)))
            .collect();
        for (tenant, priority) in groups {
            let lane = Lane { shape, priority, tenant };
            let group = self.groups.get_mut(&(tenant, priority));
            let fresh = &mut group.expect("invariant: a listed group is kept").fresh;
            let (moved, kept): (VecDeque<_>, VecDeque<_>) = fresh.iter().copied().partition(|(_, known)| *known == shape);
            *fresh = kept;
            for (job, _) in moved {
                if self.waiting.get(&job) == Some(&lane) {
                    self.put_back(lane, job);
                }
            }
        }
    }

    /// The highest priority of any job of a shape.
    pub(super) fn top_priority(&self, shape: ShapeId) -> Option<Priority> {
        self.shapes.get(&shape)?.last_key_value().map(|(priority, _)| *priority)
    }

    pub(super) fn set_share(&mut self, tenant: TenantId, share: u64) {
        let old = self.shares.insert(tenant, share).unwrap_or(0);
        if old == share {
            return;
        }
        for (Reverse(priority), tenants) in &mut self.order {
            if tenants.remove(&(old, tenant)) {
                tenants.insert((share, tenant));
                let group = self.groups.get_mut(&(tenant, *priority));
                group.expect("invariant: a listed group is kept").listed = Some(share);
            }
        }
    }

    fn heads(&self, shape: ShapeId) -> Vec<(Lane, JobId)> {
        self.backlogs_of(shape).filter_map(|(lane, jobs)| Some((*lane, *jobs.first()?))).collect()
    }

    fn backlogs_of(
        &self,
        shape: ShapeId,
    ) -> impl DoubleEndedIterator<Item = (&Lane, &BTreeSet<JobId>)> {
        let lane = |priority, tenant| Lane { shape, priority, tenant };
        let first = lane(Priority(i32::MIN), TenantId(0));
        self.backlogs.range(first..=lane(Priority(i32::MAX), TenantId(u32::MAX)))
    }

    fn list(&mut self, tenant: TenantId, priority: Priority) {
        let group = self.groups.get_mut(&(tenant, priority));
        let group = group.expect("invariant: only a group is listed");
        if group.listed.is_none() {
            let share = self.shares.get(&tenant).copied().unwrap_or(0);
            group.listed = Some(share);
            self.order.entry(Reverse(priority)).or_default().insert((share, tenant));
        }
    }

    /// Takes a group that has nobody to offer out of the order.
    fn unlist(&mut self, tenant: TenantId, priority: Priority) {
        let Some(group) = self.groups.get_mut(&(tenant, priority)) else { return };
        let Some(share) = group.listed.take() else { return };
        let tenants = self.order.get_mut(&Reverse(priority));
        let tenants = tenants.expect("invariant: a listed group is in the order");
        tenants.remove(&(share, tenant));
        if tenants.is_empty() {
            self.order.remove(&Reverse(priority));
        }
    }
}
