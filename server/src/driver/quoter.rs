use std::{
    collections::BTreeSet,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel},
    },
    time::{Duration, Instant},
};

use offpeak_core::{
    command::{Command, Request},
    engine::{Ahead, Fork},
    event::Event,
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
/// job is told once, soon after it was submitted, or after those that it waited for have ended.
pub(super) struct Quoter {
    queue: Arc<Queue>,
    view: Arc<View>,
    rung: Receiver<()>,
    shared: Arc<Shared>,
    share_percent: u32,
    /// Jobs from here on have not been looked at.
    next: JobId,
    /// Those that wait for a quote.
    waiting: BTreeSet<JobId>,
}

/// How the committer tells the quoter that jobs wait which it does not know of.
pub(super) struct Bell {
    rings: SyncSender<()>,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    /// The quoter listens.
    idle: AtomicBool,
    /// Jobs that were looked at and began to wait for a place later, as far as they were not looked at again.
    resumed: Mutex<Vec<JobId>>,
}

impl Bell {
    /// After each commit: rings if the quoter listens and has something to do.
    pub(super) fn ring(&self, events: &[Event], view: &View) {
        let (mut is_news, mut resumed) = (false, Vec::new());
        for event in events {
            match event {
                Event::JobSubmitted { .. } => is_news = true,
                Event::TasksResumed { job, .. } => resumed.push(*job),
                _ => {}
            }
        }
        if !resumed.is_empty() {
            view.read(|state| resumed.retain(|id| wants_a_quote(state, *id)));
            is_news |= !resumed.is_empty();
            self.shared.resumed().append(&mut resumed);
        }
        if is_news && self.shared.idle.load(Ordering::SeqCst) && view.read(has_unquoted) {
            self.shared.idle.store(false, Ordering::SeqCst);
            // Who listens has room for it. A quoter that is gone has been reported by its guard.
            let _ = self.rings.try_send(());
        }
    }
}

impl Shared {
    fn resumed(&self) -> MutexGuard<'_, Vec<JobId>> {
        self.resumed.lock().unwrap_or_else(PoisonError::into_inner)
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
        let shared = Arc::<Shared>::default();
        let quoter = Self {
            queue: Arc::clone(queue),
            view: Arc::clone(view),
            rung,
            shared: Arc::clone(&shared),
            share_percent: config.quotes_share_percent,
            next: JobId(0),
            waiting: BTreeSet::new(),
        };
        Some((quoter, Bell { rings, shared }))
    }

    /// Quotes until the committer is gone or the queue is closed.
    pub(super) fn run(mut self) {
        // Either way nobody waits for quotes any more.
        let (Ok(()) | Err(Refused::Closed | Refused::Full)) = self.quote_all();
    }

    fn quote_all(&mut self) -> Result<(), Refused> {
        loop {
            if self.waiting.is_empty() {
                self.shared.idle.store(true, Ordering::SeqCst);
                // What came meanwhile did not ring.
                if !self.is_behind() {
                    self.rung.recv().map_err(|_| Refused::Closed)?;
                }
                self.shared.idle.store(false, Ordering::SeqCst);
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

    /// Whether jobs wait that may want a quote and were not looked at. One that waits and can have none, because some of
    /// its tasks had a place before, is looked at once.
    fn is_behind(&self) -> bool {
        let came = |state: &State| {
            let (_, _, next, _) = state.next_ids();
            next > self.next || !self.shared.resumed().is_empty()
        };
        self.view.read(|state| has_unquoted(state) && came(state))
    }

    /// Finds jobs that have come to wait since the last time and wait without a quote.
    fn gather(&mut self) {
        let resumed = std::mem::take(&mut *self.shared.resumed());
        let state = self.view.read(State::clone);
        let new = state.jobs_from(self.next).map(|job| job.id).chain(resumed);
        self.waiting.extend(new.filter(|id| wants_a_quote(&state, *id)));
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
        wanted.retain(|id| wants_a_quote(state, *id));
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

/// Whether more jobs wait than were told when they start.
fn has_unquoted(state: &State) -> bool {
    state.waiting().jobs > state.quotes().open().len() as u64
}

fn wants_a_quote(state: &State, id: JobId) -> bool {
    state.job(id).is_some_and(Job::waits_for_its_first_place) && state.quotes().get(id).is_none()
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, atomic::Ordering};

    use offpeak_core::{
        command::Command,
        engine::Engine,
        event::Event,
        model::{Job, JobId, Time},
        state::State,
    };

    use super::{Queue, Quoter, View};
    use crate::{
        config::Config,
        driver::tests::{create, node, planner::submit, request},
    };

    #[test]
    fn a_job_that_waits_and_can_have_no_quote_is_looked_at_once() {
        let mut engine = Engine::new(State::default(), Time(0));
        let nodes = Command::RegisterNodes(vec![node("n", 1_000)]);
        let submitted = submit("half", 600, 2);
        let step = engine.step(Time(0), vec![create("t"), request(nodes), submitted]);
        let job = engine.state().job(JobId(1)).map(Job::waits_for_its_first_place);
        assert_eq!((job, engine.state().waiting().jobs), (Some(false), 1), "one task has a place");

        let view = Arc::new(View::new(engine.state().clone()));
        let queue = Arc::new(Queue::new(10));
        let (mut quoter, bell) = Quoter::new(&Config::default(), &queue, &view).expect("it is on");
        assert!(quoter.is_behind());
        quoter.gather();
        assert!(quoter.waiting.is_empty() && !quoter.is_behind());
        quoter.shared.idle.store(true, Ordering::SeqCst);
        bell.ring(&[Event::LoadReported { samples: Vec::new() }], &view);
        assert!(quoter.rung.try_recv().is_err(), "nothing has come");
        bell.ring(&step.batch.events, &view);
        assert!(quoter.rung.try_recv().is_ok(), "a job has come");
    }
}
