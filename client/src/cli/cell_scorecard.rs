//! `offpeak cell scorecard`: how well jobs that wait were told when they would start.

use offpeak::v1::{GetQuoteRecordRequest, GetQuoteRecordResponse};

use super::{
    failure::Failure,
    human, json,
    output::Format,
    percent,
    session::Session,
    table::{self, Cell, Tone},
};

pub(crate) async fn run(session: &Session) -> Result<(), Failure> {
    let client = session.connect().await?;
    let answer = client.call(GetQuoteRecordRequest::default()).await?;
    let out = session.out;
    match out.format {
        Format::Table | Format::Wide => {
            out.print(&table::render_details(&page(&answer), out.color))
        }
        Format::Name => out.print("cell/scorecard\n"),
        _ => out.object(&json::dynamic(&answer)),
    }
}

fn page(answer: &GetQuoteRecordResponse) -> Vec<(&'static str, Cell)> {
    let GetQuoteRecordResponse { quotes, open, started, withdrawn, .. } = *answer;
    let (open, withdrawn) = (human::count(open), human::count(withdrawn));
    let mut lines: Vec<(&'static str, Cell)> = vec![(
        "Quotes",
        format!("{}, {open} open, {withdrawn} withdrawn", human::count(quotes)).into(),
    )];
    if started == 0 {
        lines.push(("Started", "none of those jobs yet: nothing was scored".into()));
    } else {
        lines.extend(scores(answer));
    }
    lines.push(("As of", format!("revision {}", answer.revision).into()));
    lines
}

/// How the quotes of jobs that started came out.
fn scores(answer: &GetQuoteRecordResponse) -> Vec<(&'static str, Cell)> {
    let GetQuoteRecordResponse { started, unknown, .. } = *answer;
    let told = started - unknown;
    let share = |part: u64| match (part * 1_000).checked_div(told) {
        Some(permille) => format!("{} of {told}, {}", human::count(part), permilles(permille)),
        None => "-".to_owned(),
    };
    let kept = (answer.started_by_p95 * 100).checked_div(told).is_none_or(|percent| percent >= 90);
    let tone = if kept { Tone::Good } else { Tone::Warning };
    let mut lines: Vec<(&'static str, Cell)> = vec![
        ("Started", format!("{started}, {unknown} of them without a time").into()),
        ("By p50", share(answer.started_by_p50).into()),
        ("By p95", Cell::toned(share(answer.started_by_p95), tone)),
    ];
    let median = answer.median_error_permille.map_or_else(|| "-".to_owned(), permilles);
    lines.push(("Error", format!("{median} of the wait, the median of late").into()));
    for (at, errors) in answer.errors.iter().enumerate() {
        let bound = errors
            .up_to_permille
            .map_or_else(|| "more".to_owned(), |bound| format!("up to {}", permilles(bound)));
        let name = if at == 0 { "p50 was off by" } else { "" };
        lines.push((name, format!("{bound}: {}", human::count(errors.quotes)).into()));
    }
    lines
}

fn permilles(permille: u64) -> String {
    percent::text(u32::try_from(permille).unwrap_or(u32::MAX), 1)
}
