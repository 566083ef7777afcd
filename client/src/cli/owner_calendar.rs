//! `offpeak owner calendar`: when an owner holds back a share of its nodes.

use std::time::Duration;

use clap::{ArgGroup, Args, Subcommand};
use offpeak::v1::{
    CalendarEntry, HeldShare, Monthly, Once, PreviewCalendarRequest, Weekday, Weekly, Window,
    Yearly, calendar_entry::Days,
};
use offpeak_client::Client;
use prost_types::Timestamp;

use super::{
    failure::{Failure, exit},
    human,
    output::Show,
    owner::{get_or_new, plain, update},
    percent,
    session::Session,
    table::{Cell, Column, left},
};

const WEEKDAYS: [(&str, Weekday); 7] = [
    ("mon", Weekday::Monday),
    ("tue", Weekday::Tuesday),
    ("wed", Weekday::Wednesday),
    ("thu", Weekday::Thursday),
    ("fri", Weekday::Friday),
    ("sat", Weekday::Saturday),
    ("sun", Weekday::Sunday),
];

/// The calendar of an owner.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  offpeak owner calendar shop add sale --yearly 11-20 --for 11d --zone Europe/Berlin --share 60%
  offpeak owner calendar bank add payroll --monthly 25,last --at 06:00 --for 16h --share 30% --cpu 80%
  offpeak owner calendar shop add office --weekly mon,tue,wed,thu,fri --at 08:00 --for 10h --share 40%
  offpeak owner calendar shop add move --once 2026-11-27T20:00 --until 2026-11-28T04:00 --share 100% --region eu
  offpeak owner calendar shop list
  offpeak owner calendar shop preview --limit 3
  offpeak owner calendar shop remove move")]
pub(crate) struct Calendar {
    /// Whose
    owner: String,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Add an entry
    Add(Box<Entry>),
    /// Remove entries
    #[command(visible_alias = "rm")]
    Remove {
        /// Their names
        #[arg(required = true)]
        names: Vec<String>,
        /// Check only; change nothing
        #[arg(long)]
        dry_run: bool,
    },
    /// List the entries
    #[command(visible_alias = "ls")]
    List,
    /// Print when the entries hold next, on their clocks and in UTC
    Preview {
        /// Those that end after this, as 2026-11-20T00:00:00Z [default: now]
        #[arg(long, value_name = "TIME")]
        after: Option<Timestamp>,
        /// How many
        #[arg(long, default_value_t = 10, value_name = "N")]
        limit: i32,
    },
}

/// An entry of the calendar.
#[derive(Args, Debug)]
#[command(group = ArgGroup::new("days").args(["weekly", "monthly", "yearly", "once"]).required(true))]
struct Entry {
    /// What to call it
    name: String,
    /// Every week on these days, such as mon,fri
    #[arg(long, value_delimiter = ',', value_parser = parse_weekday, value_name = "DAYS")]
    weekly: Vec<Weekday>,
    /// Every month on these days: 1 to 28, or `last`
    #[arg(long, value_delimiter = ',', value_parser = parse_day, value_name = "DAYS")]
    monthly: Vec<i32>,
    /// Every year on this day, such as 11-20
    #[arg(long, value_parser = parse_date, value_name = "MM-DD")]
    yearly: Option<Yearly>,
    /// Once, from this time on, such as 2026-11-27T20:00
    #[arg(long, requires = "until", conflicts_with_all = ["at", "length"], value_name = "TIME")]
    once: Option<String>,
    /// Until then, for --once
    #[arg(long, requires = "once", value_name = "TIME")]
    until: Option<String>,
    /// The time of day at which it begins [default: 00:00]
    #[arg(long, value_name = "HH:MM")]
    at: Option<String>,
    /// How long it holds, on the clock; for all but --once
    #[arg(long = "for", required_unless_present = "once", value_parser = human::parse_duration, value_name = "DURATION")]
    length: Option<Duration>,
    /// By which clocks, such as Europe/Berlin [default: UTC]
    #[arg(long, value_name = "ZONE")]
    zone: Option<String>,
    /// How much of everything is held back
    #[arg(long, value_parser = parse_share, value_name = "PERCENT")]
    share: u32,
    /// Of the cores, if not as of everything
    #[arg(long, value_parser = parse_share, value_name = "PERCENT")]
    cpu: Option<u32>,
    /// Of the memory
    #[arg(long, value_parser = parse_share, value_name = "PERCENT")]
    memory: Option<u32>,
    /// Of the disk
    #[arg(long, value_parser = parse_share, value_name = "PERCENT")]
    disk: Option<u32>,
    /// Of the network
    #[arg(long, value_parser = parse_share, value_name = "PERCENT")]
    network: Option<u32>,
    /// Of the GPUs, whole devices
    #[arg(long, value_parser = parse_share, value_name = "PERCENT")]
    gpus: Option<u32>,
    /// Only nodes in this region; may be repeated
    #[arg(long = "region", value_name = "REGION")]
    regions: Vec<String>,
    /// Only nodes with this label; may be repeated
    #[arg(long = "label", short = 'l', value_parser = human::parse_pair, value_name = "KEY=VALUE")]
    labels: Vec<(String, String)>,
    /// Take the place of an entry of the same name
    #[arg(long)]
    replace: bool,
    /// Check only; change nothing
    #[arg(long)]
    dry_run: bool,
}

pub(crate) async fn run(
    calendar: Calendar,
    client: &Client,
    session: &Session,
) -> Result<(), Failure> {
    let owner = &calendar.owner;
    match calendar.command {
        Command::Add(entry) => add(owner, &entry, client, session).await,
        Command::Remove { names, dry_run } => remove(owner, &names, dry_run, client, session).await,
        Command::List => session.out.list(&get_or_new(client, owner).await?.calendar),
        Command::Preview { after, limit } => {
            let name = plain(owner).to_owned();
            let request =
                PreviewCalendarRequest { name, after, limit, ..PreviewCalendarRequest::default() };
            session.out.list(&client.call(request).await?.windows)
        }
    }
}

async fn add(
    owner: &str,
    entry: &Entry,
    client: &Client,
    session: &Session,
) -> Result<(), Failure> {
    let old = get_or_new(client, owner).await?;
    let mut new = old.clone();
    let known = new.calendar.iter().position(|known| known.name == entry.name);
    match known {
        Some(_) if !entry.replace => {
            let message =
                format!("the calendar of {} has an entry {:?} already", new.name, entry.name);
            return Err(Failure::new(exit::CONFLICT, message).hint("--replace takes its place"));
        }
        Some(at) => new.calendar[at] = entry.message(),
        None => new.calendar.push(entry.message()),
    }
    update(&old, new, entry.dry_run, client, session).await
}

async fn remove(
    owner: &str,
    names: &[String],
    dry_run: bool,
    client: &Client,
    session: &Session,
) -> Result<(), Failure> {
    let old = get_or_new(client, owner).await?;
    let mut new = old.clone();
    for name in names {
        if !new.calendar.iter().any(|entry| entry.name == *name) {
            let message = format!("the calendar of {} has no entry {name:?}", new.name);
            return Err(Failure::new(exit::NOT_FOUND, message));
        }
        new.calendar.retain(|entry| entry.name != *name);
    }
    update(&old, new, dry_run, client, session).await
}

fn parse_weekday(text: &str) -> Result<Weekday, String> {
    let found = WEEKDAYS.iter().find(|(word, _)| *word == text.to_ascii_lowercase());
    found.map(|(_, day)| *day).ok_or_else(|| {
        let words = WEEKDAYS.map(|(word, _)| word).join(", ");
        format!("{text:?} is no day of the week; they are {words}")
    })
}

fn parse_day(text: &str) -> Result<i32, String> {
    match text {
        "last" => Ok(-1),
        _ => text.parse().map_err(|_| format!("{text:?} is no day of the month, nor `last`")),
    }
}

fn parse_date(text: &str) -> Result<Yearly, String> {
    let (month, day) = text.split_once('-').unwrap_or((text, ""));
    match (month.parse(), day.parse()) {
        (Ok(month), Ok(day)) => Ok(Yearly { month, day }),
        _ => Err(format!("{text:?} is no month and day such as 11-20")),
    }
}

/// Percent as thousandths.
fn parse_share(text: &str) -> Result<u32, String> {
    percent::parse(text, 1)
}

impl Entry {
    fn message(&self) -> CalendarEntry {
        CalendarEntry {
            name: self.name.clone(),
            days: self.days(),
            start: self.at.clone().unwrap_or_default(),
            length: self.length.map(human::to_wire),
            time_zone: self.zone.clone().unwrap_or_default(),
            share: Some(HeldShare {
                permille: self.share,
                cpu_permille: self.cpu,
                memory_permille: self.memory,
                disk_permille: self.disk,
                network_permille: self.network,
                gpu_permille: self.gpus,
            }),
            regions: self.regions.clone(),
            labels: self.labels.iter().cloned().collect(),
        }
    }

    fn days(&self) -> Option<Days> {
        if let (Some(start), Some(end)) = (&self.once, &self.until) {
            return Some(Days::Once(Once { start: start.clone(), end: end.clone() }));
        }
        if !self.weekly.is_empty() {
            let weekdays = self.weekly.iter().map(|day| i32::from(*day)).collect();
            return Some(Days::Weekly(Weekly { weekdays }));
        }
        if !self.monthly.is_empty() {
            return Some(Days::Monthly(Monthly { days: self.monthly.clone() }));
        }
        self.yearly.map(Days::Yearly)
    }
}

/// When and how much, in one line.
pub(crate) fn sentence(entry: &CalendarEntry) -> String {
    let zone = if entry.time_zone.is_empty() { "UTC" } else { &entry.time_zone };
    let mut text = format!("{} ({zone}), {}", when(entry), share(entry.share.as_ref()));
    let place = place(entry);
    if place != "-" {
        text = format!("{text} in {place}");
    }
    text
}

fn when(entry: &CalendarEntry) -> String {
    let days = match &entry.days {
        Some(Days::Once(once)) => return format!("{} to {}", once.start, once.end),
        Some(Days::Weekly(weekly)) => {
            let word = |day: &i32| WEEKDAYS.iter().find(|(_, known)| i32::from(*known) == *day);
            let words: Vec<&str> = weekly
                .weekdays
                .iter()
                .map(|day| word(day).map_or("?", |(word, _)| *word))
                .collect();
            words.join(",")
        }
        Some(Days::Monthly(monthly)) => {
            let words = monthly.days.iter().map(|day| match day {
                -1 => "last".to_owned(),
                day => day.to_string(),
            });
            format!("monthly {}", words.collect::<Vec<_>>().join(","))
        }
        Some(Days::Yearly(yearly)) => format!("yearly {:02}-{:02}", yearly.month, yearly.day),
        None => "of a newer server".to_owned(),
    };
    let start = if entry.start.is_empty() { "00:00" } else { &entry.start };
    format!("{days} {start} for {}", human::wire_span(entry.length.as_ref()))
}

fn share(share: Option<&HeldShare>) -> String {
    let share = share.copied().unwrap_or_default();
    let own = [
        ("cpu", share.cpu_permille),
        ("memory", share.memory_permille),
        ("disk", share.disk_permille),
        ("network", share.network_permille),
        ("gpus", share.gpu_permille),
    ];
    let own = own.into_iter().filter_map(|(name, share)| Some((name, share?)));
    let mut parts = vec![percent::text(share.permille, 1)];
    parts.extend(own.map(|(name, share)| format!("{name} {}", percent::text(share, 1))));
    parts.join(", ")
}

/// On which nodes, or `-` for all.
fn place(entry: &CalendarEntry) -> String {
    let labels = entry.labels.iter().map(|(key, value)| format!("{key}={value}"));
    let all: Vec<String> = entry.regions.iter().cloned().chain(labels).collect();
    human::dash(all.join(","))
}

impl Show for CalendarEntry {
    fn reference(&self) -> String {
        self.name.clone()
    }

    fn columns(_: bool) -> Vec<Column> {
        vec![left("NAME"), left("WHEN"), left("ZONE"), left("SHARE"), left("NODES")]
    }

    fn row(&self, _: bool) -> Vec<Cell> {
        let zone = if self.time_zone.is_empty() { "UTC" } else { &self.time_zone };
        vec![
            self.name.as_str().into(),
            when(self).into(),
            zone.into(),
            share(self.share.as_ref()).into(),
            place(self).into(),
        ]
    }

    fn details(&self) -> Vec<(&'static str, Cell)> {
        vec![("Name", self.name.as_str().into()), ("Entry", sentence(self).into())]
    }
}

impl Show for Window {
    fn reference(&self) -> String {
        let start = self.start.as_ref().map(ToString::to_string);
        format!("{} {}", self.entry, start.unwrap_or_default())
    }

    fn columns(_: bool) -> Vec<Column> {
        vec![left("ENTRY"), left("START"), left("END"), left("START UTC"), left("END UTC")]
    }

    fn row(&self, _: bool) -> Vec<Cell> {
        let utc = |time: &Option<Timestamp>| {
            human::dash(time.as_ref().map(ToString::to_string).unwrap_or_default())
        };
        vec![
            self.entry.as_str().into(),
            self.local_start.as_str().into(),
            self.local_end.as_str().into(),
            utc(&self.start).into(),
            utc(&self.end).into(),
        ]
    }

    fn details(&self) -> Vec<(&'static str, Cell)> {
        vec![
            ("Entry", self.entry.as_str().into()),
            ("Start", self.local_start.as_str().into()),
            ("End", self.local_end.as_str().into()),
        ]
    }
}
