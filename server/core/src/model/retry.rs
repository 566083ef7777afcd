use super::{Millis, TaskEnd, Time};

/// When a task of a job is tried again. Without a policy a failure is final and evictions are not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    /// How often a task that was reported as failed is tried again.
    pub failures: u32,
    /// How often a task that ran longer than `max_runtime` is tried again.
    pub timeouts: u32,
    /// How many evictions a task survives, node losses aside; `None`: any number.
    pub evictions: Option<u32>,
    /// How often a task survives the loss of its node; `None`: any number of times.
    pub node_losses: Option<u32>,
    /// How long a task waits after its first failure or timeout; twice as long after each further one.
    pub backoff: Millis,
    /// The longest such wait.
    pub max_backoff: Millis,
}

impl RetryPolicy {
    /// The first wait where a job does not say.
    pub const BACKOFF: Millis = Millis(10 * Millis::SECOND.0);
    /// The longest wait where a job does not say.
    pub const MAX_BACKOFF: Millis = Millis(10 * Millis::MINUTE.0);

    /// When a task that ends so now may be tried again, given what it has been through; `None`: never.
    #[must_use]
    pub fn again(&self, tries: Tries, end: TaskEnd, now: Time) -> Option<Time> {
        let (used, limit) = match end {
            TaskEnd::Failed => (tries.failures, self.failures),
            TaskEnd::TimedOut => (tries.timeouts, self.timeouts),
            _ => return None,
        };
        if used >= limit {
            return None;
        }
        let times = tries.failures.saturating_add(tries.timeouts).min(63);
        let wait = self.backoff.0.saturating_mul(1 << times).min(self.max_backoff.0);
        Some(now.after(Millis(wait)))
    }

    /// Whether a task that has been through so much must not be placed again.
    #[must_use]
    pub fn is_exhausted(&self, tries: Tries) -> bool {
        self.evictions.is_some_and(|limit| tries.evictions > limit)
            || self.node_losses.is_some_and(|limit| tries.node_losses > limit)
    }
}

/// What a task of a job with a retry policy has been through.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tries {
    /// How often it failed and was tried again.
    pub failures: u32,
    /// How often it ran too long and was tried again.
    pub timeouts: u32,
    /// How often it was evicted, node losses aside.
    pub evictions: u32,
    /// How often its node was lost.
    pub node_losses: u32,
    /// When it is pending again, while it waits for that.
    pub until: Option<Time>,
}

#[cfg(test)]
mod tests {
    use super::{Millis, RetryPolicy, TaskEnd, Time, Tries};

    const POLICY: RetryPolicy = RetryPolicy {
        failures: 4,
        timeouts: 1,
        evictions: Some(2),
        node_losses: None,
        backoff: Millis(10),
        max_backoff: Millis(35),
    };

    #[test]
    fn waits_double_up_to_the_longest() {
        let wait = |failures| {
            let tries = Tries { failures, ..Tries::default() };
            POLICY.again(tries, TaskEnd::Failed, Time(100)).map(|time| time.0 - 100)
        };
        assert_eq!([0, 1, 2, 3, 4].map(wait), [Some(10), Some(20), Some(35), Some(35), None]);
    }

    #[test]
    fn each_reason_has_a_limit_of_its_own() {
        let tries = Tries { failures: 4, evictions: 2, node_losses: 9, ..Tries::default() };
        assert!(POLICY.again(tries, TaskEnd::Failed, Time(0)).is_none());
        assert!(POLICY.again(tries, TaskEnd::TimedOut, Time(0)).is_some());
        assert!(!POLICY.is_exhausted(tries));
        assert!(POLICY.is_exhausted(Tries { evictions: 3, ..tries }));
    }
}
