use std::{
    sync::{
        Arc,
        mpsc::{Receiver, Sender},
    },
    time::Instant,
};

use offpeak_core::forecaster::Forecaster;

use super::{
    Ask,
    fatal::{FatalError, Guard},
    forecasts::Told,
    group::{Group, Stepped},
    queue::answer,
    quoter::Bell,
};
use crate::{cell::Shared, codec, config::Config, record::Record, store::Log, telemetry::Metrics};

/// The committer's thread: the only one that appends to the log and writes the view.
pub(super) struct Committer {
    shared: Arc<Shared>,
    log: Arc<dyn Log>,
    steps: Receiver<Stepped>,
    learners: Learners,
    record_limit_events: usize,
    checkpoint_every_bytes: u64,
    /// Appended since the last checkpoint was asked for; after a start, what the log holds.
    since_checkpoint_bytes: u64,
    metrics: Metrics,
}

/// Who is told of what was committed, beside those who watch.
pub(super) struct Learners {
    pub(super) forecaster: Sender<Told>,
    /// Where jobs that wait are quoted, if they are.
    pub(super) bell: Option<Bell>,
}

impl Committer {
    pub(super) fn new(
        config: &Config,
        shared: Arc<Shared>,
        log: Arc<dyn Log>,
        steps: Receiver<Stepped>,
        learners: Learners,
        metrics: Metrics,
    ) -> Self {
        let bounds = log.bounds();
        let replayed = bounds.newest > bounds.checkpoint;
        Self {
            shared,
            steps,
            learners,
            record_limit_events: config.record_limit_events,
            checkpoint_every_bytes: config.checkpoint_every_bytes,
            since_checkpoint_bytes: if replayed { bounds.log_bytes } else { 0 },
            log,
            metrics,
        }
    }

    /// Commits until the engine is gone or an append fails. Who still waits then learns that the server stops.
    pub(super) fn run(mut self, guard: &Guard) {
        while let Ok(first) = self.steps.recv() {
            let Group { record, steps } =
                Group::gather(first, &self.steps, self.record_limit_events);
            if let Err(error) = self.commit(record) {
                guard.fail(&error);
                return;
            }
            for step in steps {
                self.metrics.answered(&step.kinds, &step.replies);
                answer(step.waiters, step.replies);
            }
        }
    }

    /// Makes a record durable, then visible, then published.
    fn commit(&mut self, record: Record) -> Result<(), FatalError> {
        let Some((first, last)) = record.batch.revisions() else { return Ok(()) };
        let payload = codec::encode_record(&record);

        let started = Instant::now();
        let appended = self.log.append(first, last, &payload);
        appended.map_err(|source| FatalError::Append { first, last, source })?;
        self.metrics.appended(started.elapsed(), payload.len());

        let started = Instant::now();
        let record = Arc::new(record);
        if record.batch.events.iter().any(Forecaster::learns_from) {
            // Before it is in the view: whoever sees it there may ask what has been learned up to it. A forecaster that
            // is gone has been reported by its guard.
            let _ = self.learners.forecaster.send(Told::Committed(Arc::clone(&record)));
        }
        self.shared.view.fold(&record.batch);
        if let Some(bell) = &self.learners.bell {
            bell.ring(&record.batch.events, &self.shared.view);
        }
        self.shared.feed.publish(record, last, payload.len());
        self.metrics.published(started.elapsed(), last);
        self.ask_for_checkpoint(payload.len() as u64);
        Ok(())
    }

    fn ask_for_checkpoint(&mut self, appended_bytes: u64) {
        self.since_checkpoint_bytes += appended_bytes;
        // A large one is worth more log, or a large cell would do little else than write itself down.
        let half = self.log.bounds().checkpoint_bytes / 2;
        if self.since_checkpoint_bytes >= self.checkpoint_every_bytes.max(half) {
            self.since_checkpoint_bytes = 0;
            // Without its thread, which has reported why, there are no checkpoints.
            let _ = self.shared.asks.send(Ask::Due);
        }
    }
}
