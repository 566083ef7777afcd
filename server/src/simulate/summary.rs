use std::fmt::Write as _;

use super::report::{Report, Resource};

/// The report for people.
pub(super) fn of(report: &Report) -> String {
    let mut text = String::new();
    tasks(report, &mut text);
    reasons(report, &mut text);
    lending(report, &mut text);
    fairness(report, &mut text);
    quotes(report, &mut text);
    resources(report, &mut text);
    let (nodes, timings) = (&report.nodes, &report.timings);
    let lines = [
        ("nodes", format!("{} of {} used, {} at most", nodes.used, nodes.total, nodes.used_peak)),
        (
            "decisions",
            format!(
                "{} a second, {} batches in {:.3} s",
                timings.decisions_per_second, timings.batches, timings.deciding_seconds
            ),
        ),
        (
            "a batch took",
            format!(
                "p50 {} us, p90 {} us, p99 {} us, p99.9 {} us, max {} us",
                timings.batch_micros.p50,
                timings.batch_micros.p90,
                timings.batch_micros.p99,
                timings.batch_micros.p999,
                timings.batch_micros.max
            ),
        ),
        (
            "planner",
            match timings.planner_runs {
                1 => format!("1 run in {:.3} s", timings.planner_seconds),
                runs => format!("{runs} runs in {:.3} s", timings.planner_seconds),
            },
        ),
    ];
    for (name, value) in lines {
        line(&mut text, format_args!("{name:<14}{value}"));
    }
    text
}

fn tasks(report: &Report, text: &mut String) {
    let tasks = &report.tasks;
    line(text, format_args!("{:<26}{:>12}", "tasks", tasks.submitted));
    for (name, count) in [
        ("placed", tasks.placed),
        ("succeeded", tasks.succeeded),
        ("pending", tasks.pending),
        ("evicted", tasks.evicted),
        ("missed their deadline", tasks.missed_deadline),
        ("refused", tasks.refused),
    ] {
        if count > 0 {
            line(text, format_args!("  {name:<24}{count:>12}"));
        }
    }
    text.push('\n');
}

fn reasons(report: &Report, text: &mut String) {
    if !report.evictions.is_empty() {
        line(text, format_args!("{:<26}{:>12}", "evictions", "times"));
        for (reason, times) in &report.evictions {
            line(text, format_args!("  {reason:<24}{times:>12}"));
        }
        if report.moved > 0 {
            line(text, format_args!("  {:<24}{:>12}", "moved before the end", report.moved));
        }
        text.push('\n');
    }
    if !report.pending_reasons.is_empty() {
        line(text, format_args!("{:<26}{:>12}", "waiting for", "tasks"));
        for reason in &report.pending_reasons {
            let name = match &reason.dimension {
                Some(dimension) => format!("{} in {dimension}", reason.blocker),
                None => reason.blocker.to_owned(),
            };
            line(text, format_args!("  {name:<24}{:>12}", reason.tasks));
        }
        text.push('\n');
    }
}

fn lending(report: &Report, text: &mut String) {
    let Some(lending) = &report.lending else { return };
    let hours = |hours: f64| format!("{hours:.1} core hours");
    let part = |hours_of, of| format!("{}, {} of idle", hours(hours_of), percent(of));
    let evicted = lending.evictions_with_notice + lending.evictions_at_once;
    for (name, value) in [
        ("owners left idle", hours(lending.idle_core_hours)),
        ("lent of it", part(lending.harvested_core_hours, lending.harvested_share)),
        ("useful work", part(lending.useful_core_hours, lending.useful_share)),
        ("lost by evictions", hours(lending.lost_core_hours)),
        (
            "shortfalls",
            format!(
                "{} of {} samples ({}), {} of the node on average",
                lending.shortfalls,
                lending.samples,
                percent(lending.shortfall_share),
                percent(lending.shortfall_severity)
            ),
        ),
        (
            "evictions for owners",
            format!(
                "{evicted}, {} of them with notice; {:.4} a lent core hour",
                lending.evictions_with_notice, lending.evictions_per_lent_core_hour
            ),
        ),
    ] {
        line(text, format_args!("{name:<22}{value}"));
    }
    text.push('\n');
}

fn fairness(report: &Report, text: &mut String) {
    let Some(fairness) = &report.fairness else { return };
    let worst = &fairness.worst;
    for (name, value) in [
        (
            "fairness",
            format!(
                "{} windows of 6 hours, {} times a tenant that had demand all the time",
                fairness.windows, fairness.tenant_windows
            ),
        ),
        (
            "received of its due",
            format!(
                "worst {} ({} from {} s), p1 {}, p5 {}, p50 {}",
                percent(fairness.worst_ratio),
                worst.tenant,
                worst.window_start_s,
                percent(fairness.p1_ratio),
                percent(fairness.p5_ratio),
                percent(fairness.median_ratio)
            ),
        ),
        (
            "Jain's index",
            format!("worst {:.4}, mean {:.4}", fairness.worst_jain, fairness.mean_jain),
        ),
    ] {
        line(text, format_args!("{name:<22}{value}"));
    }
    text.push('\n');
}

fn quotes(report: &Report, text: &mut String) {
    let Some(quotes) = &report.quotes else { return };
    let or_none = |share: Option<f64>| share.map_or_else(|| "-".to_owned(), percent);
    let wait = quotes.median_wait_seconds.unwrap_or(0.0);
    for (name, value) in [
        ("jobs started", quotes.jobs.to_string()),
        ("before a quote", quotes.unquoted.to_string()),
        ("quoted", format!("{}, {} of them nothing", quotes.quoted, quotes.unknown)),
        (
            "started by p95",
            format!(
                "{} of those quoted, {} of all jobs",
                or_none(quotes.share_by_p95),
                or_none(quotes.share_of_jobs)
            ),
        ),
        ("p50 was off by", format!("{} of a wait, the median", or_none(quotes.median_error))),
        ("median wait", format!("{wait:.0} s")),
    ] {
        line(text, format_args!("{name:<22}{value}"));
    }
    text.push('\n');
}

fn resources(report: &Report, text: &mut String) {
    let told = |resource: &&Resource| resource.capacity > 0;
    let width = report.resources.iter().filter(told).map(|r| r.name.len()).max();
    let width = width.unwrap_or(0).max("resource".len());
    line(
        text,
        format_args!(
            "{:<width$}{:>20}{:>20}{:>9}{:>9}{:>9}{:>13}",
            "resource", "capacity", "allocated", "share", "mean", "peak", "fragmented"
        ),
    );
    for resource in report.resources.iter().filter(told) {
        let share = |amount| percent(amount as f64 / resource.capacity as f64);
        let fragmented = resource.fragmentation.map_or_else(|| "-".to_owned(), percent);
        line(
            text,
            format_args!(
                "{:<width$}{:>20}{:>20}{:>9}{:>9}{:>9}{fragmented:>13}",
                resource.name,
                resource.capacity,
                resource.allocated,
                share(resource.allocated),
                share(resource.allocated_mean),
                share(resource.allocated_peak),
            ),
        );
    }
    text.push('\n');
}

fn percent(share: f64) -> String {
    format!("{:.2} %", share * 100.0)
}

fn line(text: &mut String, what: std::fmt::Arguments<'_>) {
    writeln!(text, "{what}").expect("invariant: a string takes what is written");
}
