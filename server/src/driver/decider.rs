use std::{
    sync::{Arc, mpsc::SyncSender},
    time::{Duration, Instant},
};

use offpeak_core::{engine::Engine, model::Time};

use super::{
    forks::Forks,
    group::Stepped,
    planner::Desk,
    queue::{Queue, Taken},
};
use crate::{
    clock::Clock,
    record::{Names, Record},
    telemetry::{Kind, Metrics},
};

/// The longest sleep: the wall clock may be set while nobody looks.
const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// The sleep after a step that was due and did nothing: the clock's resolution.
const IDLE_WAIT: Duration = Duration::from_millis(1);

/// The engine's thread.
pub(super) struct Decider {
    pub(super) engine: Engine,
    pub(super) queue: Arc<Queue>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) steps: SyncSender<Stepped>,
    pub(super) batch_limit_requests: usize,
    /// The time of the last step. The engine does not step back, so neither may what is due be reckoned from less.
    pub(super) last: Time,
    /// Where the planner is, unless there is none.
    pub(super) desk: Option<Desk>,
    pub(super) forks: Forks,
    pub(super) metrics: Metrics,
}

impl Decider {
    /// Steps until the queue is closed and empty, or the committer is gone.
    pub(super) fn run(mut self) {
        let mut shortest_wait = Duration::ZERO;
        loop {
            let mut wait = self.until_due().max(shortest_wait);
            wait = self.forks.wait().map_or(wait, |soon| soon.min(wait));
            let taken = self.queue.take(self.batch_limit_requests, wait);
            let Some(mut taken) = taken else { return };
            self.forks.add(std::mem::take(&mut taken.forks));
            self.last = self.last.max(self.clock.now());
            if !taken.requests.is_empty() || self.is_due() {
                self.forks.outdate();
                let stepped = self.step(taken);
                let idle = stepped.is_idle();
                shortest_wait = if idle { IDLE_WAIT } else { Duration::ZERO };
                if idle {
                    self.metrics.answered(&stepped.kinds, &stepped.replies);
                } else if self.steps.send(stepped).is_err() {
                    self.queue.abandon();
                    return;
                }
            }
            self.forks.give(&self.engine, self.last);
            // The step is on its way to the log while a problem is stated.
            if let Some(desk) = &self.desk {
                desk.offer(&mut self.engine);
            }
        }
    }

    fn step(&mut self, taken: Taken) -> Stepped {
        let Taken { requests, waiters, .. } = taken;
        let kinds: Vec<Kind> = requests.iter().map(|request| Kind::of(&request.command)).collect();
        let started = Instant::now();
        let step = self.engine.step(self.last, requests);
        self.metrics.stepped(started.elapsed());
        assert_eq!(step.replies.len(), kinds.len(), "invariant: one reply a request");
        // Named while it is known what the batch leads to.
        let names = Names::of(&step.batch, self.engine.state());
        let record = Record { batch: step.batch, names };
        Stepped { record, replies: step.replies, kinds, waiters }
    }

    fn until_due(&self) -> Duration {
        let wait = self.engine.next_wakeup().map(|due| self.clock.until(due));
        wait.unwrap_or(LONGEST_WAIT).min(LONGEST_WAIT)
    }

    fn is_due(&self) -> bool {
        self.engine.next_wakeup().is_some_and(|due| due <= self.last)
    }
}
