//! When jobs are due and when they were sent, for a load at a given rate and for the time until their placements.

use std::{
    num::NonZero,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use hdrhistogram::Histogram;
use tokio::sync::Semaphore;

use crate::cli::failure::{Failure, exit};

/// What all senders and watchers of a run share.
#[derive(Clone, Debug)]
pub(super) struct Clock {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    begin: Instant,
    /// By job: microseconds from the beginning until it was sent or due; [`NOT_SENT`] before.
    sent_us: Vec<AtomicU64>,
    /// Jobs that are due and not sent yet; absent where each is sent as soon as may be.
    due: Option<Semaphore>,
    until_placed_us: Mutex<Histogram<u64>>,
}

const NOT_SENT: u64 = u64::MAX;

/// How long the thread that tells what is due sleeps: short beside what is measured.
const TICK: Duration = Duration::from_micros(100);

impl Clock {
    /// Starts. At a rate, jobs come due one after the other, whether or not the cell keeps up.
    pub(super) fn start(jobs: usize, rate: Option<NonZero<u32>>) -> Result<Self, Failure> {
        let shared = Shared {
            begin: Instant::now(),
            sent_us: (0..jobs).map(|_| AtomicU64::new(NOT_SENT)).collect(),
            due: rate.map(|_| Semaphore::new(0)),
            until_placed_us: Mutex::new(histogram()?),
        };
        let clock = Self { shared: Arc::new(shared) };
        if let Some(rate) = rate {
            let clock = clock.clone();
            thread::spawn(move || clock.tell(rate));
        }
        Ok(clock)
    }

    /// Lets jobs come due.
    fn tell(&self, rate: NonZero<u32>) {
        let jobs = self.shared.sent_us.len();
        let mut told = 0;
        while told < jobs {
            let passed = self.shared.begin.elapsed().as_micros() * u128::from(rate.get());
            let due = usize::try_from(passed / 1_000_000).unwrap_or(jobs).min(jobs);
            let now = self.now_us();
            for sent in &self.shared.sent_us[told..due] {
                sent.store(now, Ordering::Relaxed);
            }
            if let Some(semaphore) = &self.shared.due {
                semaphore.add_permits(due - told);
            }
            told = due;
            thread::sleep(TICK);
        }
    }

    /// Waits until these jobs are due, which must be the next that anybody waits for, and notes that they are sent now
    /// unless they were due before. When they were.
    pub(super) async fn send(&self, jobs: std::ops::Range<usize>) -> Instant {
        if let Some(due) = &self.shared.due {
            let count = u32::try_from(jobs.len()).unwrap_or(u32::MAX);
            // It is never closed.
            if let Ok(permit) = due.acquire_many(count).await {
                permit.forget();
            }
        } else {
            let now = self.now_us();
            for sent in &self.shared.sent_us[jobs.clone()] {
                sent.store(now, Ordering::Relaxed);
            }
        }
        let last = jobs.end.saturating_sub(1);
        self.sent(last).unwrap_or_else(Instant::now)
    }

    /// When the job was sent or due.
    fn sent(&self, job: usize) -> Option<Instant> {
        let us = self.shared.sent_us.get(job)?.load(Ordering::Relaxed);
        (us != NOT_SENT).then(|| self.shared.begin + Duration::from_micros(us))
    }

    /// Counts the placements of jobs that a watcher has just been told of.
    pub(super) fn placed(&self, jobs: impl Iterator<Item = (usize, u64)>) {
        let now = self.now_us();
        let histogram = &self.shared.until_placed_us;
        let mut histogram = histogram.lock().unwrap_or_else(PoisonError::into_inner);
        for (job, tasks) in jobs {
            let Some(sent) = self.shared.sent_us.get(job) else { continue };
            let us = now.saturating_sub(sent.load(Ordering::Relaxed));
            histogram.saturating_record_n(us, tasks);
        }
    }

    /// From sending a job to the events of its placements, task by task.
    pub(super) fn until_placed_us(&self) -> Histogram<u64> {
        let histogram = &self.shared.until_placed_us;
        histogram.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn begin(&self) -> Instant {
        self.shared.begin
    }

    fn now_us(&self) -> u64 {
        u64::try_from(self.shared.begin.elapsed().as_micros()).unwrap_or(NOT_SENT - 1)
    }
}

/// Three digits up to an hour; what takes longer counts as an hour.
pub(super) fn histogram() -> Result<Histogram<u64>, Failure> {
    Histogram::new_with_bounds(1, 3_600_000_000, 3)
        .map_err(|error| Failure::new(exit::FAILURE, format!("cannot make a histogram: {error}")))
}

#[cfg(test)]
mod tests {
    use std::num::NonZero;

    use super::Clock;

    #[tokio::test]
    async fn jobs_at_a_rate_are_not_sent_before_they_are_due() {
        let clock = Clock::start(30, NonZero::new(1_000)).expect("started");
        clock.send(0..10).await;
        clock.send(10..30).await;
        assert!(clock.begin().elapsed().as_millis() >= 30);
        clock.placed([(3, 2), (99, 1)].into_iter());
        assert_eq!(clock.until_placed_us().len(), 2);
    }

    #[tokio::test]
    async fn without_a_rate_jobs_are_sent_at_once() {
        let clock = Clock::start(2, None).expect("started");
        assert!(clock.send(0..2).await >= clock.begin());
    }
}
