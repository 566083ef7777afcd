//! Who is next: highest priority, then the tenant with the smallest weighted dominant share, then the oldest job.
//!
//! Jobs of one priority and tenant are a group. A new job waits at the end of its group; when it comes to the front and
//! its shape is parked, it goes to the backlog of its lane: the jobs of the group that have that shape. A lane whose
//! shape wakes offers the oldest of its backlog. So a million tasks that cannot be placed cost nothing, and a job that
//! is placed at once is pushed and popped. What grows with the number of jobs is shared between copies until written.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, VecDeque},
};

use hashbrown::HashMap;
use imbl::OrdSet;
use rustc_hash::FxBuildHasher;

use super::shape::ShapeId;
use crate::{
    model::{JobId, Priority, TenantId},
    table::Table,
};

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
    waiting: Table<Lane>,
    groups: HashMap<GroupKey, Group, FxBuildHasher>,
    /// Jobs that have been at the front of their groups, by lane.
    backlogs: BTreeMap<Lane, OrdSet<JobId>>,
    /// Groups that may have somebody to offer, by priority, the highest first, and share, the least last. Lists are short
    /// or change little, and a sorted list takes no memory for what comes and goes.
    order: Vec<Level>,
    shares: HashMap<TenantId, u64, FxBuildHasher>,
    parked: BTreeSet<ShapeId>,
    /// By shape how many jobs wait of each priority, ascending.
    shapes: Vec<Vec<(Priority, u32)>>,
}

#[derive(Clone, Debug)]
struct Level {
    priority: Priority,
    tenants: Vec<Reverse<(u64, TenantId)>>,
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
        self.waiting.get(job.0).copied()
    }

    /// Shapes that are out of the order.
    pub(super) fn parked(&self) -> &BTreeSet<ShapeId> {
        &self.parked
    }

    /// Adds a job that does not wait yet.
    pub(super) fn push(&mut self, lane: Lane, job: JobId) {
        self.waiting.insert(job.0, lane);
        self.count(lane);
        let parked = !self.parked.is_empty() && self.parked.contains(&lane.shape);
        let group = self.groups.entry((lane.tenant, lane.priority)).or_default();
        if !parked && group.fresh.back().is_none_or(|(newest, _)| *newest < job) {
            group.fresh.push_back((job, lane.shape));
            self.list(lane.tenant, lane.priority);
        } else {
            self.put_back(lane, job);
        }
    }

    fn count(&mut self, lane: Lane) {
        let shape = lane.shape.0 as usize;
        if self.shapes.len() <= shape {
            self.shapes.resize_with(shape + 1, Vec::new);
        }
        let priorities = &mut self.shapes[shape];
        match priorities.binary_search_by_key(&lane.priority, |(priority, _)| *priority) {
            Ok(at) => priorities[at].1 += 1,
            Err(at) => priorities.insert(at, (lane.priority, 1)),
        }
    }

    /// Removes a job. Whether it was the last of its shape.
    pub(super) fn remove(&mut self, job: JobId) -> Option<(Lane, bool)> {
        let lane = self.waiting.remove(job.0)?;
        let priorities = &mut self.shapes[lane.shape.0 as usize];
        let at = priorities.binary_search_by_key(&lane.priority, |(priority, _)| *priority);
        let at = at.expect("invariant: the job waited");
        priorities[at].1 -= 1;
        if priorities[at].1 == 0 {
            priorities.remove(at);
        }
        let last = priorities.is_empty();
        if last && !self.parked.is_empty() {
            self.parked.remove(&lane.shape);
        }
        self.take_back(lane, job);
        Some((lane, last))
    }

    /// Whether several tenants compete at the priority that is next: then their shares must be current.
    pub(super) fn is_contested(&self) -> bool {
        let next = self.order.iter().find(|level| !level.tenants.is_empty());
        next.is_some_and(|level| level.tenants.len() > 1)
    }

    /// The next job and its lane.
    pub(super) fn next(&mut self) -> Option<(Lane, JobId)> {
        loop {
            let Level { priority, tenants } = self.order.first()?;
            let Some(Reverse((_, tenant))) = tenants.last().copied() else {
                // Kept for its memory as long as it was the only one.
                if self.order.len() == 1 {
                    return None;
                }
                self.order.remove(0);
                continue;
            };
            let priority = *priority;
            if let Some((job, shape)) = self.front(tenant, priority) {
                return Some((Lane { shape, priority, tenant }, job));
            }
            self.unlist(tenant, priority);
        }
    }

    /// All jobs of the highest priority at which any may be placed, tenant by tenant, or nothing if they are more than
    /// `limit` or some have waited before.
    pub(super) fn front_jobs(&mut self, limit: usize) -> Option<Vec<(JobId, ShapeId)>> {
        let (Lane { priority, .. }, _) = self.next()?;
        let level = self.order.iter().find(|level| level.priority == priority)?;
        let mut jobs = Vec::new();
        for Reverse((_, tenant)) in &level.tenants {
            let group = self.groups.get(&(*tenant, priority))?;
            if !group.heads.is_empty() || jobs.len() + group.fresh.len() > limit {
                return None;
            }
            let waiting = group.fresh.iter().filter(|(job, shape)| {
                let lane = Lane { shape: *shape, priority, tenant: *tenant };
                self.waiting.get(job.0) == Some(&lane)
            });
            jobs.extend(waiting);
        }
        Some(jobs)
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
            if self.waiting.get(job.0) != Some(&lane) {
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
        let head = backlog.get_min().copied();
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
        let next = backlog.get_min().copied();
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
        let waiting = self
            .shapes
            .get(shape.0 as usize)
            .map_or(0, |priorities| priorities.iter().map(|(_, count)| *count as usize).sum());
        if backlogged == waiting {
            return;
        }
        let groups: Vec<GroupKey> = self
            .order
            .iter()
            .flat_map(|level| level.tenants.iter().map(|Reverse((_, t))| (*t, level.priority)))
            .collect();
        for (tenant, priority) in groups {
            let lane = Lane { shape, priority, tenant };
            let group = self.groups.get_mut(&(tenant, priority));
            let fresh = &mut group.expect("invariant: a listed group is kept").fresh;
            let (moved, kept): (VecDeque<_>, VecDeque<_>) =
                fresh.iter().copied().partition(|(_, known)| *known == shape);
            *fresh = kept;
            for (job, _) in moved {
                if self.waiting.get(job.0) == Some(&lane) {
                    self.put_back(lane, job);
                }
            }
        }
    }

    /// The highest priority of any job of a shape.
    pub(super) fn top_priority(&self, shape: ShapeId) -> Option<Priority> {
        self.shapes.get(shape.0 as usize)?.last().map(|(priority, _)| *priority)
    }

    /// The highest priority of any job that waits.
    pub(super) fn highest_waiting(&self) -> Option<Priority> {
        self.shapes.iter().filter_map(|priorities| Some(priorities.last()?.0)).max()
    }

    pub(super) fn set_share(&mut self, tenant: TenantId, share: u64) {
        let old = self.shares.insert(tenant, share).unwrap_or(0);
        if old == share {
            return;
        }
        for level in &mut self.order {
            if level.remove(old, tenant) {
                level.insert(share, tenant);
                let group = self.groups.get_mut(&(tenant, level.priority));
                group.expect("invariant: a listed group is kept").listed = Some(share);
            }
        }
    }

    fn heads(&self, shape: ShapeId) -> Vec<(Lane, JobId)> {
        self.backlogs_of(shape).filter_map(|(lane, jobs)| Some((*lane, *jobs.get_min()?))).collect()
    }

    fn backlogs_of(
        &self,
        shape: ShapeId,
    ) -> impl DoubleEndedIterator<Item = (&Lane, &OrdSet<JobId>)> {
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
            let at = self.order.binary_search_by_key(&Reverse(priority), |l| Reverse(l.priority));
            let at = at.unwrap_or_else(|at| {
                self.order.insert(at, Level { priority, tenants: Vec::new() });
                at
            });
            self.order[at].insert(share, tenant);
        }
    }

    /// Takes a group that has nobody to offer out of the order.
    fn unlist(&mut self, tenant: TenantId, priority: Priority) {
        let Some(group) = self.groups.get_mut(&(tenant, priority)) else { return };
        let Some(share) = group.listed.take() else { return };
        let at = self.order.binary_search_by_key(&Reverse(priority), |l| Reverse(l.priority));
        let at = at.expect("invariant: a listed group is in the order");
        self.order[at].remove(share, tenant);
        if self.order[at].tenants.is_empty() && self.order.len() > 1 {
            self.order.remove(at);
        }
    }
}

impl Level {
    fn insert(&mut self, share: u64, tenant: TenantId) {
        let entry = Reverse((share, tenant));
        if let Err(at) = self.tenants.binary_search(&entry) {
            self.tenants.insert(at, entry);
        }
    }

    fn remove(&mut self, share: u64, tenant: TenantId) -> bool {
        let at = self.tenants.binary_search(&Reverse((share, tenant)));
        at.is_ok_and(|at| {
            self.tenants.remove(at);
            true
        })
    }
}
