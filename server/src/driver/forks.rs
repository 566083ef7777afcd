use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use offpeak_core::{
    engine::{Engine, Fork},
    model::{Revision, Time},
};
use tokio::sync::{OwnedSemaphorePermit, oneshot};

/// Forks take one part in so many of the engine's time at most, however many are asked for: what it takes to make one, and
/// to copy the pages that the engine writes while the fork shares them, which in a busy cell is most of it.
const PART_OF_TIME: u32 = 50;

/// What the engine takes to copy a page; `server/core/benches/fork.rs` measures it.
const PAGE_COPY: Duration = Duration::from_micros(5);

/// Once a fork is older than this, paid for, and nobody waits for one, it is dropped.
const KEPT: Duration = Duration::from_secs(1);

/// Who gets a copy of the engine, of this revision or a later one.
#[derive(Debug)]
pub(crate) struct Waiter {
    pub(super) min_revision: Revision,
    pub(super) answer: oneshot::Sender<Arc<Fork>>,
    /// Is given back when the waiter is dropped.
    pub(super) _room: OwnedSemaphorePermit,
}

/// Copies of the engine, for whoever asks what would come of a command. One serves all who ask until it is time for the
/// next.
#[derive(Debug)]
pub(super) struct Forks {
    waiters: Vec<Waiter>,
    newest: Option<Arc<Fork>>,
    /// The engine has gone on since.
    outdated: bool,
    taken: Instant,
    /// Of the engine's time, on the newest one, its pages aside.
    spent: Duration,
    /// The next one is taken no sooner.
    next: Instant,
}

impl Forks {
    pub(super) fn new() -> Self {
        let now = Instant::now();
        let spent = Duration::ZERO;
        Self { waiters: Vec::new(), newest: None, outdated: false, taken: now, spent, next: now }
    }

    pub(super) fn add(&mut self, waiters: Vec<Waiter>) {
        self.waiters.extend(waiters);
    }

    /// The engine goes on: what was copied is of the past.
    pub(super) fn outdate(&mut self) {
        self.outdated = true;
    }

    /// How long those who wait still have to, if any do.
    pub(super) fn wait(&self) -> Option<Duration> {
        let wait = self.next.saturating_duration_since(Instant::now());
        (!self.waiters.is_empty()).then_some(wait)
    }

    /// Gives those who wait a copy, a new one if it is time for one.
    pub(super) fn give(&mut self, engine: &Engine, now: Time) {
        // Nothing may have happened since, but time has passed.
        let is_old = self.taken.elapsed() > KEPT;
        if self.waiters.is_empty() {
            if self.newest.is_some() && is_old && self.is_paid(engine) {
                self.newest = None;
            }
            return;
        }
        if (self.newest.is_none() || self.outdated || is_old) && self.is_paid(engine) {
            let started = Instant::now();
            self.newest = Some(Arc::new(engine.fork(now)));
            self.outdated = false;
            self.taken = Instant::now();
            self.spent = self.taken.duration_since(started);
            self.next = self.taken + self.spent * PART_OF_TIME;
        }
        let Some(fork) = &self.newest else { return };
        let revision = fork.state().revision();
        for waiter in self.waiters.extract_if(.., |waiter| waiter.min_revision <= revision) {
            // One who has gone away is passed over.
            drop(waiter.answer.send(Arc::clone(fork)));
        }
    }

    /// Whether the engine has worked long enough for what the newest fork took of its time. What it takes to count that is
    /// part of it.
    fn is_paid(&mut self, engine: &Engine) -> bool {
        let started = Instant::now();
        if started < self.next {
            return false;
        }
        if let Some(fork) = &self.newest {
            let pages = engine.pages_changed(fork);
            let copies = PAGE_COPY.saturating_mul(u32::try_from(pages).unwrap_or(u32::MAX));
            self.spent += started.elapsed();
            self.next = self.taken + (self.spent + copies).saturating_mul(PART_OF_TIME);
        }
        started >= self.next
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use offpeak_core::{
        command::{Command, Request},
        engine::Engine,
        model::{Revision, Time},
        state::State,
    };

    use super::{Forks, KEPT, PAGE_COPY, PART_OF_TIME};
    use crate::driver::{
        queue::Queue,
        tests::{node, request},
    };

    const HOUR: Duration = Duration::from_secs(3_600);

    fn register(numbers: std::ops::Range<u32>) -> Request {
        let node = |number| node(&format!("n{number}"), 1_000);
        request(Command::RegisterNodes(numbers.map(node).collect()))
    }

    #[test]
    fn the_next_copy_waits_until_the_pages_of_the_last_one_are_paid_for() {
        let mut engine = Engine::new(State::default(), Time(0));
        engine.step(Time(0), vec![register(0..64)]);
        let (mut forks, queue) = (Forks::new(), Queue::new(9));
        let ask = |forks: &mut Forks, engine: &Engine| {
            let mut copy = queue.ask_for_fork(Revision(0)).expect("room");
            forks.add(queue.take(9, Duration::ZERO).expect("open").forks);
            forks.give(engine, Time(0));
            copy.try_recv().expect("a copy").state().revision()
        };
        assert_eq!(ask(&mut forks, &engine), Revision(1));
        engine.step(Time(0), vec![register(64..64 * 101)]);
        forks.outdate();
        // As if it had just been made, and in no time; an hour, however slow this test is.
        let now = Instant::now();
        (forks.taken, forks.next, forks.spent) = (now + HOUR, now, Duration::ZERO);
        assert_eq!(ask(&mut forks, &engine), Revision(1), "the old one");
        assert!(forks.next >= forks.taken + PAGE_COPY * 100 * PART_OF_TIME, "its pages count");
    }

    #[test]
    fn a_copy_knows_what_time_it_is_though_nothing_happens() {
        let mut engine = Engine::new(State::default(), Time(0));
        engine.step(Time(0), vec![register(0..1)]);
        let (mut forks, queue) = (Forks::new(), Queue::new(9));
        let mut ask = |at: Time, age: Duration| {
            let past = Instant::now().checked_sub(age).expect("a clock that ran for long enough");
            (forks.taken, forks.next) = (past, past);
            let mut copy = queue.ask_for_fork(Revision(0)).expect("room");
            forks.add(queue.take(9, Duration::ZERO).expect("open").forks);
            forks.give(&engine, at);
            copy.try_recv().expect("a copy").now()
        };
        assert_eq!(ask(Time(5_000), Duration::ZERO), Time(5_000));
        assert_eq!(ask(Time(9_000), KEPT * 2), Time(9_000), "not that of before");
    }
}
