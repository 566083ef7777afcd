use borsh::{BorshDeserialize, BorshSerialize};

use super::{
    Horizon, NodeForecast, Risks, Share,
    calibration::standing,
    day_ahead::Kin,
    experts::{self, Seen},
    shared::Shared,
    slot::Slot,
};
use crate::model::Time;

/// What the nodes of one owner share: what their guesses missed, when, and the price of a violation.
#[derive(BorshDeserialize, BorshSerialize, Clone, Debug)]
pub struct Fleet {
    /// The newest slot of any node.
    newest: Option<Slot>,
    five_minutes: Shared<{ experts::FIVE_MINUTES }>,
    hour: Shared<{ experts::HOUR }>,
    six_hours: Shared<{ experts::SIX_HOURS }>,
    day: Shared<{ experts::DAY }>,
}

impl Fleet {
    /// A fleet of which nothing is known: nothing is lent before it has shown how it behaves.
    #[must_use]
    pub fn new(risks: Risks) -> Self {
        Self {
            newest: None,
            five_minutes: Shared::new(risks.five_minutes, Horizon::FiveMinutes.pace()),
            hour: Shared::new(risks.hour, Horizon::Hour.pace()),
            six_hours: Shared::new(risks.six_hours, Horizon::SixHours.pace()),
            day: Shared::new(risks.day, Horizon::Day.pace()),
        }
    }

    /// Promises something else from now on.
    pub fn promise(&mut self, risks: Risks) {
        self.five_minutes.price.promise(risks.five_minutes);
        self.hour.price.promise(risks.hour);
        self.six_hours.price.promise(risks.six_hours);
        self.day.price.promise(risks.day);
    }

    /// Learns what an owner used of one of the fleet's nodes.
    ///
    /// Samples of the same five minutes are taken together. One that is older than those counts only as the memory of
    /// its time of day. Given twice, a sample changes nothing the second time. A time ahead of the clock must be refused
    /// by whoever has one: until it has come, every other sample would be late.
    pub fn observe(&mut self, node: &mut NodeForecast, at: Time, load: Share) {
        let slot = Slot::of(at);
        let load = load.get();
        let before = node.newest.map(Slot::of);
        if before.is_some_and(|before| slot < before) {
            node.season.enter(slot, load);
            return;
        }
        self.advance(slot);
        node.newest = node.newest.max(Some(at));
        let is_first = before != Some(slot);
        if !is_first && load <= node.load {
            return;
        }
        node.load = load;
        self.meet(node, slot, load, is_first);
        node.season.enter(slot, load);
        let skipped = before.map_or(u32::MAX, |before| slot.since(before));
        node.last_hour.enter(slot, skipped, load);
        if is_first {
            self.decide(node, slot, load);
        }
    }

    /// What the fleet knows of how hours turn out.
    #[must_use]
    pub fn kin(&self) -> Kin {
        Kin::of(&self.hour.pools)
    }

    fn advance(&mut self, slot: Slot) {
        let passed = self.newest.map_or(0, |newest| slot.since(newest));
        self.newest = self.newest.max(Some(slot));
        if passed > 0 {
            self.five_minutes.price.advance(passed);
            self.hour.price.advance(passed);
            self.six_hours.price.advance(passed);
            self.day.price.advance(passed);
        }
    }

    fn meet(&mut self, node: &mut NodeForecast, slot: Slot, load: u16, is_first: bool) {
        let [five_minutes, hour, six_hours, day] = Horizon::ALL.map(Horizon::pace);
        node.five_minutes.meet(five_minutes, &mut self.five_minutes, slot, load, is_first);
        node.hour.meet(hour, &mut self.hour, slot, load, is_first);
        node.six_hours.meet(six_hours, &mut self.six_hours, slot, load, is_first);
        node.day.meet(day, &mut self.day, slot, load, is_first);
    }

    fn decide(&self, node: &mut NodeForecast, slot: Slot, load: u16) {
        let [five_minutes, hour, six_hours, day] = Horizon::ALL.map(Horizon::pace);
        let seen = Seen::of(&node.last_hour, &node.season, slot);
        let stand = |since: Option<u32>| standing(since, slot.0, seen.week, seen.day, seen.hour);
        let guesses = seen.for_five_minutes();
        node.five_minutes.decide(five_minutes, &self.five_minutes, slot, load, guesses, stand);
        let guesses = seen.for_an_hour();
        node.hour.decide(hour, &self.hour, slot, load, guesses, stand);
        let guesses = seen.for_six_hours();
        node.six_hours.decide(six_hours, &self.six_hours, slot, load, guesses, stand);
        let guesses = seen.for_a_day();
        node.day.decide(day, &self.day, slot, load, guesses, stand);
    }
}

#[cfg(test)]
impl Fleet {
    /// The price of the hour's bounds, as a logarithm.
    pub(super) fn hour_log_price(&self) -> i32 {
        self.hour.price.log()
    }
}
