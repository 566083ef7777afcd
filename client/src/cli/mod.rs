//! The command line: one file a noun. A command turns its flags into requests, sends them through the client
//! library, and prints the answers through [`output`]. Data goes to stdout, all else to stderr.
//!
//! Deliberately absent: a model of its own. What is printed for machines is the API's messages as proto3 JSON.

mod admin;
mod alloc;
mod amounts;
mod apply;
mod bench;
mod cell;
mod cell_scorecard;
mod context;
mod cost;
mod diff;
mod eta;
mod event_text;
mod events;
mod failure;
mod forecast;
mod forecast_hours;
mod human;
mod input;
mod job;
mod job_extras;
mod job_notice;
mod job_show;
mod job_status;
mod job_story;
mod job_submit;
mod job_update;
mod job_wait;
mod json;
mod load;
mod money;
mod node;
mod node_show;
mod output;
mod owner;
mod owner_calendar;
mod owner_scorecard;
mod page;
mod percent;
mod plan;
mod price;
mod price_demand;
mod schema;
mod session;
mod statement;
mod table;
mod template;
mod tenant;
mod tenant_show;
mod top;
mod why;

use std::{
    io::{self, IsTerminal as _},
    process::ExitCode,
};

use clap::{
    CommandFactory as _, Parser, Subcommand,
    builder::styling::{AnsiColor, Styles},
};
use clap_complete::Shell;

use self::{
    failure::{Failure, exit},
    output::{Format, complain, no_color_is_unset},
    session::{Globals, Session},
};

const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Green.on_default().bold())
    .usage(AnsiColor::Green.on_default().bold())
    .literal(AnsiColor::Cyan.on_default().bold())
    .placeholder(AnsiColor::Cyan.on_default());

const EXAMPLES: &str = "\
Examples:
  offpeak node register a1 --owner web --region eu --cpu 64 --memory 256GiB
  offpeak tenant create acme --quota-cpu 500
  offpeak submit acme/train --count 8 --cpu 4 --memory 16GiB --min-runtime 1h
  offpeak job wait acme/train
  offpeak events --follow

Exit codes:
  0 ok  1 failure  2 usage  3 not found  4 denied  5 conflict  6 pending at timeout
  7 server unavailable  8 job failed  130 interrupted

Run `offpeak help COMMAND` for more about a command.";

/// Offpeak lends the idle part of a fleet to those whose jobs can wait.
#[derive(Debug, Parser)]
#[command(
    name = "offpeak",
    version,
    styles = STYLES,
    after_help = EXAMPLES,
    max_term_width = 110,
    arg_required_else_help = true,
    disable_help_subcommand = false
)]
struct Cli {
    #[command(flatten)]
    globals: Globals,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Machines that their owners lend to the cell
    #[command(subcommand, visible_alias = "nodes")]
    Node(node::Command),
    /// Whoever lends nodes: what risk they take, and their calendars
    #[command(subcommand, visible_alias = "owners")]
    Owner(owner::Command),
    /// Customers whose jobs the cell runs
    #[command(subcommand, visible_alias = "tenants")]
    Tenant(tenant::Command),
    /// What tenants want to have run
    #[command(subcommand, visible_alias = "jobs")]
    Job(job::Command),
    /// Which task holds part of which node
    #[command(subcommand, visible_alias = "allocs")]
    Alloc(alloc::Command),
    /// Print events: every committed fact, in order
    Events(events::Show),
    /// Show what the fleet has, uses and lends
    #[command(visible_alias = "status")]
    Cell(cell::Show),
    /// Watch the cell live
    Top(top::Top),
    /// Show what is idle, and for how long
    Forecast(forecast::Show),
    /// Show what jobs have cost
    Cost(cost::Show),
    /// What tenants are charged and what owners get
    #[command(subcommand, visible_alias = "statements")]
    Statement(statement::Command),
    /// What capacity costs
    #[command(subcommand, visible_alias = "prices")]
    Price(price::Command),
    /// Submit a job (short for `job submit`)
    Submit(Box<job_submit::Submit>),
    /// Say what submitting a job would come to
    Plan(Box<plan::Plan>),
    /// Say when a job would start
    Eta(Box<eta::Eta>),
    /// Say why a job waits, and what would let it start
    Why(why::Why),
    /// List allocations (short for `alloc list`)
    Ps(alloc::List),
    /// Make the cell have what files describe
    Apply(apply::Apply),
    /// Say what applying files would change
    Diff(diff::Diff),
    /// Print the JSON schema of the files that `apply` and `submit -f` read
    #[command(after_help = "\
Examples:
  offpeak schema > offpeak.v1.json")]
    Schema,
    /// For whoever runs the cell
    #[command(subcommand)]
    Admin(admin::Command),
    /// Measure how fast a cell takes and places jobs
    Bench(bench::Bench),
    /// Keep several servers at hand
    #[command(subcommand, visible_alias = "contexts")]
    Context(context::Command),
    /// Print a completion script, such as `offpeak completion bash >> ~/.bashrc`
    Completion {
        /// For this shell
        #[arg(value_enum)]
        shell: Shell,
    },
}

/// Runs the tool and says how it went.
pub(crate) fn main() -> ExitCode {
    let cli = Cli::parse();
    let color = !cli.globals.no_color() && no_color_is_unset() && io::stderr().is_terminal();
    match run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            complain(&failure.render(color));
            ExitCode::from(failure.code)
        }
    }
}

fn run(cli: Cli) -> Result<(), Failure> {
    if let Command::Completion { shell } = cli.command {
        let mut script = Vec::new();
        clap_complete::generate(shell, &mut Cli::command(), "offpeak", &mut script);
        return Ok(io::Write::write_all(&mut io::stdout(), &script)?);
    }
    if let Command::Schema = cli.command {
        return Ok(io::Write::write_all(&mut io::stdout(), schema::text().as_bytes())?);
    }
    let is_context = matches!(cli.command, Command::Context(_));
    let given = cli.globals.as_context();
    let session = Session::new(cli.globals, is_context)?;
    let has_csv = matches!(cli.command, Command::Statement(_) | Command::Forecast(_));
    if session.out.format == Format::Csv && !has_csv {
        return Err(Failure::usage("only statements and forecasts are printed as csv")
            .hint("choose another format: table, wide, json, jsonl, yaml or name"));
    }
    if let Command::Context(command) = &cli.command {
        return context::run(command, &session, given);
    }
    // One thread is plenty, and keeps `bench` from taking the cores that it measures.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(exit::FAILURE, format!("cannot start: {error}")))?;
    let done = runtime.block_on(async {
        tokio::select! {
            done = dispatch(cli.command, &session) => done,
            _ = tokio::signal::ctrl_c() => Err(Failure::interrupted()),
        }
    });
    // Somebody may still be expected to type at stdin; nobody waits for that.
    runtime.shutdown_background();
    done
}

async fn dispatch(command: Command, session: &Session) -> Result<(), Failure> {
    match command {
        Command::Node(command) => node::run(command, session).await,
        Command::Owner(command) => owner::run(command, session).await,
        Command::Tenant(command) => tenant::run(command, session).await,
        Command::Job(command) => job::run(command, session).await,
        Command::Alloc(command) => alloc::run(command, session).await,
        Command::Events(show) => events::run(show, session).await,
        Command::Cell(show) => cell::run(show, session).await,
        Command::Top(top) => top::run(&top, session).await,
        Command::Forecast(show) => forecast::run(show, session).await,
        Command::Cost(show) => cost::run(show, session).await,
        Command::Statement(command) => statement::run(command, session).await,
        Command::Price(command) => price::run(command, session).await,
        Command::Submit(submit) => {
            let client = session.connect().await?;
            job_submit::run(&submit, &client, session).await
        }
        Command::Plan(plan) => plan::run(&plan, session).await,
        Command::Eta(eta) => eta::run(&eta, session).await,
        Command::Why(why) => why::run(why, session).await,
        Command::Ps(list) => {
            let client = session.connect().await?;
            alloc::list(&list, &client, session).await
        }
        Command::Apply(apply) => apply::run(&apply, session).await,
        Command::Diff(diff) => diff::run(&diff, session).await,
        Command::Admin(command) => admin::run(command, session).await,
        Command::Bench(bench) => bench::run(&bench, session).await,
        // These need no server and were run before.
        Command::Context(_) | Command::Completion { .. } | Command::Schema => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use clap::{Command, CommandFactory as _};

    use super::Cli;

    #[test]
    fn the_flags_of_all_commands_fit_together() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_help_of_every_command_has_an_example_of_it() {
        let mut without = Vec::new();
        look(&Cli::command(), "", "", &mut without);
        assert_eq!(without, Vec::<String>::new());
    }

    /// Notes the commands of which neither their own help nor that of a command above them shows a use.
    fn look(command: &Command, above: &str, seen: &str, without: &mut Vec<String>) {
        let path = format!("{above} {}", command.get_name()).trim_start().to_owned();
        let help = [command.get_about(), command.get_after_help()];
        let help = help.map(|help| help.map(ToString::to_string).unwrap_or_default());
        let seen = format!("{seen}\n{}", help.join("\n"));
        if !command.has_subcommands() && !seen.lines().any(|line| shows(line, &path)) {
            without.push(path.clone());
        }
        for below in command.get_subcommands() {
            look(below, &path, &seen, without);
        }
    }

    /// Whether a line has the words of a command in their order; arguments may stand between them.
    fn shows(line: &str, path: &str) -> bool {
        let mut words = line.split([' ', '`']);
        path.split(' ').all(|wanted| words.any(|word| word == wanted))
    }
}
