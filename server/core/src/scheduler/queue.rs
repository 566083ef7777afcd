//! Who is next: highest priority, then the tenant with the smallest weighted share (`order.rs`), then the oldest job.
//!
//! Jobs of one priority and tenant are a group. A new job waits at the end of its group; when it comes to the front and
//! its shape is parked, it goes to the backlog of its lane: the jobs of the group that have that shape. A lane whose
//! shape wakes offers the oldest of its backlog. So a million tasks that cannot be placed cost nothing, and a job that
//! is placed at once is pushed and popped. What grows with the number of jobs is shared between copies until written.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::RangeInclusive;

use hashbrown::HashMap;
use imbl::OrdSet;
use rustc_hash::FxBuildHasher;

use super::{
    order::{Order, Party, Place},
    shape::ShapeId,
};
use crate::{
    model::{JobId, Priority, TenantId},
    table::Table,
};

/// Parked shapes that are asked for the jobs at their front, and how many jobs of a lane and of all together are.
const PARKED_ASKED: usize = 256;
const ASKED_OF_LANE: usize = 64;
const FRONTS_ASKED: usize = 16_384;

/// Where a job waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Lane {
    pub(super) shape: ShapeId,
    pub(super) priority: Priority,
    pub(super) tenant: TenantId,
}

impl Lane {
    /// All lanes of a shape.
    pub(super) fn all_of(shape: ShapeId) -> RangeInclusive<Self> {
        let first = Self { shape, priority: Priority(i32::MIN), tenant: TenantId(0) };
        first..=Self { shape, priority: Priority(i32::MAX), tenant: TenantId(u32::MAX) }
    }
}

type GroupKey = (TenantId, Priority);

#[derive(Clone, Debug, Default)]
pub(super) struct Queue {
    /// The lane in which a job waits.
    waiting: Table<Lane>,
    groups: HashMap<GroupKey, Group, FxBuildHasher>,
    /// Jobs that have been at the front of their groups, by lane.
    backlogs: BTreeMap<Lane, OrdSet<JobId>>,
    /// The same lanes by tenant.
    lanes: BTreeSet<(TenantId, ShapeId, Priority)>,
    /// Groups that may have somebody to offer.
    order: Order,
    parked: BTreeSet<ShapeId>,
    /// By shape how many jobs wait of each priority, ascending.
    shapes: Vec<Vec<(Priority, u32)>>,
}

#[derive(Clone, Debug, Default)]
struct Group {
    /// Ascending; some do not wait any more.
    fresh: VecDeque<(JobId, ShapeId)>,
    /// The oldest job of each backlog whose shape is not parked.
    heads: BTreeSet<(JobId, ShapeId)>,
    /// Stands in the order.
    is_listed: bool,
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
        self.order.is_contested()
    }

    /// Tenants that may have somebody to offer, some more than once.
    pub(super) fn contenders(&self) -> impl Iterator<Item = TenantId> {
        self.order.listed().map(|(tenant, _)| tenant)
    }

    /// The next job and its lane.
    pub(super) fn next(&mut self) -> Option<(Lane, JobId)> {
        loop {
            let (tenant, priority) = self.order.first()?;
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
        let mut jobs = Vec::new();
        for tenant in self.order.listed_at(priority) {
            let group = self.groups.get(&(tenant, priority))?;
            if !group.heads.is_empty() || jobs.len() + group.fresh.len() > limit {
                return None;
            }
            let waiting = group.fresh.iter().filter(|(job, shape)| {
                let lane = Lane { shape: *shape, priority, tenant };
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
        let backlog = self.backlogs.entry(lane).or_insert_with(|| {
            self.lanes.insert((lane.tenant, lane.shape, lane.priority));
            OrdSet::new()
        });
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
            self.lanes.remove(&(lane.tenant, lane.shape, lane.priority));
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

    /// The lanes of a parked shape with those of their jobs that have been at the front, the highest priority first.
    pub(super) fn known_lanes(
        &self,
        shape: ShapeId,
    ) -> impl Iterator<Item = (Lane, &OrdSet<JobId>)> {
        self.backlogs_of(shape).rev().map(|(lane, jobs)| (*lane, jobs))
    }

    /// The lanes of a tenant that have a backlog and whose shapes are parked. When a pass is over, these are all in which
    /// jobs wait whose shapes are.
    pub(super) fn parked_lanes(&self, tenant: TenantId) -> impl Iterator<Item = Lane> {
        let first = (tenant, ShapeId(0), Priority(i32::MIN));
        let last = (tenant, ShapeId(u32::MAX), Priority(i32::MAX));
        let lanes = self.lanes.range(first..=last);
        lanes
            .map(|(tenant, shape, priority)| Lane {
                shape: *shape,
                priority: *priority,
                tenant: *tenant,
            })
            .filter(|lane| self.parked.contains(&lane.shape))
    }

    /// Moves the jobs of a parked shape to their backlogs, also those that have not come to the front yet.
    pub(super) fn settle(&mut self, shape: ShapeId) {
        let backlogged: usize = self.backlogs_of(shape).map(|(_, jobs)| jobs.len()).sum();
        let waiting = self
            .shapes
            .get(shape.0 as usize)
            .map_or(0, |priorities| priorities.iter().map(|(_, count)| *count as usize).sum());
        if backlogged == waiting {
            return;
        }
        let groups: Vec<GroupKey> = self.order.listed().collect();
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

    /// The oldest jobs of parked shapes, a few of each lane. Of very many shapes those with the highest priorities are
    /// asked.
    pub(super) fn parked_fronts(&self) -> Vec<(JobId, Lane)> {
        let tops = self.parked.iter().map(|shape| (Reverse(self.top_priority(*shape)), *shape));
        let mut shapes: Vec<(Reverse<Option<Priority>>, ShapeId)> = tops.collect();
        if shapes.len() > PARKED_ASKED {
            shapes.select_nth_unstable(PARKED_ASKED);
            shapes.truncate(PARKED_ASKED);
        }
        let lanes = || shapes.iter().flat_map(|(_, shape)| self.backlogs_of(*shape));
        let each = (FRONTS_ASKED / lanes().count().max(1)).clamp(1, ASKED_OF_LANE);
        lanes().flat_map(|(lane, jobs)| jobs.iter().take(each).map(|job| (*job, *lane))).collect()
    }

    /// The highest priority of any job of a shape.
    pub(super) fn top_priority(&self, shape: ShapeId) -> Option<Priority> {
        self.shapes.get(shape.0 as usize)?.last().map(|(priority, _)| *priority)
    }

    /// The highest priority of any job that waits.
    pub(super) fn highest_waiting(&self) -> Option<Priority> {
        self.shapes.iter().filter_map(|priorities| Some(priorities.last()?.0)).max()
    }

    pub(super) fn set_share(&mut self, party: Party, share: u64) {
        self.order.set_share(party, share);
    }

    /// Tells where tenants stand now.
    pub(super) fn set_places(&mut self, places: &[(TenantId, Place)]) {
        if places.iter().all(|(tenant, place)| self.order.place(*tenant) == *place) {
            return;
        }
        let listed: Vec<GroupKey> = self.order.listed().collect();
        for (tenant, priority) in &listed {
            self.order.unlist(*tenant, *priority);
        }
        for (tenant, place) in places {
            self.order.set_place(*tenant, *place);
        }
        for (tenant, priority) in listed {
            self.order.list(tenant, priority);
        }
    }

    fn heads(&self, shape: ShapeId) -> Vec<(Lane, JobId)> {
        self.backlogs_of(shape).filter_map(|(lane, jobs)| Some((*lane, *jobs.get_min()?))).collect()
    }

    fn backlogs_of(
        &self,
        shape: ShapeId,
    ) -> impl DoubleEndedIterator<Item = (&Lane, &OrdSet<JobId>)> {
        self.backlogs.range(Lane::all_of(shape))
    }

    fn list(&mut self, tenant: TenantId, priority: Priority) {
        let group = self.groups.get_mut(&(tenant, priority));
        let group = group.expect("invariant: only a group is listed");
        if !group.is_listed {
            group.is_listed = true;
            self.order.list(tenant, priority);
        }
    }

    /// Takes a group that has nobody to offer out of the order.
    fn unlist(&mut self, tenant: TenantId, priority: Priority) {
        let Some(group) = self.groups.get_mut(&(tenant, priority)) else { return };
        if std::mem::take(&mut group.is_listed) {
            self.order.unlist(tenant, priority);
        }
    }
}
