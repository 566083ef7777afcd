//! Where commands wait for the engine. It never makes a client wait for room: what does not fit is refused at once.
//!
//! Beside the entries there is room for one request that nobody waits for: a piece of a plan. It takes no room from
//! clients, however full the queue is, and whoever puts it there waits until the engine is done with it.

use std::{
    collections::VecDeque,
    mem,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use offpeak_core::{
    command::{Outcome, Request},
    engine::Fork,
    model::Revision,
    rejection::Rejection,
};
use tokio::sync::{Semaphore, oneshot};

use super::forks;
use crate::cell::CellError;

/// What a command comes to.
pub(crate) type Answer = Result<Outcome, CellError>;

/// Who waits for the answers to the commands that were handed over together: an entry of the queue.
#[derive(Debug)]
pub(crate) enum Waiter {
    One(oneshot::Sender<Answer>),
    Many(usize, oneshot::Sender<Vec<Answer>>),
    /// Of a request that nobody waits for.
    Nobody,
}

/// What the engine takes for one step; the waiters are in the order of the requests.
#[derive(Debug, Default)]
pub(crate) struct Taken {
    pub(crate) requests: Vec<Request>,
    pub(crate) waiters: Vec<Waiter>,
    /// Of copies of the engine.
    pub(crate) forks: Vec<forks::Waiter>,
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
    aside_done: Condvar,
    /// Held by the thread that hands over a request aside.
    aside_turn: Mutex<()>,
    limit_requests: usize,
    /// For those who wait for a copy of the engine, here or there.
    fork_room: Arc<Semaphore>,
}

#[derive(Debug, Default)]
struct Inner {
    /// Of all entries, in order.
    requests: VecDeque<Request>,
    /// One an entry.
    waiters: VecDeque<Waiter>,
    aside: Aside,
    forks: Vec<forks::Waiter>,
    /// The engine sleeps: waking it costs a system call, so it is done only then.
    asleep: bool,
    woken: bool,
    closed: bool,
}

/// A request that goes with the next step, whatever else does, and is no part of any limit.
#[derive(Debug, Default)]
enum Aside {
    #[default]
    None,
    Waits(Box<Request>),
    /// The engine has it, and has not come back for more.
    Taken,
}

impl Queue {
    pub(crate) fn new(limit_requests: usize) -> Self {
        Self {
            inner: Mutex::default(),
            arrived: Condvar::new(),
            aside_done: Condvar::new(),
            aside_turn: Mutex::default(),
            limit_requests,
            fork_room: Arc::new(Semaphore::new(limit_requests.min(Semaphore::MAX_PERMITS))),
        }
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

    /// Hands over a request that nobody waits for and returns when the engine is done with the step that it went with.
    /// It is lost if the queue is closed or closes meanwhile. Threads take turns.
    pub(crate) fn push_aside(&self, request: Request) -> Result<(), Refused> {
        let _turn = self.aside_turn.lock().unwrap_or_else(PoisonError::into_inner);
        let mut inner = self.lock();
        if inner.closed {
            return Err(Refused::Closed);
        }
        inner.aside = Aside::Waits(Box::new(request));
        if inner.asleep {
            self.arrived.notify_one();
        }
        let busy = |inner: &mut Inner| !matches!(inner.aside, Aside::None) && !inner.closed;
        let inner = self.aside_done.wait_while(inner, busy);
        let inner = inner.unwrap_or_else(PoisonError::into_inner);
        if inner.closed { Err(Refused::Closed) } else { Ok(()) }
    }

    /// Asks for a copy of the engine, of this revision or a later one. As many may wait for one as requests may.
    pub(crate) fn ask_for_fork(
        &self,
        min_revision: Revision,
    ) -> Result<oneshot::Receiver<Arc<Fork>>, Refused> {
        let mut inner = self.lock();
        if inner.closed {
            return Err(Refused::Closed);
        }
        let room = Arc::clone(&self.fork_room).try_acquire_owned().map_err(|_| Refused::Full)?;
        let (answer, fork) = oneshot::channel();
        inner.forks.push(forks::Waiter { min_revision, answer, _room: room });
        self.rouse(inner);
        Ok(fork)
    }

    /// Waits for entries, at most `wait`, and takes whole ones until they make `limit` requests, and last the request
    /// that nobody waits for. Nothing is taken when the time is up or [`Queue::wake`] was called. `None`: the queue is
    /// closed and has no entry.
    pub(crate) fn take(&self, limit: usize, wait: Duration) -> Option<Taken> {
        let mut inner = self.lock();
        if matches!(inner.aside, Aside::Taken) {
            inner.aside = Aside::None;
            self.aside_done.notify_one();
        }
        if inner.is_idle() && !wait.is_zero() {
            inner.asleep = true;
            let waited = self.arrived.wait_timeout_while(inner, wait, |inner| inner.is_idle());
            inner = waited.unwrap_or_else(PoisonError::into_inner).0;
            inner.asleep = false;
        }
        inner.woken = false;
        if inner.waiters.is_empty() && inner.closed {
            // Nobody comes back to give copies.
            inner.forks.clear();
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
        let mut requests: Vec<Request> = inner.requests.drain(..count).collect();
        if let Aside::Waits(request) = mem::take(&mut inner.aside) {
            inner.aside = Aside::Taken;
            requests.push(*request);
            waiters.push(Waiter::Nobody);
        }
        Some(Taken { requests, waiters, forks: mem::take(&mut inner.forks) })
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
        self.aside_done.notify_one();
        self.rouse(inner);
    }

    /// Closes the queue and drops what is in it: those who wait learn that the server stops.
    pub(crate) fn abandon(&self) {
        let mut inner = self.lock();
        inner.closed = true;
        inner.aside = Aside::None;
        inner.requests.clear();
        inner.forks.clear();
        self.aside_done.notify_one();
        let dropped = mem::take(&mut inner.waiters);
        self.rouse(inner);
        drop(dropped);
    }

    /// How many requests wait that somebody waits for.
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

impl Inner {
    fn is_idle(&self) -> bool {
        let nothing_aside = !matches!(self.aside, Aside::Waits(_));
        self.waiters.is_empty()
            && self.forks.is_empty()
            && nothing_aside
            && !self.closed
            && !self.woken
    }
}

impl Waiter {
    pub(crate) fn is_nobody(&self) -> bool {
        matches!(self, Self::Nobody)
    }

    fn count(&self) -> usize {
        match self {
            Self::One(_) | Self::Nobody => 1,
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
            Waiter::Nobody => drop(answers.next()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::Arc,
        thread::{self, JoinHandle},
        time::Duration,
    };

    use offpeak_core::{
        command::{Command, Request},
        model::{Policy, Revision},
    };
    use tokio::sync::oneshot::{self, error::TryRecvError};

    use super::{Aside, Queue, Refused, Waiter};

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

    /// A thread that hands over so many requests that nobody waits for.
    fn pusher(queue: &Arc<Queue>, count: usize) -> JoinHandle<Result<(), Refused>> {
        let queue = Arc::clone(queue);
        thread::spawn(move || (0..count).try_for_each(|_| queue.push_aside(request())))
    }

    #[test]
    fn what_nobody_waits_for_goes_with_any_step_and_takes_no_room() {
        let queue = Arc::new(Queue::new(2));
        assert_eq!(push_many(&queue, 2), Ok(()));
        let pusher = pusher(&queue, 1);
        while !matches!(queue.lock().aside, Aside::Waits(_)) {
            thread::yield_now();
        }
        assert_eq!((push_one(&queue), queue.len()), (Err(Refused::Full), 2));
        let taken = queue.take(1, Duration::ZERO).expect("open");
        assert_eq!(taken.requests.len(), 3);
        assert!(matches!(taken.waiters[..], [Waiter::Many(2, _), Waiter::Nobody]));
        assert_eq!(push_many(&queue, 2), Ok(()));
        assert!(!pusher.is_finished(), "the step goes on");
        assert_eq!(queue.take(9, Duration::ZERO).expect("open").requests.len(), 2);
        assert_eq!(pusher.join().expect("no panic"), Ok(()));
    }

    #[test]
    fn of_what_nobody_waits_for_a_step_takes_one_and_none_is_lost() {
        let queue = Arc::new(Queue::new(2));
        let pusher = pusher(&queue, 50);
        for _ in 0..50 {
            let taken = queue.take(9, Duration::MAX).expect("open");
            assert_eq!(taken.requests.len(), 1);
        }
        assert!(queue.take(9, Duration::ZERO).expect("open").requests.is_empty());
        assert_eq!(pusher.join().expect("no panic"), Ok(()));
    }

    #[test]
    fn a_closed_queue_refuses_what_nobody_waits_for_and_forgets_it() {
        let queue = Arc::new(Queue::new(2));
        let pusher = pusher(&queue, 1);
        queue.close();
        assert_eq!(pusher.join().expect("no panic"), Err(Refused::Closed));
        assert_eq!(queue.push_aside(request()), Err(Refused::Closed));
        assert!(queue.take(9, Duration::MAX).is_none());
    }

    #[test]
    fn who_asked_for_a_copy_learns_that_the_queue_is_closed() {
        let queue = Queue::new(10);
        let mut copy = queue.ask_for_fork(Revision(0)).expect("room");
        queue.close();
        assert!(queue.take(9, Duration::MAX).is_none());
        assert!(matches!(copy.try_recv(), Err(TryRecvError::Closed)));
    }

    #[test]
    fn who_waits_for_a_copy_takes_room_until_it_is_given() {
        let queue = Queue::new(2);
        let ask = || queue.ask_for_fork(Revision(0));
        let _copies = [ask().expect("room"), ask().expect("room")];
        let taken = queue.take(9, Duration::ZERO).expect("open").forks;
        assert_eq!((ask().err(), taken.len()), (Some(Refused::Full), 2));
        drop(taken);
        assert!(ask().is_ok());
    }

    #[test]
    fn a_wake_is_not_lost_while_nobody_sleeps() {
        let queue = Queue::new(10);
        queue.wake();
        assert!(queue.take(9, Duration::MAX).expect("open").requests.is_empty());
    }
}
