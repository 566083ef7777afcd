//! Events in one line each, for people.

use std::collections::BTreeSet;

use offpeak::v1::{Event, JobSpec, JobUpdated, OnNotice, Placement, TasksPlaced, event::Kind};

use super::{eta, human, job_show, money, percent, price_demand};

/// The name of the event's kind, as `--kinds` takes it.
pub(crate) fn kind(event: &Event) -> &'static str {
    match &event.kind {
        Some(Kind::NodeRegistered(_)) => "node_registered",
        Some(Kind::NodeUpdated(_)) => "node_updated",
        Some(Kind::NodeStateChanged(_)) => "node_state_changed",
        Some(Kind::NodeRemoved(_)) => "node_removed",
        Some(Kind::LoadReported(_)) => "load_reported",
        Some(Kind::TenantCreated(_)) => "tenant_created",
        Some(Kind::TenantUpdated(_)) => "tenant_updated",
        Some(Kind::TenantDeleted(_)) => "tenant_deleted",
        Some(Kind::JobSubmitted(_)) => "job_submitted",
        Some(Kind::JobUpdated(_)) => "job_updated",
        Some(Kind::TasksPlaced(_)) => "tasks_placed",
        Some(Kind::TaskStarted(_)) => "task_started",
        Some(Kind::TaskEnded(_)) => "task_ended",
        Some(Kind::NoticeGiven(_)) => "notice_given",
        Some(Kind::NoticeWithdrawn(_)) => "notice_withdrawn",
        Some(Kind::AdvisoryGiven(_)) => "advisory_given",
        Some(Kind::StartPlanned(_)) => "start_planned",
        Some(Kind::StartUnplanned(_)) => "start_unplanned",
        Some(Kind::TaskEvicted(_)) => "task_evicted",
        Some(Kind::JobEnded(_)) => "job_ended",
        Some(Kind::JobForgotten(_)) => "job_forgotten",
        Some(Kind::OwnerUpdated(_)) => "owner_updated",
        Some(Kind::OwnerTurned(_)) => "owner_turned",
        Some(Kind::PriceBookChanged(_)) => "price_book_changed",
        Some(Kind::BudgetTurned(_)) => "budget_turned",
        Some(Kind::TaskDelayed(_)) => "task_delayed",
        Some(Kind::TasksResumed(_)) => "tasks_resumed",
        Some(Kind::TasksDelayed(_)) => "tasks_delayed",
        Some(Kind::RiskCurbed(_)) => "risk_curbed",
        Some(Kind::JobQuoted(_)) => "job_quoted",
        Some(Kind::DemandPriced(_)) => "demand_priced",
        Some(Kind::QuotaTurned(_)) => "quota_turned",
        None => "unknown",
    }
}

/// The event's kind and what happened.
#[expect(clippy::too_many_lines, reason = "an arm an event, and little in any")]
pub(crate) fn describe(event: &Event, wide: bool) -> (&'static str, String) {
    let detail = match &event.kind {
        Some(Kind::NodeRegistered(event)) => node(event.node.as_ref()),
        Some(Kind::NodeUpdated(event)) => node(event.node.as_ref()),
        Some(Kind::NodeStateChanged(event)) => {
            let state = human::enum_word(event.state().as_str_name(), "NODE_STATE_");
            match &event.drain_deadline {
                Some(deadline) => format!("{} {state} until {deadline}", event.node),
                None => format!("{} {state}", event.node),
            }
        }
        Some(Kind::NodeRemoved(event)) => event.node.clone(),
        Some(Kind::LoadReported(event)) => {
            let nodes: Vec<&str> = event.samples.iter().map(|s| s.node.as_str()).collect();
            list(&nodes, wide)
        }
        Some(Kind::TenantCreated(event)) => name(event.tenant.as_ref()),
        Some(Kind::TenantUpdated(event)) => name(event.tenant.as_ref()),
        Some(Kind::TenantDeleted(event)) => event.tenant.clone(),
        Some(Kind::JobSubmitted(event)) => {
            let job = event.job.clone().unwrap_or_default();
            let spec = job.spec.unwrap_or_default();
            let request = human::resources(spec.request.as_ref());
            let count = human::count(u64::from(spec.count.max(1)));
            format!("{}/{} {count} x {request}", job.tenant, job.name)
        }
        Some(Kind::JobUpdated(event)) => updated(event),
        Some(Kind::TasksPlaced(event)) => placed(event, wide),
        Some(Kind::TaskStarted(event)) => task(&event.tenant, &event.job, event.task, &event.node),
        Some(Kind::TaskEnded(event)) => {
            let end = human::enum_word(event.end().as_str_name(), "TASK_END_");
            let what = task(&event.tenant, &event.job, event.task, &event.node);
            match event.message.as_str() {
                "" => format!("{what} {end}"),
                message => format!("{what} {end}: {}", message.escape_debug()),
            }
        }
        Some(Kind::TaskDelayed(event)) => {
            let end = human::enum_word(event.end().as_str_name(), "TASK_END_");
            let what = task(&event.tenant, &event.job, event.task, &event.node);
            match &event.retry_time {
                Some(time) => format!("{what} {end}, again at {time}"),
                None => format!("{what} {end}"),
            }
        }
        Some(Kind::TasksResumed(event)) => {
            tasks(&event.tenant, &event.job, event.task, event.count)
        }
        Some(Kind::TasksDelayed(event)) => {
            tasks(&event.tenant, &event.job, event.task, event.count)
        }
        Some(Kind::NoticeGiven(event)) => {
            let notice = event.notice.clone().unwrap_or_default();
            let reason = human::enum_word(notice.reason().as_str_name(), "EVICTION_REASON_");
            let what = task(&event.tenant, &event.job, event.task, &event.node);
            let mut text = format!("{what} {reason}");
            if let Some(deadline) = &notice.deadline {
                text = format!("{text}, until {deadline}");
            }
            if !notice.preempting_job.is_empty() {
                let (tenant, job) = (&notice.preempting_tenant, &notice.preempting_job);
                let right = job_show::right_words(notice.preemption_right());
                text = format!("{text}, for {tenant}/{job}, {right}");
            }
            text
        }
        Some(Kind::AdvisoryGiven(event)) => {
            let what = task(&event.tenant, &event.job, event.task, &event.node);
            match &event.expected_by {
                Some(time) => format!("{what} the owner may want it by {time}"),
                None => format!("{what} the owner may want it"),
            }
        }
        Some(Kind::StartPlanned(event)) => {
            let planned = event.planned.clone().unwrap_or_default();
            format!("{}/{} {}", event.tenant, event.job, job_show::planned(&planned, human::moment))
        }
        Some(Kind::StartUnplanned(event)) => format!("{}/{}", event.tenant, event.job),
        Some(Kind::NoticeWithdrawn(event)) => {
            task(&event.tenant, &event.job, event.task, &event.node)
        }
        Some(Kind::TaskEvicted(event)) => {
            let reason = human::enum_word(event.reason().as_str_name(), "EVICTION_REASON_");
            let what = task(&event.tenant, &event.job, event.task, &event.node);
            match event.moved_to.as_str() {
                "" if event.released => {
                    format!("{what} {reason}, released before its notice ended")
                }
                "" => format!("{what} {reason}"),
                node => format!("{what} {reason}, moved to {node} before its notice ended"),
            }
        }
        Some(Kind::JobEnded(event)) => {
            let state = job_show::state_word(event.state());
            format!("{}/{} {state}", event.tenant, event.job)
        }
        Some(Kind::OwnerUpdated(event)) => {
            event.owner.as_ref().map_or_else(String::new, |owner| owner.name.clone())
        }
        Some(Kind::OwnerTurned(event)) => event.owner.clone(),
        Some(Kind::PriceBookChanged(event)) => {
            let book = event.price_book.clone().unwrap_or_default();
            let since = book.since.as_ref().map(ToString::to_string).unwrap_or_default();
            format!("in {} from {since} on", book.currency)
        }
        Some(Kind::DemandPriced(event)) => {
            price_demand::sentence(&event.factor.clone().unwrap_or_default())
        }
        Some(Kind::BudgetTurned(event)) => {
            let level = human::enum_word(event.level().as_str_name(), "BUDGET_LEVEL_");
            format!("{} {level}, spent {}", event.tenant, money::text(event.spent_micros))
        }
        Some(Kind::QuotaTurned(event)) => {
            let left =
                if event.low { "little of its quota is left" } else { "enough quota is left" };
            let used = percent::text(event.used_permille, 1);
            format!("{} {left}: {used} of a limit is asked for", event.tenant)
        }
        Some(Kind::RiskCurbed(event)) => {
            let quarters = event.curbed_quarters;
            format!("{}: {quarters} of 4 quarters of the risk are not taken", event.owner)
        }
        Some(Kind::JobQuoted(event)) => {
            let quote = event.quote.unwrap_or_default();
            format!("{}/{} {}", event.tenant, event.job, eta::promise(&quote, human::moment))
        }
        Some(Kind::JobForgotten(event)) => format!("{}/{}", event.tenant, event.job),
        None => "of a newer server".to_owned(),
    };
    (kind(event), detail)
}

fn node(node: Option<&offpeak::v1::Node>) -> String {
    let Some(node) = node else {
        return String::new();
    };
    format!("{} {}", node.name, human::resources(node.capacity.as_ref()))
}

fn name(tenant: Option<&offpeak::v1::Tenant>) -> String {
    tenant.map_or_else(String::new, |tenant| tenant.name.clone())
}

fn task(tenant: &str, job: &str, task: u32, node: &str) -> String {
    if node.is_empty() {
        return format!("{tenant}/{job}[{task}]");
    }
    format!("{tenant}/{job}[{task}] on {node}")
}

/// The first and the last of some tasks.
fn tasks(tenant: &str, job: &str, first: u32, count: u32) -> String {
    match count {
        0 | 1 => task(tenant, job, first, ""),
        _ => format!("{tenant}/{job}[{first}..{}]", first.saturating_add(count - 1)),
    }
}

fn updated(event: &JobUpdated) -> String {
    let what = format!("{}/{} count {}", event.tenant, event.job, event.count);
    let Some(spec) = &event.spec else { return what };
    format!("{what}, {}", changed(spec))
}

/// What may have changed of a job besides its count.
pub(crate) fn changed(spec: &JobSpec) -> String {
    let limit = match &spec.max_runtime {
        Some(limit) => format!(", max runtime {}", human::wire_span(Some(limit))),
        None => String::new(),
    };
    let moves = if spec.on_notice() == OnNotice::Move { ", moves on notice" } else { "" };
    format!("priority {}{limit}{moves}", spec.priority)
}

fn placed(event: &TasksPlaced, wide: bool) -> String {
    let total: u64 = event.placements.iter().map(|p| u64::from(p.count)).sum();
    let mut nodes: Vec<&str> = event.placements.iter().map(|p| p.node.as_str()).collect();
    nodes.dedup();
    let tasks = match event.placements.as_slice() {
        [only] if only.count == 1 => format!("[{}]", only.task),
        _ => format!(" {} tasks", human::count(total)),
    };
    let on = list(&nodes, wide);
    format!("{}/{}{tasks} on {on}{}", event.tenant, event.job, reasons(&event.placements))
}

/// Why there, in brackets, each reason once.
pub(crate) fn reasons(placements: &[Placement]) -> String {
    let words = |placement: &Placement| job_show::placement_words(placement.reason());
    let words: BTreeSet<&str> = placements.iter().filter_map(words).collect();
    if words.is_empty() {
        return String::new();
    }
    format!(" ({})", words.into_iter().collect::<Vec<_>>().join("; "))
}

/// A few names, and how many more there are; all of them when it may be wide.
fn list(names: &[&str], wide: bool) -> String {
    const FEW: usize = 3;
    if wide || names.len() <= FEW {
        return names.join(", ");
    }
    let more = human::count((names.len() - FEW) as u64);
    format!("{} and {more} more", names[..FEW].join(", "))
}
