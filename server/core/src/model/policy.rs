use super::Millis;

/// What whoever runs the cell has set. It is part of the state, so that every copy of the state reckons alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// What is added to the greatest load of the last day, in thousandths of it, while an owner is too new to forecast.
    pub forecast_margin_permille: u32,
    /// How long before an eviction the notice comes, where a job does not say.
    pub notice: Millis,
    /// How long an ended job is kept.
    pub job_retention: Millis,
    /// How long the answer to a request id is kept.
    pub request_retention: Millis,
    /// How many answers to request ids are kept.
    pub request_limit: u64,
    /// The time after which what a tenant held counts half in its share; zero: only what it holds now counts.
    pub share_half_life: Millis,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            forecast_margin_permille: 100,
            notice: Millis(2 * Millis::MINUTE.0),
            job_retention: Millis::HOUR,
            request_retention: Millis::DAY,
            request_limit: 500_000,
            share_half_life: Millis::HOUR,
        }
    }
}
