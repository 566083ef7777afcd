//! `offpeak price`: what capacity costs.

use clap::{Args, Subcommand};
use offpeak::v1::{
    GetPriceBookRequest, ListPriceChangesRequest, PriceBook, Prices, SetPriceBookRequest,
};
use prost_types::Timestamp;

use super::{
    failure::Failure,
    human, money,
    output::Show,
    page::{self, Limit},
    percent,
    price_demand::{self, Curve},
    session::Session,
    table::{Cell, Column, left, right},
};

/// What a factor is that was never set, in thousandths.
pub(super) const WHOLE: u32 = 1_000;

/// What capacity costs, and what owners get of it.
#[derive(Debug, Subcommand)]
#[command(after_help = "\
Examples:
  offpeak price set --currency EUR --core 0.04 --memory-gib 0.005 --gpu 2 --interruptible 30% --owners 80%
  offpeak price set --region eu --core 0.05 --gpu-model h100=3.5
  offpeak price set --demand 70%=120%,90%=150%
  offpeak price get
  offpeak price history --region eu --since 7d")]
pub(crate) enum Command {
    /// Show the prices for what is placed now
    Get {
        /// Show those for what was placed then, such as 2026-11-26T12:00:00Z
        #[arg(long, value_parser = parse_time, value_name = "TIME")]
        at: Option<Timestamp>,
    },
    /// Change prices, for what is placed from now on; what is not given stays
    Set(Box<Change>),
    /// List what changed prices, the newest first: new prices, and what demand made of them
    History {
        /// Of what demand made of them, that in this region only
        #[arg(long)]
        region: Option<String>,
        /// From then on: a span back from now such as 7d, or a time such as 2026-11-26T12:00:00Z
        #[arg(long, value_parser = price_demand::parse_since, value_name = "SPAN|TIME")]
        since: Option<Timestamp>,
        #[command(flatten)]
        limit: Limit,
    },
}

/// What to change of the prices.
#[derive(Args, Debug)]
pub(crate) struct Change {
    /// The currency, such as EUR; once set it stays
    #[arg(long)]
    currency: Option<String>,
    /// Set the prices below for this region only
    #[arg(long)]
    region: Option<String>,
    /// Of a core for an hour
    #[arg(long, value_parser = money::parse, value_name = "PRICE")]
    core: Option<u64>,
    /// Of a GiB of memory
    #[arg(long, value_parser = money::parse, value_name = "PRICE")]
    memory_gib: Option<u64>,
    /// Of a GiB of disk
    #[arg(long, value_parser = money::parse, value_name = "PRICE")]
    disk_gib: Option<u64>,
    /// Of 1 Gbps of network
    #[arg(long, value_parser = money::parse, value_name = "PRICE")]
    network_gbps: Option<u64>,
    /// Of a GPU of a model that has no price of its own
    #[arg(long, value_parser = money::parse, value_name = "PRICE")]
    gpu: Option<u64>,
    /// Of a GPU of a model; may be repeated
    #[arg(long, value_parser = money::parse_named, value_name = "MODEL=PRICE")]
    gpu_model: Vec<(String, u64)>,
    /// Of a named countable; may be repeated
    #[arg(long, value_parser = money::parse_named, value_name = "NAME=PRICE")]
    countable: Vec<(String, u64)>,
    /// What work without a min_runtime pays of these prices [default: 100%, here and below]
    #[arg(long, value_parser = parse_share, value_name = "PERCENT")]
    interruptible: Option<u32>,
    /// What work with a min_runtime of up to five minutes pays
    #[arg(long, value_parser = parse_share, value_name = "PERCENT")]
    five_minutes: Option<u32>,
    /// Of up to an hour
    #[arg(long, value_parser = parse_share, value_name = "PERCENT")]
    hour: Option<u32>,
    /// Of up to six hours
    #[arg(long, value_parser = parse_share, value_name = "PERCENT")]
    six_hours: Option<u32>,
    /// Of more
    #[arg(long, value_parser = parse_share, value_name = "PERCENT")]
    day: Option<u32>,
    /// What owners get of what tenants are charged
    #[arg(long, value_parser = parse_share, value_name = "PERCENT")]
    owners: Option<u32>,
    /// What is paid of all this in a region of which so much is lent, or more: steps that ascend; none ends it
    #[arg(long, value_parser = price_demand::parse, value_name = "LENT=PAID,...")]
    demand: Option<Curve>,
    /// Check only; change nothing
    #[arg(long)]
    dry_run: bool,
}

pub(crate) async fn run(command: Command, session: &Session) -> Result<(), Failure> {
    if let Command::Set(change) = &command {
        change.check()?;
    }
    let client = session.connect().await?;
    match command {
        Command::Get { at } => {
            let request = GetPriceBookRequest { time: at, min_revision: 0 };
            match client.call(request).await?.price_book {
                Some(book) => session.out.some(&[book]),
                None => {
                    session.out.remark("nothing has a price");
                    Ok(())
                }
            }
        }
        Command::Set(change) => {
            let old = client.call(GetPriceBookRequest::default()).await?.price_book;
            let expected_revision = old.as_ref().map_or(0, |old| old.revision);
            let mut book = old.unwrap_or_default();
            change.apply(&mut book);
            let request = SetPriceBookRequest {
                price_book: Some(book),
                expected_revision,
                validate_only: change.dry_run,
                ..SetPriceBookRequest::default()
            };
            let answer = client.call(request).await?;
            let what = if change.dry_run { "set (dry run)" } else { "set" };
            session.out.done("prices", what, &answer)
        }
        Command::History { region, since, limit } => {
            let request = ListPriceChangesRequest { region, from: since, ..Default::default() };
            let changes = page::fetch(&client, &request, limit).await?;
            session.out.list(&changes)
        }
    }
}

fn parse_share(text: &str) -> Result<u32, String> {
    percent::parse(text, 1)
}

fn parse_time(text: &str) -> Result<Timestamp, String> {
    text.parse().map_err(|_| format!("{text:?} is no time such as 2026-11-26T12:00:00Z"))
}

impl Change {
    /// A change of nothing would make a price book of its own, or fail for want of a currency.
    fn check(&self) -> Result<(), Failure> {
        let prices = [self.core, self.memory_gib, self.disk_gib, self.network_gbps, self.gpu];
        let has_prices = prices.iter().any(Option::is_some)
            || !self.gpu_model.is_empty()
            || !self.countable.is_empty();
        let shares = [
            self.interruptible,
            self.five_minutes,
            self.hour,
            self.six_hours,
            self.day,
            self.owners,
        ];
        let has_more =
            self.currency.is_some() || self.demand.is_some() || shares.iter().any(Option::is_some);
        if let (Some(region), false) = (&self.region, has_prices) {
            return Err(Failure::usage(format!("no price is given for the region {region}"))
                .hint("--core, --memory-gib, --gpu and the like name one; all else is the same everywhere"));
        }
        if !has_prices && !has_more {
            return Err(Failure::usage("nothing is given to set")
                .hint("--core 0.04 sets a price, --currency EUR the currency; `offpeak price get` shows them"));
        }
        Ok(())
    }

    fn apply(&self, book: &mut PriceBook) {
        if let Some(currency) = &self.currency {
            book.currency.clone_from(currency);
        }
        let prices = match &self.region {
            Some(region) => book.regions.entry(region.clone()).or_default(),
            None => book.everywhere.get_or_insert_default(),
        };
        let set = |price: &mut Option<u64>, new: Option<u64>| *price = new.or(*price);
        set(&mut prices.core, self.core);
        set(&mut prices.memory_gib, self.memory_gib);
        set(&mut prices.disk_gib, self.disk_gib);
        set(&mut prices.network_gbps, self.network_gbps);
        set(&mut prices.gpu, self.gpu);
        prices.gpu_models.extend(self.gpu_model.iter().cloned());
        prices.counts.extend(self.countable.iter().cloned());
        let set = |permille: &mut Option<u32>, new: Option<u32>| *permille = new.or(*permille);
        set(&mut book.interruptible_permille, self.interruptible);
        set(&mut book.five_minutes_permille, self.five_minutes);
        set(&mut book.hour_permille, self.hour);
        set(&mut book.six_hours_permille, self.six_hours);
        set(&mut book.day_permille, self.day);
        set(&mut book.owner_permille, self.owners);
        if let Some(Curve(steps)) = &self.demand {
            book.demand.clone_from(steps);
        }
    }
}

/// List prices in one line.
pub(super) fn list(prices: &Prices) -> String {
    let fixed = [
        ("core", prices.core),
        ("memory GiB", prices.memory_gib),
        ("disk GiB", prices.disk_gib),
        ("network Gbps", prices.network_gbps),
        ("GPU", prices.gpu),
    ];
    let fixed = fixed.into_iter().filter_map(|(what, price)| Some((what.to_owned(), price?)));
    let models = prices.gpu_models.iter().map(|(model, price)| (format!("GPU {model}"), *price));
    let counts = prices.counts.iter().map(|(name, price)| (name.clone(), *price));
    let all = fixed.chain(models).chain(counts);
    let all: Vec<String> =
        all.map(|(what, price)| format!("{what} {}", money::text(price))).collect();
    human::dash(all.join(", "))
}

fn share(permille: Option<u32>) -> Cell {
    percent::text(permille.unwrap_or(WHOLE), 1).into()
}

impl Show for PriceBook {
    fn reference(&self) -> String {
        format!("prices/{}", self.revision)
    }

    fn columns(_wide: bool) -> Vec<Column> {
        vec![
            left("SINCE"),
            right("REVISION"),
            left("CURRENCY"),
            right("INTERRUPTIBLE"),
            right("OWNERS GET"),
            left("AN HOUR OF"),
            left("REGIONS"),
        ]
    }

    fn row(&self, _wide: bool) -> Vec<Cell> {
        let regions: Vec<&str> = self.regions.keys().map(String::as_str).collect();
        vec![
            self.since.as_ref().map(ToString::to_string).unwrap_or_default().into(),
            self.revision.to_string().into(),
            self.currency.as_str().into(),
            share(self.interruptible_permille),
            share(self.owner_permille),
            list(&self.everywhere.clone().unwrap_or_default()).into(),
            human::dash(regions.join(", ")).into(),
        ]
    }

    fn details(&self) -> Vec<(&'static str, Cell)> {
        let mut details = vec![
            ("Currency", self.currency.as_str().into()),
            ("An hour of", list(&self.everywhere.clone().unwrap_or_default()).into()),
        ];
        let mut label = "In regions";
        for (region, prices) in &self.regions {
            let text = format!("{region}: {}", list(prices));
            details.push((std::mem::take(&mut label), text.into()));
        }
        details.extend([
            ("Interruptible pays", share(self.interruptible_permille)),
            ("Up to 5m pays", share(self.five_minutes_permille)),
            ("Up to 1h pays", share(self.hour_permille)),
            ("Up to 6h pays", share(self.six_hours_permille)),
            ("Longer pays", share(self.day_permille)),
            ("Owners get", share(self.owner_permille)),
        ]);
        details.extend(price_demand::details(self));
        details.extend([
            ("Since", self.since.as_ref().map(ToString::to_string).unwrap_or_default().into()),
            ("Revision", self.revision.to_string().into()),
        ]);
        details
    }
}
