use std::{sync::Arc, thread};

use offpeak_core::model::Revision;

use super::queue::Queue;
use crate::{store::StoreError, view::Progress};

/// The exit code after a fatal error: an internal software error in `sysexits.h`.
const EXIT_CODE: i32 = 70;

/// Why a cell cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum FatalError {
    /// What was decided could not be made durable.
    #[error("the revisions {first} to {last} could not be written")]
    Append {
        /// The first revision of the record.
        first: Revision,
        /// The last revision of the record.
        last: Revision,
        /// What the log said.
        source: StoreError,
    },
    /// A bug. The panic's own message has been printed.
    #[error("the {0} thread panicked")]
    Panicked(&'static str),
}

/// Is called once a thread cannot go on. Returning from it leaves a cell that answers nothing but that it stops.
pub type OnFatal = Arc<dyn Fn(&FatalError) + Send + Sync>;

/// Ends the process: what a restart recovers is what was made durable.
#[must_use]
pub fn exit_on_fatal() -> OnFatal {
    Arc::new(|_| std::process::exit(EXIT_CODE))
}

/// Stops everything when its thread fails or panics.
pub(super) struct Guard {
    thread: &'static str,
    on_fatal: OnFatal,
    queue: Arc<Queue>,
    progress: Progress,
}

impl Guard {
    pub(super) fn new(
        thread: &'static str,
        on_fatal: &OnFatal,
        queue: &Arc<Queue>,
        progress: &Progress,
    ) -> Self {
        let (on_fatal, queue) = (Arc::clone(on_fatal), Arc::clone(queue));
        Self { thread, on_fatal, queue, progress: progress.clone() }
    }

    pub(super) fn fail(&self, error: &FatalError) {
        tracing::error!(error = error as &(dyn std::error::Error + 'static), "the cell stops");
        (self.on_fatal)(error);
        self.queue.abandon();
        self.progress.stop();
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if thread::panicking() {
            self.fail(&FatalError::Panicked(self.thread));
        }
    }
}
