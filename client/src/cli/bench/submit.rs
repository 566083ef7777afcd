//! The load itself: a few tasks on a few connections, fed from what was encoded before.

use std::{
    ops::Range,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use hdrhistogram::Histogram;
use offpeak::v1::{SubmitJobResponse, SubmitJobsResponse, submit_result::Result as Answer};
use offpeak_client::{Client, Error};
use tokio::{sync::mpsc, task::JoinSet};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, client::Grpc, codegen::http::uri::PathAndQuery, transport::Channel};

use super::{
    clock::{Clock, histogram},
    raw::RawCodec,
};
use crate::cli::failure::{Failure, exit};

const SUBMIT_JOB: PathAndQuery = PathAndQuery::from_static("/offpeak.v1.JobService/SubmitJob");
const SUBMIT_JOBS: PathAndQuery = PathAndQuery::from_static("/offpeak.v1.JobService/SubmitJobs");

/// What the acknowledgements told.
#[derive(Clone)]
pub(super) struct Acknowledged {
    pub(super) latency_us: Histogram<u64>,
    pub(super) accepted: usize,
    pub(super) refused: usize,
    /// Of the first refusal.
    pub(super) first_refusal: Option<String>,
}

impl Acknowledged {
    pub(super) fn new() -> Result<Self, Failure> {
        Ok(Self { latency_us: histogram()?, accepted: 0, refused: 0, first_refusal: None })
    }

    fn latency(&mut self, latency: Duration, jobs: usize) {
        let us = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
        self.latency_us.saturating_record_n(us, jobs as u64);
    }

    fn refuse(&mut self, why: impl FnOnce() -> String) {
        self.refused += 1;
        self.first_refusal.get_or_insert_with(why);
    }
}

type Shared = Arc<Mutex<Acknowledged>>;

/// Sends each request by itself, never more than `in_flight` at once.
pub(super) async fn unary(
    clients: &[Client],
    requests: Vec<Bytes>,
    in_flight: usize,
    clock: &Clock,
) -> Result<Acknowledged, Failure> {
    let shared = Arc::new(Mutex::new(Acknowledged::new()?));
    let requests = Arc::new(requests);
    let next = Arc::new(AtomicUsize::new(0));
    let mut senders = JoinSet::new();
    for index in 0..in_flight.min(requests.len()) {
        let grpc = Grpc::new(clients[index % clients.len()].channel());
        senders.spawn(send_unary(
            grpc,
            Arc::clone(&requests),
            Arc::clone(&next),
            clock.clone(),
            Arc::clone(&shared),
        ));
    }
    join(senders).await?;
    Ok(lock(&shared).clone())
}

async fn send_unary(
    mut grpc: Grpc<Channel>,
    requests: Arc<Vec<Bytes>>,
    next: Arc<AtomicUsize>,
    clock: Clock,
    shared: Shared,
) -> Result<(), Failure> {
    loop {
        let index = next.fetch_add(1, Ordering::Relaxed);
        let Some(bytes) = requests.get(index) else {
            return Ok(());
        };
        let begin = clock.send(index..index + 1).await;
        grpc.ready().await.map_err(broken)?;
        let answer = grpc
            .unary(Request::new(bytes.clone()), SUBMIT_JOB, RawCodec::<SubmitJobResponse>::new())
            .await;
        let mut acknowledged = lock(&shared);
        acknowledged.latency(begin.elapsed(), 1);
        match answer {
            Ok(_) => acknowledged.accepted += 1,
            Err(status) => match Error::from_status(&status, Duration::ZERO) {
                Error::Refused(refusal) => acknowledged.refuse(|| refusal.to_string()),
                error => return Err(error.into()),
            },
        }
    }
}

/// Sends batches on one stream a connection, each with `window` batches unanswered.
pub(super) async fn stream(
    clients: &[Client],
    requests: Vec<(Bytes, Range<usize>)>,
    window: usize,
    clock: &Clock,
) -> Result<Acknowledged, Failure> {
    let shared = Arc::new(Mutex::new(Acknowledged::new()?));

    let mut parts: Vec<Vec<(Bytes, Range<usize>)>> = vec![Vec::new(); clients.len()];
    for (index, request) in requests.into_iter().enumerate() {
        parts[index % clients.len()].push(request);
    }
    let mut streams = JoinSet::new();
    for (client, part) in clients.iter().zip(parts) {
        let grpc = Grpc::new(client.channel());
        streams.spawn(send_stream(grpc, part, window, clock.clone(), Arc::clone(&shared)));
    }
    join(streams).await?;
    Ok(lock(&shared).clone())
}

/// Sends what is due, never more than `window` batches ahead of the answers.
async fn send_stream(
    mut grpc: Grpc<Channel>,
    requests: Vec<(Bytes, Range<usize>)>,
    window: usize,
    clock: Clock,
    shared: Shared,
) -> Result<(), Failure> {
    let (tx, rx) = mpsc::channel(window);
    // As many batches as are sent and not answered; the sender waits while there are `window`.
    let (unanswered_tx, mut unanswered) = mpsc::channel::<(Instant, usize)>(window);
    let sender = tokio::spawn(async move {
        for (bytes, jobs) in requests {
            let Ok(place) = unanswered_tx.reserve().await else { return };
            let count = jobs.len();
            let due = clock.send(jobs).await;
            if tx.send(bytes).await.is_err() {
                return;
            }
            place.send((due, count));
        }
    });
    grpc.ready().await.map_err(broken)?;
    let request = Request::new(ReceiverStream::new(rx));
    let opened = grpc.streaming(request, SUBMIT_JOBS, RawCodec::<SubmitJobsResponse>::new()).await;
    let mut answers = opened.map_err(|status| refused(&status))?.into_inner();
    while let Some(answer) = answers.message().await.map_err(|status| refused(&status))? {
        let (begin, jobs) = unanswered.recv().await.ok_or_else(ended)?;
        let mut acknowledged = lock(&shared);
        acknowledged.latency(begin.elapsed(), jobs);
        for result in answer.results {
            match result.result {
                Some(Answer::Accepted(_)) => acknowledged.accepted += 1,
                Some(Answer::Refused(refusal)) => acknowledged.refuse(|| refusal.message),
                None => acknowledged.refuse(|| "an empty answer".to_owned()),
            }
        }
    }
    sender.await.map_err(|error| Failure::new(exit::FAILURE, error.to_string()))?;
    // Whatever is left was never answered.
    if unanswered.recv().await.is_some() { Err(ended()) } else { Ok(()) }
}

async fn join(mut tasks: JoinSet<Result<(), Failure>>) -> Result<(), Failure> {
    while let Some(done) = tasks.join_next().await {
        done.map_err(|error| Failure::new(exit::FAILURE, error.to_string()))??;
    }
    Ok(())
}

/// A panic while holding the lock has already ended the bench.
fn lock(shared: &Shared) -> std::sync::MutexGuard<'_, Acknowledged> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

fn refused(status: &tonic::Status) -> Failure {
    Error::from_status(status, Duration::ZERO).into()
}

fn broken(error: impl std::fmt::Display) -> Failure {
    Failure::new(exit::UNAVAILABLE, format!("lost the connection: {error}"))
}

fn ended() -> Failure {
    Failure::new(exit::UNAVAILABLE, "the server ended the stream early")
}
