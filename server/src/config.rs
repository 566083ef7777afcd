//! Everything that can be set, with its default.
//!
//! Flags win over the environment (`OFFPEAKD_*`), the environment over the file, the file over the defaults. A key or
//! a variable that nobody knows is refused by name: a misspelt limit must not go unnoticed.

mod value;

use std::{
    env, fs, io,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
};

use clap::Args;
use offpeak_core::model::{Millis, Name, Policy, TextError};
use serde::{Deserialize, Serialize};

pub use value::{LogFormat, Optional, Span, ValueError};

/// The variable that names the file.
const FILE_VARIABLE: &str = "OFFPEAKD_CONFIG";

/// The beginning of the names of all variables.
const VARIABLE_PREFIX: &str = "OFFPEAKD_";

/// Attempts of the planner a site that bring most of what there is to gain; ten times as many bring little more.
pub(crate) const DEFAULT_PLANNER_ATTEMPTS: u32 = 40;

macro_rules! settings {
    ($($(#[doc = $doc:literal])* $name:ident: $type:ty = $default:expr, $variable:literal;)*) => {
        /// The effective settings.
        #[derive(Clone, Debug, PartialEq, Eq, Serialize)]
        pub struct Config {
            $($(#[doc = $doc])* pub $name: $type,)*
        }

        impl Default for Config {
            fn default() -> Self {
                Self { $($name: $default,)* }
            }
        }

        /// Settings from one place; what is not set there is left to the places below.
        #[derive(Args, Clone, Debug, Default, Deserialize)]
        #[serde(default, deny_unknown_fields)]
        pub struct Settings {
            $(
                $(#[doc = $doc])*
                #[arg(long, env = $variable, hide_env_values = true)]
                pub $name: Option<$type>,
            )*
        }

        impl Config {
            fn overlay(&mut self, settings: Settings) {
                $(if let Some(value) = settings.$name {
                    self.$name = value;
                })*
            }
        }

        const VARIABLES: &[&str] = &[FILE_VARIABLE, $($variable),*];
    };
}

settings! {
    /// Address of the gRPC API; port 0 takes any free one
    listen: SocketAddr = local(7470), "OFFPEAKD_LISTEN";
    /// Address of the Prometheus metrics, or "off"
    metrics_listen: Optional<SocketAddr> = Optional(Some(local(7471))), "OFFPEAKD_METRICS_LISTEN";
    /// Folder of the store; created when it is missing
    data_dir: PathBuf = PathBuf::from("offpeak-data"), "OFFPEAKD_DATA_DIR";
    /// Name of the cell
    cell: String = "default".to_owned(), "OFFPEAKD_CELL";

    /// What is added to the greatest load of the last day, in thousandths of it, while an owner is too new to forecast
    forecast_margin_permille: u32 = Policy::default().forecast_margin_permille,
        "OFFPEAKD_FORECAST_MARGIN_PERMILLE";
    /// How long before an eviction the notice comes, where a job does not say
    notice: Span = Policy::default().notice.into(), "OFFPEAKD_NOTICE";
    /// How long an ended job is kept
    job_retention: Span = Policy::default().job_retention.into(), "OFFPEAKD_JOB_RETENTION";
    /// How long the answer to a request id is kept
    request_retention: Span = Policy::default().request_retention.into(),
        "OFFPEAKD_REQUEST_RETENTION";
    /// How many answers to request ids are kept
    request_limit: u64 = Policy::default().request_limit, "OFFPEAKD_REQUEST_LIMIT";
    /// The time after which what a tenant held counts half in its share; 0: only what it holds now counts
    share_half_life: Span = Policy::default().share_half_life.into(), "OFFPEAKD_SHARE_HALF_LIFE";

    /// Revisions of log kept for watches
    retention_revisions: u64 = 10_000_000, "OFFPEAKD_RETENTION_REVISIONS";
    /// Bytes of log kept for watches
    retention_bytes: u64 = 256 << 20, "OFFPEAKD_RETENTION_BYTES";
    /// Bytes appended to the log between two checkpoints; half as many as the last one has, if that is more
    checkpoint_every_bytes: u64 = 64 << 20, "OFFPEAKD_CHECKPOINT_EVERY_BYTES";
    /// Bytes of memory for the store's pages
    store_cache_bytes: u64 = 32 << 20, "OFFPEAKD_STORE_CACHE_BYTES";

    /// Commands waiting for the engine; more are refused until there is room
    queue_limit_requests: usize = 65_536, "OFFPEAKD_QUEUE_LIMIT_REQUESTS";
    /// Commands that the engine takes for one step
    batch_limit_requests: usize = 4_096, "OFFPEAKD_BATCH_LIMIT_REQUESTS";
    /// Steps that the engine may be ahead of the log
    steps_in_flight: usize = 4, "OFFPEAKD_STEPS_IN_FLIGHT";
    /// Events at which a log record takes no further step in
    record_limit_events: usize = 8_192, "OFFPEAKD_RECORD_LIMIT_EVENTS";
    /// When a client should retry that found the queue full
    overload_retry: Span = Span::from_millis(100), "OFFPEAKD_OVERLOAD_RETRY";
    /// How many changes of its plan the planner tries for each node, whenever it plans; 0 is no planner
    planner_attempts: u32 = DEFAULT_PLANNER_ATTEMPTS, "OFFPEAKD_PLANNER_ATTEMPTS";
    /// How long a plan may take; where it is too short, fewer changes are tried
    planner_budget: Span = Span::from_millis(1_000), "OFFPEAKD_PLANNER_BUDGET";
    /// Percentage of one core's time that the planner takes at most, what the engine does for it included
    planner_share_percent: u32 = 20, "OFFPEAKD_PLANNER_SHARE_PERCENT";
    /// Percentage of one core's time in which jobs that wait are told when they will start; 0 tells none
    quotes_share_percent: u32 = 5, "OFFPEAKD_QUOTES_SHARE_PERCENT";
    /// How long a step may take to pack work that came at once, which it does a twentieth of the time at most
    batch_budget: Span = Span::from_millis(5), "OFFPEAKD_BATCH_BUDGET";
    /// Records kept in memory for watches
    feed_limit_records: usize = 4_096, "OFFPEAKD_FEED_LIMIT_RECORDS";
    /// Bytes of records, as in the log, kept in memory for watches; in memory they take several times as much
    feed_limit_bytes: usize = 16 << 20, "OFFPEAKD_FEED_LIMIT_BYTES";
    /// Watches that read older records from the log at the same time
    feed_limit_readers: usize = 4, "OFFPEAKD_FEED_LIMIT_READERS";
    /// Bytes of older records that a watch reads at once
    feed_read_bytes: usize = 1 << 20, "OFFPEAKD_FEED_READ_BYTES";
    /// How long open requests may take to end when the server stops
    shutdown_grace: Span = Span::from_millis(10_000), "OFFPEAKD_SHUTDOWN_GRACE";

    /// Format of log events: "auto" is "human" on a terminal and "json" elsewhere
    log_format: LogFormat = LogFormat::Auto, "OFFPEAKD_LOG_FORMAT";
    /// Least level of log events, or a filter such as "warn,offpeak_server=debug"
    log_level: String = "info".to_owned(), "OFFPEAKD_LOG_LEVEL";
}

/// Where settings come from.
#[derive(Args, Clone, Debug, Default)]
pub struct Sources {
    /// TOML file with settings
    #[arg(long, env = FILE_VARIABLE, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Flags, and the environment where there is no flag.
    #[command(flatten)]
    pub settings: Settings,
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file could not be read.
    #[error("could not read the configuration {}", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file is not TOML, or has a key that nobody knows or a value that does not fit.
    #[error("could not parse the configuration {}", .path.display())]
    Parse {
        /// The file.
        path: PathBuf,
        /// Where and what.
        source: toml::de::Error,
    },
    /// A variable with our prefix that nobody knows.
    #[error("unknown environment variable {0}")]
    UnknownVariable(String),
    /// A limit of nothing.
    #[error("{0} must be at least 1")]
    Zero(&'static str),
    /// More than makes sense.
    #[error("{0} must be at most {1}")]
    TooMuch(&'static str, u32),
    /// The cell's name is no name.
    #[error("cell {name:?} is no name: it {source}")]
    Cell {
        /// As given.
        name: String,
        /// What is wrong with it.
        source: TextError,
    },
}

impl Sources {
    /// Lays flags and environment over the file and the file over the defaults.
    ///
    /// # Errors
    /// See [`ConfigError`].
    pub fn load(self) -> Result<Config, ConfigError> {
        refuse_unknown(env::vars_os().filter_map(|(name, _)| name.into_string().ok()))?;
        let mut config = Config::default();
        if let Some(path) = &self.config {
            config.overlay(read(path)?);
        }
        config.overlay(self.settings);
        config.check()?;
        Ok(config)
    }
}

impl Config {
    /// The cell's settings as the core knows them.
    #[must_use]
    pub fn policy(&self) -> Policy {
        Policy {
            forecast_margin_permille: self.forecast_margin_permille,
            notice: self.notice.into(),
            job_retention: self.job_retention.into(),
            request_retention: self.request_retention.into(),
            request_limit: self.request_limit,
            share_half_life: self.share_half_life.into(),
        }
    }

    /// As a TOML file that yields the same settings.
    ///
    /// # Errors
    /// When a path is not UTF-8.
    pub fn to_toml(&self) -> Result<String, toml::ser::Error> {
        toml::to_string(self)
    }

    fn check(&self) -> Result<(), ConfigError> {
        let limits = [
            ("queue_limit_requests", self.queue_limit_requests),
            ("batch_limit_requests", self.batch_limit_requests),
            ("steps_in_flight", self.steps_in_flight),
            ("record_limit_events", self.record_limit_events),
            ("feed_limit_records", self.feed_limit_records),
            ("feed_limit_readers", self.feed_limit_readers),
            ("feed_read_bytes", self.feed_read_bytes),
            ("planner_share_percent", self.planner_share_percent as usize),
        ];
        if let Some((name, _)) = limits.into_iter().find(|(_, limit)| *limit == 0) {
            return Err(ConfigError::Zero(name));
        }
        if self.planner_share_percent > 100 {
            return Err(ConfigError::TooMuch("planner_share_percent", 100));
        }
        if self.quotes_share_percent > 100 {
            return Err(ConfigError::TooMuch("quotes_share_percent", 100));
        }
        let name = Name::parse(&self.cell);
        name.map_err(|source| ConfigError::Cell { name: self.cell.clone(), source })?;
        Ok(())
    }
}

fn read(path: &Path) -> Result<Settings, ConfigError> {
    let text = fs::read_to_string(path);
    let text = text.map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
    toml::from_str(&text).map_err(|source| ConfigError::Parse { path: path.to_owned(), source })
}

fn refuse_unknown(names: impl Iterator<Item = String>) -> Result<(), ConfigError> {
    for name in names {
        if name.starts_with(VARIABLE_PREFIX) && !VARIABLES.contains(&name.as_str()) {
            return Err(ConfigError::UnknownVariable(name));
        }
    }
    Ok(())
}

fn local(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}

impl From<Millis> for Span {
    fn from(span: Millis) -> Self {
        Self::from_millis(span.0)
    }
}

impl From<Span> for Millis {
    fn from(span: Span) -> Self {
        Self(u64::try_from(span.0.as_millis()).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests;
