//! `offpeakd backtest`: what an owner could have lent, and at what risk, over their own history.
//!
//! `history` reads the load from a wide CSV, `prometheus` from the answer to a range query. `replay` feeds it to the
//! forecast of the core, row by row, and keeps the bound in force after each: no row is seen before its time. `score`
//! holds the bounds against what came, `report` prints that, `dump` writes the bounds and `plot` draws a week. `hours`
//! holds what is told of the coming day against what came.
//!
//! Deliberately absent: the engine, jobs and placements, which `offpeakd simulate` has, and any constant to tune.

mod dump;
mod history;
mod hours;
mod plot;
mod prometheus;
mod replay;
mod report;
mod score;

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    str::FromStr,
};

use clap::Args;
use offpeak_core::{
    forecast::Risk,
    model::{Horizon, Millis},
};

use crate::tables::{InputError, is_standard};
use history::History;
use report::Report;

/// What to look back on.
#[derive(Args, Clone, Debug)]
pub struct Backtest {
    /// The owner's load: CSV with a column "step" and one a node in thousandths of its capacity, or the JSON of a
    /// Prometheus range query in fractions of capacity; "-" is standard input, and gzip is recognized
    #[arg(long, value_name = "FILE")]
    load: PathBuf,
    /// Seconds between two steps of the load
    #[arg(long, value_name = "SECONDS", default_value_t = 300, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    step: u64,
    /// How long what is lent must stay idle: 5m, 1h, 6h or 24h; 5m is decided anew at every sample
    #[arg(long, value_name = "SPAN", default_value = "1h")]
    horizon: HorizonArg,
    /// How often the bound may be exceeded, as a part of the times that it is made
    #[arg(long, value_name = "PART", default_value = "0.01")]
    risk: RiskArg,
    /// Lend more only after an hour in which that would have been right: fewer evictions, and less lent
    #[arg(long)]
    steady: bool,
    /// Days at the beginning that are learned from and do not count
    #[arg(long, value_name = "DAYS", default_value_t = 7)]
    warm_up_days: u32,
    /// Where to write the bound in force after each row, in the shape of the load; gzip if the name ends in .gz
    #[arg(long, value_name = "FILE")]
    dump: Option<PathBuf>,
    /// Where to draw the last week, as SVG
    #[arg(long, value_name = "FILE")]
    plot: Option<PathBuf>,
    /// What an hour of a whole node is paid, in any currency: tells what the lent part would have earned
    #[arg(long, value_name = "PRICE", value_parser = price)]
    node_price: Option<f64>,
    /// Hold what is told of each of the coming 24 hours against what came, instead of the bound of a horizon
    #[arg(long, conflicts_with_all = ["horizon", "risk", "steady", "dump", "plot", "node_price"])]
    hours: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// A horizon on the command line.
#[derive(Clone, Copy, Debug)]
struct HorizonArg(Horizon);

impl FromStr for HorizonArg {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Horizon::ALL
            .into_iter()
            .find(|horizon| report::name_of(*horizon) == text)
            .map(Self)
            .ok_or("is none of 5m, 1h, 6h and 24h")
    }
}

/// A risk on the command line.
#[derive(Clone, Copy, Debug)]
struct RiskArg(Risk);

impl FromStr for RiskArg {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let part = text.parse::<f64>().ok().filter(|part| (0.000_01..=0.5).contains(part));
        let part = part.ok_or("is no number from 0.00001 to 0.5, such as 0.01")?;
        // A million times at most one half fits; the cast is of a small positive number.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 500,000")]
        let ppm = (part * 1_000_000.0).round() as u32;
        Ok(Self(Risk::ppm(ppm)))
    }
}

fn price(text: &str) -> Result<f64, &'static str> {
    let price = text.parse::<f64>().ok().filter(|price| price.is_finite() && *price >= 0.0);
    price.ok_or("is no price such as 1.25")
}

/// Why there is no result.
#[derive(Debug, thiserror::Error)]
pub enum BacktestError {
    /// Standard output has the figures.
    #[error("{what} needs a file of its own: standard output has the figures")]
    ToStandardOutput {
        /// What was to be written there.
        what: &'static str,
    },
    /// The load could not be used.
    #[error("there is nothing to look back on")]
    Input(#[from] InputError),
    /// The JSON is not the answer to a range query, or holds what is no load.
    #[error("{file} is no use as the answer to a range query: {what}")]
    Json {
        /// The file, or standard input.
        file: String,
        /// What is wrong.
        what: String,
    },
    /// A file could not be written.
    #[error("could not write to {}", .path.display())]
    Write {
        /// Where to.
        path: PathBuf,
        /// What went wrong.
        source: io::Error,
    },
}

impl Backtest {
    /// Looks back, writes what is asked for, and gives back what is to be printed.
    ///
    /// # Errors
    /// When the load cannot be read or has faults, or when a file cannot be written.
    pub fn run(&self) -> Result<String, BacktestError> {
        for (path, what) in [(&self.dump, "--dump"), (&self.plot, "--plot")] {
            if path.as_deref().is_some_and(is_standard) {
                return Err(BacktestError::ToStandardOutput { what });
            }
        }
        let history = History::read(&self.load, Millis(self.step * Millis::SECOND.0))?;
        if self.hours {
            let report = hours::look_back(&history, self.warm_up_days);
            return Ok(if self.json { report.to_json() } else { report.to_text() });
        }
        // Created before anything is reckoned, so that nothing is in vain.
        let dump = self.dump.as_deref().map(create).transpose()?;
        let bounds = replay::replay(&history, self.horizon.0, self.risk.0, self.steady);
        if let (Some(out), Some(path)) = (dump, &self.dump) {
            dump::write(out, is_gzip(path), &history, &bounds).map_err(unwritten(path))?;
        }
        if let Some(path) = &self.plot {
            fs::write(path, plot::draw(&history, &bounds)).map_err(unwritten(path))?;
        }
        let scores = score::score(&history, &bounds, self.horizon.0, self.warm_up_days);
        let report = Report::of(&scores, self.horizon.0, self.risk.0, self.steady);
        let report = report.with_price(self.node_price);
        Ok(if self.json { report.to_json() } else { report.to_text() })
    }
}

fn create(path: &Path) -> Result<File, BacktestError> {
    File::create(path).map_err(unwritten(path))
}

fn unwritten(path: &Path) -> impl Fn(io::Error) -> BacktestError {
    move |source| BacktestError::Write { path: path.to_owned(), source }
}

fn is_gzip(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "gz")
}
