//! When a request is sent again, and after how long.

use std::time::Duration;

use tonic::Code;

use crate::{Error, request_id::random};

/// Capped exponential back-off with jitter.
#[derive(Clone, Debug)]
pub struct RetryPolicy {
    /// How often a unary request is sent at most. 1: never again.
    pub max_attempts: u32,
    /// The pause before the first repetition; it doubles with each one.
    pub first_pause: Duration,
    /// No pause is longer, unless the server asked for more.
    pub longest_pause: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            max_attempts: 5,
            first_pause: Duration::from_millis(50),
            longest_pause: Duration::from_secs(2),
        }
    }
}

impl RetryPolicy {
    /// The pause after `failures` failures in a row, at least what the server asked for with the last one.
    ///
    /// Half of it is fixed and half is random, so that clients that failed together do not return together.
    pub(crate) fn pause(&self, failures: u32, error: &Error) -> Duration {
        let doublings = failures.saturating_sub(1).min(20);
        let whole = self.first_pause.saturating_mul(1 << doublings).min(self.longest_pause);
        let jitter = u32::try_from(random() % 1024).unwrap_or(0);
        let pause = whole / 2 + whole / 2 * jitter / 1024;
        pause.max(error.retry_after().unwrap_or_default())
    }
}

/// Whether the same request may succeed if it is sent again.
///
/// The caller sees to it that sending again is safe: reads are, and writes with a request id are.
pub(crate) fn is_transient(error: &Error) -> bool {
    match error.code() {
        Code::Unavailable => true,
        Code::ResourceExhausted => error.retry_after().is_some(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::{Duration, Error, RetryPolicy};

    #[test]
    fn pauses_grow_to_the_cap() {
        let policy = RetryPolicy::default();
        let error = Error::Disconnected { message: "gone".to_owned() };
        for failures in 1..40 {
            let pause = policy.pause(failures, &error);
            assert!(pause >= policy.first_pause / 2);
            assert!(pause <= policy.longest_pause);
        }
        assert!(policy.pause(30, &error) >= Duration::from_secs(1));
    }
}
