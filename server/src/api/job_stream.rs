//! A stream of batches of jobs. Batches are handed over as they come and answered in their order; how many are in
//! flight is bounded, and beyond that the client's flow control waits.

use std::{
    collections::VecDeque,
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use offpeak::v1::{
    SubmitJobsRequest, SubmitJobsResponse, SubmitRefusal, SubmitResult, submit_result,
};
use offpeak_core::command::{Outcome, Request};
use tokio_stream::Stream;
use tonic::{Status, Streaming};

use super::{
    Stopping,
    convert::{At, Violations, accept, at_most},
    job::submitted,
    status::ApiError,
};
use crate::cell::{Cell, CellError};

/// The most jobs of one batch.
const MAX_BATCH: usize = 1_000;

/// The answer to a batch in the making.
type Answer = Pin<Box<dyn Future<Output = Result<SubmitJobsResponse, Status>> + Send>>;

/// The answers to a stream of batches.
pub(super) struct Submissions {
    cell: Cell,
    batches: Streaming<SubmitJobsRequest>,
    stopping: Pin<Box<dyn Future<Output = ()> + Send>>,
    in_flight: VecDeque<Answer>,
    max_in_flight: usize,
    intake: Intake,
}

/// Whether more batches are taken.
enum Intake {
    Open,
    /// No more; the stream ends with the status once all answers are given.
    Closed(Option<Status>),
}

impl Submissions {
    pub(super) fn new(
        cell: Cell,
        batches: Streaming<SubmitJobsRequest>,
        stopping: Stopping,
        max_in_flight: usize,
    ) -> Self {
        Self {
            cell,
            batches,
            stopping: Box::pin(stopping.wait()),
            in_flight: VecDeque::new(),
            max_in_flight,
            intake: Intake::Open,
        }
    }

    /// Takes as many batches as there are and as may be in flight.
    fn take(&mut self, context: &mut Context<'_>) {
        while matches!(self.intake, Intake::Open) && self.in_flight.len() < self.max_in_flight {
            if self.stopping.as_mut().poll(context).is_ready() {
                self.intake = Intake::Closed(Some(ApiError::Stopping.into()));
                return;
            }
            match Pin::new(&mut self.batches).poll_next(context) {
                Poll::Pending => return,
                Poll::Ready(None) => self.intake = Intake::Closed(None),
                Poll::Ready(Some(Err(status))) => self.intake = Intake::Closed(Some(status)),
                Poll::Ready(Some(Ok(batch))) => match hand_over(&self.cell, batch) {
                    Ok(answer) => self.in_flight.push_back(answer),
                    Err(error) => self.intake = Intake::Closed(Some(error.into())),
                },
            }
        }
    }
}

impl Stream for Submissions {
    type Item = Result<SubmitJobsResponse, Status>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        this.take(context);
        let Some(answer) = this.in_flight.front_mut() else {
            return match &mut this.intake {
                Intake::Open => Poll::Pending,
                Intake::Closed(status) => Poll::Ready(status.take().map(Err)),
            };
        };
        let Poll::Ready(result) = answer.as_mut().poll(context) else {
            return Poll::Pending;
        };
        this.in_flight.pop_front();
        Poll::Ready(Some(result))
    }
}

/// Checks a batch and hands what is right of it to the engine, at once and whole.
fn hand_over(cell: &Cell, batch: SubmitJobsRequest) -> Result<Answer, ApiError> {
    let mut violations = Violations::default();
    at_most(&mut violations, &At::Root.field("jobs"), batch.jobs.len(), MAX_BATCH);
    violations.check(())?;
    let mut requests: Vec<Request> = Vec::with_capacity(batch.jobs.len());
    let mut refusals: Vec<Option<ApiError>> = Vec::with_capacity(batch.jobs.len());
    for job in batch.jobs {
        match accept(job) {
            Ok(request) => {
                requests.push(request);
                refusals.push(None);
            }
            Err(violations) => refusals.push(Some(violations.into())),
        }
    }
    if requests.is_empty() {
        return Ok(Box::pin(async move { response(refusals, Vec::new()) }));
    }
    let outcomes = cell.submit_many(requests);
    Ok(Box::pin(async move { response(refusals, outcomes.await) }))
}

/// One result a job: its refusal here, or the next of the outcomes.
fn response(
    refusals: Vec<Option<ApiError>>,
    outcomes: Vec<Result<Outcome, CellError>>,
) -> Result<SubmitJobsResponse, Status> {
    let mut outcomes = outcomes.into_iter();
    let mut results = Vec::with_capacity(refusals.len());
    for refusal in refusals {
        let result = match refusal {
            Some(error) => submit_result::Result::Refused(error.into()),
            None => match outcomes.next().unwrap_or(Err(CellError::Stopping)) {
                Ok(outcome) => submit_result::Result::Accepted(submitted(outcome)),
                Err(CellError::Stopping) => return Err(ApiError::Stopping.into()),
                Err(error) => {
                    submit_result::Result::Refused(SubmitRefusal::from(ApiError::from(error)))
                }
            },
        };
        results.push(SubmitResult { result: Some(result) });
    }
    Ok(SubmitJobsResponse { results })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use offpeak::v1::{SubmitJobRequest, submit_result};
    use offpeak_core::{
        command::{Detail, Outcome},
        model::{JobId, Name, Revision},
        rejection::Rejection,
    };
    use tonic::Code;

    use super::response;
    use crate::{
        api::{
            convert::{Violations, accept},
            status::ApiError,
        },
        cell::CellError,
    };

    fn accepted(id: u64) -> Result<Outcome, CellError> {
        let name = Name::parse(&format!("j{id}")).expect("a name");
        Ok(Outcome { revision: Revision(id), detail: Detail::Job { id: JobId(id), name } })
    }

    fn invalid() -> Option<ApiError> {
        let request = SubmitJobRequest::default();
        let violations: Violations = accept(request).expect_err("no job");
        Some(violations.into())
    }

    #[test]
    fn each_job_of_a_batch_has_its_own_result_in_order() {
        let overloaded = CellError::Overloaded { retry_after: Duration::from_millis(5) };
        let taken = CellError::Rejected(Rejection::TenantNotFound("b".into()));
        let outcomes = vec![accepted(1), Err(taken), Err(overloaded), accepted(2)];
        let refusals = vec![None, invalid(), None, None, None];
        let response = response(refusals, outcomes).expect("answered");
        let codes: Vec<i32> = response
            .results
            .into_iter()
            .map(|result| match result.result.expect("a result") {
                submit_result::Result::Accepted(job) => -i32::try_from(job.id).expect("small"),
                submit_result::Result::Refused(refusal) => refusal.code,
            })
            .collect();
        let (invalid, missing) = (Code::InvalidArgument as i32, Code::NotFound as i32);
        assert_eq!(codes, [-1, invalid, missing, Code::ResourceExhausted as i32, -2]);
    }

    #[test]
    fn a_stopping_server_ends_the_stream_instead_of_refusing_jobs() {
        let status = response(vec![None], vec![Err(CellError::Stopping)]).expect_err("stopping");
        assert_eq!(status.code(), Code::Unavailable);
    }
}
