//! `offpeak admin`: for whoever runs the cell.

use clap::Subcommand;
use offpeak::v1::{CheckpointRequest, GetStatusRequest, GetStatusResponse};

use super::{
    failure::Failure,
    human, json,
    output::Format,
    session::Session,
    table::{self, Cell},
};

/// For whoever runs the cell.
#[derive(Debug, Subcommand)]
#[command(after_help = "\
Examples:
  offpeak admin status
  offpeak admin checkpoint")]
pub(crate) enum Command {
    /// Show the server's version, revisions and counts
    Status,
    /// Take a checkpoint now and wait until it is durable
    Checkpoint,
}

pub(crate) async fn run(command: Command, session: &Session) -> Result<(), Failure> {
    let client = session.connect().await?;
    let out = session.out;
    match command {
        Command::Status => {
            let status = client.call(GetStatusRequest::default()).await?;
            match out.format {
                Format::Table | Format::Wide => {
                    out.print(&table::render_details(&details(&status), out.color))
                }
                Format::Name => out.print(&format!("cell/{}\n", status.cell)),
                _ => out.object(&json::dynamic(&status)),
            }
        }
        Command::Checkpoint => {
            let answer = client.call(CheckpointRequest {}).await?;
            let what = format!("taken at revision {}", answer.revision);
            out.done("checkpoint", &what, &answer)
        }
    }
}

/// What the server says of itself.
pub(crate) fn details(status: &GetStatusResponse) -> Vec<(&'static str, Cell)> {
    vec![
        ("Cell", human::dash(status.cell.as_str()).into()),
        ("Server", human::dash(status.version.as_str()).into()),
        ("Up since", human::time(status.start_time.as_ref()).into()),
        ("Revision", human::count(status.revision).into()),
        ("Checkpoint", human::count(status.checkpoint_revision).into()),
        (
            "Log",
            format!(
                "{} after revision {}",
                human::bytes(status.log_bytes),
                human::count(status.compacted_revision)
            )
            .into(),
        ),
        ("Nodes", human::count(status.nodes).into()),
        ("Tenants", human::count(status.tenants).into()),
        ("Jobs", human::count(status.jobs).into()),
        ("Pending tasks", human::count(status.pending_tasks).into()),
        ("Allocations", human::count(status.allocations).into()),
        ("Watchers", status.watchers.to_string().into()),
    ]
}
