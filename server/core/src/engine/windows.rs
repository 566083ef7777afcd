//! Windows of owners' calendars: turning owners when their time comes, and until when a node must be cleared.

use super::Engine;
use crate::{
    event::Event,
    model::{Horizon, Node, Time, Window},
    state::State,
};

impl Engine {
    /// Turns every owner of whom a window begins or ends to count.
    pub(super) fn turn_owners(&mut self) {
        while let Some(owner) = self.timers.pop_turn(self.now) {
            let turns = self.state.owner(&owner).and_then(|owner| owner.next_turn());
            if turns.is_some_and(|turn| turn <= self.now) {
                self.emit(Event::OwnerTurned { owner });
            }
        }
    }
}

/// By when an overcommitted node must have what its owner lacks: now, unless it lacks only what a window that has not
/// begun will hold back.
pub(super) fn needed_by(state: &State, node: &Node) -> Time {
    let now = state.now();
    let owner = state.owner(&node.spec.owner);
    let Some(start) = owner.and_then(|owner| owner.next_start(&node.spec, now)) else { return now };
    let held = state.held_back_now(node);
    if node.exceeds(&node.lent, &node.devices, held.over(Horizon::FiveMinutes)) {
        return now;
    }
    Time(start.0.saturating_sub(Window::CLEARED.0))
}

/// Whether a window holds anything of the node back now or soon.
pub(super) fn is_wanted(state: &State, node: &Node) -> bool {
    let owner = state.owner(&node.spec.owner);
    owner.is_some_and(|owner| owner.held_back(&node.spec).is_some())
}

#[cfg(test)]
mod tests {
    use super::Engine;
    use crate::{
        command::{Command, OwnerPatch, Request, Target},
        model::{CalendarEntry, HeldShare, Labels, Name, Time, WallTime, When, Window, Windows},
        state::State,
    };

    /// One entry whose only window begins at `hour`.
    fn update(hour: u64) -> Request {
        let name = Name::parse("shop").expect("a name");
        let entry = CalendarEntry {
            name: name.clone(),
            when: When::Once { start: WallTime(0), end: WallTime(1) },
            time_zone: "UTC".into(),
            share: HeldShare::of_all(u16::try_from(hour).expect("small")),
            regions: Vec::new(),
            labels: Labels::new(),
        };
        let (start, end) = (Time(hour * 3_600_000), Time((hour + 1) * 3_600_000));
        let windows = Windows { through: end, list: vec![Window { start, end, entry: 0 }] };
        let calendar = Some((vec![entry], windows));
        let patch = OwnerPatch { calendar, ..OwnerPatch::default() };
        let command = Command::UpdateOwner {
            target: Target { name, expected: None },
            patch: Box::new(patch),
        };
        Request { command, request_id: None, validate_only: false }
    }

    #[test]
    fn an_owner_has_one_turn_to_come_however_often_its_calendar_changes() {
        let mut engine = Engine::new(State::default(), Time(0));
        engine.step(Time(0), (100..110).map(update).collect());
        assert_eq!(engine.next_wakeup(), Some(Time((109 - 24) * 3_600_000)));
        let events = engine.step(Time(200 * 3_600_000), Vec::new()).batch.events;
        assert_eq!((events.len(), engine.next_wakeup()), (1, None));
    }
}
