//! What tasks hold on a node, and when they are gone: known where a limit or a notice says so, else expected where enough
//! like tasks have ended. What is expected ends nobody: it only moves what is planned by it when it does not come true.

use std::collections::BTreeSet;

use super::{
    super::amounts::CountNames,
    need::{Part, Row, devices, row},
};
use crate::{
    model::{Allocation, Horizon, Node, Time},
    state::{Expectations, State},
};

/// What it costs to ask how long a task may run, in looks at a step.
const ASKING: u64 = 4;

/// How a round sees nodes.
pub(super) struct Sight<'s> {
    pub(super) state: &'s State,
    pub(super) now: Time,
    /// What was looked at so far.
    pub(super) looks: u64,
    pub(super) expectations: Expectations,
}

/// Some of what is held is gone.
#[derive(Clone, Debug)]
pub(super) struct End {
    pub(super) time: Time,
    pub(super) part: Part,
    /// By what like tasks did.
    pub(super) is_expected: bool,
}

/// What is held on a node.
#[derive(Clone, Debug, Default)]
pub(super) struct Held {
    pub(super) taken: Part,
    /// Of what of it is known or expected when it is gone.
    pub(super) ends: Vec<End>,
    /// What each task holds of which that is only expected.
    pub(super) expected: BTreeSet<Row>,
}

impl Held {
    /// What is only expected is left out unless it is to be `guessed`.
    pub(super) fn of(
        sight: &mut Sight<'_>,
        node: &Node,
        names: &mut CountNames,
        guessed: bool,
    ) -> Self {
        let (state, soon) = (sight.state, Time(sight.now.0 + 1));
        let mut held = Self::default();
        held.ends.reserve(node.allocations.len() + 1);
        // A device is free when the last task on it has gone.
        let mut device_ends: Vec<Option<Option<(Time, bool)>>> = vec![None; node.device_count()];
        for id in &node.allocations {
            let allocation = state.allocation(*id).expect("invariant: a node's allocation is live");
            let end = known_end(state, allocation).map(|end| (end, false));
            let guess = || sight.expected_end(allocation).map(|end| (end, true));
            let end = if guessed { end.or_else(guess) } else { end };
            let end = end.map(|(end, is_expected)| (end.max(soon), is_expected));
            for device in allocation.devices.iter() {
                if let Some(known) = device_ends.get_mut(device as usize) {
                    *known = Some(known.map_or(end, |known| Some(later_of(known?, end?))));
                }
            }
            let request = state.request_of(allocation);
            let want = names.want(request, Horizon::FiveMinutes);
            held.taken.amounts.add(&want, 1);
            if let Some((time, is_expected)) = end {
                let mut part = Part::default();
                part.amounts.add(&want, 1);
                held.ends.push(End { time, part, is_expected });
                if is_expected {
                    held.expected.insert(row(&want, devices(request.gpu_millis)));
                }
            }
        }
        for end in device_ends.into_iter().flatten() {
            held.taken.devices += 1;
            if let Some((time, is_expected)) = end {
                let part = Part { devices: 1, ..Part::default() };
                held.ends.push(End { time, part, is_expected });
            }
        }
        held
    }
}

/// What is free only after both rests on either.
fn later_of(one: (Time, bool), other: (Time, bool)) -> (Time, bool) {
    (one.0.max(other.0), one.1 | other.1)
}

/// When an allocation is gone, if that is known.
fn known_end(state: &State, allocation: &Allocation) -> Option<Time> {
    let spec = &state.job(allocation.at.job).expect("invariant: it is live").spec;
    let from = allocation.started().unwrap_or(allocation.placed);
    let bound = spec.max_runtime.map(|max| from.after(max));
    let notice = allocation.notice.map(|notice| notice.deadline);
    bound.into_iter().chain(notice).min()
}

impl Sight<'_> {
    /// When an allocation is expected to be gone of which nothing is known.
    fn expected_end(&mut self, allocation: &Allocation) -> Option<Time> {
        if !self.state.run_times().foresee_ends() {
            return None;
        }
        self.looks += ASKING;
        let job = self.state.job(allocation.at.job).expect("invariant: it is live");
        let age = self.now.since(allocation.placed);
        let run = self.expectations.expected(self.state.run_times(), job, age)?;
        Some(allocation.placed.after(run))
    }
}
