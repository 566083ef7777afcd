use std::{error::Error, sync::Arc, time::Duration};

use offpeak_core::{model::Revision, rejection::Rejection};

/// Why a cell did not do what was asked.
#[derive(Clone, Debug, thiserror::Error)]
pub enum CellError {
    /// The command was refused.
    #[error(transparent)]
    Rejected(#[from] Rejection),
    /// The queue is full; the command was not taken.
    #[error("the cell is overloaded: retry after {} ms", .retry_after.as_millis())]
    Overloaded {
        /// When it is worth trying again.
        retry_after: Duration,
    },
    /// The view has not reached the revision in time.
    #[error("the newest revision is {newest}")]
    NotYet {
        /// What it has reached.
        newest: Revision,
    },
    /// The checkpoint could not be written.
    #[error("the checkpoint could not be written")]
    Checkpoint(#[source] Arc<dyn Error + Send + Sync>),
    /// The server stops. A command already handed over may have been done or not.
    #[error("the server stops")]
    Stopping,
}

/// Why a subscription ended.
#[derive(Clone, Debug, thiserror::Error)]
pub enum FeedError {
    /// The log no longer goes back that far.
    #[error("the log begins with revision {first_available}")]
    Compacted {
        /// The first revision that is still there; a subscription begins after the one before it.
        first_available: Revision,
    },
    /// The server stops.
    #[error("the server stops")]
    Stopping,
    /// The log could not be read.
    #[error("the log could not be read")]
    Log(#[source] Arc<dyn Error + Send + Sync>),
}
