//! In which order work that must be complete by a time is laid out, and what a layout is worth.
//!
//! No single rule is best on every day: work that is worth much per hour should not wait behind long work of little worth,
//! and work that can still wait should let go first what cannot. So a few rules each lay everything out, and the layout
//! that is worth the most is kept. The value of a task is the greatest part of the fleet that it asks for of any one
//! resource, times how long it runs, whoever asks: shares and guarantees of tenants have no part in it, quotas, budgets and
//! priorities do. The apparent urgency rules of machine scheduling (value over slack) give the form.

use crate::model::{Millis, Time};

/// The grain of urgency: slack below it makes little difference.
const GRAIN: Millis = Millis(15 * Millis::MINUTE.0);

/// Work that starts so much later is worth half, for what is planned may not come to pass.
const HALF: Millis = Millis(8 * Millis::HOUR.0);

/// What an order looks at.
#[derive(Clone, Copy, Debug)]
pub(super) struct Claim {
    /// The greatest part of the fleet that a task asks for, in billionths.
    pub(super) share: u64,
    pub(super) run: Millis,
    /// When it must have started.
    pub(super) latest: Time,
}

/// A rule.
#[derive(Clone, Copy, Debug)]
pub(super) enum Order {
    /// Value over the root of slack.
    Value,
    /// Value of a part of the run over slack: short work goes before long work that is worth as much an hour.
    Balanced,
    /// Worth an hour over slack.
    Rate,
    /// As `Balanced`, over the root of slack: a little less in a hurry.
    Calm,
}

impl Order {
    pub(super) const ALL: [Self; 4] = [Self::Value, Self::Balanced, Self::Rate, Self::Calm];

    /// Higher goes first.
    pub(super) fn urgency(self, claim: &Claim, now: Time) -> u128 {
        let share = u128::from(claim.share) << 20;
        let run = claim.run.0.max(1);
        let slack = claim.latest.since(now).0;
        match self {
            Self::Value => share * u128::from(run) / u128::from((slack + GRAIN.0).isqrt()),
            Self::Balanced => {
                share * u128::from(run.isqrt()) * 1000 / u128::from(slack + 3 * GRAIN.0)
            }
            Self::Calm => share * u128::from(run.isqrt()) / u128::from((slack + GRAIN.0).isqrt()),
            Self::Rate => share * 1_000_000 / u128::from(slack + 3 * GRAIN.0),
        }
    }
}

/// What it is worth that a task starts at a time.
pub(super) fn worth(claim: &Claim, now: Time, start: Time) -> u128 {
    let value = u128::from(claim.share) * u128::from(claim.run.0);
    value * u128::from(HALF.0) / u128::from(HALF.0 + start.since(now).0)
}
