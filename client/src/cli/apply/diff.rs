//! What differs between a description and what the cell has.
//!
//! Two ways to write the same thing are equal: an absent amount and zeros, the order of lists that are sets, and a
//! default that is spelled out.

use offpeak::v1::{
    BudgetPeriod, CalendarEntry, Constraints, Dependency, DependencyCondition, HeldShare, JobSpec,
    Node, OnNotice, Owner, Payload, Resources, RetryPolicy, Tenant, calendar_entry::Days,
};
use prost_types::Duration;

/// The paths, for an update mask, of the node's updatable fields that differ.
pub(crate) fn changed_node_fields(old: &Node, new: &Node) -> Vec<String> {
    let mut old_taints = old.taints.clone();
    let mut new_taints = new.taints.clone();
    for taints in [&mut old_taints, &mut new_taints] {
        taints.sort_by(|a, b| (&a.key, &a.value).cmp(&(&b.key, &b.value)));
    }
    paths([
        ("owner", old.owner != new.owner),
        ("region", old.region != new.region),
        ("zone", old.zone != new.zone),
        ("labels", old.labels != new.labels),
        ("taints", old_taints != new_taints),
        ("capacity", !same_amount(&old.capacity, &new.capacity)),
        ("gpu_model", old.gpu_model != new.gpu_model),
        ("reservation", !same_amount(&old.reservation, &new.reservation)),
        ("report_ttl", old.report_ttl != new.report_ttl),
        ("annotations", old.annotations != new.annotations),
    ])
}

/// The paths, for an update mask, of the owner's updatable fields that differ.
pub(crate) fn changed_owner_fields(old: &Owner, new: &Owner) -> Vec<String> {
    let risk = |owner: &Owner| owner.risk_ppm.unwrap_or(10_000);
    paths([
        ("risk_ppm", risk(old) != risk(new)),
        ("shortfall_budget", old.shortfall_budget != new.shortfall_budget),
        ("calendar", spelled(&old.calendar) != spelled(&new.calendar)),
        ("labels", old.labels != new.labels),
        ("annotations", old.annotations != new.annotations),
    ])
}

/// A calendar with its defaults spelled out and its sets in order.
fn spelled(calendar: &[CalendarEntry]) -> Vec<CalendarEntry> {
    let mut calendar = calendar.to_vec();
    for entry in &mut calendar {
        let zone = entry.time_zone.to_ascii_lowercase();
        entry.time_zone = if zone.is_empty() { "utc".to_owned() } else { zone };
        match &mut entry.days {
            Some(Days::Once(_)) => {}
            _ if entry.start.is_empty() => entry.start = "00:00".to_owned(),
            _ => {}
        }
        let set = match &mut entry.days {
            Some(Days::Weekly(weekly)) => &mut weekly.weekdays,
            Some(Days::Monthly(monthly)) => &mut monthly.days,
            _ => &mut Vec::new(),
        };
        // The last day of the month is -1 and comes last.
        set.sort_unstable_by_key(|day| day.cast_unsigned());
        set.dedup();
        entry.share = entry.share.map(each_share);
        entry.regions.sort();
        entry.regions.dedup();
    }
    calendar.sort_by(|a, b| a.name.cmp(&b.name));
    calendar
}

fn each_share(share: HeldShare) -> HeldShare {
    let own = |own: Option<u32>| Some(own.unwrap_or(share.permille));
    HeldShare {
        permille: share.permille,
        cpu_permille: own(share.cpu_permille),
        memory_permille: own(share.memory_permille),
        disk_permille: own(share.disk_permille),
        network_permille: own(share.network_permille),
        gpu_permille: own(share.gpu_permille),
    }
}

/// The paths, for an update mask, of the tenant's updatable fields that differ.
pub(crate) fn changed_tenant_fields(old: &Tenant, new: &Tenant) -> Vec<String> {
    let quota = |tenant: &Tenant| tenant.quota.clone().unwrap_or_default();
    let ceiling = |tenant: &Tenant| tenant.priority_ceiling.unwrap_or(1000);
    // A period alone limits nothing, and a month is the default.
    let budget = |tenant: &Tenant| {
        let budget = tenant.budget.unwrap_or_default();
        let limits = [budget.warn_micros, budget.stop_new_micros, budget.stop_all_micros];
        let daily = budget.period == BudgetPeriod::Day as i32;
        limits.iter().any(Option::is_some).then_some((daily, limits))
    };
    paths([
        ("quota", quota(old) != quota(new)),
        ("weight", old.weight.max(1) != new.weight.max(1)),
        ("priority_ceiling", ceiling(old) != ceiling(new)),
        ("labels", old.labels != new.labels),
        ("budget", budget(old) != budget(new)),
        ("annotations", old.annotations != new.annotations),
        ("parent", old.parent != new.parent),
        ("guarantee", !same_amount(&old.guarantee, &new.guarantee)),
    ])
}

/// The paths, for an update mask, of the job's updatable fields that differ.
pub(crate) fn changed_job_fields(old: &JobSpec, new: &JobSpec) -> Vec<String> {
    paths([
        ("spec.count", old.count.max(1) != new.count.max(1)),
        ("spec.priority", old.priority != new.priority),
        ("spec.max_runtime", old.max_runtime != new.max_runtime),
        ("spec.on_notice", moves(old) != moves(new)),
        ("spec.labels", old.labels != new.labels),
        ("spec.annotations", old.annotations != new.annotations),
    ])
}

/// Whether tasks move when they are under notice; they stay by default.
fn moves(spec: &JobSpec) -> bool {
    spec.on_notice() == OnNotice::Move
}

/// The fields of a job's description that differ and can never be changed.
pub(crate) fn changed_fixed_job_fields(old: &JobSpec, new: &JobSpec) -> Vec<String> {
    paths([
        ("spec.request", !same_amount(&old.request, &new.request)),
        ("spec.constraints", sorted(old.constraints.as_ref()) != sorted(new.constraints.as_ref())),
        ("spec.min_runtime", !same_span(old.min_runtime.as_ref(), new.min_runtime.as_ref())),
        ("spec.deadline", old.deadline != new.deadline),
        ("spec.complete_by", old.complete_by != new.complete_by),
        ("spec.gang", old.gang != new.gang),
        ("spec.retry", spelled_retry(old.retry) != spelled_retry(new.retry)),
        ("spec.dependencies", spelled_waits(&old.dependencies) != spelled_waits(&new.dependencies)),
        ("spec.payload", spelled_payload(&old.payload) != spelled_payload(&new.payload)),
        // Left out, it is the cell's default, whatever that is.
        ("spec.notice", new.notice.is_some() && old.notice != new.notice),
    ])
}

/// A retry policy with its defaults spelled out; one that says what holds anyway is none.
fn spelled_retry(retry: Option<RetryPolicy>) -> Option<RetryPolicy> {
    const BACKOFF: Duration = Duration { seconds: 10, nanos: 0 };
    const MAX_BACKOFF: Duration = Duration { seconds: 600, nanos: 0 };
    let mut retry = retry?;
    let backoff = *retry.backoff.get_or_insert(BACKOFF);
    let longer =
        |a: Duration, b: Duration| if (a.seconds, a.nanos) < (b.seconds, b.nanos) { b } else { a };
    retry.max_backoff.get_or_insert(longer(backoff, MAX_BACKOFF));
    let RetryPolicy { max_failures, max_timeouts, max_evictions, max_node_losses, .. } = retry;
    let limits = max_evictions.is_some() || max_node_losses.is_some();
    (max_failures > 0 || max_timeouts > 0 || limits).then_some(retry)
}

fn spelled_waits(dependencies: &[Dependency]) -> Vec<(String, bool)> {
    let ends = |dependency: &Dependency| dependency.condition() == DependencyCondition::End;
    let mut waits: Vec<(String, bool)> =
        dependencies.iter().map(|wait| (wait.job.clone(), ends(wait))).collect();
    waits.sort();
    waits
}

fn spelled_payload(payload: &Option<Payload>) -> Payload {
    let payload = payload.clone().unwrap_or_default();
    Payload { index_step: payload.index_step.max(1), ..payload }
}

fn paths<const N: usize>(fields: [(&str, bool); N]) -> Vec<String> {
    fields.into_iter().filter(|(_, differs)| *differs).map(|(path, _)| path.to_owned()).collect()
}

fn same_amount(old: &Option<Resources>, new: &Option<Resources>) -> bool {
    let plain = |amount: &Option<Resources>| {
        let mut amount = amount.clone().unwrap_or_default();
        amount.counts.retain(|_, count| *count > 0);
        amount
    };
    plain(old) == plain(new)
}

/// No minimum and a minimum of nothing are the same.
fn same_span(old: Option<&Duration>, new: Option<&Duration>) -> bool {
    old.copied().unwrap_or_default() == new.copied().unwrap_or_default()
}

fn sorted(constraints: Option<&Constraints>) -> Constraints {
    let mut constraints = constraints.cloned().unwrap_or_default();
    for list in [&mut constraints.regions, &mut constraints.zones, &mut constraints.gpu_models] {
        list.sort();
        list.dedup();
    }
    for selector in &mut constraints.labels {
        selector.values.sort();
        selector.values.dedup();
    }
    constraints
        .labels
        .sort_by(|a, b| (&a.key, a.operator, &a.values).cmp(&(&b.key, b.operator, &b.values)));
    constraints.labels.dedup();
    constraints.tolerations.sort_by(|a, b| (&a.key, &a.value).cmp(&(&b.key, &b.value)));
    constraints.tolerations.dedup();
    constraints
        .spreads
        .sort_by_key(|spread| (spread.topology, spread.max_per_place, spread.max_skew));
    constraints.spreads.dedup();
    constraints
}

#[cfg(test)]
mod tests {
    use offpeak::v1::{
        CalendarEntry, Constraints, HeldShare, JobSpec, Monthly, Node, Owner, Resources, Taint,
        Tenant, calendar_entry::Days,
    };

    use super::{
        changed_fixed_job_fields, changed_node_fields, changed_owner_fields, changed_tenant_fields,
    };

    #[test]
    fn spelled_out_defaults_change_nothing() {
        let spelled = Tenant {
            weight: 1,
            priority_ceiling: Some(1000),
            quota: Some(offpeak::v1::Quota::default()),
            ..Tenant::default()
        };
        assert!(changed_tenant_fields(&spelled, &Tenant::default()).is_empty());

        let spelled = Node { reservation: Some(Resources::default()), ..Node::default() };
        assert!(changed_node_fields(&spelled, &Node::default()).is_empty());
    }

    #[test]
    fn a_calendar_is_the_same_however_it_is_written() {
        let entry = |days: &[i32]| CalendarEntry {
            name: "payroll".to_owned(),
            days: Some(Days::Monthly(Monthly { days: days.to_vec() })),
            share: Some(HeldShare { permille: 300, ..HeldShare::default() }),
            ..CalendarEntry::default()
        };
        let owner = |entry: CalendarEntry| Owner { calendar: vec![entry], ..Owner::default() };
        let plain = owner(entry(&[25, -1]));
        let spelled = CalendarEntry {
            start: "00:00".to_owned(),
            time_zone: "UTC".to_owned(),
            share: Some(HeldShare {
                permille: 300,
                cpu_permille: Some(300),
                ..HeldShare::default()
            }),
            ..entry(&[-1, 25])
        };
        let spelled = Owner { risk_ppm: Some(10_000), ..owner(spelled) };
        assert!(changed_owner_fields(&spelled, &plain).is_empty());
        assert_eq!(changed_owner_fields(&spelled, &owner(entry(&[25]))), ["calendar"]);
    }

    #[test]
    fn the_order_of_sets_changes_nothing() {
        let spec = |regions: &[&str]| JobSpec {
            constraints: Some(Constraints {
                regions: regions.iter().map(|&region| region.to_owned()).collect(),
                ..Constraints::default()
            }),
            ..JobSpec::default()
        };
        assert!(changed_fixed_job_fields(&spec(&["a", "b"]), &spec(&["b", "a"])).is_empty());
        assert_eq!(changed_fixed_job_fields(&spec(&["a"]), &spec(&["b"])), ["spec.constraints"]);
    }

    #[test]
    fn what_the_cell_adds_changes_nothing() {
        let old = Node {
            name: "a".to_owned(),
            revision: 7,
            lent: Some(Resources { cpu_millis: 1, ..Resources::default() }),
            ..Node::default()
        };
        let mut new = Node { name: "a".to_owned(), ..Node::default() };
        assert!(changed_node_fields(&old, &new).is_empty());
        new.taints.push(Taint::default());
        new.zone = "z".to_owned();
        assert_eq!(changed_node_fields(&old, &new), ["zone", "taints"]);
    }
}
