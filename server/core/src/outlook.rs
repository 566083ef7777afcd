//! What owners will leave idle in each of the coming hours, of one node or of many together.
//!
//! An [`Outlook`] takes nodes one by one, as they stand in a state, together with what a forecaster remembers of them. An
//! hour holds back of a node what its owner always reserves, what a calendar's window in that hour holds back, or the load
//! that is to be expected, whichever is most; what of that is uncertain is told by how often it is exceeded.
//! `forecast::together` says why many nodes need less than the sum of what each may need.
//!
//! Deliberately absent: what is lent. Who holds it now may be gone by then, and others may come.

use std::collections::BTreeMap;

use crate::{
    forecast::{HOURS, Part, TAILS_PERMILLE, Together, hour_of},
    forecaster::Memories,
    model::{Bounds, Dimension, Horizon, Millis, Node, Resources, Time},
    state::State,
};

/// The coming hours of some nodes.
#[derive(Clone, Debug)]
pub struct Outlook {
    now: Time,
    capacity: Resources,
    resources: BTreeMap<Dimension, Together>,
    foretold: [u64; HOURS],
}

/// One of the coming hours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HourAhead {
    /// When it begins, or began: hours are those of the clock in universal time.
    pub start: Time,
    /// Nodes of which it is told from what was learned of that time of day. Others hold back what they do over a day.
    pub forecast_nodes: u64,
    /// What is idle throughout the hour of all ready nodes together, what is lent included: at least so much, but for as
    /// often as [`TAILS_PERMILLE`] says.
    pub idle: [Resources; TAILS_PERMILLE.len()],
}

impl Outlook {
    /// That of no nodes.
    #[must_use]
    pub fn new(now: Time) -> Self {
        Self {
            now,
            capacity: Resources::default(),
            resources: BTreeMap::new(),
            foretold: [0; HOURS],
        }
    }

    /// Adds a node. One that takes no tasks leaves nothing.
    pub fn add(&mut self, state: &State, node: &Node, memories: &Memories) {
        if !node.is_open() {
            return;
        }
        let capacity = &node.spec.capacity;
        self.capacity = self.capacity.saturating_add(capacity);
        let floors = self.floors(state, node);
        let otherwise = state.kept_later(node, Horizon::Day);
        let mut foretold = [false; HOURS];
        for (dimension, amount) in capacity.amounts() {
            let day = node.bounds.as_ref();
            let day = day.and_then(|_| memories.day_ahead(node.id, &dimension, self.now));
            if let Some(day) = &day {
                for (hour, foretold) in foretold.iter_mut().enumerate() {
                    *foretold |= day.hour(hour).is_some();
                }
            }
            let part = Part {
                day: day.as_ref(),
                capacity: amount,
                floors: std::array::from_fn(|hour| floors[hour].amount(&dimension)),
                otherwise: otherwise.amount(&dimension),
                // A device of one node and a device of another make no whole one.
                divisible: dimension != Dimension::Gpu,
            };
            let amount_of = |share: u16| Bounds::amount(&dimension, share.into(), amount);
            self.resources.entry(dimension.clone()).or_default().add(&part, amount_of);
        }
        for (count, foretold) in self.foretold.iter_mut().zip(foretold) {
            *count += u64::from(foretold);
        }
    }

    /// Adds all nodes of another one, as of the same time.
    pub fn add_all(&mut self, other: &Self) {
        self.capacity = self.capacity.saturating_add(&other.capacity);
        for (dimension, together) in &other.resources {
            self.resources.entry(dimension.clone()).or_default().add_all(together);
        }
        for (count, more) in self.foretold.iter_mut().zip(other.foretold) {
            *count += more;
        }
    }

    /// The hours, the one under way first.
    #[must_use]
    pub fn hours(&self) -> Vec<HourAhead> {
        let held: Vec<_> =
            self.resources.iter().map(|(dimension, sum)| (dimension, sum.held_back())).collect();
        let hours = self.starts().into_iter().enumerate().map(|(hour, start)| {
            let idle = std::array::from_fn(|tail| {
                let amounts = held.iter().map(|(dimension, held)| {
                    let all = self.capacity.amount(dimension);
                    ((*dimension).clone(), all.saturating_sub(held[hour][tail]))
                });
                Resources::of_amounts(amounts)
            });
            HourAhead { start, forecast_nodes: self.foretold[hour], idle }
        });
        hours.collect()
    }

    fn starts(&self) -> [Time; HOURS] {
        let mut next = hour_of(self.now);
        std::array::from_fn(|_| {
            let start = next;
            next = start.after(Millis::HOUR);
            start
        })
    }

    /// What is held back in each hour in any case.
    fn floors(&self, state: &State, node: &Node) -> [Resources; HOURS] {
        let starts = self.starts();
        let mut floors = starts.map(|_| node.spec.reservation.clone());
        if let Some((_, load)) = &node.history.newest {
            floors[0] = floors[0].larger_of(load);
        }
        let until = starts[HOURS - 1].after(Millis::HOUR);
        for (window, held) in state.windows_of(node, until) {
            for (start, floor) in starts.into_iter().zip(&mut floors) {
                if window.start < start.after(Millis::HOUR) && window.end > start.max(self.now) {
                    *floor = floor.larger_of(&held);
                }
            }
        }
        floors
    }
}
