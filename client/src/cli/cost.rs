//! `offpeak cost`: what a job has cost.

use clap::Args;
use offpeak::v1::{GetCostRequest, HeldTime, JobCost};

use super::{
    failure::Failure,
    human, money,
    output::Show as ShowIt,
    session::Session,
    table::{Cell, Column, left, right},
};

/// Show what jobs have held and cost until now.
///
/// A job is known until the cell forgets it; statements go on telling what it cost.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  offpeak cost acme/train
  offpeak cost -t acme train eval -o json")]
pub(crate) struct Show {
    /// Their names
    #[arg(required = true)]
    jobs: Vec<String>,
}

pub(crate) async fn run(show: Show, session: &Session) -> Result<(), Failure> {
    let client = session.connect().await?;
    let mut costs = Vec::new();
    for name in &show.jobs {
        let (tenant, job) = session.job(name)?;
        let request = GetCostRequest { tenant, job, min_revision: 0 };
        costs.push(client.call(request).await?.cost.unwrap_or_default());
    }
    session.out.some(&costs)
}

/// Core-hours and the like, in one line.
pub(crate) fn held(held: Option<&HeldTime>) -> String {
    let Some(held) = held else { return "-".to_owned() };
    let mut parts = Vec::new();
    let mut add = |what: &str, hours: String, seconds: u64| {
        if seconds > 0 {
            parts.push(format!("{hours} {what}"));
        }
    };
    add("core hours", core_hours(held), held.cpu_milli_seconds);
    add("GiB hours", gib_hours(held.memory_mib_seconds), held.memory_mib_seconds);
    add("GiB hours of disk", gib_hours(held.disk_mib_seconds), held.disk_mib_seconds);
    add("GPU hours", gpu_hours(held), held.gpu_milli_seconds);
    for (name, seconds) in &held.count_seconds {
        add(&format!("{name} hours"), hours(u128::from(*seconds) * 1_000), *seconds);
    }
    human::dash(parts.join(", "))
}

pub(crate) fn core_hours(held: &HeldTime) -> String {
    hours(held.cpu_milli_seconds.into())
}

pub(crate) fn gpu_hours(held: &HeldTime) -> String {
    hours(held.gpu_milli_seconds.into())
}

pub(crate) fn gib_hours(mib_seconds: u64) -> String {
    hours(u128::from(mib_seconds) * 1_000 / 1_024)
}

/// To a thousandth.
fn hours(milli_seconds: u128) -> String {
    human::millis(u64::try_from(milli_seconds / 3_600).unwrap_or(u64::MAX))
}

impl ShowIt for JobCost {
    fn reference(&self) -> String {
        format!("job/{}/{}", self.tenant, self.job)
    }

    fn columns(_wide: bool) -> Vec<Column> {
        vec![
            left("TENANT"),
            left("JOB"),
            right("CHARGE"),
            right("AN HOUR NOW"),
            left("CURRENCY"),
            left("HELD"),
        ]
    }

    fn row(&self, _wide: bool) -> Vec<Cell> {
        vec![
            self.tenant.as_str().into(),
            self.job.as_str().into(),
            money::text(self.charge_micros).into(),
            money::text(self.hourly_micros).into(),
            human::dash(self.currency.as_str()).into(),
            held(self.held.as_ref()).into(),
        ]
    }

    fn details(&self) -> Vec<(&'static str, Cell)> {
        let currency = &self.currency;
        let until = self.as_of.as_ref().map(ToString::to_string).unwrap_or_default();
        vec![
            ("Job", format!("{}/{}", self.tenant, self.job).into()),
            ("Charge", money::with_currency(self.charge_micros, currency).into()),
            ("An hour now", money::with_currency(self.hourly_micros, currency).into()),
            ("Held", held(self.held.as_ref()).into()),
            ("Until", until.into()),
        ]
    }
}
