//! Prices, budgets and statements in words.

use std::fmt::Write as _;

use offpeak_core::{
    billing::{DAY_MS, Subject, job_cost, statement},
    command::Command,
    model::{Budget, DemandCurve, DemandStep, Job, Name, Period, PriceBook, Prices, Time},
    state::State,
};

use super::parse::name;

/// `price core=36000 eu.core=72000 spot=300 horizons=500,700,900,1000 share=800 demand=700:1200,900:1500`, in millionths
/// an hour and thousandths.
pub(crate) fn book(words: &[&str]) -> Command {
    let mut book = PriceBook {
        currency: name("EUR"),
        everywhere: Prices::default(),
        regions: Default::default(),
        interruptible_permille: 1000,
        horizon_permille: [1000; 4],
        owner_permille: 1000,
        demand: DemandCurve::default(),
    };
    for word in words {
        let (key, value) = word.split_once('=').expect("key=value");
        let number = || value.parse::<u32>().expect("a number");
        match key {
            "currency" => book.currency = name(value),
            "spot" => book.interruptible_permille = number(),
            "share" => book.owner_permille = number(),
            "demand" => book.demand = demand(value),
            "horizons" => {
                let all: Vec<u32> = value.split(',').map(|p| p.parse().expect("number")).collect();
                book.horizon_permille = all.try_into().expect("four");
            }
            key => match key.split_once('.').filter(|(region, _)| !PREFIXES.contains(region)) {
                Some((region, key)) => {
                    set(book.regions.entry(name(region)).or_default(), key, value);
                }
                None => set(&mut book.everywhere, key, value),
            },
        }
    }
    Command::SetPriceBook { book: Box::new(book), expected: None }
}

fn demand(text: &str) -> DemandCurve {
    let steps = text.split(',').map(|step| {
        let (lent, factor) = step.split_once(':').expect("lent:factor");
        let number = |text: &str| text.parse().expect("a number");
        DemandStep { lent_permille: number(lent), factor_permille: number(factor) }
    });
    DemandCurve::new(steps.collect()).expect("a curve")
}

const PREFIXES: [&str; 2] = ["count", "model"];

fn set(prices: &mut Prices, key: &str, value: &str) {
    let price = value.parse().expect("a price");
    match key.split_once('.').unwrap_or((key, "")) {
        ("core", _) => prices.core = Some(price),
        ("gib", _) => prices.memory_gib = Some(price),
        ("disk", _) => prices.disk_gib = Some(price),
        ("net", _) => prices.network_gbps = Some(price),
        ("gpu", _) => prices.gpu = Some(price),
        ("model", model) => drop(prices.gpu_models.insert(name(model), price)),
        ("count", what) => drop(prices.counts.insert(name(what), price)),
        _ => panic!("no such price: {key}"),
    }
}

/// `period=day warn=1 stop-new=2 stop-all=3`, whole units of the currency; `none` lifts a limit.
pub(crate) fn budget<'a>(get: impl Fn(&str) -> Option<&'a str>) -> Option<Budget> {
    let limit = |key| {
        let text = get(key).filter(|text| *text != "none")?;
        Some(text.parse::<u64>().expect("a number") * 1_000_000)
    };
    ["period", "warn", "stop-new", "stop-all"].iter().any(|key| get(key).is_some()).then(|| {
        Budget {
            period: if get("period") == Some("day") { Period::Day } else { Period::Month },
            warn: limit("warn"),
            stop_new: limit("stop-new"),
            stop_all: limit("stop-all"),
        }
    })
}

/// The statement of the whole cell, of `tenant NAME` or of `owner NAME`.
pub(crate) fn bill(state: &State, words: &[&str], now: Time) -> Vec<String> {
    let of = |text: &&str| Name::parse_optional(text).expect("a name");
    let subject = match words {
        [] => Subject::Cell,
        ["tenant", tenant] => Subject::Tenant(of(tenant)),
        ["owner", owner] => Subject::Owner(of(owner)),
        _ => panic!("bill, bill tenant NAME or bill owner NAME"),
    };
    let days = 0..u32::try_from(now.0 / DAY_MS).expect("a day") + 1;
    let lines = statement(state, &subject, days, now).lines;
    let text = lines.iter().map(|line| {
        let row = &line.row;
        let site = [&line.site.owner, &line.site.region, &line.site.gpu_model];
        let site: Vec<&str> = site.iter().map(|n| n.as_str()).filter(|n| !n.is_empty()).collect();
        let mut text = format!("day {} {} at [{}]:", line.day, line.tenant, site.join(" "));
        for (what, amount) in [("cpu", row.cpu), ("memory", row.memory), ("gpu", row.gpu)] {
            if amount > 0 {
                write!(text, " {what} {amount}").expect("a string");
            }
        }
        let (charge, list, credit) = (line.charge(), line.list(), line.credit());
        format!("{text} charge {charge} of list {list}, owner {credit}, margin {}", line.margin())
    });
    text.collect()
}

pub(crate) fn cost(state: &State, job: &Job, now: Time) -> String {
    let cost = job_cost(state, job, now);
    format!("{} ms of tasks: {}, and {} an hour", cost.task_ms, cost.charge(), cost.hourly())
}
