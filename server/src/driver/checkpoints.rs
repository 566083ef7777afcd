use std::{
    sync::{
        Arc,
        mpsc::{self, Receiver, Sender, TryRecvError},
    },
    time::Instant,
};

use offpeak_core::{forecaster::Forecaster, model::Revision, state::State};
use tokio::sync::oneshot;

use super::forecasts::Told;
use crate::{
    cell::CellError,
    codec,
    store::{Log, Retention, StoreError, Trimmed},
    telemetry::Metrics,
    view::View,
};

/// A wish for a checkpoint.
#[derive(Debug)]
pub(crate) enum Ask {
    /// Enough was appended since the last one.
    Due,
    /// Somebody waits for it.
    Now(oneshot::Sender<Result<Revision, CellError>>),
    /// The cell stops: one more, then no others.
    Last,
}

/// The checkpoint thread. Commits go on while it writes.
pub(super) struct Checkpointer {
    pub(super) view: Arc<View>,
    pub(super) log: Arc<dyn Log>,
    pub(super) asks: Receiver<Ask>,
    pub(super) forecaster: Sender<Told>,
    pub(super) retention: Retention,
    pub(super) metrics: Metrics,
}

impl Checkpointer {
    /// Serves wishes until the last one; those that come while a checkpoint is written share the next.
    pub(super) fn run(self) {
        while let Ok(first) = self.asks.recv() {
            let mut waiting = Vec::new();
            let mut last = false;
            let mut next = Ok(first);
            while let Ok(ask) = next {
                match ask {
                    Ask::Due => {}
                    Ask::Now(tx) => waiting.push(tx),
                    Ask::Last => last = true,
                }
                next = self.asks.try_recv();
            }
            let taken = self.take().map_err(|error| {
                tracing::error!(
                    error = &error as &(dyn std::error::Error + 'static),
                    "the checkpoint could not be written"
                );
                CellError::Checkpoint(Arc::new(error))
            });
            for tx in waiting {
                let _ = tx.send(taken.clone());
            }
            if last || matches!(next, Err(TryRecvError::Disconnected)) {
                return;
            }
        }
    }

    /// What was learned from all that the view shows, and maybe from what came since.
    fn learned(&self) -> Option<Forecaster> {
        let (tx, rx) = mpsc::channel();
        self.forecaster.send(Told::Wanted(tx)).ok()?;
        rx.recv().ok()
    }

    /// Writes a checkpoint of what is committed, unless there is one, and trims the log.
    fn take(&self) -> Result<Revision, StoreError> {
        let state = self.view.read(State::clone);
        let revision = state.revision();
        if revision > self.log.bounds().checkpoint {
            let started = Instant::now();
            let mut writer = self.log.begin_checkpoint(revision)?;
            codec::encode_checkpoint(&state, |entry| writer.put(entry))?;
            drop(state);
            if let Some(forecaster) = self.learned() {
                codec::encode_learned(&forecaster, |entry| writer.put(entry))?;
            }
            writer.finish()?;
            let took = started.elapsed();
            self.metrics.checkpointed(took);
            tracing::info!(
                revision = revision.0,
                took_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
                "took a checkpoint"
            );
        }
        while self.log.trim(self.retention)? == Trimmed::More {}
        Ok(revision)
    }
}
