//! What a node has free from now on, as far as is known or expected: steps in time, each with what tasks hold that are
//! there then, what is kept for planned starts and what windows hold back.

use std::collections::BTreeSet;

use super::{
    super::amounts::CountNames,
    ends::{End, Held, Sight},
    layout::Opening,
    need::{Need, Part, Row, row},
};
use crate::{
    fairness::part,
    model::{Horizon, Millis, Node, NodeId, Time, Window},
};

/// How far ahead windows are looked at.
const AHEAD: Millis = Millis(48 * Millis::HOUR.0);

#[derive(Clone, Debug)]
struct Step {
    from: Time,
    /// What tasks hold and what is kept for planned starts.
    taken: Part,
    windows: Part,
    /// What is free by how long it must be left alone, less than nothing where too much is taken.
    left: [Row; Horizon::COUNT],
    /// Something of it is kept for a planned start.
    is_reserved: bool,
    /// A window begins with it, or with the step that it was a part of.
    begins_window: bool,
    /// What is only expected to have gone by then, and what is kept for planned starts.
    expected: Row,
    reserved: Row,
}

/// A node from now on.
#[derive(Clone, Debug)]
pub(super) struct Profile {
    pub(super) node: NodeId,
    capacity: Part,
    /// What the owner keeps for the next minutes.
    at_once: Part,
    /// Until then.
    soon: Time,
    /// What the owner keeps later, by horizon.
    later: [Part; Horizon::COUNT],
    /// Ascending; the last one lasts for good.
    steps: Vec<Step>,
    /// By horizon the most that was left of each in any step, before anything was laid out.
    most: [Row; Horizon::COUNT],
    /// What tasks hold each of which it is only expected when they are gone; those that hold as much once.
    expected: BTreeSet<Row>,
}

impl Step {
    fn new(from: Time, taken: Part) -> Self {
        Self {
            from,
            taken,
            windows: Part::default(),
            left: Default::default(),
            is_reserved: false,
            begins_window: false,
            expected: [0; 5],
            reserved: [0; 5],
        }
    }
}

impl Profile {
    /// As the state has it now, with the ends that are only expected if they are to be `guessed`.
    pub(super) fn of(
        sight: &mut Sight<'_>,
        node: &Node,
        names: &mut CountNames,
        guessed: bool,
    ) -> Self {
        let (state, now) = (sight.state, sight.now);
        let soon = now.after(Horizon::FiveMinutes.length());
        let mut later = Horizon::ALL.map(|_| Part::default());
        for (part, horizon) in later.iter_mut().zip(Horizon::ALL) {
            *part = Part::of(&state.kept_later(node, horizon), names);
        }
        let Held { mut taken, mut ends, expected } = Held::of(sight, node, names, guessed);
        ends.push(End { time: soon, part: Part::default(), is_expected: false });
        ends.sort_unstable_by_key(|end| end.time);
        sight.looks += ends.len() as u64;
        let mut gone = [0; 5];
        let mut steps = Vec::with_capacity(ends.len() + 1);
        steps.push(Step::new(now, taken.clone()));
        for together in ends.chunk_by(|a, b| a.time == b.time) {
            for end in together {
                taken.subtract(&end.part);
                if end.is_expected {
                    gone.iter_mut().zip(end.part.row()).for_each(|(gone, part)| *gone += part);
                }
            }
            steps.push(Step { expected: gone, ..Step::new(together[0].time, taken.clone()) });
        }
        let mut profile = Self {
            node: node.id,
            capacity: Part::of(&node.spec.capacity, names),
            at_once: Part::of(&state.kept_at_once(node), names),
            soon,
            later,
            steps,
            most: [[i64::MIN; 5]; Horizon::COUNT],
            expected,
        };
        for (window, held) in state.windows_of(node, now.after(AHEAD)) {
            profile.hold_window(&window, &Part::of(&held, names));
        }
        profile.sum_up();
        profile
    }

    /// Works out what is left in each step.
    fn sum_up(&mut self) {
        let all = self.capacity.row();
        let (at_once, later) = (self.at_once.row(), self.later.each_ref().map(Part::row));
        for step in &mut self.steps {
            let (taken, windows) = (step.taken.row(), step.windows.row());
            for horizon in Horizon::ALL.map(Horizon::index) {
                let kept = if step.from < self.soon { at_once } else { later[horizon] };
                for at in 0..all.len() {
                    let left = all[at] - taken[at] - kept[at].max(windows[at]);
                    step.left[horizon][at] = left;
                    self.most[horizon][at] = self.most[horizon][at].max(left);
                }
            }
        }
    }

    /// Whether a task could start at any time, as far as one look tells.
    pub(super) fn could_hold(&self, need: &Need) -> bool {
        has(&self.most[need.horizon().index()], &need.least)
    }

    /// Whether a task could start now, as far as one look tells.
    pub(super) fn has_now(&self, need: &Need) -> bool {
        has(&self.steps[0].left[need.horizon().index()], &need.least)
    }

    /// Whether it is expected of any task there, and not known, when it is gone.
    pub(super) fn expects(&self) -> bool {
        !self.expected.is_empty()
    }

    /// Whether room for a task has to gather: no end that is expected makes enough by itself. Where one does, the task starts
    /// with it, whenever that is, and a plan would gain nothing.
    pub(super) fn gathers(&self, need: &Need) -> bool {
        let left = &self.steps[0].left[need.horizon().index()];
        let beside = |held: &Row| std::array::from_fn(|at| left[at] + held[at]);
        !self.expected.iter().any(|held| has(&beside(held), &need.least))
    }

    /// Whether a task that starts then has room only if what is expected comes true.
    pub(super) fn rests_on_expected(&self, start: Time, need: &Need) -> bool {
        let at = self.steps.partition_point(|step| step.from <= start).saturating_sub(1);
        self.expected_in(&self.steps[at], need)
    }

    fn expected_in(&self, step: &Step, need: &Need) -> bool {
        let left = &step.left[need.horizon().index()];
        let known = std::array::from_fn(|at| left[at] - step.expected[at]);
        !has(&known, &need.least) || (!need.want.counts.is_empty() && step.expected != [0; 5])
    }

    /// Whether a task that starts now will have room in a step even if nothing comes true of what is expected until then, nor
    /// of what is planned: what owners keep is not left to guesses.
    fn is_sure(&self, step: &Step, need: &Need) -> bool {
        if step.expected == [0; 5] {
            return true;
        }
        let left = &step.left[need.horizon().index()];
        let sure = std::array::from_fn(|at| left[at] - step.expected[at] + step.reserved[at]);
        let kept = [self.kept(step, need), &step.windows];
        has(&sure, &need.least)
            && (need.want.counts.is_empty()
                || self.steps[0].taken.fits_beside(&self.capacity, kept, need))
    }

    fn hold_window(&mut self, window: &Window, held: &Part) {
        let first = if window.start <= self.steps[0].from { 0 } else { self.split(window.start) };
        let until = self.split(window.end);
        self.steps[first].begins_window = true;
        for step in &mut self.steps[first..until] {
            let windows = &mut step.windows;
            windows.amounts = windows.amounts.larger_of(&held.amounts);
            windows.devices = windows.devices.max(held.devices);
        }
    }

    /// How many steps lie before a time, or all.
    fn until(&mut self, end: Option<Time>) -> usize {
        match end {
            Some(end) => self.split(end),
            None => self.steps.len(),
        }
    }

    /// Lets a step begin at the time, which lies not before the first one, and says which.
    fn split(&mut self, at: Time) -> usize {
        let place = self.steps.partition_point(|step| step.from < at);
        if self.steps.get(place).is_none_or(|step| step.from != at) {
            let mut step = self.steps[place - 1].clone();
            step.from = at;
            self.steps.insert(place, step);
        }
        place
    }

    /// What the owner keeps in a step, its windows aside.
    fn kept(&self, step: &Step, need: &Need) -> &Part {
        if step.from < self.soon { &self.at_once } else { &self.later[need.horizon().index()] }
    }

    fn fits_step(&self, step: &Step, left: &Row, need: &Need) -> bool {
        has(left, &need.least)
            && (need.want.counts.is_empty() || {
                let kept = [self.kept(step, need), &step.windows];
                step.taken.fits_beside(&self.capacity, kept, need)
            })
    }

    /// What is free beside a task in a step, whole devices last.
    fn left_in(step: &Step, need: &Need) -> [u64; 5] {
        let (left, wanted) = (&step.left[need.horizon().index()], row(&need.want, need.devices));
        std::array::from_fn(|at| u64::try_from(left[at] - wanted[at]).unwrap_or(0))
    }

    /// The first step in which a task that starts in step `first` would lack room, if there is one.
    fn conflict(&self, first: usize, start: Time, need: &Need) -> Option<usize> {
        let is_sure = need.trusts || !self.expected_in(&self.steps[first], need);
        if !is_sure || !self.leaves_lead(first, start, need) {
            return Some(first);
        }
        let is_later = start > self.steps[0].from;
        let alone = start.after(need.alone);
        let fits = |step: &Step, left: &Row| {
            let is_sure = is_later || step.from >= alone || self.is_sure(step, need);
            is_sure && self.fits_step(step, left, need)
        };
        let mut steps = self.steps_of(first, start, need);
        steps.find(|(_, step, left)| !fits(step, left)).map(|(at, ..)| at)
    }

    /// The steps in which a task that starts in step `first` must have room, with what is left in each: while it must be left
    /// alone, and later where room is kept for planned starts. Once it is gone it is in the way of no such start, but windows
    /// must leave it all of its time.
    fn steps_of(
        &self,
        first: usize,
        start: Time,
        need: &Need,
    ) -> impl Iterator<Item = (usize, &Step, Row)> {
        let alone = start.after(need.alone);
        let gone = need.bound.map_or(Time(u64::MAX), |bound| start.after(bound));
        let cleared = need.cleared.map_or(Time(u64::MAX), |cleared| start.after(cleared));
        let horizon = need.horizon().index();
        let steps = self.steps.iter().enumerate().skip(first);
        let there = steps.take_while(move |(_, step)| step.from < alone.max(gone));
        let there = there
            .filter(move |(_, step)| step.from < alone || (step.is_reserved && step.from < gone));
        there.map(move |(at, step)| {
            let mut left = step.left[horizon];
            if step.is_reserved && step.from >= cleared {
                left.iter_mut().zip(step.reserved).for_each(|(left, kept)| *left += kept);
            }
            (at, step, left)
        })
    }

    /// Whether a task that starts in step `first` leaves all that windows hold back that begin so soon that those who are
    /// in their way get notice: beside what is there when it starts, if it has room then.
    fn leaves_lead(&self, first: usize, start: Time, need: &Need) -> bool {
        let step = &self.steps[first];
        let (lead, kept) = (start.after(Window::LEAD), self.kept(step, need));
        let soon = self.steps[first + 1..].iter().take_while(|next| next.from <= lead);
        let mut begin = soon.filter(|next| next.begins_window);
        begin.all(|next| step.taken.fits_beside(&self.capacity, [kept, &next.windows], need))
    }

    /// Whether a task could start at the time.
    pub(super) fn admits(&mut self, start: Time, need: &Need) -> bool {
        self.admits_times(start, need, 1) == 1
    }

    /// How many tasks, `limit` at most, could start together at the time.
    pub(super) fn admits_times(&mut self, start: Time, need: &Need, limit: u32) -> u32 {
        if limit == 0 || start < self.steps[0].from {
            return 0;
        }
        let first = self.split(start);
        self.times(first, start, need, limit)
    }

    /// How many tasks, `limit` at most, could start together at a time of step `first`.
    fn times(&self, first: usize, start: Time, need: &Need, limit: u32) -> u32 {
        let fits = |times: u32| self.conflict(first, start, &need.times(times)).is_none();
        if fits(limit) {
            return limit;
        }
        let (mut fit, mut too_many) = (0, limit);
        while fit + 1 < too_many {
            let middle = fit + (too_many - fit) / 2;
            if fits(middle) {
                fit = middle;
            } else {
                too_many = middle;
            }
        }
        fit
    }

    /// How many tasks, `limit` at most, could start with each step up to `latest`. Within a step it becomes no more.
    pub(super) fn rooms(
        &self,
        need: &Need,
        limit: u32,
        latest: Time,
    ) -> impl Iterator<Item = (Time, u32)> {
        let steps = self.steps.iter().enumerate().take_while(move |(_, step)| step.from <= latest);
        steps.map(move |(first, step)| (step.from, self.room_in(first, step.from, need, limit)))
    }

    /// How many tasks, `limit` at most, could start together at a time that lies not before the first step.
    pub(super) fn room_at(&self, start: Time, need: &Need, limit: u32) -> u32 {
        let first = self.steps.partition_point(|step| step.from <= start) - 1;
        self.room_in(first, start, need, limit)
    }

    fn room_in(&self, first: usize, start: Time, need: &Need, limit: u32) -> u32 {
        let mut most = limit;
        for (_, _, left) in self.steps_of(first, start, need) {
            let left = left.iter().zip(&need.least);
            for (left, wanted) in left.filter(|(_, wanted)| **wanted > 0) {
                most = most.min(u32::try_from((left / wanted).max(0)).unwrap_or(u32::MAX));
            }
            if most == 0 {
                return 0;
            }
        }
        // What is expected, countables and windows may leave room for fewer.
        self.times(first, start, need, most)
    }

    /// When a task could start first, up to `latest`, if nothing like it could before `floor`, which is brought forward to
    /// where that is known of. What was looked at is counted in `looks`.
    pub(super) fn earliest(
        &self,
        need: &Need,
        floor: &mut Time,
        latest: Time,
        looks: &mut u64,
    ) -> Option<Time> {
        let mut first = self.steps.partition_point(|step| step.from < *floor);
        let mut is_floor = true;
        while let Some(step) = self.steps.get(first) {
            if is_floor {
                *floor = step.from;
            }
            if step.from > latest {
                return None;
            }
            let found = self.conflict(first, step.from, need);
            let seen = found.unwrap_or(first) - first + 1;
            *looks += u64::try_from(seen).unwrap_or(u64::MAX);
            let Some(conflict) = found else { return Some(step.from) };
            // What is like it but ends sooner may be in no one's way.
            let lacks = &self.steps[conflict];
            let is_alone = lacks.from < step.from.after(need.alone);
            is_floor &= conflict == first || (is_alone && !lacks.is_reserved);
            // Whatever starts up to there would be in the way there.
            first = conflict + 1;
        }
        if is_floor {
            *floor = Time(u64::MAX);
        }
        None
    }

    /// How much would stay free beside a task while it must be left alone: the less, the better it fits the valley. What
    /// was looked at is counted in `looks`.
    pub(super) fn left_beside(
        &self,
        start: Time,
        need: &Need,
        scale: &[u64; 5],
        looks: &mut u64,
    ) -> u64 {
        let end = start.after(need.alone);
        let (mut sum, mut span) = (0_u128, 0_u128);
        let first = self.steps.partition_point(|step| step.from <= start).saturating_sub(1);
        let steps = self.steps.iter().enumerate().skip(first);
        for (at, step) in steps.take_while(|(_, step)| step.from < end) {
            *looks += 1;
            let until = self.steps.get(at + 1).map_or(end, |next| next.from.min(end));
            let from = step.from.max(start);
            let left = Self::left_in(step, need).into_iter().zip(scale);
            let left: u64 = left.map(|(left, scale)| part(left, *scale)).sum();
            let length = u128::from(until.since(from).0);
            sum += u128::from(left) * length;
            span += length;
        }
        u64::try_from(sum.checked_div(span).unwrap_or(0)).unwrap_or(u64::MAX)
    }

    /// Keeps room for `times` tasks from the start on.
    pub(super) fn reserve(&mut self, start: Time, need: &Need, times: u32) {
        let times = i64::from(times);
        let is_later = start > self.steps[0].from;
        let first = self.split(start);
        let until = self.until(need.bound.map(|bound| start.after(bound)));
        let wanted = row(&need.want, need.devices);
        for step in &mut self.steps[first..until] {
            step.taken.add(need, times);
            for left in &mut step.left {
                left.iter_mut().zip(wanted).for_each(|(left, wanted)| *left -= wanted * times);
            }
            if is_later {
                step.is_reserved = true;
                let reserved = step.reserved.iter_mut().zip(wanted);
                reserved.for_each(|(reserved, wanted)| *reserved += wanted * times);
            }
        }
    }

    pub(super) fn opening(
        &self,
        at: usize,
        start: Time,
        need: &Need,
        scale: &[u64; 5],
        looks: &mut u64,
    ) -> Opening {
        Opening { start, left: self.left_beside(start, need, scale, looks), node: self.node, at }
    }
}

/// Whether so much is left of everything.
fn has(left: &Row, least: &Row) -> bool {
    left.iter().zip(least).all(|(left, least)| least <= left)
}
