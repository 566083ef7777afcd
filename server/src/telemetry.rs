//! What the server tells of itself: log events and metrics.
//!
//! Metrics are plain atomics that the driver adds to once a batch; what the view can tell is read only when somebody
//! asks. Deliberately absent: anything that a decision depends on.

mod endpoint;
mod kind;
mod metrics;

use std::io::{self, IsTerminal};

use tracing_subscriber::{EnvFilter, fmt, util::TryInitError};

pub use kind::Kind;
pub use metrics::Metrics;

pub(crate) use endpoint::serve;

use crate::config::LogFormat;

/// Why nothing can be logged.
#[derive(Debug, thiserror::Error)]
pub enum LoggingError {
    /// The filter makes no sense.
    #[error("the log level {0:?} is neither a level nor a filter")]
    Level(String, #[source] tracing_subscriber::filter::ParseError),
    /// The process has a subscriber.
    #[error("the process logs already")]
    Twice(#[from] TryInitError),
}

/// Sends the process's log events to standard error: in colour on a terminal, as JSON lines elsewhere.
///
/// # Errors
/// When `level` cannot be parsed, or on the second call in a process.
pub fn init_logging(format: LogFormat, level: &str) -> Result<(), LoggingError> {
    use tracing_subscriber::util::SubscriberInitExt;

    let filter = EnvFilter::try_new(level);
    let filter = filter.map_err(|error| LoggingError::Level(level.to_owned(), error))?;
    let terminal = io::stderr().is_terminal();
    let human = match format {
        LogFormat::Auto => terminal,
        LogFormat::Human => true,
        LogFormat::Json => false,
    };
    let builder = fmt().with_env_filter(filter).with_writer(io::stderr);
    if human {
        builder.with_ansi(terminal).with_target(false).finish().try_init()?;
    } else {
        builder.json().flatten_event(true).finish().try_init()?;
    }
    Ok(())
}
