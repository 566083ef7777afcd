//! `offpeak cell`: what the fleet has, uses and lends.

use clap::{Args, Subcommand};
use offpeak::v1::{
    Capacity, GetCapacityRequest, GetCapacityResponse, GetStatusRequest, GetStatusResponse,
    Resources,
};

use super::{
    cell_scorecard,
    failure::Failure,
    human, json,
    output::Format,
    percent,
    session::Session,
    table::{self, Cell, Column, Tone, left, right},
};

/// Show what the fleet has, uses and lends, in all and per region.
///
/// CPU, memory and GPUs are printed as capacity; the owners' part of it, the part that is lent and the part that may
/// still be lent follow as shares of the capacity.
#[derive(Args, Debug)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "\
Examples:
  offpeak cell
  offpeak cell --region eu-west
  offpeak cell scorecard"
)]
pub(crate) struct Show {
    #[command(subcommand)]
    what: Option<What>,
    /// Only these regions
    #[arg(long, value_delimiter = ',')]
    region: Vec<String>,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Show how well jobs that wait were told when they would start
    Scorecard,
}

pub(crate) type Dimension = (&'static str, fn(&Resources) -> u64, fn(u64) -> String);

/// What a table can show of a capacity. Named countables and disks are in the other formats.
pub(crate) const DIMENSIONS: [Dimension; 3] = [
    ("cpu", |amount| amount.cpu_millis, human::millis),
    ("memory", |amount| amount.memory_bytes, human::bytes),
    ("gpus", |amount| amount.gpu_millis, human::millis),
];

pub(crate) async fn run(show: Show, session: &Session) -> Result<(), Failure> {
    if let Some(What::Scorecard) = show.what {
        return cell_scorecard::run(session).await;
    }
    let client = session.connect().await?;
    let request = GetCapacityRequest { regions: show.region, min_revision: 0 };
    let answer = client.call(request).await?;
    let out = session.out;
    match out.format {
        Format::Table | Format::Wide => {
            let status = client.call(GetStatusRequest::default()).await?;
            let mut text = table::render(&columns(), &rows(&answer), out.color);
            text.push('\n');
            text.push_str(&table::render_details(&totals(&answer, &status), out.color));
            out.print(&text)
        }
        Format::Name => {
            let names = answer.regions.iter().map(|region| format!("region/{}\n", region.region));
            out.print(&names.collect::<String>())
        }
        _ => out.object(&json::dynamic(&answer)),
    }
}

fn columns() -> Vec<Column> {
    vec![
        left("REGION"),
        right("NODES"),
        right("READY"),
        left("RESOURCE"),
        right("CAPACITY"),
        right("OWNERS USE"),
        right("HELD BACK"),
        right("LENT"),
        right("HEADROOM"),
    ]
}

fn rows(answer: &GetCapacityResponse) -> Vec<Vec<Cell>> {
    let mut rows = Vec::new();
    for region in &answer.regions {
        let name = human::dash(region.region.as_str());
        add_rows(&mut rows, &name, region);
    }
    if let Some(total) = &answer.total
        && answer.regions.len() != 1
    {
        add_rows(&mut rows, "total", total);
    }
    rows
}

/// One row a dimension that the region has; its name and nodes stand in the first one only.
fn add_rows(rows: &mut Vec<Vec<Cell>>, name: &str, capacity: &Capacity) {
    let zero = Resources::default();
    let has = capacity.capacity.as_ref().unwrap_or(&zero);
    let mut head =
        [name.to_owned(), human::count(capacity.nodes), human::count(capacity.ready_nodes)];
    for (dimension, amount, text) in DIMENSIONS {
        let whole = amount(has);
        if whole == 0 && dimension != "cpu" {
            continue;
        }
        let part = |part: &Option<Resources>| -> Cell {
            let part = part.as_ref().map_or(0, amount);
            share(text(part), part, whole).into()
        };
        let [name, nodes, ready] = std::mem::take(&mut head);
        rows.push(vec![
            name.into(),
            nodes.into(),
            ready.into(),
            Cell::toned(dimension, Tone::Faint),
            text(whole).into(),
            part(&capacity.owner_load),
            part(&capacity.held_back),
            part(&capacity.lent),
            part(&capacity.headroom),
        ]);
    }
}

/// `12.5 (40%)`.
pub(crate) fn share(text: String, part: u64, whole: u64) -> String {
    if whole == 0 {
        return text;
    }
    format!("{text} {:>6}", format!("({})", percent::part(part, whole)))
}

fn totals(answer: &GetCapacityResponse, status: &GetStatusResponse) -> Vec<(&'static str, Cell)> {
    let total = answer.total.clone().unwrap_or_default();
    let pending = format!(
        "{} of {}: {}",
        human::counted(answer.pending_tasks, "task"),
        human::counted(answer.pending_jobs, "job"),
        human::resources(answer.pending.as_ref()),
    );
    let server = format!(
        "{}, offpeakd {}, up for {}",
        human::dash(status.cell.as_str()),
        human::dash(status.version.as_str()),
        human::age(status.start_time.as_ref()),
    );
    let mut totals: Vec<(&'static str, Cell)> = vec![
        ("Cell", server.into()),
        ("Allocations", human::count(total.allocations).into()),
        ("Pending", pending.into()),
        ("Revision", human::count(answer.revision).into()),
    ];
    if total.overcommitted_nodes > 0 {
        let nodes = human::counted(total.overcommitted_nodes, "node");
        totals.insert(2, ("Overcommitted", Cell::toned(nodes, Tone::Warning)));
    }
    totals
}
