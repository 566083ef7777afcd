//! How tenants are printed.

use offpeak::v1::{BudgetPeriod, Quota, Resources, Tenant, TenantShare, Usage};

use super::{
    human::{self, dash},
    money,
    output::{self, Show},
    percent,
    table::{Cell, Column, Tone, left, right},
};

impl Show for Tenant {
    fn reference(&self) -> String {
        format!("tenant/{}", self.name)
    }

    fn columns(wide: bool) -> Vec<Column> {
        let mut columns = vec![
            left("NAME"),
            right("WEIGHT"),
            right("TASKS"),
            right("PLACED"),
            right("CPU"),
            right("MEMORY"),
            right("GPUS"),
            right("FAIR"),
            right("SHARE"),
            right("AGE"),
        ];
        if wide {
            columns.extend([
                right("OF LATE"),
                right("CEILING"),
                left("GUARANTEE"),
                left("BORROWED"),
                left("HELD"),
                left("LABELS"),
            ]);
        }
        columns
    }

    fn row(&self, wide: bool) -> Vec<Cell> {
        let usage = total(self);
        let share = self.share.unwrap_or_default();
        let quota = self.quota.clone().unwrap_or_default();
        let asked = usage.requested.clone().unwrap_or_default();
        let mut row: Vec<Cell> = vec![
            self.name.as_str().into(),
            self.weight.max(1).to_string().into(),
            of(usage.requested_tasks, quota.tasks, human::count).into(),
            human::count(usage.held_tasks).into(),
            of(asked.cpu_millis, quota.cpu_millis, human::millis).into(),
            of(asked.memory_bytes, quota.memory_bytes, human::bytes).into(),
            of(asked.gpu_millis, quota.gpu_millis, human::millis).into(),
            tenths(share.fair_millionths).into(),
            tenths(share.held_millionths).into(),
            human::age(self.create_time.as_ref()).into(),
        ];
        if wide {
            row.extend([
                tenths(share.decayed_millionths).into(),
                self.effective_priority_ceiling.to_string().into(),
                human::resources(self.guarantee.as_ref()).into(),
                human::resources(borrowed(self)).into(),
                human::resources(usage.held.as_ref()).into(),
                human::labels(&self.labels).into(),
            ]);
        }
        row
    }

    fn details(&self) -> Vec<(&'static str, Cell)> {
        let usage = total(self);
        let share = self.share.unwrap_or_default();
        let requested = human::resources(usage.requested.as_ref());
        let held = human::resources(usage.held.as_ref());
        let tasks = |count| human::counted(count, "task");
        let mut details: Vec<(&'static str, Cell)> = vec![
            ("Name", self.name.as_str().into()),
            ("Parent", dash(self.parent.as_str()).into()),
            ("Labels", human::labels(&self.labels).into()),
            ("Weight", self.weight.max(1).to_string().into()),
            ("Priority ceiling", ceiling(self).into()),
            ("Quota", quota_cell(self)),
            ("Guarantee", human::resources(self.guarantee.as_ref()).into()),
            ("Requested", format!("{}: {requested}", tasks(usage.requested_tasks)).into()),
            ("Held", format!("{}: {held}", tasks(usage.held_tasks)).into()),
            ("Borrowed", human::resources(borrowed(self)).into()),
            ("Budget", budget_text(self).into()),
            ("Fair share", format!("{} of the fleet", tenths(share.fair_millionths)).into()),
            ("Share now", served(share.held_millionths, &share).into()),
            ("Share of late", served(share.decayed_millionths, &share).into()),
            ("Held of late", human::resources(self.decayed_usage.as_ref()).into()),
            ("Created", human::time(self.create_time.as_ref()).into()),
            ("Revision", self.revision.to_string().into()),
        ];
        details.extend(output::annotations(&self.annotations));
        details
    }
}

/// With all tenants below it.
fn total(tenant: &Tenant) -> Usage {
    tenant.total_usage.clone().or_else(|| tenant.usage.clone()).unwrap_or_default()
}

fn quota_cell(tenant: &Tenant) -> Cell {
    let limits = quota_text(tenant.quota.as_ref());
    if tenant.quota_low {
        return Cell::toned(format!("{limits}; little is left"), Tone::Warning);
    }
    limits.into()
}

fn budget_text(tenant: &Tenant) -> String {
    let Some(budget) = &tenant.budget else { return "unlimited".to_owned() };
    let limits = [
        ("warn at", budget.warn_micros),
        ("no new work at", budget.stop_new_micros),
        ("no work at", budget.stop_all_micros),
    ];
    let limits = limits.into_iter().filter_map(|(what, limit)| Some((what, limit?)));
    let limits: Vec<String> =
        limits.map(|(what, limit)| format!("{what} {}", money::text(limit))).collect();
    if limits.is_empty() {
        return "unlimited".to_owned();
    }
    let period = if budget.period() == BudgetPeriod::Day { "day" } else { "month" };
    let level = human::enum_word(tenant.budget_level().as_str_name(), "BUDGET_LEVEL_");
    let spent = money::text(tenant.spent_micros);
    format!("{} a {period}; spent {spent}: {level}", limits.join(", "))
}

/// Without a guarantee everything is borrowed, and it goes without saying.
fn borrowed(tenant: &Tenant) -> Option<&Resources> {
    let is_guaranteed = tenant.guarantee.as_ref().is_some_and(|sure| *sure != Resources::default());
    tenant.borrowed.as_ref().filter(|_| is_guaranteed)
}

fn ceiling(tenant: &Tenant) -> String {
    let own = tenant.priority_ceiling.unwrap_or(1000);
    match tenant.effective_priority_ceiling {
        lower if tenant.share.is_some() && lower < own => format!("{lower} ({own}, limited above)"),
        _ => own.to_string(),
    }
}

/// `12.5%`, to a tenth.
fn tenths(millionths: u32) -> String {
    percent::text(millionths.saturating_add(500) / 1_000, 1)
}

/// A share, and how much of the fair one that is.
fn served(millionths: u32, share: &TenantShare) -> String {
    let fair = u64::from(share.fair_millionths);
    if fair == 0 {
        return tenths(millionths);
    }
    let of_fair = percent::part(millionths.into(), fair);
    format!("{}, {of_fair} of the fair share", tenths(millionths))
}

/// `used/limit`, or only what is used where there is no limit.
fn of(used: u64, limit: Option<u64>, text: fn(u64) -> String) -> String {
    match limit {
        Some(limit) => format!("{}/{}", text(used), text(limit)),
        None => text(used),
    }
}

fn quota_text(quota: Option<&Quota>) -> String {
    let Some(quota) = quota else {
        return "unlimited".to_owned();
    };
    let mut parts = Vec::new();
    let mut limit = |name: &str, value: Option<u64>, text: fn(u64) -> String| {
        if let Some(value) = value {
            parts.push(format!("{name} {}", text(value)));
        }
    };
    limit("cpu", quota.cpu_millis, human::millis);
    limit("memory", quota.memory_bytes, human::bytes);
    limit("disk", quota.disk_bytes, human::bytes);
    limit("network (bps)", quota.network_bps, human::count);
    limit("gpus", quota.gpu_millis, human::millis);
    limit("tasks", quota.tasks, human::count);
    for (name, count) in &quota.counts {
        parts.push(format!("{name} {count}"));
    }
    let text = dash(parts.join(", "));
    if text == "-" { "unlimited".to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::{TenantShare, served, tenths};

    #[test]
    fn shares_are_told_to_a_tenth() {
        assert_eq!(tenths(0), "0%");
        assert_eq!(tenths(124_600), "12.5%");
        assert_eq!(tenths(1_000_000), "100%");
        let share = TenantShare { fair_millionths: 250_000, ..TenantShare::default() };
        assert_eq!(served(200_000, &share), "20%, 80% of the fair share");
    }
}
