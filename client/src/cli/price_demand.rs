//! Prices that follow demand, and what changed prices, as people write and read them.

use std::time::SystemTime;

use offpeak::v1::{DemandFactor, DemandStep, PriceBook, PriceChange, price_change::Change};
use prost_types::Timestamp;

use super::{
    human,
    output::Show,
    percent, price,
    table::{Cell, Column, left, right},
};

/// How prices follow demand.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Curve(pub(crate) Vec<DemandStep>);

/// `70%=120%,90%=150%`, or `none`.
pub(crate) fn parse(text: &str) -> Result<Curve, String> {
    if text == "none" {
        return Ok(Curve(Vec::new()));
    }
    let step = |step: &str| {
        let (lent, paid) = step.split_once('=').ok_or_else(|| {
            format!("{step:?} is no step such as 70%=120%; write none to end what demand does")
        })?;
        let (lent_permille, factor_permille) = (percent::parse(lent, 1)?, percent::parse(paid, 1)?);
        Ok(DemandStep { lent_permille, factor_permille })
    };
    text.split(',').map(step).collect::<Result<_, String>>().map(Curve)
}

/// A time, or how long ago it was.
pub(crate) fn parse_since(text: &str) -> Result<Timestamp, String> {
    if let Ok(ago) = human::parse_duration(text) {
        let time = SystemTime::now().checked_sub(ago);
        let time = time.filter(|time| *time >= SystemTime::UNIX_EPOCH).map(Timestamp::from);
        return time.ok_or_else(|| format!("{text:?} is too long ago"));
    }
    text.parse().map_err(|_| {
        format!("{text:?} is neither a time such as 2026-11-26T12:00:00Z nor a span such as 7d")
    })
}

/// What the page of a price book says of demand.
pub(super) fn details(book: &PriceBook) -> Vec<(&'static str, Cell)> {
    let mut details = Vec::new();
    if !book.demand.is_empty() {
        details.push(("With demand", curve(&book.demand).into()));
    }
    let mut label = "In force";
    for factor in &book.demand_factors {
        details.push((std::mem::take(&mut label), sentence(factor).into()));
    }
    details
}

fn curve(steps: &[DemandStep]) -> String {
    let step = |step: &DemandStep| {
        let (lent, paid) = (share(step.lent_permille), share(step.factor_permille));
        format!("{paid} from {lent} lent on")
    };
    steps.iter().map(step).collect::<Vec<_>>().join(", ")
}

/// What happened to the prices of a region.
pub(super) fn sentence(factor: &DemandFactor) -> String {
    format!("{} {}", region(factor), told(factor))
}

fn told(factor: &DemandFactor) -> String {
    let paid = share(factor.factor_permille);
    let lent = factor.lent_permille.map(|lent| format!(", {} lent", share(lent)));
    format!("pays {paid} from {} on{}", time(factor.since.as_ref()), lent.unwrap_or_default())
}

fn region(factor: &DemandFactor) -> &str {
    if factor.region.is_empty() { "no region" } else { &factor.region }
}

fn share(permille: u32) -> String {
    percent::text(permille, 1)
}

fn time(time: Option<&Timestamp>) -> String {
    time.map(ToString::to_string).unwrap_or_default()
}

/// The prices of a book in one line.
fn prices(book: &PriceBook) -> String {
    let everywhere = book.everywhere.clone().unwrap_or_default();
    let mut parts = vec![format!("{}: {}", book.currency, price::list(&everywhere))];
    let regions = book.regions.iter();
    parts.extend(regions.map(|(region, prices)| format!("{region}: {}", price::list(prices))));
    let paid = |permille: Option<u32>| share(permille.unwrap_or(price::WHOLE));
    parts.push(format!("interruptible pays {}", paid(book.interruptible_permille)));
    parts.push(format!("owners get {}", paid(book.owner_permille)));
    if !book.demand.is_empty() {
        parts.push(format!("with demand: {}", curve(&book.demand)));
    }
    parts.join("; ")
}

impl Show for PriceChange {
    fn reference(&self) -> String {
        match &self.change {
            Some(Change::PriceBook(book)) => format!("prices/{}", book.revision),
            Some(Change::DemandFactor(factor)) => {
                format!("demand/{}/{}", factor.region, factor.revision)
            }
            None => String::new(),
        }
    }

    fn columns(_wide: bool) -> Vec<Column> {
        vec![
            left("SINCE"),
            right("REVISION"),
            left("REGION"),
            right("LENT"),
            right("PAYS"),
            left("NEW PRICES"),
        ]
    }

    fn row(&self, _wide: bool) -> Vec<Cell> {
        let dash = || Cell::from("-");
        match &self.change {
            Some(Change::PriceBook(book)) => vec![
                time(book.since.as_ref()).into(),
                book.revision.to_string().into(),
                "all".into(),
                dash(),
                dash(),
                prices(book).into(),
            ],
            Some(Change::DemandFactor(factor)) => vec![
                time(factor.since.as_ref()).into(),
                factor.revision.to_string().into(),
                human::dash(factor.region.as_str()).into(),
                factor.lent_permille.map_or_else(dash, |lent| share(lent).into()),
                share(factor.factor_permille).into(),
                dash(),
            ],
            None => vec!["unknown".into()],
        }
    }

    fn details(&self) -> Vec<(&'static str, Cell)> {
        match &self.change {
            Some(Change::PriceBook(book)) => book.details(),
            Some(Change::DemandFactor(factor)) => {
                vec![("Region", region(factor).into()), ("Prices", told(factor).into())]
            }
            None => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use offpeak::v1::DemandStep;

    use super::{Curve, curve, parse, parse_since};

    #[test]
    fn curves_are_read_as_they_are_written() {
        let step = |lent_permille, factor_permille| DemandStep { lent_permille, factor_permille };
        let steps = vec![step(700, 1_200), step(905, 1_500)];
        assert_eq!(parse("70%=120%,90.5%=150%"), Ok(Curve(steps.clone())));
        assert_eq!(curve(&steps), "120% from 70% lent on, 150% from 90.5% lent on");
        assert_eq!(parse("none"), Ok(Curve(Vec::new())));
        for wrong in ["", "70%", "70=120", "70%=120%,", "70%=1.2", "70%=120%;90%=150%"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn since_is_a_time_or_a_span_back_from_now() {
        assert_eq!(parse_since("2100-01-01T00:00:00Z").map(|time| time.seconds), Ok(4_102_444_800));
        let (week, day) = (parse_since("7d").expect("a span"), parse_since("1d").expect("a span"));
        assert!((6 * 86_400..=6 * 86_400 + 60).contains(&(day.seconds - week.seconds)));
        for wrong in ["7", "yesterday", "99999d"] {
            assert!(parse_since(wrong).is_err(), "{wrong}");
        }
    }
}
