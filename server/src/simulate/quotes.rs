use std::collections::{BTreeMap, BTreeSet};

use offpeak_core::{
    command::Command,
    engine::{Ahead, Engine},
    event::Event,
    model::{JobId, Millis, Quote, Time},
    quote,
};
use serde::Serialize;

/// Quotes of a simulation: jobs that wait are quoted now and then, and what came of it is counted.
#[derive(Debug)]
pub(super) struct Quotes {
    /// So often jobs are quoted. None: never.
    every: Option<Millis>,
    /// Waiting jobs that have no quote yet, from when on.
    unquoted: BTreeSet<JobId>,
    due: Option<Time>,
    open: BTreeMap<JobId, Quote>,
    /// In thousandths, how far each quote's first time was off, as a part of the wait from the quote on.
    errors: Vec<u64>,
    waits: Vec<u64>,
    report: QuoteReport,
}

/// How quotes came out.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct QuoteReport {
    /// Jobs that started.
    pub(super) jobs: u64,
    /// Of them, those that did so before they were quoted, most of them at once.
    pub(super) unquoted: u64,
    /// Those that had been quoted.
    pub(super) quoted: u64,
    /// Of those quoted, how many started by the time by which half were to, and by which 95 of 100 were to; and how many
    /// had been told neither.
    pub(super) by_p50: u64,
    pub(super) by_p95: u64,
    pub(super) unknown: u64,
    /// The part of those quoted that started by p95; those that were told nothing did not.
    pub(super) share_by_p95: Option<f64>,
    /// The same of all jobs, where one that started without a quote did.
    pub(super) share_of_jobs: Option<f64>,
    /// The median of how far p50 was off, as a part of the wait from the quote on.
    pub(super) median_error: Option<f64>,
    /// The median of those waits.
    pub(super) median_wait_seconds: Option<f64>,
}

impl Quotes {
    pub(super) fn new(every: Option<Millis>) -> Self {
        Self {
            every,
            unquoted: BTreeSet::new(),
            due: None,
            open: BTreeMap::new(),
            errors: Vec::new(),
            waits: Vec::new(),
            report: QuoteReport::default(),
        }
    }

    /// When jobs are to be quoted next.
    pub(super) fn next(&self) -> Option<Time> {
        self.due
    }

    /// Takes what a step did.
    pub(super) fn follow(&mut self, events: &[Event], now: Time) {
        let Some(every) = self.every else { return };
        for event in events {
            match event {
                Event::JobSubmitted { id, .. } => {
                    self.unquoted.insert(*id);
                    self.due.get_or_insert(now.after(every));
                }
                Event::TasksPlaced { job, .. } => self.started(*job, now),
                Event::JobEnded { id, .. } => {
                    self.unquoted.remove(id);
                    self.open.remove(id);
                }
                Event::JobsQuoted { quotes } => self.open.extend(quotes.iter().copied()),
                _ => {}
            }
        }
        if self.unquoted.is_empty() {
            self.due = None;
        }
    }

    fn started(&mut self, job: JobId, now: Time) {
        if self.unquoted.remove(&job) {
            self.report.jobs += 1;
            self.report.unquoted += 1;
        }
        let Some(quote) = self.open.remove(&job) else { return };
        self.report.jobs += 1;
        self.report.quoted += 1;
        let Some((p50, p95)) = quote.times else {
            self.report.unknown += 1;
            return;
        };
        self.report.by_p50 += u64::from(now <= p50);
        self.report.by_p95 += u64::from(now <= p95);
        let wait = now.since(quote.made).0.max(1);
        self.errors.push(p50.0.abs_diff(now.0).saturating_mul(1_000) / wait);
        self.waits.push(wait);
    }

    /// What is to be told to those that wait without a quote.
    pub(super) fn quote(&mut self, engine: &Engine, now: Time) -> Command {
        self.due = None;
        let wanted = std::mem::take(&mut self.unquoted);
        let found = quote::quotes(&engine.fork(now), &wanted, Ahead::default());
        Command::Quote(found.into_iter().map(|(id, foreseen)| (id, foreseen.quote)).collect())
    }

    pub(super) fn report(&self) -> Option<QuoteReport> {
        self.every?;
        let QuoteReport { jobs, unquoted, quoted, by_p95, .. } = self.report;
        let share = |part: u64, of: u64| (of > 0).then(|| part as f64 / of as f64);
        let thousandths = |values: &[u64]| median(values).map(|value| value as f64 / 1e3);
        Some(QuoteReport {
            share_by_p95: share(by_p95, quoted),
            share_of_jobs: share(by_p95 + unquoted, jobs),
            median_error: thousandths(&self.errors),
            median_wait_seconds: thousandths(&self.waits),
            ..self.report.clone()
        })
    }
}

fn median(values: &[u64]) -> Option<u64> {
    let mut values = values.to_vec();
    values.sort_unstable();
    values.get(values.len() / 2).copied()
}
