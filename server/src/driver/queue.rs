//! Where commands wait for the engine. It never makes anybody wait for room: what does not fit is refused at once.

use std::{
    collections::VecDeque,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use offpeak_core::{
    command::{Outcome, Request},
    rejection::Rejection,
};
use tokio::sync::oneshot;

use crate::cell::CellError;

/// What a command comes to.
pub(crate) type Answer = Result<Outcome, CellError>;

/// Commands that were handed over together.
#[derive(Debug)]
pub(crate) enum Entry {
    One(Request, oneshot::Sender<Answer>),
    Many(Vec<Request>, oneshot::Sender<Vec<Answer>>),
}

/// Who waits for the answers to an entry.
#[derive(Debug)]
pub(crate) enum Waiter {
    One(oneshot::Sender<Answer>),
    Many(usize, oneshot::Sender<Vec<Answer>>),
}

/// What the engine takes for one step; the waiters are in the order of the requests.
#[derive(Debug, Default)]
pub(crate) struct Taken {
    pub(crate) requests: Vec<Request>,
    pub(crate) waiters: Vec<Waiter>,
}

/// Why an entry was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    Full,
    Closed,
}

/// The bounded queue in front of the engine.
#[derive(Debug)]
pub(crate) struct Queue {
    inner: Mutex<Inner>,
    arrived: Condvar,
    limit_requests: usize,
}

#[derive(Debug, Default)]
struct Inner {
    entries: VecDeque<Entry>,
    requests: usize,
    /// The engine sleeps: waking it costs a system call, so it is done only then.
    asleep: bool,
    woken: bool,
    closed: bool,
}

impl Queue {
    pub(crate) fn new(limit_requests: usize) -> Self {
        Self { inner: Mutex::default(), arrived: Condvar::new(), limit_requests }
    }

    /// Takes an entry whole or not at all. One that is larger than the whole queue fits an empty one.
    pub(crate) fn push(&self, entry: Entry) -> Result<(), Refused> {
        let count = entry.len();
        let mut inner = self.lock();
        if inner.closed {
            return Err(Refused::Closed);
        }
        if inner.requests > 0 && inner.requests + count > self.limit_requests {
            return Err(Refused::Full);
        }
        inner.requests += count;
        inner.entries.push_back(entry);
        self.rouse(inner);
        Ok(())
    }

    /// Waits for entries, at most `wait`, and takes whole ones until they make `limit` requests. Nothing is taken
    /// when the time is up or [`Queue::wake`] was called. `None`: the queue is closed and empty.
    pub(crate) fn take(&self, limit: usize, wait: Duration) -> Option<Taken> {
        let mut inner = self.lock();
        if inner.entries.is_empty() && !inner.closed && !inner.woken && !wait.is_zero() {
            inner.asleep = true;
            let idle =
                |inner: &mut Inner| inner.entries.is_empty() && !inner.closed && !inner.woken;
            let waited = self.arrived.wait_timeout_while(inner, wait, idle);
            inner = waited.unwrap_or_else(PoisonError::into_inner).0;
            inner.asleep = false;
        }
        inner.woken = false;
        if inner.entries.is_empty() && inner.closed {
            return None;
        }
        let mut taken = Taken::default();
        while taken.requests.len() < limit
            && let Some(entry) = inner.entries.pop_front()
        {
            taken.add(entry);
        }
        inner.requests -= taken.requests.len();
        Some(taken)
    }

    /// Has the engine look at the time again.
    pub(crate) fn wake(&self) {
        let mut inner = self.lock();
        inner.woken = true;
        self.rouse(inner);
    }

    /// Refuses whatever comes from now on; what is in the queue can still be taken.
    pub(crate) fn close(&self) {
        let mut inner = self.lock();
        inner.closed = true;
        self.rouse(inner);
    }

    /// Closes the queue and drops what is in it: those who wait learn that the server stops.
    pub(crate) fn abandon(&self) {
        let mut inner = self.lock();
        inner.closed = true;
        inner.requests = 0;
        let dropped = std::mem::take(&mut inner.entries);
        self.rouse(inner);
        drop(dropped);
    }

    /// How many requests wait.
    pub(crate) fn len(&self) -> usize {
        self.lock().requests
    }

    fn rouse(&self, inner: MutexGuard<'_, Inner>) {
        let asleep = inner.asleep;
        drop(inner);
        if asleep {
            self.arrived.notify_one();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entry {
    fn len(&self) -> usize {
        match self {
            Self::One(..) => 1,
            Self::Many(requests, _) => requests.len(),
        }
    }
}

impl Taken {
    fn add(&mut self, entry: Entry) {
        match entry {
            Entry::One(request, waiter) => {
                self.requests.push(request);
                self.waiters.push(Waiter::One(waiter));
            }
            Entry::Many(mut requests, waiter) => {
                self.waiters.push(Waiter::Many(requests.len(), waiter));
                self.requests.append(&mut requests);
            }
        }
    }
}

/// Gives each waiter its replies. One who has gone away is passed over.
pub(crate) fn answer(waiters: Vec<Waiter>, replies: Vec<Result<Outcome, Rejection>>) {
    let mut answers = replies.into_iter().map(|reply| reply.map_err(CellError::Rejected));
    for waiter in waiters {
        match waiter {
            Waiter::One(tx) => {
                let answer = answers.next().expect("invariant: one reply a request");
                let _ = tx.send(answer);
            }
            Waiter::Many(count, tx) => {
                let _ = tx.send(answers.by_ref().take(count).collect());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use offpeak_core::{
        command::{Command, Request},
        model::Policy,
    };
    use tokio::sync::oneshot;

    use super::{Entry, Queue, Refused};

    fn one() -> Entry {
        Entry::One(request(), oneshot::channel().0)
    }

    fn many(count: usize) -> Entry {
        Entry::Many(vec![request(); count], oneshot::channel().0)
    }

    fn request() -> Request {
        let command = Command::SetPolicy(Policy::default());
        Request { command, request_id: None, validate_only: false }
    }

    #[test]
    fn a_full_queue_refuses_whole_entries() {
        let queue = Queue::new(3);
        assert_eq!(queue.push(many(2)), Ok(()));
        assert_eq!(queue.push(many(2)), Err(Refused::Full));
        assert_eq!(queue.push(one()), Ok(()));
        assert_eq!((queue.push(one()), queue.len()), (Err(Refused::Full), 3));
    }

    #[test]
    fn an_entry_larger_than_the_queue_fits_an_empty_one() {
        let queue = Queue::new(3);
        assert_eq!(queue.push(many(10)), Ok(()));
        let taken = queue.take(1, Duration::ZERO).expect("open");
        assert_eq!((taken.requests.len(), queue.len()), (10, 0));
    }

    #[test]
    fn a_step_takes_whole_entries_up_to_its_limit() {
        let queue = Queue::new(10);
        for _ in 0..3 {
            queue.push(many(2)).expect("room");
        }
        let taken = queue.take(3, Duration::ZERO).expect("open");
        assert_eq!((taken.requests.len(), taken.waiters.len(), queue.len()), (4, 2, 2));
    }

    #[test]
    fn a_closed_queue_is_emptied_first() {
        let queue = Queue::new(10);
        queue.push(one()).expect("room");
        queue.close();
        assert_eq!(queue.push(one()), Err(Refused::Closed));
        assert_eq!(queue.take(9, Duration::MAX).expect("not empty").requests.len(), 1);
        assert!(queue.take(9, Duration::MAX).is_none());
    }

    #[test]
    fn a_wake_is_not_lost_while_nobody_sleeps() {
        let queue = Queue::new(10);
        queue.wake();
        assert!(queue.take(9, Duration::MAX).expect("open").requests.is_empty());
    }
}
