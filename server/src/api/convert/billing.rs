//! Prices, budgets and statements.

use std::collections::BTreeMap;

use offpeak::v1;
use offpeak_core::{
    billing::{DAY_MS, KeptBook, KeptFactor, Line, Row},
    command::Command,
    model::{
        Budget, BudgetLevel, CurveError, DemandCurve, DemandStep, Horizon, MAX_DEMAND_STEPS,
        MAX_PRICE, MAX_PRICE_PERMILLE, Name, Period, PriceBook, Prices, Resources, Revision, Time,
    },
};

use super::{
    mutation,
    objects::timestamp,
    resources::countable,
    scalars::{MAX_LIST, at_most, enumeration, name, require, within},
    violations::{At, Violations},
};

/// The most regions with prices of their own.
const MAX_REGIONS: usize = 1_000;
/// Where nothing else is said, in thousandths.
const WHOLE: u32 = 1_000;

mutation!(SetPriceBookRequest, "SetPriceBook", set_price_book);

fn set_price_book(message: &v1::SetPriceBookRequest, violations: &mut Violations) -> Command {
    let root = At::Root;
    let at = root.field("price_book");
    let absent = v1::PriceBook::default();
    let book = require(violations, &at, message.price_book.as_ref()).unwrap_or(&absent);
    let expected = message.expected_revision;
    Command::SetPriceBook {
        book: Box::new(price_book(violations, &at, book)),
        expected: (expected > 0).then_some(Revision(expected)),
    }
}

fn price_book(violations: &mut Violations, at: &At<'_>, book: &v1::PriceBook) -> PriceBook {
    let none = v1::Prices::default();
    let everywhere = book.everywhere.as_ref().unwrap_or(&none);
    let mut regions = BTreeMap::new();
    let regions_at = at.field("regions");
    if at_most(violations, &regions_at, book.regions.len(), MAX_REGIONS) {
        for (text, own) in &book.regions {
            let at = regions_at.key(text);
            regions.insert(name(violations, &at, text), prices(violations, &at, own));
        }
    }
    let mut permille = |field, value: Option<u32>, most| {
        let value = value.unwrap_or(WHOLE);
        within(violations, &at.field(field), value, (0, most));
        value
    };
    let factors = [
        ("five_minutes_permille", book.five_minutes_permille),
        ("hour_permille", book.hour_permille),
        ("six_hours_permille", book.six_hours_permille),
        ("day_permille", book.day_permille),
    ];
    let horizon_permille: [u32; Horizon::COUNT] =
        factors.map(|(field, value)| permille(field, value, MAX_PRICE_PERMILLE));
    let spot = ("interruptible_permille", book.interruptible_permille);
    let interruptible_permille = permille(spot.0, spot.1, MAX_PRICE_PERMILLE);
    let owner_permille = permille("owner_permille", book.owner_permille, WHOLE);
    PriceBook {
        currency: name(violations, &at.field("currency"), &book.currency),
        everywhere: prices(violations, &at.field("everywhere"), everywhere),
        regions,
        interruptible_permille,
        horizon_permille,
        owner_permille,
        demand: demand(violations, &at.field("demand"), &book.demand),
    }
}

fn demand(violations: &mut Violations, at: &At<'_>, steps: &[v1::DemandStep]) -> DemandCurve {
    let step = |&v1::DemandStep { lent_permille, factor_permille }| DemandStep {
        lent_permille,
        factor_permille,
    };
    match DemandCurve::new(steps.iter().map(step).collect()) {
        Ok(curve) => return curve,
        Err(CurveError::TooMany) => drop(at_most(violations, at, steps.len(), MAX_DEMAND_STEPS)),
        Err(CurveError::OutOfRange(index)) => {
            let (at, step) = (at.index(index), steps[index]);
            within(violations, &at.field("lent_permille"), step.lent_permille, (0, WHOLE));
            let factors = (1, MAX_PRICE_PERMILLE);
            within(violations, &at.field("factor_permille"), step.factor_permille, factors);
        }
        Err(CurveError::NotAscending(0)) => {
            let at = at.index(0);
            let wrong = "must be greater than 1000, which is paid below a first step that does not begin at 0";
            violations.refuse(&at.field("factor_permille"), wrong);
        }
        Err(CurveError::NotAscending(index)) => {
            violations.refuse(
                &at.index(index),
                "must be greater than the step before it, in both numbers",
            );
        }
    }
    DemandCurve::default()
}

fn prices(violations: &mut Violations, at: &At<'_>, prices: &v1::Prices) -> Prices {
    let mut price = |field, value: Option<u64>| {
        within(violations, &at.field(field), value.unwrap_or(0), (0, MAX_PRICE));
        value
    };
    let [core, memory_gib, disk_gib, network_gbps, gpu] = [
        ("core", prices.core),
        ("memory_gib", prices.memory_gib),
        ("disk_gib", prices.disk_gib),
        ("network_gbps", prices.network_gbps),
        ("gpu", prices.gpu),
    ]
    .map(|(field, value)| price(field, value));
    Prices {
        core,
        memory_gib,
        disk_gib,
        network_gbps,
        gpu,
        gpu_models: by_name(violations, &at.field("gpu_models"), &prices.gpu_models, name),
        counts: by_name(violations, &at.field("counts"), &prices.counts, countable),
    }
}

fn by_name(
    violations: &mut Violations,
    at: &At<'_>,
    map: &BTreeMap<String, u64>,
    name: fn(&mut Violations, &At<'_>, &str) -> Name,
) -> BTreeMap<Name, u64> {
    let mut prices = BTreeMap::new();
    if at_most(violations, at, map.len(), MAX_LIST) {
        for (text, price) in map {
            let at = at.key(text);
            within(violations, &at, *price, (0, MAX_PRICE));
            prices.insert(name(violations, &at, text), *price);
        }
    }
    prices
}

/// A price book as it is kept.
pub(crate) fn kept_book(kept: &KeptBook) -> v1::PriceBook {
    let book = &kept.book;
    let [five_minutes, hour, six_hours, day] = book.horizon_permille.map(Some);
    let regions = book.regions.iter();
    v1::PriceBook {
        currency: book.currency.to_string(),
        everywhere: Some(prices_message(&book.everywhere)),
        regions: regions
            .map(|(region, prices)| (region.to_string(), prices_message(prices)))
            .collect(),
        interruptible_permille: Some(book.interruptible_permille),
        five_minutes_permille: five_minutes,
        hour_permille: hour,
        six_hours_permille: six_hours,
        day_permille: day,
        owner_permille: Some(book.owner_permille),
        demand: book.demand.steps().iter().map(demand_step).collect(),
        since: Some(timestamp(kept.since)),
        revision: kept.revision.0,
        demand_factors: Vec::new(),
    }
}

fn demand_step(step: &DemandStep) -> v1::DemandStep {
    let DemandStep { lent_permille, factor_permille } = *step;
    v1::DemandStep { lent_permille, factor_permille }
}

/// What demand makes of the prices of a region, as it is kept.
pub(crate) fn demand_factor(region: &Name, kept: &KeptFactor) -> v1::DemandFactor {
    v1::DemandFactor {
        region: region.to_string(),
        factor_permille: kept.factor_permille,
        lent_permille: kept.lent_permille,
        since: Some(timestamp(kept.since)),
        revision: kept.revision.0,
    }
}

fn prices_message(prices: &Prices) -> v1::Prices {
    let named = |map: &BTreeMap<Name, u64>| {
        map.iter().map(|(name, price)| (name.to_string(), *price)).collect()
    };
    v1::Prices {
        core: prices.core,
        memory_gib: prices.memory_gib,
        disk_gib: prices.disk_gib,
        network_gbps: prices.network_gbps,
        gpu: prices.gpu,
        gpu_models: named(&prices.gpu_models),
        counts: named(&prices.counts),
    }
}

/// What a tenant may spend.
pub(super) fn budget(violations: &mut Violations, at: &At<'_>, tenant: &v1::Tenant) -> Budget {
    let Some(budget) = &tenant.budget else { return Budget::default() };
    let at = at.field("budget");
    let period = match budget.period {
        0 => Some(v1::BudgetPeriod::Month),
        period => enumeration(violations, &at.field("period"), period),
    };
    let limits = [
        ("warn_micros", budget.warn_micros),
        ("stop_new_micros", budget.stop_new_micros),
        ("stop_all_micros", budget.stop_all_micros),
    ];
    let mut least = ("", 0);
    for (field, limit) in limits {
        let Some(limit) = limit else { continue };
        if limit < least.1 {
            let (before, least) = least;
            let wrong = format_args!("is {limit}; it must be at least {before}, which is {least}");
            violations.refuse(&at.field(field), wrong);
        }
        least = (field, limit);
    }
    Budget {
        period: match period {
            Some(v1::BudgetPeriod::Day) => Period::Day,
            _ => Period::Month,
        },
        warn: budget.warn_micros,
        stop_new: budget.stop_new_micros,
        stop_all: budget.stop_all_micros,
    }
}

/// Absent when nothing is limited.
pub(super) fn budget_message(budget: &Budget) -> Option<v1::Budget> {
    let period = match budget.period {
        Period::Day => v1::BudgetPeriod::Day,
        Period::Month => v1::BudgetPeriod::Month,
    };
    (!budget.is_empty()).then(|| v1::Budget {
        period: period.into(),
        warn_micros: budget.warn,
        stop_new_micros: budget.stop_new,
        stop_all_micros: budget.stop_all,
    })
}

/// How far a tenant has come in its budget.
pub(crate) fn budget_level(level: BudgetLevel) -> v1::BudgetLevel {
    match level {
        BudgetLevel::Within => v1::BudgetLevel::Within,
        BudgetLevel::Warned => v1::BudgetLevel::Warned,
        BudgetLevel::NewStopped => v1::BudgetLevel::NewStopped,
        BudgetLevel::AllStopped => v1::BudgetLevel::AllStopped,
    }
}

/// A line of a statement.
pub(crate) fn statement_line(line: &Line) -> v1::StatementLine {
    let site = &line.site;
    v1::StatementLine {
        date: date(line.day),
        tenant: line.tenant.to_string(),
        owner: site.owner.to_string(),
        region: site.region.to_string(),
        gpu_model: site.gpu_model.to_string(),
        held: Some(held_time(&line.row)),
        charge_micros: line.charge(),
        owner_micros: line.credit(),
        margin_micros: line.margin(),
        list_micros: line.list(),
    }
}

/// A day of UTC as people write it.
fn date(day: u32) -> String {
    // Days beyond the calendar of the library are beyond its end of time too.
    let seconds = i64::from(day).saturating_mul(i64::try_from(DAY_MS / 1_000).unwrap_or(i64::MAX));
    let time = jiff::Timestamp::from_second(seconds).unwrap_or(jiff::Timestamp::MAX);
    time.strftime("%Y-%m-%d").to_string()
}

/// What was held, in the units of people.
pub(crate) fn held_time(row: &Row) -> v1::HeldTime {
    let units = |sum: u128, unit: u128| u64::try_from(sum / unit).unwrap_or(u64::MAX);
    let counts = row.counts.iter();
    v1::HeldTime {
        task_ms: row.task_ms,
        cpu_milli_seconds: units(row.cpu, 1_000),
        memory_mib_seconds: units(row.memory, 1_000 << 20),
        disk_mib_seconds: units(row.disk, 1_000 << 20),
        network_megabits: units(row.network, 1_000_000_000),
        gpu_milli_seconds: units(row.gpu, 1_000),
        count_seconds: counts
            .map(|(name, sum)| (name.to_string(), units(*sum, 1_000)))
            .filter(|(_, seconds)| *seconds > 0)
            .collect(),
    }
}

/// What tasks with this request held together.
pub(crate) fn held_by(request: &Resources, task_ms: u64) -> v1::HeldTime {
    let mut row = Row::default();
    row.add(request, task_ms, &Default::default());
    held_time(&row)
}

/// Adds a line to the sums.
pub(crate) fn add_line(total: &mut v1::StatementTotal, line: &v1::StatementLine) {
    let add = |sum: &mut u64, more: u64| *sum = sum.saturating_add(more);
    add(&mut total.charge_micros, line.charge_micros);
    add(&mut total.owner_micros, line.owner_micros);
    add(&mut total.margin_micros, line.margin_micros);
    add(&mut total.list_micros, line.list_micros);
    add(&mut total.lines, 1);
    let held = total.held.get_or_insert_default();
    let Some(more) = &line.held else { return };
    add(&mut held.task_ms, more.task_ms);
    add(&mut held.cpu_milli_seconds, more.cpu_milli_seconds);
    add(&mut held.memory_mib_seconds, more.memory_mib_seconds);
    add(&mut held.disk_mib_seconds, more.disk_mib_seconds);
    add(&mut held.network_megabits, more.network_megabits);
    add(&mut held.gpu_milli_seconds, more.gpu_milli_seconds);
    for (name, seconds) in &more.count_seconds {
        add(held.count_seconds.entry(name.clone()).or_default(), *seconds);
    }
}

/// A midnight as a number of days since 1970.
pub(crate) fn midnight(violations: &mut Violations, at: &At<'_>, time: Time) -> u32 {
    if !time.0.is_multiple_of(DAY_MS) {
        violations.refuse(at, "must be a midnight in UTC");
    }
    u32::try_from(time.0 / DAY_MS).unwrap_or(u32::MAX)
}
