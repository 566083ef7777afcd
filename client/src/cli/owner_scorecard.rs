//! `offpeak owner scorecard`: how owners have fared with what they lend.

use clap::Args;
use offpeak::v1::{ListScorecardsRequest, Scorecard};
use offpeak_client::Client;

use super::{
    failure::Failure,
    human,
    output::Show as Shown,
    owner::plain,
    page::{self, Limit},
    percent,
    session::Session,
    table::{Cell, Column, Tone, left, right},
};

/// Show how owners have fared over the last thirty days, region by region.
///
/// PROMISED is how often a load report may tell more than what was held back, and REALISED how often that was; SHORT is
/// how long nodes had too little room for their owners beside what was lent, all nodes together, and by how much on average.
/// LENT is the part of what owners left idle that was lent, by CPU.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  offpeak owner scorecard
  offpeak owner scorecard shop --region eu-west")]
pub(crate) struct Show {
    /// Only of this owner
    owner: Option<String>,
    /// Only of this region
    #[arg(long)]
    region: Option<String>,
    #[command(flatten)]
    limit: Limit,
}

pub(crate) async fn run(show: &Show, client: &Client, session: &Session) -> Result<(), Failure> {
    let request = ListScorecardsRequest {
        owner: show.owner.as_deref().map(plain).unwrap_or_default().to_owned(),
        region: show.region.clone().unwrap_or_default(),
        ..ListScorecardsRequest::default()
    };
    session.out.list(&page::fetch(client, &request, show.limit).await?)
}

impl Shown for Scorecard {
    fn reference(&self) -> String {
        format!("owner/{}/{}", self.owner, self.region)
    }

    fn columns(wide: bool) -> Vec<Column> {
        let mut columns = vec![
            left("OWNER"),
            left("REGION"),
            right("PROMISED"),
            right("REALISED"),
            right("SHORT"),
            right("BY"),
            right("IDLE"),
            right("LENT"),
        ];
        if wide {
            columns.extend([right("REPORTS"), right("EXCEEDED"), right("SHORT REPORTS")]);
        }
        columns
    }

    fn row(&self, wide: bool) -> Vec<Cell> {
        let keeps = self.realised_ppm <= u64::from(self.promised_ppm);
        let tone = if keeps { Tone::Good } else { Tone::Warning };
        let mut row: Vec<Cell> = vec![
            self.owner.as_str().into(),
            human::dash(self.region.as_str()).into(),
            percent::text(self.promised_ppm, 4).into(),
            Cell::toned(share(self.realised_ppm), tone),
            human::wire_span(self.shortfall.as_ref()).into(),
            share(self.severity_ppm).into(),
            format!("{} core h", human::count(self.idle_core_seconds / 3_600)).into(),
            share(self.harvested_ppm).into(),
        ];
        if wide {
            let counts = [self.samples, self.exceeded_samples, self.short_samples];
            row.extend(counts.map(|count| Cell::from(human::count(count))));
        }
        row
    }

    fn details(&self) -> Vec<(&'static str, Cell)> {
        let names = Self::columns(true).into_iter().map(Column::name);
        names.zip(self.row(true)).collect()
    }
}

/// Parts per million as percent with two digits.
fn share(ppm: u64) -> String {
    percent::text(u32::try_from(ppm / 100).unwrap_or(u32::MAX), 2)
}
