//! When a job would start: asked of a fork of the engine, which looks ahead. How well quotes came out is asked of the
//! committed state.

use std::collections::BTreeSet;

use offpeak::v1::{
    GetQuoteRecordResponse, QuoteErrors, QuoteJobRequest, QuoteJobResponse, SubmitJobRequest,
    quote_job_request::Subject,
};
use offpeak_core::{
    billing::expected_cost,
    command::{Detail, Request},
    engine::{Ahead, Fork},
    model::{Job, JobId, Millis, Name, PLAIN_PERMILLE, Part, Quote},
    quote::{Foreseen, left_alone_ppm, quotes},
    state::{ERROR_BOUNDS, Known, State},
};

use super::{
    billing,
    convert::{self, At, Violations},
    job,
    status::ApiError,
};

/// Steps of each look ahead for somebody who waits for the answer.
const STEPS: u32 = 5_000;

/// How long a task should be left alone when nobody says.
const UNDISTURBED: Millis = Millis::HOUR;

/// A checked question when a job would start.
pub(super) struct When {
    subject: Which,
    undisturbed: Option<Millis>,
}

enum Which {
    /// One that would be submitted.
    New(Box<Request>),
    /// One that was.
    Known { tenant: Name, name: Name },
}

impl When {
    pub(super) fn parse(message: QuoteJobRequest) -> Result<Self, ApiError> {
        let mut violations = Violations::default();
        let root = At::Root;
        let at = root.field("undisturbed");
        let undisturbed =
            message.undisturbed.map(|span| convert::duration(&mut violations, &at, span));
        let subject = match message.subject {
            Some(Subject::Job(job)) => {
                let submission = SubmitJobRequest { job: Some(job), ..Default::default() };
                Some(Which::New(Box::new(convert::accept(submission)?)))
            }
            Some(Subject::Name(of)) => {
                let at = root.field("name");
                Some(Which::Known {
                    tenant: convert::name(&mut violations, &at.field("tenant"), &of.tenant),
                    name: convert::name(&mut violations, &at.field("name"), &of.name),
                })
            }
            None => {
                violations.refuse(&root.field("job"), "must be set, or name");
                None
            }
        };
        let subject = violations.check(subject)?;
        let subject = subject.expect("invariant: none was refused");
        Ok(Self { subject, undisturbed })
    }

    pub(super) fn answer(self, fork: &Fork) -> Result<QuoteJobResponse, ApiError> {
        let revision = fork.state().revision().0;
        let mut after = fork.clone();
        let id = match self.subject {
            Which::New(request) => {
                let step = after.step(vec![*request]);
                let outcome = step.replies.into_iter().next();
                let outcome = outcome.expect("invariant: one reply a request")?;
                let Detail::Job { id, .. } = outcome.detail else {
                    unreachable!("invariant: a submission is answered with its job");
                };
                id
            }
            Which::Known { tenant, name } => job::find(after.state(), &tenant, &name)?.id,
        };
        let state = after.state();
        let job = state.job(id).expect("invariant: it was just found");
        let undisturbed = self.undisturbed.unwrap_or(match job.spec.min_runtime {
            Millis(0) => UNDISTURBED,
            least => least,
        });
        let foreseen = foreseen(&after, job);
        let ppm = left_alone_ppm(state, &foreseen.nodes, undisturbed, fork.now());
        let cost_micros = cost(state, job, &foreseen);
        Ok(QuoteJobResponse {
            revision,
            name: job.name.to_string(),
            quote: Some(convert::quote(&foreseen.quote)),
            kept: state.quotes().get(id).map(convert::quote),
            cost_micros,
            demand_permille: cost_micros.and(demand(state, &foreseen)),
            undisturbed: Some(convert::span(undisturbed)),
            undisturbed_ppm: ppm,
            currency: billing::currency(state),
        })
    }
}

/// What a job would cost where it would start first, if each task runs as long as half of its like do.
fn cost(state: &State, job: &Job, foreseen: &Foreseen) -> Option<u64> {
    let like = (job.tenant, &*job.spec);
    let run = state.run_times().remaining(&mut Known::default(), like, Millis(0), Part::HALF)?;
    expected_cost(state, job, *foreseen.nodes.first()?, run)
}

/// What demand makes of prices where a job would start first, if anything.
fn demand(state: &State, foreseen: &Foreseen) -> Option<u32> {
    let node = state.node(*foreseen.nodes.first()?)?;
    let permille = state.accounts().factors().newest(&node.spec.region);
    (permille != PLAIN_PERMILLE).then_some(permille)
}

/// What is to be said of a job: it has started, it waits, or it will never start.
fn foreseen(fork: &Fork, job: &Job) -> Foreseen {
    let now = fork.now();
    if let Some(placed) = fork.state().allocations_of(job).next() {
        let times = Some((placed.placed, placed.placed));
        let quote = Quote { made: now, times, ..Quote::default() };
        return Foreseen { quote, nodes: vec![placed.at.node] };
    }
    let wanted: BTreeSet<JobId> = [job.id].into();
    let mut found = quotes(fork, &wanted, Ahead { steps: STEPS, ..Ahead::default() });
    found.remove(&job.id).expect("invariant: what is asked for is answered")
}

/// How well quotes came out.
pub(super) fn record(state: &State) -> GetQuoteRecordResponse {
    let record = state.quotes().record();
    let bounds = ERROR_BOUNDS.into_iter().map(Some).chain([None]);
    let errors = bounds.zip(record.errors);
    let errors = errors.map(|(up_to_permille, quotes)| QuoteErrors { up_to_permille, quotes });
    GetQuoteRecordResponse {
        revision: state.revision().0,
        quotes: record.made,
        open: state.quotes().open().len() as u64,
        started: record.started,
        started_by_p95: record.by_p95,
        started_by_p50: record.by_p50,
        unknown: record.unknown,
        withdrawn: record.withdrawn,
        errors: errors.collect(),
        median_error_permille: record.recent_errors.quantile(Part::HALF),
    }
}
