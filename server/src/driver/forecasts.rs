use std::sync::{
    Arc, Mutex, PoisonError,
    mpsc::{Receiver, Sender},
};

use offpeak_core::{
    command::{Command, Request},
    forecaster::{Forecaster, Memories},
    model::{NodeBounds, NodeId},
};
use tokio::sync::oneshot;

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
pub(crate) enum Told {
    /// What was committed, as far as it matters.
    Committed(Arc<Record>),
    /// Somebody wants to keep what has been learned so far.
    Wanted(Sender<Forecaster>),
    /// Somebody wants to look ahead with what is remembered of these nodes.
    Asked(Vec<NodeId>, oneshot::Sender<Memories>),
}

/// Where the forecaster can be asked, until the driver stops: its thread ends when nobody can tell it anything any more.
#[derive(Debug)]
pub(crate) struct Line(Mutex<Option<Sender<Told>>>);

impl Line {
    pub(super) fn new(told: Sender<Told>) -> Self {
        Self(Mutex::new(Some(told)))
    }

    /// Asks for what is remembered of these nodes. Nothing comes if the driver stops.
    pub(crate) fn ask(&self, nodes: Vec<NodeId>) -> oneshot::Receiver<Memories> {
        let (answer, rx) = oneshot::channel();
        let line = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(told) = line.as_ref() {
            // A forecaster that is gone drops the question, which tells whoever asked.
            drop(told.send(Told::Asked(nodes, answer)));
        }
        rx
    }

    pub(super) fn close(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
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
                Told::Asked(nodes, asked) => drop(asked.send(self.forecaster.memories(&nodes))),
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
