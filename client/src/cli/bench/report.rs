//! What a bench found, for people and for machines.

use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;

use crate::cli::{
    human,
    table::{self, Cell},
};

/// The result of a bench. Times are in the unit that ends the name.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    pub(super) mode: &'static str,
    pub(super) nodes: usize,
    pub(super) jobs: usize,
    #[serde(rename = "tasksPerJob")]
    pub(super) tasks_per_job: u32,
    #[serde(rename = "inFlight")]
    pub(super) in_flight: usize,
    pub(super) connections: usize,
    /// Jobs a second that came due; absent where each was sent as soon as may be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) rate: Option<u32>,
    pub(super) watchers: usize,
    pub(super) accepted: usize,
    pub(super) refused: usize,
    #[serde(rename = "firstRefusal", skip_serializing_if = "Option::is_none")]
    pub(super) first_refusal: Option<String>,
    #[serde(rename = "registerMs")]
    pub(super) register_ms: u64,
    #[serde(rename = "submitMs")]
    pub(super) submit_ms: u64,
    #[serde(rename = "jobsPerSecond")]
    pub(super) jobs_per_second: u64,
    #[serde(rename = "latencyUs")]
    pub(super) latency_us: Percentiles,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) watched: Option<Watched>,
    #[serde(rename = "clientCpuMs")]
    pub(super) client_cpu_ms: u64,
    #[serde(rename = "clientCpuMsPerMillionTasks")]
    pub(super) client_cpu_ms_per_million_tasks: u64,
    #[serde(rename = "serverCpuMs", skip_serializing_if = "Option::is_none")]
    pub(super) server_cpu_ms: Option<u64>,
    #[serde(rename = "serverCpuMsPerMillionTasks", skip_serializing_if = "Option::is_none")]
    pub(super) server_cpu_ms_per_million_tasks: Option<u64>,
}

/// What the slowest watcher saw.
#[derive(Debug, Serialize)]
pub(super) struct Watched {
    pub(super) placements: u64,
    /// Of all tasks that were accepted.
    pub(super) missing: u64,
    /// From the first submission to the last placement seen.
    #[serde(rename = "placedMs")]
    pub(super) placed_ms: u64,
    #[serde(rename = "placementsPerSecond")]
    pub(super) placements_per_second: u64,
    /// From sending a job to the event of each of its placements.
    #[serde(rename = "untilPlacedUs")]
    pub(super) until_placed_us: Percentiles,
}

/// Of times in microseconds: from sending a job, or from when it was due, to its durable acknowledgement or placement.
#[derive(Debug, Serialize)]
pub(super) struct Percentiles {
    p50: u64,
    p90: u64,
    p99: u64,
    p999: u64,
    max: u64,
}

impl From<&Histogram<u64>> for Percentiles {
    fn from(histogram: &Histogram<u64>) -> Self {
        Self {
            p50: histogram.value_at_quantile(0.5),
            p90: histogram.value_at_quantile(0.9),
            p99: histogram.value_at_quantile(0.99),
            p999: histogram.value_at_quantile(0.999),
            max: histogram.max(),
        }
    }
}

impl Percentiles {
    fn line(&self) -> String {
        let ms = |us: u64| format!("{}.{:02} ms", us / 1000, us % 1000 / 10);
        let Self { p50, p90, p99, p999, max } = self;
        let [p50, p90, p99, p999, max] = [p50, p90, p99, p999, max].map(|us| ms(*us));
        format!("p50 {p50}, p90 {p90}, p99 {p99}, p99.9 {p999}, max {max}")
    }
}

/// How many a second, 0 when no time has passed.
pub(super) fn per_second(count: u64, duration: Duration) -> u64 {
    let us = duration.as_micros().max(1);
    u64::try_from(u128::from(count) * 1_000_000 / us).unwrap_or(u64::MAX)
}

pub(super) fn whole_ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

impl Report {
    pub(super) fn render(&self, color: bool) -> String {
        let ms = |ms: u64| format!("{}.{:03} s", ms / 1000, ms % 1000);
        let cpu = |all, a_million| format!("{}, {} a million tasks", ms(all), ms(a_million));
        let mut lines: Vec<(&str, Cell)> = vec![
            (
                "Load",
                format!(
                    "{} jobs of {} task{} on {} nodes; {}, {} in flight, {} connections{}",
                    human::count(self.jobs as u64),
                    human::count(u64::from(self.tasks_per_job)),
                    if self.tasks_per_job == 1 { "" } else { "s" },
                    human::count(self.nodes as u64),
                    self.mode,
                    self.in_flight,
                    self.connections,
                    self.rate.map(|rate| format!(", {rate} jobs/s due")).unwrap_or_default(),
                )
                .into(),
            ),
            ("Nodes registered in", ms(self.register_ms).into()),
            ("Submitted in", ms(self.submit_ms).into()),
            ("Acknowledged", format!("{} jobs/s", human::count(self.jobs_per_second)).into()),
            ("Latency", self.latency_us.line().into()),
        ];
        if let Some(watched) = &self.watched {
            lines.push(("Placed in", ms(watched.placed_ms).into()));
            let rate = human::count(watched.placements_per_second);
            lines.push(("Placed", format!("{rate} tasks/s").into()));
            lines.push(("Until placed", watched.until_placed_us.line().into()));
            if watched.missing > 0 {
                let missing = human::count(watched.missing);
                lines.push(("Not placed", format!("{missing} tasks").into()));
            }
        }
        let client = cpu(self.client_cpu_ms, self.client_cpu_ms_per_million_tasks);
        lines.push(("Client CPU", client.into()));
        if let (Some(all), Some(a_million)) =
            (self.server_cpu_ms, self.server_cpu_ms_per_million_tasks)
        {
            lines.push(("Server CPU", cpu(all, a_million).into()));
        }
        if let Some(why) = &self.first_refusal {
            let refused = human::count(self.refused as u64);
            lines.push(("Refused", format!("{refused} jobs; the first: {why}").into()));
        }
        table::render_details(&lines, color)
    }
}
