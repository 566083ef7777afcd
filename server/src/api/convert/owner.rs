//! Requests that change owners, and owners as messages.

use offpeak::v1::{self, calendar_entry};
use offpeak_core::{
    command::{Command, OwnerPatch},
    model::{
        CalendarEntry, Days, HeldShare, Millis, Name, Owner, OwnerSpec, Risk, Time, When, Window,
    },
};

use super::{
    calendar::{WEEKDAYS, calendar},
    extras::{annotation_map, annotations},
    mutation,
    objects::{labels, span, texts, timestamp},
    scalars::{duration, label_map, mask, require, target},
    violations::{At, Violations},
};
use crate::calendar::{UnknownZone, local, show_minute, show_wall_time, zone};

/// What may be changed of an owner.
const OWNER_PATHS: [&str; 5] =
    ["risk_ppm", "shortfall_budget", "calendar", "labels", "annotations"];

mutation!(UpdateOwnerRequest, "UpdateOwner", update);

/// The windows of a new calendar are left to whoever knows what time it is.
fn update(message: &v1::UpdateOwnerRequest, violations: &mut Violations) -> Command {
    let root = At::Root;
    let at = root.field("owner");
    let paths = mask(violations, message.update_mask.as_ref(), &OWNER_PATHS);
    let absent = v1::Owner::default();
    let owner = require(violations, &at, message.owner.as_ref()).unwrap_or(&absent);
    let target = target(violations, &at.field("name"), &owner.name, message.expected_revision);
    let mut patch = OwnerPatch::default();
    for path in paths {
        match path {
            "risk_ppm" => patch.risk = Some(risk(violations, &at, owner)),
            "shortfall_budget" => {
                let at = at.field("shortfall_budget");
                let budget = owner.shortfall_budget;
                patch.shortfall_budget =
                    Some(budget.map(|budget| duration(violations, &at, budget)));
            }
            "calendar" => {
                let entries = calendar(violations, &at.field("calendar"), &owner.calendar);
                patch.calendar = Some((entries, Default::default()));
            }
            "labels" => {
                patch.labels = Some(label_map(violations, &at.field("labels"), &owner.labels));
            }
            "annotations" => {
                let at = at.field("annotations");
                patch.annotations = Some(annotations(violations, &at, &owner.annotations));
            }
            _ => unreachable!("invariant: the mask was checked"),
        }
    }
    Command::UpdateOwner { target, patch: Box::new(patch) }
}

fn risk(violations: &mut Violations, at: &At<'_>, owner: &v1::Owner) -> Risk {
    let Some(found) = owner.risk_ppm else { return Risk::default() };
    Risk::new(found).unwrap_or_else(|| {
        let (least, most) = (Risk::LEAST.parts_per_million(), Risk::MOST.parts_per_million());
        let description =
            format_args!("is {found} parts per million; it must be from {least} to {most}");
        violations.refuse(&at.field("risk_ppm"), description);
        Risk::default()
    })
}

/// An owner with everything that is known of it, but for its windows.
pub(crate) fn owner(owner: &Owner, now: Time) -> v1::Owner {
    let left = owner
        .spec
        .shortfall_budget
        .map(|budget| Millis(budget.0.saturating_sub(owner.record.up_to(now).short_for.0)));
    v1::Owner {
        shortfall_budget_left: left.map(span),
        current_risk_ppm: owner.risk().parts_per_million(),
        nodes: owner.node_count() as u64,
        revision: owner.revision.0,
        ..owner_description(&owner.spec)
    }
}

/// An owner as asked for.
pub(crate) fn owner_description(spec: &OwnerSpec) -> v1::Owner {
    v1::Owner {
        name: spec.name.to_string(),
        risk_ppm: Some(spec.risk.parts_per_million()),
        shortfall_budget: spec.shortfall_budget.map(span),
        calendar: spec.calendar.iter().map(entry).collect(),
        labels: labels(&spec.labels),
        annotations: annotation_map(&spec.annotations),
        ..v1::Owner::default()
    }
}

/// How an owner has fared in a region.
pub(crate) fn scorecard(owner: &Owner, region: &Name, now: Time) -> v1::Scorecard {
    let lent = owner.record.scorecards.get(region).map(|card| card.up_to(now)).unwrap_or_default();
    let ppm = |part: u64, all: u64| {
        let ppm = u128::from(part) * 1_000_000 / u128::from(all.max(1));
        u64::try_from(ppm).unwrap_or(u64::MAX)
    };
    v1::Scorecard {
        owner: owner.spec.name.to_string(),
        region: region.to_string(),
        promised_ppm: owner.risk().parts_per_million() / 10,
        samples: lent.samples,
        exceeded_samples: lent.exceeded,
        realised_ppm: ppm(lent.exceeded, lent.samples),
        short_samples: lent.short,
        shortfall: Some(span(lent.short_for)),
        severity_ppm: lent.missing_ppm / lent.short.max(1),
        idle_core_seconds: lent.idle / 1_000_000,
        harvested_core_seconds: lent.harvested / 1_000_000,
        harvested_ppm: ppm(lent.harvested, lent.idle),
    }
}

/// A window of one of the entries, on the clocks of its zone too.
pub(crate) fn window(
    calendar: &[CalendarEntry],
    window: &Window,
) -> Result<v1::Window, UnknownZone> {
    let entry = &calendar[window.entry as usize];
    let zone = zone(&entry.time_zone)?;
    Ok(v1::Window {
        entry: entry.name.to_string(),
        start: Some(timestamp(window.start)),
        end: Some(timestamp(window.end)),
        local_start: local(window.start, &zone),
        local_end: local(window.end, &zone),
    })
}

fn entry(entry: &CalendarEntry) -> v1::CalendarEntry {
    let recurs = |days| match days {
        Days::Weekly(set) => calendar_entry::Days::Weekly(v1::Weekly {
            weekdays: (0..)
                .zip(WEEKDAYS)
                .filter(|(bit, _)| set >> bit & 1 == 1)
                .map(weekday)
                .collect(),
        }),
        Days::Monthly(set) => calendar_entry::Days::Monthly(v1::Monthly {
            days: (1..=28).filter(|day| set >> day & 1 == 1).chain(last_day(set)).collect(),
        }),
        Days::Yearly { month, day } => calendar_entry::Days::Yearly(v1::Yearly {
            month: i32::from(month),
            day: i32::from(day),
        }),
    };
    let (days, start, length) = match entry.when {
        When::Recurring { days, start_minute, length_minutes } => {
            let length = Millis(u64::from(length_minutes) * Millis::MINUTE.0);
            (recurs(days), show_minute(start_minute), Some(span(length)))
        }
        When::Once { start, end } => {
            let (start, end) = (show_wall_time(start), show_wall_time(end));
            (calendar_entry::Days::Once(v1::Once { start, end }), String::new(), None)
        }
    };
    v1::CalendarEntry {
        name: entry.name.to_string(),
        days: Some(days),
        start,
        length,
        time_zone: entry.time_zone.to_string(),
        share: Some(share(&entry.share)),
        regions: texts(&entry.regions),
        labels: labels(&entry.labels),
    }
}

fn weekday((_, weekday): (u8, v1::Weekday)) -> i32 {
    weekday.into()
}

fn last_day(set: u32) -> Option<i32> {
    (set & 1 == 1).then_some(-1)
}

/// What differs from the share of all else is named.
fn share(share: &HeldShare) -> v1::HeldShare {
    let all = share.counts;
    let own = |share: u16| (share != all).then_some(u32::from(share));
    v1::HeldShare {
        permille: u32::from(all),
        cpu_permille: own(share.cpu),
        memory_permille: own(share.memory),
        disk_permille: own(share.disk),
        network_permille: own(share.network),
        gpu_permille: own(share.gpu),
    }
}
