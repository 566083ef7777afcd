use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel},
    },
    time::{Duration, Instant},
};

use offpeak_core::{
    command::{Command, Request},
    engine::{Ahead, Engine, Fork},
    model::{Job, JobId, Quote},
    quote::quotes,
    state::State,
};

use super::{
    planner::rest,
    queue::{Queue, Refused},
};
use crate::{config::Config, view::View};

/// Jobs that are quoted from one copy of the engine; the others come next.
const JOBS_AT_ONCE: usize = 1_000;

/// Before it looks at jobs that wait, so that those which come one by one are quoted together.
const GATHERING: Duration = Duration::from_secs(1);

/// The quoter's thread: it tells jobs that wait when they will start, beside the engine and in a share of one core. Each
/// job is told once, soon after it was submitted.
pub(super) struct Quoter {
    queue: Arc<Queue>,
    view: Arc<View>,
    rung: Receiver<()>,
    idle: Arc<AtomicBool>,
    share_percent: u32,
    /// Jobs from here on have not been looked at.
    next: JobId,
    /// Those that wait for a quote.
    waiting: BTreeSet<JobId>,
}

/// How the engine tells the quoter that jobs wait which it may not know of.
pub(super) struct Bell {
    rings: SyncSender<()>,
    /// The quoter listens.
    idle: Arc<AtomicBool>,
}

impl Bell {
    /// After each step: rings if the quoter listens and has something to do.
    pub(super) fn ring(&self, engine: &Engine) {
        if !self.idle.load(Ordering::Acquire) {
            return;
        }
        let state = engine.state();
        if state.waiting().jobs > state.quotes().open().len() as u64 {
            self.idle.store(false, Ordering::Release);
            // Who listens has room for it. A quoter that is gone has been reported by its guard.
            let _ = self.rings.try_send(());
        }
    }
}

impl Quoter {
    /// A quoter and its bell, unless it is switched off.
    pub(super) fn new(
        config: &Config,
        queue: &Arc<Queue>,
        view: &Arc<View>,
    ) -> Option<(Self, Bell)> {
        if config.quotes_share_percent == 0 {
            return None;
        }
        let (rings, rung) = sync_channel(1);
        let idle = Arc::new(AtomicBool::new(false));
        let quoter = Self {
            queue: Arc::clone(queue),
            view: Arc::clone(view),
            rung,
            idle: Arc::clone(&idle),
            share_percent: config.quotes_share_percent,
            next: JobId(0),
            waiting: BTreeSet::new(),
        };
        Some((quoter, Bell { rings, idle }))
    }

    /// Quotes until the engine is gone or the queue is closed.
    pub(super) fn run(mut self) {
        // Either way nobody waits for quotes any more.
        let (Ok(()) | Err(Refused::Closed | Refused::Full)) = self.quote_all();
    }

    fn quote_all(&mut self) -> Result<(), Refused> {
        loop {
            if self.waiting.is_empty() {
                self.idle.store(true, Ordering::Release);
                // Jobs may have come meanwhile, and an engine that sleeps would not tell.
                self.queue.wake();
                self.rung.recv().map_err(|_| Refused::Closed)?;
                self.pause(GATHERING)?;
            }
            let started = Instant::now();
            self.gather();
            let Some(quotes) = self.look_ahead()? else { continue };
            let worked = started.elapsed();
            let command = Command::Quote(quotes);
            self.queue.push_aside(Request { command, request_id: None, validate_only: false })?;
            self.pause(rest(worked, self.share_percent))?;
        }
    }

    /// Finds jobs that were submitted since the last time and wait without a quote.
    fn gather(&mut self) {
        let state = self.view.read(State::clone);
        let new = state.jobs_from(self.next).filter(|job| wants_a_quote(&state, job));
        self.waiting.extend(new.map(|job| job.id));
        let (_, _, next, _) = state.next_ids();
        self.next = next;
    }

    /// What to tell the first of those that wait. None: none of them waits any more.
    fn look_ahead(&mut self) -> Result<Option<Vec<(JobId, Quote)>>, Refused> {
        if self.waiting.is_empty() {
            return Ok(None);
        }
        let fork = self.fork()?;
        let rest = self.waiting.iter().nth(JOBS_AT_ONCE).copied();
        let rest = rest.map(|first| self.waiting.split_off(&first)).unwrap_or_default();
        let mut wanted = std::mem::replace(&mut self.waiting, rest);
        let state = fork.state();
        wanted.retain(|id| state.job(*id).is_some_and(|job| wants_a_quote(state, job)));
        if wanted.is_empty() {
            return Ok(None);
        }
        let found = quotes(&fork, &wanted, Ahead::default());
        Ok(Some(found.into_iter().map(|(id, foreseen)| (id, foreseen.quote)).collect()))
    }

    fn fork(&self) -> Result<Arc<Fork>, Refused> {
        let min_revision = self.view.read(State::revision);
        loop {
            match self.queue.ask_for_fork(min_revision) {
                Ok(fork) => return fork.blocking_recv().map_err(|_| Refused::Closed),
                // Others ask for copies, and are served soon.
                Err(Refused::Full) => self.pause(GATHERING)?,
                Err(Refused::Closed) => return Err(Refused::Closed),
            }
        }
    }

    /// Rests, unless the engine goes meanwhile.
    fn pause(&self, span: Duration) -> Result<(), Refused> {
        match self.rung.recv_timeout(span) {
            Err(RecvTimeoutError::Disconnected) => Err(Refused::Closed),
            _ => Ok(()),
        }
    }
}

fn wants_a_quote(state: &State, job: &Job) -> bool {
    job.waits_for_its_first_place() && state.quotes().get(job.id).is_none()
}
