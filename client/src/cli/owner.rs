//! `offpeak owner`: whoever lends nodes.

use std::time::Duration;

use clap::{Args, Subcommand};
use offpeak::v1::{GetOwnerRequest, ListOwnersRequest, Owner, UpdateOwnerRequest};
use offpeak_client::Client;
use prost_types::FieldMask;

use super::{
    apply,
    failure::Failure,
    human,
    output::{self, Show},
    owner_calendar, owner_scorecard,
    page::{self, Limit},
    percent,
    session::Session,
    table::{Cell, Column, left, right},
};

/// The risk of an owner that was never described: 1 %.
const DEFAULT_RISK_PPM: u32 = 10_000;

/// Whoever lends nodes: how much risk they accept, and when they want their nodes back.
#[derive(Debug, Subcommand)]
#[command(after_help = "\
Examples:
  offpeak owner update shop --risk 0.1% --shortfall-budget 30m
  offpeak owner scorecard shop
  offpeak owner calendar shop add sale --yearly 11-20 --for 11d --zone Europe/Berlin --share 60%
  offpeak owner calendar shop preview
  offpeak owner list
  offpeak owner get shop")]
pub(crate) enum Command {
    /// List owners
    #[command(visible_alias = "ls")]
    List(Limit),
    /// Show all that is known of owners
    Get {
        /// Their names
        #[arg(required = true)]
        names: Vec<String>,
    },
    /// Change an owner; what is not given stays. It may be one that no node names yet
    Update(Description),
    /// Show how owners have fared over the last thirty days
    Scorecard(owner_scorecard::Show),
    /// When an owner holds back a share of its nodes
    Calendar(owner_calendar::Calendar),
}

/// An owner's description.
#[derive(Args, Debug)]
pub(crate) struct Description {
    /// Its name
    name: String,
    /// How often its load may exceed what the cell bounded, in percent of the time [default: 1%]
    #[arg(long, value_parser = parse_risk, value_name = "PERCENT")]
    risk: Option<u32>,
    /// For how long in thirty days its nodes may have too little room for it, all of them together; "none" counts nothing
    #[arg(long, value_parser = parse_budget, value_name = "DURATION")]
    shortfall_budget: Option<Budget>,
    /// Check only; change nothing
    #[arg(long)]
    dry_run: bool,
}

pub(crate) async fn run(command: Command, session: &Session) -> Result<(), Failure> {
    let client = session.connect().await?;
    match command {
        Command::List(limit) => {
            session.out.list(&page::fetch(&client, &ListOwnersRequest::default(), limit).await?)
        }
        Command::Get { names } => {
            let mut owners = Vec::new();
            for name in names {
                owners.push(get(&client, &name).await?);
            }
            session.out.some(&owners)
        }
        Command::Update(description) => {
            let old = get_or_new(&client, &description.name).await?;
            let mut owner = old.clone();
            owner.risk_ppm = description.risk.or(owner.risk_ppm);
            if let Some(Budget(budget)) = description.shortfall_budget {
                owner.shortfall_budget = budget.map(human::to_wire);
            }
            update(&old, owner, description.dry_run, &client, session).await
        }
        Command::Scorecard(show) => owner_scorecard::run(&show, &client, session).await,
        Command::Calendar(calendar) => owner_calendar::run(calendar, &client, session).await,
    }
}

/// Makes the cell have what differs from what it has.
pub(crate) async fn update(
    old: &Owner,
    owner: Owner,
    dry_run: bool,
    client: &Client,
    session: &Session,
) -> Result<(), Failure> {
    let reference = owner.reference();
    let paths = apply::changed_owner_fields(old, &owner);
    if paths.is_empty() {
        session.out.remark(&format!("{reference} is already so"));
        return Ok(());
    }
    let request = UpdateOwnerRequest {
        expected_revision: old.revision,
        owner: Some(owner),
        update_mask: Some(FieldMask { paths }),
        validate_only: dry_run,
        ..UpdateOwnerRequest::default()
    };
    let answer = client.call(request).await?;
    session.out.done(&reference, if dry_run { "updated (dry run)" } else { "updated" }, &answer)
}

async fn get(client: &Client, name: &str) -> Result<Owner, Failure> {
    let request = GetOwnerRequest { name: plain(name).to_owned(), min_revision: 0 };
    Ok(client.call(request).await?.owner.unwrap_or_default())
}

/// An owner that the cell does not know is one of whom nothing was asked yet.
pub(crate) async fn get_or_new(client: &Client, name: &str) -> Result<Owner, Failure> {
    let request = GetOwnerRequest { name: plain(name).to_owned(), min_revision: 0 };
    let found = apply::found(client.call(request).await)?;
    let new = Owner { name: plain(name).to_owned(), ..Owner::default() };
    Ok(found.and_then(|answer| answer.owner).unwrap_or(new))
}

pub(crate) fn plain(name: &str) -> &str {
    name.strip_prefix("owner/").unwrap_or(name)
}

/// A budget, or none.
#[derive(Clone, Copy, Debug)]
struct Budget(Option<Duration>);

fn parse_budget(text: &str) -> Result<Budget, String> {
    if text == "none" {
        return Ok(Budget(None));
    }
    human::parse_duration(text).map(|budget| Budget(Some(budget)))
}

/// Percent as parts per million.
fn parse_risk(text: &str) -> Result<u32, String> {
    percent::parse(text, 4)
}

impl Show for Owner {
    fn reference(&self) -> String {
        format!("owner/{}", self.name)
    }

    fn columns(wide: bool) -> Vec<Column> {
        let mut columns = vec![left("NAME"), right("NODES"), right("RISK"), left("CALENDAR")];
        if wide {
            columns.push(right("REVISION"));
        }
        columns
    }

    fn row(&self, wide: bool) -> Vec<Cell> {
        let entries: Vec<&str> = self.calendar.iter().map(|entry| entry.name.as_str()).collect();
        let mut row: Vec<Cell> = vec![
            self.name.as_str().into(),
            human::count(self.nodes).into(),
            percent::text(self.risk_ppm.unwrap_or(DEFAULT_RISK_PPM), 4).into(),
            human::dash(entries.join(", ")).into(),
        ];
        if wide {
            row.push(self.revision.to_string().into());
        }
        row
    }

    fn details(&self) -> Vec<(&'static str, Cell)> {
        let mut details: Vec<(&'static str, Cell)> = vec![
            ("Name", self.name.as_str().into()),
            ("Nodes", human::count(self.nodes).into()),
            ("Labels", human::labels(&self.labels).into()),
            ("Risk", percent::text(self.risk_ppm.unwrap_or(DEFAULT_RISK_PPM), 4).into()),
        ];
        if let Some(budget) = &self.shortfall_budget {
            let left = human::wire_span(self.shortfall_budget_left.as_ref());
            let of = human::wire_span(Some(budget));
            details.push(("Shortfall", format!("{left} left of {of} in thirty days").into()));
            details.push(("Risk now", percent::text(self.current_risk_ppm, 4).into()));
        }
        let mut label = "Calendar";
        for entry in &self.calendar {
            let text = format!("{}: {}", entry.name, owner_calendar::sentence(entry));
            details.push((std::mem::take(&mut label), text.into()));
        }
        details.push(("Revision", self.revision.to_string().into()));
        details.extend(output::annotations(&self.annotations));
        details
    }
}
