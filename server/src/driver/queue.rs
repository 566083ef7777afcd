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

/// Who waits for the answers to the commands that were handed over together: an entry of the queue.
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
    /// Of all entries, in order.
    requests: VecDeque<Request>,
    /// One an entry.
    waiters: VecDeque<Waiter>,
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
    pub(crate) fn push(
        &self,
        requests: impl ExactSizeIterator<Item = Request>,
        waiter: Waiter,
    ) -> Result<(), Refused> {
        let mut inner = self.lock();
        if inner.closed {
            return Err(Refused::Closed);
        }
        let waiting = inner.requests.len();
        if waiting > 0 && waiting + requests.len() > self.limit_requests {
            return Err(Refused::Full);
        }
        inner.requests.extend(requests);
        inner.waiters.push_back(waiter);
        self.rouse(inner);
        Ok(())
    }

    /// Waits for entries, at most `wait`, and takes whole ones until they make `limit` requests. Nothing is taken
    /// when the time is up or [`Queue::wake`] was called. `None`: the queue is closed and empty.
    pub(crate) fn take(&self, limit: usize, wait: Duration) -> Option<Taken> {
        let mut inner = self.lock();
        if inner.waiters.is_empty() && !inner.closed && !inner.woken && !wait.is_zero() {
            inner.asleep = true;
            let idle =
                |inner: &mut Inner| inner.waiters.is_empty() && !inner.closed && !inner.woken;
            let waited = self.arrived.wait_timeout_while(inner, wait, idle);
            inner = waited.unwrap_or_else(PoisonError::into_inner).0;
            inner.asleep = false;
        }
        inner.woken = false;
        if inner.waiters.is_empty() && inner.closed {
            return None;
        }
        let mut waiters = Vec::new();
        let mut count = 0;
        while count < limit
            && let Some(waiter) = inner.waiters.pop_front()
        {
            count += waiter.count();
            waiters.push(waiter);
        }
        let requests = inner.requests.drain(..count).collect();
        Some(Taken { requests, waiters })
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
        inner.requests.clear();
        let dropped = std::mem::take(&mut inner.waiters);
        self.rouse(inner);
        drop(dropped);
    }

    /// How many requests wait.
    pub(crate) fn len(&self) -> usize {
        self.lock().requests.len()
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

impl Waiter {
    fn count(&self) -> usize {
        match self {
            Self::One(_) => 1,
            Self::Many(count, _) => *count,
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

    use super::{Queue, Refused, Waiter};

    fn push_one(queue: &Queue) -> Result<(), Refused> {
        queue.push(std::iter::once(request()), Waiter::One(oneshot::channel().0))
    }

    fn push_many(queue: &Queue, count: usize) -> Result<(), Refused> {
        queue.push(vec![request(); count].into_iter(), Waiter::Many(count, oneshot::channel().0))
    }

    fn request() -> Request {
        let command = Command::SetPolicy(Policy::default());
        Request { command, request_id: None, validate_only: false }
    }

    #[test]
    fn a_full_queue_refuses_whole_entries() {
        let queue = Queue::new(3);
        assert_eq!(push_many(&queue, 2), Ok(()));
        assert_eq!(push_many(&queue, 2), Err(Refused::Full));
        assert_eq!(push_one(&queue), Ok(()));
        assert_eq!((push_one(&queue), queue.len()), (Err(Refused::Full), 3));
    }

    #[test]
    fn an_entry_larger_than_the_queue_fits_an_empty_one() {
        let queue = Queue::new(3);
        assert_eq!(push_many(&queue, 10), Ok(()));
        let taken = queue.take(1, Duration::ZERO).expect("open");
        assert_eq!((taken.requests.len(), queue.len()), (10, 0));
    }

    #[test]
    fn a_step_takes_whole_entries_up_to_its_limit() {
        let queue = Queue::new(10);
        for _ in 0..3 {
            push_many(&queue, 2).expect("room");
        }
        let taken = queue.take(3, Duration::ZERO).expect("open");
        assert_eq!((taken.requests.len(), taken.waiters.len(), queue.len()), (4, 2, 2));
    }

    #[test]
    fn a_closed_queue_is_emptied_first() {
        let queue = Queue::new(10);
        push_one(&queue).expect("room");
        queue.close();
        assert_eq!(push_one(&queue), Err(Refused::Closed));
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
