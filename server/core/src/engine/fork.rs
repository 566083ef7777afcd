//! What would come of it: an engine's copy that decides on commands which nobody has given.

use super::{Engine, Step, demand::Tally, timers::Timers};
use crate::{
    command::Request,
    event::Batch,
    model::{JobSpec, TenantId, Time},
    scheduler::Advice,
    state::State,
};

/// Steps after which whoever asks has an answer, though more work could be placed.
const STEPS: usize = 64;

/// An engine as of a moment. What is asked of it does not touch the engine that it was taken from. It decides for that
/// moment: it does not know what becomes due later.
#[derive(Clone, Debug)]
pub struct Fork {
    pub(super) engine: Engine,
}

impl Engine {
    /// A copy to ask what would come of a command at the time `now`, by when nothing is due that was not done.
    #[must_use]
    pub fn fork(&self, now: Time) -> Fork {
        Fork {
            engine: Self {
                now: self.now.max(now),
                state: self.state.clone(),
                scheduler: self.scheduler.clone(),
                // What is due by then has been done, so that nothing of it is missed.
                timers: Timers::default(),
                batch: Batch::default(),
                touched_nodes: self.touched_nodes.clone(),
                touched_jobs: self.touched_jobs.clone(),
                touched_tenants: self.touched_tenants.clone(),
                touched_quotas: self.touched_quotas.clone(),
                touched_owners: self.touched_owners.clone(),
                demand: Tally::default(),
                evicted: self.evicted.clone(),
                room: Vec::new(),
                tried: Vec::new(),
                freed: Vec::new(),
                ..*self
            },
        }
    }

    /// How many pages are not those of a copy that was taken before: about as many had to be copied since then because the
    /// copy shares them.
    #[must_use]
    pub fn pages_changed(&self, earlier: &Fork) -> usize {
        let Self { state, scheduler, .. } = &earlier.engine;
        self.state.pages_changed(state) + self.scheduler.pages_changed(scheduler)
    }
}

impl Fork {
    /// The state with what was decided on this copy.
    #[must_use]
    pub fn state(&self) -> &State {
        self.engine.state()
    }

    /// The moment.
    #[must_use]
    pub fn now(&self) -> Time {
        self.engine.now
    }

    /// What the engine would decide if these requests came next, until nothing is left to do at this moment.
    pub fn step(&mut self, requests: Vec<Request>) -> Step {
        let now = self.engine.now;
        let mut all = self.engine.step(now, requests);
        for _ in 1..STEPS {
            if self.engine.next_wakeup().is_none_or(|due| due > now) {
                break;
            }
            let Batch { mut commits, mut events } = self.engine.step(now, Vec::new()).batch;
            let begin = all.batch.events.len();
            commits.iter_mut().for_each(|commit| commit.end += begin);
            all.batch.commits.append(&mut commits);
            all.batch.events.append(&mut events);
        }
        all
    }

    /// What else a tenant could ask for, of which all `spec.count` tasks would be placed at once.
    pub fn advise(&mut self, tenant: TenantId, spec: &JobSpec) -> Vec<Advice> {
        self.engine.scheduler.advise(&self.engine.state, tenant, spec)
    }
}
