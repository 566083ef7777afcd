//! `offpeak why`: what keeps a job waiting, and what would let it start.

use clap::Args;
use offpeak::v1::{ExplainJobRequest, ExplainJobResponse, NodeFit, Suggestion, WaitTier};

use super::{
    failure::Failure,
    human,
    job_show::{self, reason_lines},
    json,
    output::Format,
    session::Session,
    table::{self, Cell, Tone},
};

/// Say what keeps a job's tasks waiting, and what would let them start.
///
/// Every blocker is told at once, with the nodes that it rules out. What is suggested has been tried on a copy of the
/// cell: asked for so, all tasks that wait would start now.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  offpeak why acme/train
  offpeak why acme/train --node rack1-a")]
pub(crate) struct Why {
    /// The job: NAME or TENANT/NAME
    name: String,
    /// Only why not on this node
    #[arg(long)]
    node: Option<String>,
}

pub(crate) async fn run(why: Why, session: &Session) -> Result<(), Failure> {
    let (tenant, name) = session.job(&why.name)?;
    let reference = format!("job/{tenant}/{name}\n");
    let client = session.connect().await?;
    let of_node = why.node.is_some();
    let node = why.node.unwrap_or_default();
    let request = ExplainJobRequest { tenant, name, node, min_revision: 0 };
    let answer = client.call(request).await?;
    let out = session.out;
    match out.format {
        Format::Table | Format::Wide => {
            out.print(&table::render_details(&page(&answer, of_node), out.color))
        }
        Format::Name => out.print(&reference),
        _ => out.object(&json::dynamic(&answer)),
    }
}

fn page(answer: &ExplainJobResponse, of_node: bool) -> Vec<(&'static str, Cell)> {
    let job = answer.job.clone().unwrap_or_default();
    let tasks = job.tasks.unwrap_or_default();
    let mut lines: Vec<(&'static str, Cell)> = vec![
        ("Job", format!("{}/{}", job.tenant, job.name).into()),
        ("Tasks", job_show::summary(&tasks).into()),
    ];
    if let Some(fit) = answer.nearest.as_ref().filter(|_| of_node) {
        lines.extend(section("There", node_lines(fit, Tone::Warning)));
        lines.push(("As of", format!("revision {}", answer.revision).into()));
        return lines;
    }
    let tone = match answer.tier() {
        WaitTier::Unspecified => Tone::Plain,
        _ => Tone::Warning,
    };
    lines.push(("In short", Cell::toned(answer.summary.as_str(), tone)));
    // Whatever waits for other jobs, or for the end of a back-off, does not wait for nodes.
    let needs_room = tasks.pending > 0;
    if needs_room {
        lines.push(("Nodes", nodes(answer).into()));
    }
    lines.extend(section("Blockers", reason_lines(&job.pending_reasons, Tone::Warning)));
    if let Some(fit) = &answer.nearest {
        lines.extend(section("Nearest", node_lines(fit, Tone::Plain)));
    }
    lines.extend(section("Starts now", suggestions(&answer.suggestions)));
    if needs_room && answer.suggestions.is_empty() {
        lines.push(("Starts now", "with no single change that was tried".into()));
    }
    lines.push(("As of", format!("revision {}", answer.revision).into()));
    lines
}

/// Lines under one name, which is told once.
fn section(name: &'static str, lines: Vec<Cell>) -> Vec<(&'static str, Cell)> {
    let name = |at| if at == 0 { name } else { "" };
    lines.into_iter().enumerate().map(|(at, line)| (name(at), line)).collect()
}

fn node_lines(fit: &NodeFit, tone: Tone) -> Vec<Cell> {
    if fit.fits {
        return vec![Cell::toned(format!("{} has room for a task now", fit.node), Tone::Good)];
    }
    let told = fit.reasons.iter().map(|reason| format!("{} {}", fit.node, reason.message));
    told.map(|line| Cell::toned(line, tone)).collect()
}

/// What to ask for instead.
pub(crate) fn suggestions(suggestions: &[Suggestion]) -> Vec<Cell> {
    suggestions.iter().map(|found| Cell::toned(found.message.as_str(), Tone::Good)).collect()
}

fn nodes(answer: &ExplainJobResponse) -> String {
    let all = human::counted(u64::from(answer.nodes), "node");
    let (allowed, large) = (answer.allowed_nodes, answer.large_enough_nodes);
    format!("{all}, of which {allowed} may take the tasks and {large} are large enough")
}
