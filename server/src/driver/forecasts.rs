use std::sync::{
    Arc,
    mpsc::{Receiver, Sender},
};

use offpeak_core::{
    command::{Command, Request},
    forecaster::Forecaster,
    model::NodeBounds,
};

use super::queue::Queue;
use crate::record::Record;

/// Nodes that one command bounds at most, so that others come between.
const NODES_PER_COMMAND: usize = 1_000;

/// The forecaster's thread: it learns from what is committed, beside the engine, and hands back what it finds.
pub(super) struct Forecasts {
    pub(super) forecaster: Forecaster,
    pub(super) told: Receiver<Told>,
    pub(super) queue: Arc<Queue>,
}

/// What the forecaster is told.
pub(super) enum Told {
    /// What was committed, as far as it matters.
    Committed(Arc<Record>),
    /// Somebody wants to keep what has been learned so far.
    Wanted(Sender<Forecaster>),
}

impl Forecasts {
    /// Learns until nobody tells anything any more. When the queue is closed it still learns, for the last checkpoint.
    pub(super) fn run(mut self) {
        while let Ok(told) = self.told.recv() {
            match told {
                Told::Committed(record) => {
                    let found = self.forecaster.fold(&record.batch);
                    drop(record);
                    self.tell(&found);
                }
                // Who asked may have gone.
                Told::Wanted(wanted) => drop(wanted.send(self.forecaster.clone())),
            }
        }
    }

    fn tell(&self, found: &[NodeBounds]) {
        for bounds in found.chunks(NODES_PER_COMMAND) {
            let command = Command::Forecast(bounds.to_vec());
            let request = Request { command, request_id: None, validate_only: false };
            if self.queue.push_aside(request).is_err() {
                return;
            }
        }
    }
}
