//! `offpeakd simulate`: the real engine on a virtual clock, driven by files, to try a fleet or a policy before buying it.
//!
//! `input` reads nodes, tenants, tasks, yesterday's tasks, owners' load and windows, and names every fault before anything
//! happens.
//! `run` submits the tasks as they arrive, consults the planner after each batch and lets everything due in between
//! happen at its time; `timeline` holds what becomes due outside the engine. `ledger` folds the engine's events into
//! what became of every task, `lending` into what owners left and what of it was used, `fairness` into what tenants got of
//! what they were entitled to, and `report`, `summary` and `decisions` write it down. `quotes` tells jobs that wait when they
//! will start and counts how that came out. `mix` knows the distinct requests
//! of the run and what they leave unusable.
//!
//! Deliberately absent: a store, a network, threads, and any say in a decision. The wall clock is read around steps to
//! tell how long they took and for nothing else, so two runs decide the same.

mod decisions;
mod dimensions;
mod fairness;
mod input;
mod ledger;
mod lending;
mod mix;
mod quotes;
mod report;
mod run;
mod stopwatch;
mod summary;
mod timeline;

use std::{fs::File, io, path::PathBuf};

use clap::Args;
use offpeak_core::model::{Millis, Policy};

use crate::{
    config::{DEFAULT_PLANNER_ATTEMPTS, Span},
    tables::{InputError, is_standard},
};
use input::Inputs;
use report::Report;

/// For how long owners' windows recur after the last task has arrived and the last load is known.
const WINDOWS_BEYOND: Millis = Millis(7 * 24 * Millis::HOUR.0);

/// What to simulate.
#[derive(Args, Clone, Debug)]
pub struct Simulate {
    /// CSV of the fleet, a node a row; "-" is standard input, and gzip is recognized, here and below
    #[arg(long, value_name = "FILE")]
    nodes: PathBuf,
    /// CSV of what is asked for, a job of identical tasks a row
    #[arg(long, value_name = "FILE")]
    tasks: PathBuf,
    /// CSV of the customers; those that only tasks name have weight 1 and no guarantee
    #[arg(long, value_name = "FILE")]
    tenants: Option<PathBuf>,
    /// CSV of yesterday's tasks, from which the engine learns what to expect
    #[arg(long, value_name = "FILE")]
    history: Option<PathBuf>,
    /// CSV of the owners' load in thousandths of capacity, a node a column
    #[arg(long, value_name = "FILE")]
    load: Option<PathBuf>,
    /// Seconds between two steps of the load, where it counts steps
    #[arg(long, value_name = "SECONDS", default_value_t = 300, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    load_step: u64,
    /// CSV of when owners want their nodes back, as their calendars say beforehand
    #[arg(long, value_name = "FILE")]
    windows: Option<PathBuf>,
    /// Where to write what became of every task, as CSV
    #[arg(long, value_name = "FILE")]
    decisions: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// What is added to the greatest load of the last day, in thousandths of it, while an owner is too new to forecast
    #[arg(long, value_name = "PERMILLE", default_value_t = Policy::default().forecast_margin_permille)]
    forecast_margin_permille: u32,
    /// How long before an eviction the notice comes
    #[arg(long, value_name = "SPAN", default_value_t = Policy::default().notice.into())]
    notice: Span,
    /// The time after which what a tenant held counts half in its share; 0: only what it holds now counts
    #[arg(long, value_name = "SPAN", default_value_t = Policy::default().share_half_life.into())]
    share_half_life: Span,
    /// How many changes of its plan the planner tries for each node, whenever it plans; 0 is no planner
    #[arg(long, value_name = "N", default_value_t = DEFAULT_PLANNER_ATTEMPTS)]
    planner_attempts: u32,
    /// How much time a batch of tasks that arrive together may take to be packed well; 0 packs them one by one
    #[arg(long, value_name = "SPAN", default_value_t = Span::from_millis(700))]
    batch_budget: Span,
    /// Tell jobs that have waited for so long when they will start, and report how that came out
    #[arg(long, value_name = "SPAN")]
    quotes: Option<Span>,
}

/// Why there is no result.
#[derive(Debug, thiserror::Error)]
pub enum SimulateError {
    /// Two files are to be read from the same stream.
    #[error("only one of the files can be standard input")]
    StandardInputTwice,
    /// Standard output has the summary.
    #[error("the decisions need a file of their own: standard output has the summary")]
    DecisionsToStandardOutput,
    /// A file could not be used; nothing was simulated.
    #[error("nothing was simulated")]
    Input(#[from] InputError),
    /// The decisions could not be written.
    #[error("could not write the decisions to {}", .path.display())]
    Decisions {
        /// Where to.
        path: PathBuf,
        /// What went wrong.
        source: io::Error,
    },
}

impl Simulate {
    /// Runs the simulation, writes the decisions if they are asked for, and gives back what is to be printed.
    ///
    /// # Errors
    /// When a file cannot be read, has faults or cannot be written.
    pub fn run(&self) -> Result<String, SimulateError> {
        let files = [
            Some(&self.nodes),
            Some(&self.tasks),
            self.tenants.as_ref(),
            self.history.as_ref(),
            self.load.as_ref(),
            self.windows.as_ref(),
        ];
        if files.into_iter().flatten().filter(|path| is_standard(path)).count() > 1 {
            return Err(SimulateError::StandardInputTwice);
        }
        if self.decisions.as_deref().is_some_and(is_standard) {
            return Err(SimulateError::DecisionsToStandardOutput);
        }
        let inputs = self.read()?;
        // Created before anything is simulated, so that nothing is in vain.
        let out =
            self.decisions.as_ref().map(File::create).transpose().map_err(self.unwritten())?;
        let effort = run::Effort {
            planner_attempts: self.planner_attempts,
            batch_budget: Millis::from(self.batch_budget),
        };
        let mut end = run::run(&inputs, self.policy(), effort, self.quotes.map(Millis::from));
        if let Some(out) = out {
            decisions::write(out, &inputs, &end).map_err(self.unwritten())?;
        }
        let report = Report::of(&inputs, &mut end);
        Ok(if self.json { report.to_json() } else { summary::of(&report) })
    }

    fn unwritten(&self) -> impl Fn(io::Error) -> SimulateError {
        let path = self.decisions.clone().unwrap_or_default();
        move |source| SimulateError::Decisions { path: path.clone(), source }
    }

    fn read(&self) -> Result<Inputs, InputError> {
        let nodes = input::nodes(&self.nodes)?;
        let tasks = input::tasks(&self.tasks)?;
        let history = self.history.as_deref().map(input::history).transpose()?.unwrap_or_default();
        let step = Millis(self.load_step.saturating_mul(Millis::SECOND.0));
        let load = self.load.as_deref().map(|path| input::load(path, &nodes, step)).transpose()?;
        let load = load.unwrap_or_default();
        let last = tasks.iter().map(|row| row.submit).chain(load.last().map(|samples| samples.at));
        let last = Millis(last.max().unwrap_or_default().0.saturating_add(WINDOWS_BEYOND.0));
        let windows = self.windows.as_deref().map(|path| input::windows(path, &nodes, last));
        let windows = windows.transpose()?.unwrap_or_default();
        let tenants = self.tenants.as_deref().map(input::tenants).transpose()?.unwrap_or_default();
        Ok(Inputs { nodes, tenants, tasks, history, load, windows })
    }

    fn policy(&self) -> Policy {
        let forecast_margin_permille = self.forecast_margin_permille;
        Policy {
            forecast_margin_permille,
            notice: self.notice.into(),
            share_half_life: self.share_half_life.into(),
            ..Policy::default()
        }
    }
}
