use std::{fmt, sync::Arc, time::Duration};

use offpeak_core::{command::Outcome, model::Revision, rejection::Rejection};
use prometheus_client::{
    encoding::text,
    metrics::{
        counter::Counter,
        family::Family,
        gauge::Gauge,
        histogram::{Histogram, exponential_buckets},
    },
    registry::{Registry, Unit},
};

use super::Kind;
use crate::cell::Cell;

type Labels = [(&'static str, &'static str); 2];

/// The server's metrics; cheap to clone.
#[derive(Clone, Debug)]
pub struct Metrics {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    registry: Registry,
    /// By kind: accepted and rejected. Looked up once, so that counting is one addition.
    commands: Vec<[Counter; 2]>,
    overloaded: Counter,
    step: Histogram,
    append: Histogram,
    publish: Histogram,
    checkpoint: Histogram,
    problem: Histogram,
    planner: Histogram,
    appended_bytes: Counter,
    revision: Gauge,
    sampled: Sampled,
}

/// What is read from the cell when somebody asks.
#[derive(Clone, Debug, Default)]
struct Sampled {
    queue: Gauge,
    nodes: Gauge,
    tenants: Gauge,
    jobs: Gauge,
    pending: Gauge,
    allocations: Gauge,
    watchers: Gauge,
    log_bytes: Gauge,
    checkpoint_revision: Gauge,
    compacted_revision: Gauge,
}

impl Metrics {
    /// All at zero.
    #[must_use]
    pub fn new() -> Self {
        let mut registry = Registry::with_prefix("offpeak");
        let commands: Family<Labels, Counter> = Family::default();
        let count = |kind: &Kind, result| {
            commands.get_or_create_owned(&[("command", kind.label()), ("result", result)])
        };
        let by_kind = |kind| [count(kind, "accepted"), count(kind, "rejected")];
        let inner = Inner {
            commands: Kind::ALL.iter().map(by_kind).collect(),
            overloaded: Counter::default(),
            // From 10 microseconds to 5 seconds.
            step: latencies(),
            append: latencies(),
            publish: latencies(),
            // From 10 milliseconds to 5 minutes.
            checkpoint: Histogram::new(exponential_buckets(0.01, 2.0, 16)),
            problem: latencies(),
            // From 1 millisecond to half a minute.
            planner: Histogram::new(exponential_buckets(0.001, 2.0, 16)),
            appended_bytes: Counter::default(),
            revision: Gauge::default(),
            sampled: Sampled::default(),
            registry: Registry::default(),
        };
        registry.register("commands", "Commands answered", commands);
        inner.register(&mut registry);
        inner.sampled.register(&mut registry);
        Self { inner: Arc::new(Inner { registry, ..inner }) }
    }

    /// Counts answered commands.
    pub(crate) fn answered(&self, kinds: &[Kind], replies: &[Result<Outcome, Rejection>]) {
        let mut counts = [[0_u64; 2]; Kind::ALL.len()];
        for (kind, reply) in kinds.iter().zip(replies) {
            counts[*kind as usize][usize::from(reply.is_err())] += 1;
        }
        for (counters, counts) in self.inner.commands.iter().zip(counts) {
            for (counter, count) in counters.iter().zip(counts).filter(|(_, count)| *count > 0) {
                counter.inc_by(count);
            }
        }
    }

    pub(crate) fn overloaded(&self, commands: u64) {
        self.inner.overloaded.inc_by(commands);
    }

    pub(crate) fn stepped(&self, took: Duration) {
        self.inner.step.observe(took.as_secs_f64());
    }

    pub(crate) fn appended(&self, took: Duration, bytes: usize) {
        self.inner.append.observe(took.as_secs_f64());
        self.inner.appended_bytes.inc_by(bytes as u64);
    }

    pub(crate) fn published(&self, took: Duration, revision: Revision) {
        self.inner.publish.observe(took.as_secs_f64());
        self.inner.revision.set(signed(revision.0));
    }

    pub(crate) fn checkpointed(&self, took: Duration) {
        self.inner.checkpoint.observe(took.as_secs_f64());
    }

    /// The engine has stated what the planner is to solve.
    pub(crate) fn stated(&self, took: Duration) {
        self.inner.problem.observe(took.as_secs_f64());
    }

    pub(crate) fn planned(&self, took: Duration) {
        self.inner.planner.observe(took.as_secs_f64());
    }

    /// All metrics in the OpenMetrics text format, with what `cell` tells now.
    ///
    /// # Errors
    /// None that is known; it is the writer's.
    pub fn render(&self, cell: &Cell) -> Result<String, fmt::Error> {
        self.inner.sampled.sample(cell);
        let mut page = String::new();
        text::encode(&mut page, &self.inner.registry)?;
        Ok(page)
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Inner {
    fn register(&self, registry: &mut Registry) {
        let mut seconds = |name, help, histogram: &Histogram| {
            registry.register_with_unit(name, help, Unit::Seconds, histogram.clone());
        };
        seconds("step", "Time of one step of the engine", &self.step);
        seconds("append", "Time until a group commit is durable", &self.append);
        seconds("publish", "Time to show a durable group commit", &self.publish);
        seconds("checkpoint", "Time of one checkpoint", &self.checkpoint);
        seconds("problem", "Time of the engine to state what to plan", &self.problem);
        seconds("planner", "Time of the planner to solve that", &self.planner);
        registry.register(
            "commands_overloaded",
            "Commands refused because the queue was full",
            self.overloaded.clone(),
        );
        registry.register_with_unit(
            "log_appended",
            "Encoded events appended to the log",
            Unit::Bytes,
            self.appended_bytes.clone(),
        );
        registry.register("revision", "Newest durable revision", self.revision.clone());
    }
}

impl Sampled {
    fn register(&self, registry: &mut Registry) {
        let mut gauge = |name, help, gauge: &Gauge| registry.register(name, help, gauge.clone());
        gauge("queue_requests", "Commands waiting for the engine", &self.queue);
        gauge("nodes", "Nodes", &self.nodes);
        gauge("tenants", "Tenants", &self.tenants);
        gauge("jobs", "Jobs kept, the ended ones included", &self.jobs);
        gauge("pending_tasks", "Tasks waiting for a place", &self.pending);
        gauge("allocations", "Live allocations", &self.allocations);
        gauge("watchers", "Open watches", &self.watchers);
        gauge("log_bytes", "Bytes of log that are kept", &self.log_bytes);
        gauge(
            "checkpoint_revision",
            "Revision of the newest checkpoint",
            &self.checkpoint_revision,
        );
        gauge("compacted_revision", "Oldest revision to watch from", &self.compacted_revision);
    }

    fn sample(&self, cell: &Cell) {
        let status = cell.status();
        cell.read(|state| {
            self.nodes.set(signed(state.node_count() as u64));
            self.tenants.set(signed(state.tenant_count() as u64));
            self.jobs.set(signed(state.job_count() as u64));
            self.pending.set(signed(state.waiting().tasks));
            self.allocations.set(signed(state.allocation_count() as u64));
        });
        self.queue.set(signed(cell.queue_length() as u64));
        self.watchers.set(i64::from(status.watchers));
        self.log_bytes.set(signed(status.log_bytes));
        self.checkpoint_revision.set(signed(status.checkpoint.0));
        self.compacted_revision.set(signed(status.compacted.0));
    }
}

fn latencies() -> Histogram {
    Histogram::new(exponential_buckets(0.000_01, 2.0, 20))
}

fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
