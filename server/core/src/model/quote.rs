use super::{Millis, Time};

/// When a job that waits was told that it would start, and what that was reckoned from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Quote {
    /// When it was made.
    pub made: Time,
    /// How long the job was foreseen to wait, in the middle of several looks ahead; not corrected.
    pub middle: Millis,
    /// The longest of them.
    pub longest: Millis,
    /// When half of such jobs start at the latest, and when 95 of 100 do. None: not within what was looked at, or nothing
    /// is known of how long those run that are in the way.
    pub times: Option<(Time, Time)>,
}
