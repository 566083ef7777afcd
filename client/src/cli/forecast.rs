//! `offpeak forecast`: what is idle, for how long, and what will be in the coming hours.

use clap::Args;
use offpeak::v1::{
    GetCapacityRequest, GetIdleProfileRequest, GetIdleProfileResponse, IdleHorizon, IdleProfile,
    Resources,
};
use offpeak_client::Client;

use super::{
    cell::{DIMENSIONS, Dimension, share},
    failure::{Failure, exit},
    forecast_hours::{self, Clock},
    human, json,
    output::{Format, Out},
    session::Session,
    table::{self, Cell, Column, Tone, left, right},
};

/// Show what is idle, for how long, and in each of the coming 24 hours.
///
/// One row a span of time: what may be lent now to tasks that must be left alone for so long (`submit --min-runtime`),
/// and its share of the capacity. Nodes are forecast once their owner's load has been reported for a day. Until then they
/// keep to the plain rule, their greatest load of late and a margin; without load reports no load is expected at all.
///
/// Then one row an hour: at least how much CPU stays idle throughout it, what is lent included, 99 and 95 times in a
/// hundred and as often as not; with `-o wide` memory too. On a terminal a band shows the same as parts of the capacity.
/// `-o csv` has all hours of every region and kind of resource, amounts in their smallest units.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Show {
    /// Only this region
    region: Option<String>,
    /// Only this node
    #[arg(long, value_name = "NAME", conflicts_with_all = ["region", "zone", "owner"])]
    node: Option<String>,
    /// Only of these zones
    #[arg(long, value_delimiter = ',')]
    zone: Vec<String>,
    /// Only of these owners
    #[arg(long, value_delimiter = ',')]
    owner: Vec<String>,
    /// Show hours by the clocks of this time zone, such as Europe/Berlin; that of this machine if it is not given
    #[arg(long, value_name = "ZONE")]
    time_zone: Option<Clock>,
}

const EXAMPLES: &str = "\
Examples:
  offpeak forecast
  offpeak forecast eu-west --owner shop --time-zone Europe/Berlin
  offpeak forecast eu-west -o csv
  offpeak forecast --node rack1-a -o json";

/// The most regions that are named in a line.
const MAX_NAMED: usize = 12;

pub(crate) async fn run(show: Show, session: &Session) -> Result<(), Failure> {
    let client = session.connect().await?;
    let request = GetIdleProfileRequest {
        regions: show.region.clone().into_iter().collect(),
        zones: show.zone,
        owners: show.owner,
        node: show.node.unwrap_or_default(),
        min_revision: 0,
        // Names are the same without them.
        include_hours: session.out.format != Format::Name,
    };
    let answer = client.call(request).await?;
    if let Some(region) = &show.region
        && answer.profiles.is_empty()
    {
        check_region(&client, region).await?;
    }
    let out = session.out;
    match out.format {
        Format::Table | Format::Wide if answer.profiles.is_empty() => {
            out.remark("nothing found");
            Ok(())
        }
        Format::Table | Format::Wide => {
            let clock = show.time_zone.unwrap_or_default();
            out.print(&page(&answer, out, &clock))
        }
        Format::Csv => out.print(&forecast_hours::csv(&answer)),
        Format::Name => out.print(&answer.profiles.iter().map(reference).collect::<String>()),
        _ => out.object(&json::dynamic(&answer)),
    }
}

/// A region is known by its nodes: one without any does not exist.
async fn check_region(client: &Client, region: &str) -> Result<(), Failure> {
    let fleet = client.call(GetCapacityRequest::default()).await?;
    let mut known: Vec<&str> = fleet.regions.iter().map(|found| found.region.as_str()).collect();
    if known.contains(&region) {
        return Ok(());
    }
    known.retain(|name| !name.is_empty());
    let failure = Failure::new(exit::NOT_FOUND, format!("region {region:?} does not exist"));
    if known.is_empty() {
        return Err(failure.hint("no node names a region"));
    }
    Err(failure.hint(format!("there are nodes in {}", listed(&known))))
}

/// The first of some names, and how many more there are.
fn listed(names: &[&str]) -> String {
    let shown = names[..names.len().min(MAX_NAMED)].join(", ");
    match names.len() - names.len().min(MAX_NAMED) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

fn reference(profile: &IdleProfile) -> String {
    match profile.node.as_str() {
        "" => format!("region/{}\n", profile.region),
        node => format!("node/{node}\n"),
    }
}

fn page(answer: &GetIdleProfileResponse, out: Out, clock: &Clock) -> String {
    let (bars, color) = (out.terminal, out.color);
    let total = answer.total.clone().unwrap_or_default();
    let zero = Resources::default();
    let has = total.capacity.as_ref().unwrap_or(&zero);
    // CPU always, so that there is a column even where there is nothing.
    let shown = DIMENSIONS.iter().filter(|(name, amount, _)| *name == "cpu" || amount(has) > 0);
    let shown: Vec<&Dimension> = shown.collect();
    let mut columns: Vec<Column> = vec![left("FOR")];
    for (name, ..) in &shown {
        columns.push(right(head(name)));
        columns.extend(bars.then_some(left("")));
    }
    let rows: Vec<Vec<Cell>> =
        total.horizons.iter().map(|horizon| row(horizon, has, &shown, bars)).collect();
    let mut text = table::render(&columns, &rows, color);
    text.push('\n');
    let mut details = details(answer, &total);
    if forecast_hours::tell_something(&total) {
        text.push_str(&forecast_hours::table(&total, out, clock));
        text.push('\n');
        let at = details.len() - 1;
        details.insert(at, ("Time zone", clock.to_string().into()));
    }
    text.push_str(&table::render_details(&details, color));
    text
}

fn head(dimension: &str) -> &'static str {
    match dimension {
        "cpu" => "CPU",
        "memory" => "MEMORY",
        _ => "GPUS",
    }
}

fn row(horizon: &IdleHorizon, has: &Resources, shown: &[&Dimension], bars: bool) -> Vec<Cell> {
    let mut row: Vec<Cell> = vec![reach(horizon).into()];
    for (_, amount, text) in shown {
        let (part, whole) = (horizon.headroom.as_ref().map_or(0, amount), amount(has));
        row.push(share(text(part), part, whole).into());
        if bars {
            row.push(Cell::toned(bar(part, whole), Tone::Good));
        }
    }
    row
}

/// `5m`, `1h`, `24h`.
fn reach(horizon: &IdleHorizon) -> String {
    let seconds = horizon.horizon.as_ref().map_or(0, |span| span.seconds);
    if seconds > 0 && seconds % 3_600 == 0 {
        return format!("{}h", seconds / 3_600);
    }
    human::wire_span(horizon.horizon.as_ref())
}

/// How wide a bar is.
const BAR_CELLS: u64 = 10;

/// A share as a bar, to an eighth of a cell. Full only where all is, and empty only where nothing is.
fn bar(part: u64, whole: u64) -> String {
    const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    let all = BAR_CELLS * 8;
    let exact = u128::from(part.min(whole)) * u128::from(all) / u128::from(whole.max(1));
    let eighths = u64::try_from(exact).unwrap_or(all).max(u64::from(part > 0 && whole > 0));
    let (full, rest) = (eighths / 8, eighths % 8);
    let empty = BAR_CELLS - full - u64::from(rest > 0);
    let repeat = |text: &str, times: u64| (0..times).map(|_| text).collect::<String>();
    let rest = usize::try_from(rest).map_or("", |rest| EIGHTHS[rest]);
    format!("{}{rest}{}", repeat("█", full), repeat("░", empty))
}

fn details(answer: &GetIdleProfileResponse, total: &IdleProfile) -> Vec<(&'static str, Cell)> {
    let name = |profile: &IdleProfile| human::dash(profile.region.as_str());
    let (what, names) = match answer.profiles.as_slice() {
        [only] if !only.node.is_empty() => ("Node", only.node.clone()),
        [only] => ("Region", name(only)),
        several => {
            let names: Vec<String> = several.iter().map(name).collect();
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            ("Regions", listed(&names))
        }
    };
    let mut details: Vec<(&'static str, Cell)> = vec![
        (what, names.into()),
        ("Capacity", human::resources(total.capacity.as_ref()).into()),
        ("Owners use", human::resources(total.owner_load.as_ref()).into()),
        ("Lent", human::resources(total.lent.as_ref()).into()),
        ("Forecast", forecast(total)),
        ("Revision", human::count(answer.revision).into()),
    ];
    let away = total.nodes.saturating_sub(total.ready_nodes);
    if away > 0 {
        let nodes = human::counted(away, "node");
        details.insert(
            5,
            ("Not ready", Cell::toned(format!("{nodes}, lending nothing now"), Tone::Warning)),
        );
    }
    details
}

/// How many nodes are forecast, and how many are not yet.
fn forecast(total: &IdleProfile) -> Cell {
    let nodes = human::counted(total.nodes, "node");
    let forecast = human::count(total.forecast_nodes);
    if total.forecast_nodes == total.nodes {
        return Cell::toned(format!("{forecast} of {nodes}"), Tone::Good);
    }
    let mut not_yet = Vec::new();
    if total.plain_rule_nodes > 0 {
        not_yet.push(format!("{} by the plain rule", human::count(total.plain_rule_nodes)));
    }
    if total.unreported_nodes > 0 {
        not_yet.push(format!("{} without load reports", human::count(total.unreported_nodes)));
    }
    let tone = if total.forecast_nodes == 0 { Tone::Warning } else { Tone::Plain };
    Cell::toned(format!("{forecast} of {nodes}; not yet: {}", not_yet.join(", ")), tone)
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use offpeak::v1::{GetIdleProfileResponse, IdleHorizon, IdleProfile, Resources};

    use super::{Clock, Format, Out, bar, listed, page};

    #[test]
    fn bars_are_full_or_empty_only_at_the_ends() {
        let shown: Vec<String> =
            [0, 1, 125, 500, 999, 1_000, 2_000].iter().map(|part| bar(*part, 1_000)).collect();
        expect![[r"
            ░░░░░░░░░░
            ▏░░░░░░░░░
            █▎░░░░░░░░
            █████░░░░░
            █████████▉
            ██████████
            ██████████"]]
        .assert_eq(&shown.join("\n"));
        assert_eq!(bar(u64::MAX, u64::MAX), "██████████");
        assert_eq!(bar(u64::MAX - 1, u64::MAX), "█████████▉");
        assert_eq!(bar(0, 0), "░░░░░░░░░░");
    }

    #[test]
    fn a_long_list_of_names_is_cut() {
        let names = ["a"; 14];
        assert_eq!(listed(&names[..12]), ["a"; 12].join(", "));
        assert_eq!(listed(&names), format!("{} and 2 more", ["a"; 12].join(", ")));
    }

    #[test]
    fn bars_stand_beside_the_numbers_where_somebody_looks() {
        let amount = |cpu_millis, gib: u64| {
            Some(Resources { cpu_millis, memory_bytes: gib << 30, ..Resources::default() })
        };
        let out = Out { format: Format::Table, quiet: false, color: false, terminal: true };
        let horizon = |seconds, cpu_millis, gib| IdleHorizon {
            horizon: Some(prost_types::Duration { seconds, nanos: 0 }),
            headroom: amount(cpu_millis, gib),
            ..IdleHorizon::default()
        };
        let profile = IdleProfile {
            region: "eu".to_owned(),
            nodes: 3,
            ready_nodes: 3,
            forecast_nodes: 3,
            capacity: amount(96_000, 384),
            owner_load: amount(24_000, 100),
            horizons: vec![
                horizon(300, 60_000, 256),
                horizon(3_600, 48_500, 200),
                horizon(21_600, 30_000, 128),
                horizon(86_400, 0, 1),
            ],
            ..IdleProfile::default()
        };
        let answer = GetIdleProfileResponse {
            total: Some(profile.clone()),
            profiles: vec![profile],
            revision: 7,
        };
        expect![[r#"
            FOR           CPU                       MEMORY
            5m      60  (62%)   ██████▎░░░   256GiB  (66%)   ██████▋░░░
            1h    48.5  (50%)   █████░░░░░   200GiB  (52%)   █████▏░░░░
            6h      30  (31%)   ███▏░░░░░░   128GiB  (33%)   ███▎░░░░░░
            24h      0   (0%)   ░░░░░░░░░░     1GiB   (0%)   ▏░░░░░░░░░

            Region:      eu
            Capacity:    cpu 96, memory 384GiB
            Owners use:  cpu 24, memory 100GiB
            Lent:        -
            Forecast:    3 of 3 nodes
            Revision:    7
        "#]]
        .assert_eq(&page(&answer, out, &Clock::default()));
    }
}
