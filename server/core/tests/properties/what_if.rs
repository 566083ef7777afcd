//! What a fork of the engine foretells.

use std::sync::Arc;

use offpeak_core::{
    command::{Command, Request},
    event::Event,
    model::{Job, JobId, JobSpec, Millis, Name},
    rejection::Rejection,
    scheduler::Advice,
};

use super::Run;

impl Run {
    /// Steps until nothing is left to do, as a fork does with the same requests.
    pub(super) fn foretold_step(&mut self, requests: Vec<Request>) {
        // Time may have passed since the last step, if nothing was due.
        let later = self.now.after(Millis(7));
        if self.engine.next_wakeup().is_none_or(|due| due > later) {
            self.now = later;
        }
        let mut fork = self.engine.fork(self.now);
        let foretold = fork.step(requests.clone());
        let before = self.batches.len();
        let replies = self.step(requests);
        self.settle();
        let events = self.batches[before..].iter().flat_map(|batch| &batch.events);
        assert_eq!(foretold.batch.events.iter().collect::<Vec<_>>(), events.collect::<Vec<_>>());
        assert_eq!(foretold.replies, replies);
    }

    /// Whatever a waiting job is advised to ask for instead is placed at once when it is asked for. One copy advises all.
    pub(super) fn check_advice(&self) {
        let mut adviser = self.engine.fork(self.now);
        for id in self.naive.waiting() {
            let job = self.folded.job(id).expect("a job");
            if !job.is_ready() {
                continue;
            }
            let mut spec = JobSpec { count: job.counts.pending, ..(*job.spec).clone() };
            // What it waited for has come about, and may be forgotten.
            spec.change_extras(|extras| extras.dependencies.clear());
            for advice in adviser.advise(job.tenant, &spec) {
                self.check_one(job, &spec, &advice);
            }
        }
    }

    fn check_one(&self, job: &Job, spec: &JobSpec, advice: &Advice) {
        let tenant = self.folded.tenant(job.tenant).expect("a tenant").spec.name.clone();
        let spec = Arc::new(advice.change.apply(spec));
        let command = Command::SubmitJob { tenant, name: Name::default(), spec };
        let mut fork = self.engine.fork(self.now);
        let step = fork.step(vec![Request { command, request_id: None, validate_only: false }]);
        let id = fork.state().next_ids().2;
        match &step.replies[0] {
            Err(
                Rejection::QuotaExceeded { .. }
                | Rejection::DeadlinePassed
                | Rejection::CannotComplete,
            ) => return,
            reply => assert!(reply.is_ok(), "{reply:?}"),
        }
        let placed = step.batch.events.iter().map(|event| match event {
            Event::TasksPlaced { job, placements } if JobId(job.0 + 1) == id => {
                placements.iter().map(|placement| placement.count).sum()
            }
            _ => 0,
        });
        assert_eq!(placed.sum::<u32>(), advice.tasks, "{job:?} was advised {advice:?}");
    }
}
