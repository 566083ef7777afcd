//! The one place that reads the time. The driver hands it to the core as data.

use std::{
    fmt,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant, SystemTime},
};

use offpeak_core::model::{Millis, Time};

/// Tells the time of a cell. It never runs backwards.
pub trait Clock: fmt::Debug + Send + Sync {
    /// The time now.
    fn now(&self) -> Time;

    /// How long to wait until it is `at`; zero if it is.
    fn until(&self, at: Time) -> Duration;

    /// Has `wake` called whenever the time jumps, for clocks that do.
    fn on_jump(&self, wake: Box<dyn Fn() + Send + Sync>) {
        drop(wake);
    }
}

/// The machine's wall clock, held still while the machine sets it back.
#[derive(Debug, Default)]
pub struct SystemClock {
    latest_ms: AtomicU64,
}

/// A clock that runs from the wall clock's present, but faster: for demonstrations.
#[derive(Debug)]
pub struct FastClock {
    origin: Time,
    started: Instant,
    factor: u32,
}

/// A clock that stands still until it is told to go on: for tests.
#[derive(Default)]
pub struct ManualClock {
    now_ms: AtomicU64,
    wakers: Mutex<Vec<Box<dyn Fn() + Send + Sync>>>,
}

impl Clock for SystemClock {
    fn now(&self) -> Time {
        let wall = millis(SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default());
        Time(self.latest_ms.fetch_max(wall, Ordering::Relaxed).max(wall))
    }

    fn until(&self, at: Time) -> Duration {
        Duration::from_millis(at.since(self.now()).0)
    }
}

impl FastClock {
    /// Starts now and goes `factor` times as fast.
    ///
    /// # Panics
    /// When `factor` is zero.
    #[must_use]
    pub fn new(factor: u32) -> Self {
        assert!(factor > 0, "a clock that stands still is a ManualClock");
        Self { origin: SystemClock::default().now(), started: Instant::now(), factor }
    }
}

impl Clock for FastClock {
    fn now(&self) -> Time {
        let elapsed = self.started.elapsed().saturating_mul(self.factor);
        self.origin.after(Millis(millis(elapsed)))
    }

    fn until(&self, at: Time) -> Duration {
        Duration::from_millis(at.since(self.now()).0) / self.factor
    }
}

impl ManualClock {
    /// Stands at `now`.
    #[must_use]
    pub fn new(now: Time) -> Self {
        Self { now_ms: AtomicU64::new(now.0), wakers: Mutex::default() }
    }

    /// Goes on by `span`.
    pub fn advance(&self, span: Millis) {
        self.now_ms.fetch_add(span.0, Ordering::SeqCst);
        for wake in self.wakers.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            wake();
        }
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Time {
        Time(self.now_ms.load(Ordering::SeqCst))
    }

    fn until(&self, at: Time) -> Duration {
        if at <= self.now() { Duration::ZERO } else { Duration::MAX }
    }

    fn on_jump(&self, wake: Box<dyn Fn() + Send + Sync>) {
        self.wakers.lock().unwrap_or_else(PoisonError::into_inner).push(wake);
    }
}

impl fmt::Debug for ManualClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ManualClock").field(&self.now()).finish()
    }
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::{Clock, Duration, FastClock, ManualClock, Millis, Ordering, SystemClock, Time};

    #[test]
    fn the_system_clock_stands_still_while_the_wall_clock_is_behind() {
        let clock = SystemClock::default();
        let ahead = clock.now().after(Millis::HOUR);
        clock.latest_ms.store(ahead.0, Ordering::Relaxed);
        assert_eq!((clock.now(), clock.until(ahead)), (ahead, Duration::ZERO));
    }

    #[test]
    fn a_fast_clock_waits_less() {
        let clock = FastClock::new(60);
        let wait = clock.until(clock.now().after(Millis::MINUTE));
        assert!(wait <= Duration::from_secs(1), "{wait:?}");
    }

    #[test]
    fn a_manual_clock_wakes_who_waits() {
        let clock = ManualClock::new(Time(5));
        let (tx, rx) = std::sync::mpsc::channel();
        clock.on_jump(Box::new(move || tx.send(()).expect("the test listens")));
        clock.advance(Millis(2));
        assert_eq!((clock.now(), rx.try_recv()), (Time(7), Ok(())));
    }
}
