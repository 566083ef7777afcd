//! `offpeak statement`: what tenants are charged and owners get.

use std::{fmt::Write as _, time::Duration};

use clap::{Args, Subcommand};
use offpeak::v1::{
    GetStatementRequest, GetStatementResponse, HeldTime, StatementLine, StatementTotal,
    get_statement_request::Subject,
};
use offpeak_client::{Client, DEFAULT_TIMEOUT, Error};
use prost_types::Timestamp;

use super::{
    cost::{core_hours, gib_hours, gpu_hours, held},
    failure::Failure,
    human, json, money,
    output::Format,
    session::Session,
    table::{self, Cell, Column, left, right},
};

/// What tenants are charged and what owners get, day by day. What still runs is counted until now.
#[derive(Debug, Subcommand)]
#[command(after_help = "\
Examples:
  offpeak statement tenant acme --month 2026-11
  offpeak statement owner web --from 2026-11-01 --to 2026-11-15 -o csv
  offpeak statement cell -o json")]
pub(crate) enum Command {
    /// What a tenant is charged
    Tenant {
        /// Its name; a tenant that is gone has statements too
        name: String,
        #[command(flatten)]
        days: Days,
    },
    /// What an owner gets for what it lends
    Owner {
        /// Its name
        name: String,
        #[command(flatten)]
        days: Days,
    },
    /// Of all tenants and owners
    Cell {
        #[command(flatten)]
        days: Days,
    },
}

/// Which days, in UTC; this month until today if none are given.
#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct Days {
    /// A month, such as 2026-11
    #[arg(long, value_parser = money::parse_month, conflicts_with_all = ["from", "to"])]
    month: Option<(Timestamp, Timestamp)>,
    /// The first day, such as 2026-11-01
    #[arg(long, value_parser = money::parse_day, value_name = "DAY")]
    from: Option<Timestamp>,
    /// The last day
    #[arg(long, value_parser = money::parse_day, value_name = "DAY")]
    to: Option<Timestamp>,
}

impl Days {
    fn range(self) -> (Option<Timestamp>, Option<Timestamp>) {
        match self.month {
            Some((first, next)) => (Some(first), Some(next)),
            None => (self.from, self.to.map(money::day_after)),
        }
    }
}

pub(crate) async fn run(command: Command, session: &Session) -> Result<(), Failure> {
    let (subject, days) = match command {
        Command::Tenant { name, days } => {
            let name = name.strip_prefix("tenant/").unwrap_or(&name).to_owned();
            (Some(Subject::Tenant(name)), days)
        }
        Command::Owner { name, days } => {
            let name = name.strip_prefix("owner/").unwrap_or(&name).to_owned();
            (Some(Subject::Owner(name)), days)
        }
        Command::Cell { days } => (None, days),
    };
    let client = session.connect().await?;
    let (from, until) = days.range();
    let request = GetStatementRequest { subject: subject.clone(), from, until, min_revision: 0 };
    let statement = fetch(&client, request, session.timeout.unwrap_or(DEFAULT_TIMEOUT)).await?;
    let out = session.out;
    match out.format {
        Format::Table | Format::Wide => {
            let mut text = String::new();
            if !statement.lines.is_empty() {
                text = table::render(
                    &columns(subject.as_ref()),
                    &rows(&statement, subject.as_ref()),
                    out.color,
                );
                text.push('\n');
            }
            text.push_str(&table::render_details(&totals(&statement, subject.as_ref()), out.color));
            out.print(&text)
        }
        Format::Csv => out.print(&csv(&statement)),
        Format::Name => {
            let names = statement.lines.iter().map(|line| {
                format!("{}/{}/{}\n", line.date, line.tenant, human::dash(line.owner.as_str()))
            });
            out.print(&names.collect::<String>())
        }
        Format::Jsonl => {
            statement.lines.iter().try_for_each(|line| out.object(&json::dynamic(line)))
        }
        Format::Json | Format::Yaml => out.object(&json::dynamic(&statement)),
    }
}

/// The whole statement as one message.
async fn fetch(
    client: &Client,
    request: GetStatementRequest,
    timeout: Duration,
) -> Result<GetStatementResponse, Failure> {
    let failed = |status: tonic::Status| Failure::from(Error::from_status(&status, timeout));
    let mut request = tonic::Request::new(request);
    request.set_timeout(timeout);
    let mut parts = client.billing().get_statement(request).await.map_err(failed)?.into_inner();
    let mut lines = Vec::new();
    let mut last = GetStatementResponse::default();
    while let Some(part) = parts.message().await.map_err(failed)? {
        lines.extend(part.lines.iter().cloned());
        last = part;
    }
    Ok(GetStatementResponse { lines, ..last })
}

fn columns(subject: Option<&Subject>) -> Vec<Column> {
    let mut columns = vec![left("DATE")];
    if !matches!(subject, Some(Subject::Tenant(_))) {
        columns.push(left("TENANT"));
    }
    if !matches!(subject, Some(Subject::Owner(_))) {
        columns.push(left("OWNER"));
    }
    columns.extend([
        left("REGION"),
        left("GPU MODEL"),
        right("CORE HOURS"),
        right("GIB HOURS"),
        right("GPU HOURS"),
    ]);
    columns.push(right(if is_owners(subject) { "EARNED" } else { "CHARGE" }));
    if subject.is_none() {
        columns.extend([right("OWNER GETS"), right("MARGIN")]);
    }
    columns.push(right("BY THE LIST"));
    columns
}

fn is_owners(subject: Option<&Subject>) -> bool {
    matches!(subject, Some(Subject::Owner(_)))
}

fn rows(statement: &GetStatementResponse, subject: Option<&Subject>) -> Vec<Vec<Cell>> {
    let row = |line: &StatementLine| {
        let held = line.held.clone().unwrap_or_default();
        let mut row: Vec<Cell> = vec![line.date.as_str().into()];
        if !matches!(subject, Some(Subject::Tenant(_))) {
            row.push(line.tenant.as_str().into());
        }
        if !is_owners(subject) {
            row.push(human::dash(line.owner.as_str()).into());
        }
        row.extend([
            human::dash(line.region.as_str()).into(),
            human::dash(line.gpu_model.as_str()).into(),
            core_hours(&held).into(),
            gib_hours(held.memory_mib_seconds).into(),
            gpu_hours(&held).into(),
        ]);
        let main = if is_owners(subject) { line.owner_micros } else { line.charge_micros };
        row.push(money::text(main).into());
        if subject.is_none() {
            row.push(money::text(line.owner_micros).into());
            row.push(money::text(line.margin_micros).into());
        }
        row.push(money::text(line.list_micros).into());
        row
    };
    statement.lines.iter().map(row).collect()
}

fn totals(
    statement: &GetStatementResponse,
    subject: Option<&Subject>,
) -> Vec<(&'static str, Cell)> {
    let total: StatementTotal = statement.total.clone().unwrap_or_default();
    let money = |micros| Cell::from(money::with_currency(micros, &statement.currency));
    let until = statement.as_of.as_ref().map(ToString::to_string).unwrap_or_default();
    let mut totals = vec![("Held", held(total.held.as_ref()).into())];
    match subject {
        Some(Subject::Tenant(_)) => totals.push(("Charge", money(total.charge_micros))),
        Some(Subject::Owner(_)) => totals.push(("Earned", money(total.owner_micros))),
        None => totals.extend([
            ("Charge", money(total.charge_micros)),
            ("Owners get", money(total.owner_micros)),
            ("Margin", money(total.margin_micros)),
        ]),
    }
    totals.push(("By the list", money(total.list_micros)));
    totals.push(("Until", until.into()));
    totals
}

/// Numbers as the API tells them; no field needs quotes.
fn csv(statement: &GetStatementResponse) -> String {
    let mut text = String::from(
        "date,tenant,owner,region,gpu_model,task_ms,cpu_milli_seconds,memory_mib_seconds,disk_mib_seconds,\
         network_megabits,gpu_milli_seconds,counts,charge_micros,owner_micros,margin_micros,list_micros,currency\n",
    );
    for line in &statement.lines {
        let StatementLine { date, tenant, owner, region, gpu_model, .. } = line;
        let HeldTime {
            task_ms,
            cpu_milli_seconds,
            memory_mib_seconds,
            disk_mib_seconds,
            network_megabits,
            gpu_milli_seconds,
            count_seconds,
        } = line.held.clone().unwrap_or_default();
        let counts: Vec<String> =
            count_seconds.iter().map(|(name, seconds)| format!("{name}={seconds}")).collect();
        let counts = counts.join(" ");
        let StatementLine { charge_micros, owner_micros, margin_micros, list_micros, .. } = line;
        let currency = &statement.currency;
        let _ = writeln!(
            text,
            "{date},{tenant},{owner},{region},{gpu_model},{task_ms},{cpu_milli_seconds},{memory_mib_seconds},\
             {disk_mib_seconds},{network_megabits},{gpu_milli_seconds},{counts},{charge_micros},{owner_micros},\
             {margin_micros},{list_micros},{currency}"
        );
    }
    text
}
