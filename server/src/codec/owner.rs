//! Owners, their calendars and windows, and how they have fared.

use offpeak_core::model::{
    CalendarEntry, Curb, Days, HeldShare, LendingRecord, Lent, Millis, OwnerSpec, Risk, Scorecard,
    Time, WallTime, When, Window, Windows,
};

use super::{
    CodecError,
    columns::{cell, column, deltas, narrow, sums},
    extras::{annotations, annotations_back},
    format,
    model::{labels, labels_back, name, names, strings},
};

impl From<&OwnerSpec> for format::OwnerSpec {
    fn from(spec: &OwnerSpec) -> Self {
        Self {
            name: spec.name.to_string(),
            risk_ppm: spec.risk.parts_per_million(),
            calendar: spec.calendar.iter().map(format::CalendarEntry::from).collect(),
            annotations: annotations(&spec.annotations),
            labels: labels(&spec.labels),
            shortfall_budget_ms: spec.shortfall_budget.map(|budget| budget.0),
        }
    }
}

impl TryFrom<format::OwnerSpec> for OwnerSpec {
    type Error = CodecError;

    fn try_from(message: format::OwnerSpec) -> Result<Self, CodecError> {
        let value = message.risk_ppm;
        let no_risk = CodecError::Range { what: "a risk", value: value.into() };
        Ok(Self {
            name: name("owner", &message.name)?,
            risk: Risk::new(value).ok_or(no_risk)?,
            shortfall_budget: message.shortfall_budget_ms.map(Millis),
            calendar: message.calendar.iter().map(TryInto::try_into).collect::<Result<_, _>>()?,
            labels: labels_back(&message.labels)?,
            annotations: annotations_back(&message.annotations)?,
        })
    }
}

pub(super) fn curb(quarters: u32) -> Result<Curb, CodecError> {
    let out_of_range = CodecError::Range { what: "a curb", value: quarters.into() };
    u8::try_from(quarters).ok().and_then(Curb::new).ok_or(out_of_range)
}

/// How an owner has fared, region by region.
pub(super) fn scorecards(record: &LendingRecord) -> Vec<format::Scorecard> {
    let card = |(region, card): (&offpeak_core::model::Name, &Scorecard)| {
        let amounts = |of: fn(&Lent) -> u64| column(card.days().iter().map(|(_, lent)| of(lent)));
        format::Scorecard {
            region: region.to_string(),
            days: deltas(card.days().iter().map(|(day, _)| *day)),
            samples: amounts(|lent| lent.samples),
            exceeded: amounts(|lent| lent.exceeded),
            short: amounts(|lent| lent.short),
            short_for_ms: amounts(|lent| lent.short_for.0),
            missing_ppm: amounts(|lent| lent.missing_ppm),
            idle: amounts(|lent| lent.idle),
            harvested: amounts(|lent| lent.harvested),
        }
    };
    record.scorecards.iter().map(card).collect()
}

pub(super) fn lending_record(
    quarters: u32,
    cards: &[format::Scorecard],
) -> Result<LendingRecord, CodecError> {
    let mut record = LendingRecord { curb: curb(quarters)?, ..LendingRecord::default() };
    for card in cards {
        let rows = card.days.len();
        let columns = [
            &card.samples,
            &card.exceeded,
            &card.short,
            &card.short_for_ms,
            &card.missing_ppm,
            &card.idle,
            &card.harvested,
        ];
        if columns.iter().any(|column| ![0, rows].contains(&column.len())) {
            return Err(CodecError::Columns("a scorecard"));
        }
        let lent = |row: usize| Lent {
            samples: cell(&card.samples, row),
            exceeded: cell(&card.exceeded, row),
            short: cell(&card.short, row),
            short_for: Millis(cell(&card.short_for_ms, row)),
            missing_ppm: cell(&card.missing_ppm, row),
            idle: cell(&card.idle, row),
            harvested: cell(&card.harvested, row),
        };
        let days = sums(&card.days).enumerate().map(|(row, day)| (day, lent(row))).collect();
        let kept = Scorecard::of(days).ok_or(CodecError::Order("the days of a scorecard"))?;
        if record.scorecards.insert(name("region", &card.region)?, kept).is_some() {
            return Err(CodecError::Order("the scorecards of an owner"));
        }
    }
    Ok(record)
}

impl From<&CalendarEntry> for format::CalendarEntry {
    fn from(entry: &CalendarEntry) -> Self {
        let (when, start_minute, length_minutes) = match entry.when {
            When::Recurring { days, start_minute, length_minutes } => {
                (days_to_message(days), start_minute, length_minutes)
            }
            When::Once { start, end } => {
                (format::When::Once(format::Once { start: start.0, end: end.0 }), 0, 0)
            }
        };
        Self {
            name: entry.name.to_string(),
            when: Some(when),
            start_minute: start_minute.into(),
            length_minutes,
            time_zone: entry.time_zone.to_string(),
            share: (&entry.share).into(),
            regions: strings(&entry.regions),
            labels: labels(&entry.labels),
        }
    }
}

fn days_to_message(days: Days) -> format::When {
    match days {
        Days::Weekly(set) => format::When::Weekly(set.into()),
        Days::Monthly(set) => format::When::Monthly(set),
        Days::Yearly { month, day } => {
            format::When::Yearly(u32::from(month) * 100 + u32::from(day))
        }
    }
}

impl TryFrom<&format::CalendarEntry> for CalendarEntry {
    type Error = CodecError;

    fn try_from(message: &format::CalendarEntry) -> Result<Self, CodecError> {
        let recurring = |days| -> Result<When, CodecError> {
            let start_minute = small("a minute of the day", message.start_minute)?;
            Ok(When::Recurring { days, start_minute, length_minutes: message.length_minutes })
        };
        let when = match message.when.as_ref().ok_or(CodecError::Missing("days of an entry"))? {
            format::When::Weekly(set) => recurring(Days::Weekly(small("days of a week", *set)?))?,
            format::When::Monthly(set) => recurring(Days::Monthly(*set))?,
            format::When::Yearly(day) => {
                let month = small("a month", day / 100)?;
                recurring(Days::Yearly { month, day: small("a day", day % 100)? })?
            }
            format::When::Once(once) => {
                When::Once { start: WallTime(once.start), end: WallTime(once.end) }
            }
        };
        Ok(Self {
            name: name("entry of a calendar", &message.name)?,
            when,
            time_zone: message.time_zone.as_str().into(),
            share: (&message.share).try_into()?,
            regions: names("region", &message.regions)?,
            labels: labels_back(&message.labels)?,
        })
    }
}

fn small<T: TryFrom<u32>>(what: &'static str, value: u32) -> Result<T, CodecError> {
    T::try_from(value).map_err(|_| CodecError::Range { what, value: value.into() })
}

impl From<&HeldShare> for format::HeldShare {
    fn from(share: &HeldShare) -> Self {
        Self {
            cpu: share.cpu.into(),
            memory: share.memory.into(),
            disk: share.disk.into(),
            network: share.network.into(),
            gpu: share.gpu.into(),
            counts: share.counts.into(),
        }
    }
}

impl TryFrom<&format::HeldShare> for HeldShare {
    type Error = CodecError;

    fn try_from(message: &format::HeldShare) -> Result<Self, CodecError> {
        let permille = |value| small::<u16>("a share", value);
        Ok(Self {
            cpu: permille(message.cpu)?,
            memory: permille(message.memory)?,
            disk: permille(message.disk)?,
            network: permille(message.network)?,
            gpu: permille(message.gpu)?,
            counts: permille(message.counts)?,
        })
    }
}

impl From<&Windows> for format::Windows {
    fn from(windows: &Windows) -> Self {
        let list = &windows.list;
        Self {
            through: windows.through.0,
            starts: deltas(list.iter().map(|window| window.start.0)),
            lengths: list.iter().map(|window| window.end.since(window.start).0).collect(),
            entries: column(list.iter().map(|window| window.entry)),
        }
    }
}

/// The windows of a calendar with so many entries.
pub(super) fn windows(message: &format::Windows, calendar: usize) -> Result<Windows, CodecError> {
    let rows = message.starts.len();
    if message.lengths.len() != rows || ![0, rows].contains(&message.entries.len()) {
        return Err(CodecError::Columns("windows"));
    }
    let mut list = Vec::with_capacity(rows);
    for (row, (start, length)) in sums(&message.starts).zip(&message.lengths).enumerate() {
        let entry = cell(&message.entries, row);
        let is_known = usize::try_from(entry).is_ok_and(|entry| entry < calendar);
        if !is_known {
            return Err(CodecError::Range { what: "an entry of a calendar", value: entry.into() });
        }
        let end = Time(start.saturating_add(*length));
        list.push(Window { start: Time(start), end, entry: narrow("an entry", entry.into())? });
    }
    if !list.is_sorted() {
        return Err(CodecError::Order("the windows of an owner"));
    }
    Ok(Windows { through: Time(message.through), list })
}
