//! `offpeakd`: the scheduler service, the tools for its store, its simulation and its backtest.

use std::{
    error::Error,
    fmt::Write as _,
    fs::File,
    io::{self, BufReader, BufWriter, Read, Write},
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::{Args, Parser, Subcommand};
use offpeak_server::{
    backtest::Backtest,
    config::{Config, Sources},
    server::{Running, Server},
    simulate::Simulate,
    store::{self, BackupSummary, Report},
    telemetry,
};
use tokio::signal::unix::{SignalKind, signal};

type Outcome = Result<ExitCode, Box<dyn Error>>;

/// A failure; a wrong command line is 2, which is clap's, and a cell that cannot go on is 70.
const FAILURE: u8 = 1;

fn main() -> ExitCode {
    match Offpeakd::parse().run() {
        Ok(code) => code,
        Err(error) => {
            report(&*error);
            ExitCode::from(FAILURE)
        }
    }
}

/// Prints an error and what caused it, as cargo does.
fn report(error: &dyn Error) {
    let mut text = format!("error: {error}\n");
    let mut cause = error.source();
    if cause.is_some() {
        text.push_str("\nCaused by:\n");
    }
    while let Some(error) = cause {
        for line in error.to_string().lines() {
            let _ = writeln!(text, "  {line}");
        }
        cause = error.source();
    }
    // Without a standard error there is nobody to tell.
    let _ = io::stderr().write_all(text.as_bytes());
}

/// Offpeak's scheduler service
#[derive(Debug, Parser)]
#[command(name = "offpeakd", version)]
struct Offpeakd {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve a cell
    Serve(Box<Sources>),
    /// Write a backup of a store that no server has open
    Backup {
        #[command(flatten)]
        store: Store,
        /// File for the backup, which must not exist; "-" is standard output
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// Create a store from a backup
    Restore {
        #[command(flatten)]
        store: Store,
        /// File with the backup; "-" is standard input
        #[arg(long, value_name = "FILE")]
        r#in: PathBuf,
    },
    /// Verify a store that no server has open, without changing it
    Fsck {
        #[command(flatten)]
        store: Store,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Print the effective configuration as TOML
    Config(Box<Sources>),
    /// Try a fleet and its tasks from CSV files, on a virtual clock
    Simulate(Box<Simulate>),
    /// See what could have been lent, and at what risk, over a history of owners' load
    Backtest(Box<Backtest>),
}

#[derive(Args, Debug)]
struct Store {
    /// Folder of the store
    #[arg(long, env = "OFFPEAKD_DATA_DIR", value_name = "DIR", default_value = "offpeak-data")]
    data_dir: PathBuf,
}

impl Offpeakd {
    fn run(self) -> Outcome {
        match self.command {
            Command::Serve(sources) => serve(sources.load()?),
            Command::Backup { store, out } => backup(&store.data_dir, &out),
            Command::Restore { store, r#in } => restore(&store.data_dir, &r#in),
            Command::Fsck { store, json } => fsck(&store.data_dir, json),
            Command::Config(sources) => {
                io::stdout().write_all(sources.load()?.to_toml()?.as_bytes())?;
                Ok(ExitCode::SUCCESS)
            }
            Command::Simulate(simulate) => {
                io::stdout().write_all(simulate.run()?.as_bytes())?;
                Ok(ExitCode::SUCCESS)
            }
            Command::Backtest(backtest) => {
                io::stdout().write_all(backtest.run()?.as_bytes())?;
                Ok(ExitCode::SUCCESS)
            }
        }
    }
}

fn serve(config: Config) -> Outcome {
    telemetry::init_logging(config.log_format, &config.log_level)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let outcome = runtime.block_on(async {
        // Installed before anything is started, so that no signal ends the process half way.
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut stop = async move || {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
        };
        let running = tokio::select! {
            running = Server::start(config) => running?,
            () = stop() => return Ok(ExitCode::SUCCESS),
        };
        run_until(running, stop).await
    });
    // What is still at work was told not to be waited for.
    runtime.shutdown_background();
    outcome
}

/// Serves until the first signal or a failure; a second signal does not wait for what is still to be done.
async fn run_until(mut running: Running, mut stop: impl AsyncFnMut()) -> Outcome {
    let failed = tokio::select! {
        error = running.failed() => Some(error),
        () = stop() => None,
    };
    tracing::info!("stopping");
    tokio::select! {
        () = running.shutdown() => failed.map_or(Ok(ExitCode::SUCCESS), |error| Err(error.into())),
        () = stop() => Err("stopped before everything was done".into()),
    }
}

fn backup(folder: &Path, out: &Path) -> Outcome {
    let summary = if is_stream(out) {
        let mut out = io::stdout().lock();
        let summary = store::backup(folder, &mut out)?;
        out.flush()?;
        summary
    } else {
        let mut file = BufWriter::new(File::create_new(out).map_err(at("create", out))?);
        let written = store::backup(folder, &mut file);
        let finished = written.map_err(Box::<dyn Error>::from).and_then(|summary| {
            let file = file.into_inner().map_err(|error| at("write", out)(error.into_error()))?;
            file.sync_all().map_err(at("write", out))?;
            Ok(summary)
        });
        if finished.is_err() {
            // What was written is of no use; the first error is the one to tell.
            let _ = std::fs::remove_file(out);
        }
        finished?
    };
    tell("backed up", &summary)
}

fn restore(folder: &Path, input: &Path) -> Outcome {
    let reader: Box<dyn Read> = if is_stream(input) {
        Box::new(io::stdin().lock())
    } else {
        Box::new(BufReader::new(File::open(input).map_err(at("open", input))?))
    };
    tell("restored", &store::restore(reader, folder)?)
}

fn fsck(folder: &Path, json: bool) -> Outcome {
    let report = store::fsck(folder)?;
    let mut out = io::stdout().lock();
    if json {
        writeln!(out, "{}", as_json(&report))?;
    } else {
        writeln!(out, "{report}")?;
    }
    Ok(if report.is_sound() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn as_json(report: &Report) -> serde_json::Value {
    let problems: Vec<String> = report.problems.iter().map(ToString::to_string).collect();
    serde_json::json!({
        "sound": report.is_sound(),
        "values": report.values,
        "records": report.records,
        "log_bytes": report.log_bytes,
        "compacted_revision": report.compacted.0,
        "checkpoint_revision": report.checkpoint.0,
        "newest_revision": report.newest.0,
        "checkpoint_entries": report.checkpoint_entries,
        "leftovers": report.leftovers,
        "problems": problems,
    })
}

/// Standard output may be the backup itself, so this goes to standard error.
fn tell(done: &str, summary: &BackupSummary) -> Outcome {
    writeln!(
        io::stderr(),
        "{done} revision {}: {} checkpoint entries and {} records, {} bytes",
        summary.newest,
        summary.entries,
        summary.records,
        summary.bytes
    )?;
    Ok(ExitCode::SUCCESS)
}

fn is_stream(path: &Path) -> bool {
    path == Path::new("-")
}

/// A file that could not be used.
#[derive(Debug, thiserror::Error)]
#[error("could not {action} {}", .path.display())]
struct FileError {
    action: &'static str,
    path: PathBuf,
    source: io::Error,
}

fn at(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> FileError {
    let path = path.to_owned();
    move |source| FileError { action, path, source }
}
