//! Where a task of a shape goes: to room promised to its shape, else to the tightest slack, else to room promised to
//! larger shapes, else wherever breaking promises does the least harm. Only a shape for which no node has room even so
//! is left without.

use std::{cmp::Reverse, hint::black_box};

use super::{
    classes::{News, Score},
    gpus::GpuWant,
    index::Index,
    kind::{Kinds, ZoneId},
    shape::{Shape, ShapeId},
};
use crate::{
    event::PlacementReason,
    model::{DeviceSet, NodeId},
};

/// Nodes that are compared before promises are broken.
const COMPARED: usize = 16;

/// Promises to one larger shape that are looked at for one on a node of an allowed kind.
const LOOKS: usize = 8;

/// Room taken.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spot {
    pub(super) node: NodeId,
    /// How many tasks.
    pub(super) count: u32,
    pub(super) devices: DeviceSet,
    pub(super) reason: PlacementReason,
}

impl Index {
    /// Takes room for at most `limit` tasks on the best node.
    pub(super) fn take_best(&mut self, id: ShapeId, limit: u32) -> Option<Spot> {
        if let Some(spot) = self.take_promised(id, limit) {
            return Some(spot);
        }
        if let Some((_, node)) = self.tightest(id, ZoneId::default()) {
            return Some(self.take(id, node, limit, PlacementReason::Tightest));
        }
        let node = self.break_larger(id).or_else(|| self.break_any(id, None))?;
        Some(self.take(id, node, limit, PlacementReason::LastRoom))
    }

    fn take_promised(&mut self, id: ShapeId, limit: u32) -> Option<Spot> {
        loop {
            let shape = self.shapes.used_mut(id);
            if shape.promises == 0 {
                shape.promised.clear();
                return None;
            }
            let node = shape.promised.pop()?;
            let Some(room) = &mut self.rooms[node.0 as usize] else { continue };
            let Some(at) = room.promised_to(id) else { continue };
            if !room.may_redeem(at, &shape.want) {
                self.break_promise(node, at);
                self.reclassify(node);
                continue;
            }
            let devices = room.redeem(at, &shape.want);
            let mut count = 1;
            let alike = shape.want.gpus == GpuWant::None;
            while alike && count < limit && shape.promised.last() == Some(&node) {
                let next = room.promised_to(id).filter(|at| room.may_redeem(*at, &shape.want));
                let Some(at) = next else { break };
                room.redeem(at, &shape.want);
                shape.promised.pop();
                count += 1;
            }
            shape.promises -= count as usize;
            self.briefs.set(node.0 as usize, Some(room));
            return Some(Spot { node, count, devices, reason: PlacementReason::Kept });
        }
    }

    /// Reads the room that is promised to the next task of the shape. Of which node it is.
    pub(super) fn read_ahead(&self, id: ShapeId) -> Option<NodeId> {
        let node = *self.shapes.used(id).promised.last()?;
        let room = self.room(node)?;
        let last = room.promises.last().map_or(0, |promise| promise.shape.0);
        black_box(
            room.free.columns[0] ^ i64::from(last) ^ self.rooms.sharers(node.0 as usize) as i64,
        );
        Some(node)
    }

    /// Takes room beside what is promised on a node that has some.
    pub(super) fn take(
        &mut self,
        id: ShapeId,
        node: NodeId,
        limit: u32,
        reason: PlacementReason,
    ) -> Spot {
        let shape = self.shapes.used(id);
        let room = self.rooms[node.0 as usize].as_mut().expect("invariant: a candidate is there");
        let count = room.times_in_slack(&shape.want, limit);
        let devices = room.take(&shape.want, count);
        self.reclassify(node);
        Spot { node, count, devices, reason }
    }

    /// As [`Self::take`] for a task that keeps apart, and leaves the node out of the classes until it is let in.
    pub(super) fn take_out(&mut self, id: ShapeId, node: NodeId, limit: u32) -> Spot {
        self.leave_class(node);
        let shape = self.shapes.used(id);
        let room = self.rooms[node.0 as usize].as_mut().expect("invariant: a candidate is there");
        room.sidelined = true;
        let count = room.times_in_slack(&shape.want, limit);
        let devices = room.take(&shape.want, count);
        self.briefs.set(node.0 as usize, Some(room));
        Spot { node, count, devices, reason: PlacementReason::Spread }
    }

    /// How the node ranks for a task of the shape, if it has room for one beside what is promised.
    pub(super) fn score(&mut self, id: ShapeId, node: NodeId) -> Option<Score> {
        let want = &self.shapes.used(id).want;
        let room = self.rooms[node.0 as usize].as_ref()?;
        if !room.fits_slack(want) {
            return None;
        }
        Some(self.classes.score(room, want))
    }

    /// Gives back what a plan took. To those that wait nothing has grown.
    pub(super) fn untake(&mut self, id: ShapeId, spot: &Spot) {
        let shape = self.shapes.used(id);
        let room = self.rooms[spot.node.0 as usize].as_mut().expect("invariant: it was taken from");
        for _ in 0..spot.count {
            room.give(&shape.want, spot.devices);
        }
        self.reclassify(spot.node);
    }

    /// The node with the tightest slack for a task of the shape, in the zone if the shape spreads over zones.
    pub(super) fn tightest(&mut self, id: ShapeId, zone: ZoneId) -> Option<(Score, NodeId)> {
        self.follow(id);
        let shape = self.shapes.used_mut(id);
        let want = &shape.want;
        let (_, ranking) = shape.rankings.iter_mut().find(|(known, _)| *known == zone)?;
        while let Some(Reverse((score, class))) = ranking.peek() {
            if self.classes.get(*class).may_fit(want) {
                let fits = |node: NodeId| {
                    self.rooms[node.0 as usize].as_ref().is_some_and(|room| room.fits_slack(want))
                };
                if let Some(node) = self.classes.pick(*class, fits) {
                    return Some((*score, node));
                }
            }
            ranking.pop();
        }
        None
    }

    /// Ranks the classes that came to have members since the shape was last asked for.
    fn follow(&mut self, id: ShapeId) {
        self.classify();
        self.uses += 1;
        let Self { shapes, classes, kinds, uses, .. } = self;
        let shape = shapes.used_mut(id);
        shape.used = *uses;
        let entries: usize = shape.rankings.iter().map(|(_, ranking)| ranking.len()).sum();
        let crowded = entries > 2 * classes.len() + 64;
        let news = shape.followed.filter(|_| !crowded).and_then(|followed| classes.since(followed));
        let all: Vec<News>;
        let news = match news {
            Some(news) => news,
            None => {
                shape.reset();
                all = classes.all_news();
                &all
            }
        };
        let zonal = shape.key.spreads_over_zones();
        let kinds: &Kinds = kinds;
        for news in news {
            if !news.most.may_fit(&shape.want) {
                continue;
            }
            let class = classes.get(news.class);
            if !class.is_for(shape.want.horizon)
                || !class.may_fit(&shape.want)
                || !shape.allowed.ask(kinds, class.kind(), &shape.key.constraints)
            {
                continue;
            }
            let zone = if zonal { kinds.zone_of(class.kind()) } else { ZoneId::default() };
            let score = class.score(&shape.want);
            shape.ranking(zone).push(Reverse((score, news.class)));
        }
        shape.followed = Some(classes.end());
        classes.trim();
    }

    /// Breaks the cheapest promise to a larger shape that leaves room for one task.
    fn break_larger(&mut self, id: ShapeId) -> Option<NodeId> {
        if !self.promising {
            return None;
        }
        self.know_larger(id);
        for at in 0..self.shape(id).larger.1.len() {
            let larger = self.shape(id).larger.1[at];
            if self.shape(larger).promises == 0 {
                continue;
            }
            if let Some((node, promise)) = self.promise_for(id, larger) {
                self.break_promise(node, promise);
                self.reclassify(node);
                return Some(node);
            }
        }
        None
    }

    /// A promise to `larger` on a node that tasks of `id` may use.
    fn promise_for(&mut self, id: ShapeId, larger: ShapeId) -> Option<(NodeId, usize)> {
        let mut looks = 0;
        let mut at = self.shape(larger).promised.len();
        while at > 0 && looks < LOOKS {
            at -= 1;
            let node = self.shape(larger).promised[at];
            let Self { rooms, shapes, kinds, .. } = &mut *self;
            let room = rooms[node.0 as usize].as_ref();
            let promise = room.and_then(|room| room.promised_to(larger));
            let (Some(room), Some(promise)) = (room, promise) else {
                shapes.used_mut(larger).promised.remove(at);
                continue;
            };
            looks += 1;
            let shape = shapes.used_mut(id);
            let allowed = shape.allowed.ask(kinds, room.kind, &shape.key.constraints);
            if allowed && (room.is_level() || self.fits_if_broken(id, node, promise)) {
                return Some((node, promise));
            }
        }
        None
    }

    /// Whether one task fits once that promise of the node is broken.
    fn fits_if_broken(&self, id: ShapeId, node: NodeId, promise: usize) -> bool {
        let room = self.room(node).expect("invariant: it was just seen");
        let mut freed = room.freed();
        freed.free(promise, &self.shape(room.promises[promise].shape).want);
        freed.fits(&self.shape(id).want)
    }

    /// Makes `larger` of the shape current.
    fn know_larger(&mut self, id: ShapeId) {
        if self.shape(id).larger.0 == self.shapes_version {
            return;
        }
        let small = self.shape(id);
        let covers = |large: &Shape| {
            large.key.job.is_none() && large.want.covers(&small.want) && large.want != small.want
        };
        let larger = self.shapes.iter().filter(|(_, large)| covers(large));
        let mut larger: Vec<(u64, ShapeId)> = larger.map(|(id, large)| (large.worth, id)).collect();
        larger.sort_unstable();
        let larger = larger.into_iter().map(|(_, id)| id).collect();
        let version = self.shapes_version;
        self.shape_mut(id).larger = (version, larger);
    }

    /// Breaks the promises of a node, in the zone if one is given, that has room for a task without them: those that are
    /// worth least.
    pub(super) fn break_any(&mut self, id: ShapeId, zone: Option<ZoneId>) -> Option<NodeId> {
        let mut best: Option<(u64, NodeId, Vec<usize>)> = None;
        let mut compared = 0;
        let count = self.rooms.len();
        let begin = self.scan_from % count.max(1);
        'rooms: for (mut from, end) in [(begin, count), (0, begin)] {
            while let Some(at) = self.next_free(id, zone, from, end) {
                from = at + 1;
                let node = NodeId(u32::try_from(at).expect("invariant: fewer than 2^32"));
                let least = best.as_ref().map(|(least, ..)| *least);
                if let Some((worth, broken)) = self.harm(id, node, least) {
                    best = Some((worth, node, broken));
                }
                compared += 1;
                if compared == COMPARED || best.as_ref().is_some_and(|(worth, ..)| *worth == 0) {
                    self.scan_from = from;
                    break 'rooms;
                }
            }
        }
        let (_, node, mut broken) = best?;
        broken.sort_unstable();
        for promise in broken.into_iter().rev() {
            self.break_promise(node, promise);
        }
        self.reclassify(node);
        Some(node)
    }

    /// The first room from `from` on, before `end`, that one task fits once promises are broken.
    pub(super) fn next_free(
        &mut self,
        id: ShapeId,
        zone: Option<ZoneId>,
        mut from: usize,
        end: usize,
    ) -> Option<usize> {
        let Self { rooms, briefs, shapes, kinds, .. } = self;
        let shape = shapes.used_mut(id);
        loop {
            let (at, kind) = briefs.next_that_may_fit(from, end, &shape.want)?;
            let room = rooms[at].as_ref().expect("invariant: it has a brief");
            if !room.sidelined
                && zone.is_none_or(|zone| kinds.zone_of(kind) == zone)
                && shape.allowed.ask(kinds, kind, &shape.key.constraints)
                && room.fits_free(&shape.want)
            {
                return Some(at);
            }
            from = at + 1;
        }
    }

    /// The promises of a node that must be broken for one task, and what they are worth, if that is less than `least`.
    fn harm(&self, id: ShapeId, node: NodeId, least: Option<u64>) -> Option<(u64, Vec<usize>)> {
        let want = &self.shape(id).want;
        let room = self.room(node).expect("invariant: it was just seen");
        let shape_of = |at: usize| self.shape(room.promises[at].shape);
        let is_less = |worth: u64| least.is_none_or(|least| worth < least);
        let cheap = || (0..room.promises.len()).filter(|at| is_less(shape_of(*at).worth));
        let mut freed = room.freed();
        cheap().for_each(|at| freed.free(at, &shape_of(at).want));
        if !freed.fits(want) {
            return None;
        }
        cheap().for_each(|at| freed.keep(at, &shape_of(at).want));
        // Is it enough to break one of them? Then the cheapest that is.
        let mut one: Option<(u64, usize)> = None;
        for at in cheap() {
            let shape = shape_of(at);
            if one.is_some_and(|(worth, _)| worth <= shape.worth) {
                continue;
            }
            freed.free(at, &shape.want);
            if freed.fits(want) {
                one = Some((shape.worth, at));
            }
            freed.keep(at, &shape.want);
        }
        if let Some((worth, at)) = one {
            return Some((worth, vec![at]));
        }
        // As many of the cheapest as it takes, and then none that turns out not to be needed.
        let mut order: Vec<(u64, usize)> = cheap().map(|at| (shape_of(at).worth, at)).collect();
        order.sort_unstable();
        let mut order = order.into_iter();
        let mut broken = Vec::new();
        while !freed.fits(want) {
            let (_, at) = order.next()?;
            freed.free(at, &shape_of(at).want);
            broken.push(at);
        }
        for place in (0..broken.len()).rev() {
            let at: usize = broken[place];
            freed.keep(at, &shape_of(at).want);
            if freed.fits(want) {
                broken.remove(place);
            } else {
                freed.free(at, &shape_of(at).want);
            }
        }
        let worth = broken.iter().map(|at| shape_of(*at).worth).sum();
        is_less(worth).then_some((worth, broken))
    }

    pub(super) fn break_promise(&mut self, node: NodeId, at: usize) {
        let room = self.rooms[node.0 as usize].as_mut().expect("invariant: it promised");
        let shape = self.shapes.used_mut(room.promises[at].shape);
        room.break_promise(at, &shape.want);
        shape.promises -= 1;
    }
}
