//! Watches: a task each, which follows the cell's records at the pace of its client. What a client does not take
//! stays in the log.

use std::{future::ready, pin::Pin, time::Duration};

use offpeak::v1::{
    Event, EventBatch, Owner, Progress, SnapshotPart, WatchRequest, WatchResponse,
    watch_request::Start, watch_response::Message as Body, watch_service_server::WatchService,
};
use offpeak_core::{model::Revision, state::State};
use prost::Message as _;
use tokio::{
    sync::mpsc,
    time::{Instant, sleep_until},
};
use tokio_stream::{Stream, StreamExt as _, once, wrappers::ReceiverStream};
use tonic::{Request, Response, Status};

use super::{
    Api,
    convert::{self, At, Violations},
    deadline,
    filter::Filter,
    render::Renderer,
    status::ApiError,
};
use crate::{
    cell::{Cell, FeedError, Subscription},
    record::Record,
};

/// Responses that wait for the client.
const QUEUE_RESPONSES: usize = 2;
/// Objects of one part of a snapshot.
const PART_OBJECTS: usize = 500;
/// A batch of this many events is sent although more may follow at once.
const BATCH_EVENTS: usize = 1_000;
/// A batch of this many bytes is sent although more may follow at once.
const BATCH_BYTES: usize = 256 << 10;
/// A commit of more bytes than this is sent in several batches.
const COMMIT_BYTES: usize = 1 << 20;
/// How long a watch waits for a revision that has not come.
const FUTURE_WAIT: Duration = Duration::from_secs(1);
const DEFAULT_PROGRESS: Duration = Duration::from_secs(10);
const MIN_PROGRESS: Duration = Duration::from_millis(100);

#[tonic::async_trait]
impl WatchService for Api {
    type WatchStream = Pin<Box<dyn Stream<Item = Result<WatchResponse, Status>> + Send>>;

    async fn watch(
        &self,
        request: Request<WatchRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        let patience = deadline::patience(&request, FUTURE_WAIT);
        let wish = Wish::parse(&request.into_inner())?;
        let begin = self.begin(wish.start, patience).await?;
        let (responses, stream) = mpsc::channel(QUEUE_RESPONSES);
        let watch = Watch {
            cell: self.cell.clone(),
            filter: wish.filter,
            progress: wish.progress,
            responses,
            through: begin.revision,
            sent: Instant::now(),
            batch: Vec::new(),
            batch_bytes: 0,
        };
        tokio::spawn(watch.run(begin, self.stopping.clone()));
        // A watch never ends well: it tells why it ends, and only one that broke down does not.
        let broken = once(Err(ApiError::Broken.into()));
        Ok(Response::new(Box::pin(ReceiverStream::new(stream).chain(broken))))
    }
}

/// A checked request to watch.
struct Wish {
    start: Start,
    filter: Filter,
    progress: Duration,
}

/// Where a watch begins.
struct Begin {
    revision: Revision,
    /// All objects at that revision, if they are wanted.
    snapshot: Option<State>,
    /// Whether the client does not know that revision.
    announce: bool,
}

impl Wish {
    fn parse(message: &WatchRequest) -> Result<Self, ApiError> {
        let mut violations = Violations::default();
        let filter = Filter::parse(&mut violations, message.filter.as_ref());
        let progress = progress(&mut violations, message);
        let Some(start) = message.start else {
            violations.refuse(&At::Root.field("start"), "is required: snapshot, after or now");
            return Err(violations.check(()).err().unwrap_or_default().into());
        };
        Ok(violations.check(Self { start, filter, progress })?)
    }
}

fn progress(violations: &mut Violations, message: &WatchRequest) -> Duration {
    let Some(interval) = message.progress_interval else {
        return DEFAULT_PROGRESS;
    };
    let at = At::Root;
    let at = at.field("progress_interval");
    let interval = Duration::from_millis(convert::duration(violations, &at, interval).0);
    if interval < MIN_PROGRESS {
        violations.refuse(&at, "must be at least 0.1 s");
    }
    interval
}

impl Api {
    async fn begin(&self, start: Start, patience: Duration) -> Result<Begin, ApiError> {
        match start {
            Start::Snapshot(_) => {
                let state = self.cell.snapshot();
                let revision = state.revision();
                Ok(Begin { revision, snapshot: Some(state), announce: false })
            }
            Start::After(from) => {
                let revision = Revision(from.revision);
                self.cell.wait_for(revision, patience).await?;
                Ok(Begin { revision, snapshot: None, announce: false })
            }
            Start::Now(_) => {
                let revision = self.cell.read(State::revision);
                Ok(Begin { revision, snapshot: None, announce: true })
            }
        }
    }
}

/// Why a watch ends.
enum End {
    /// The client has gone.
    Gone,
    Failed(ApiError),
}

impl From<FeedError> for End {
    fn from(error: FeedError) -> Self {
        Self::Failed(error.into())
    }
}

/// A watch at work.
struct Watch {
    cell: Cell,
    filter: Filter,
    progress: Duration,
    responses: mpsc::Sender<Result<WatchResponse, Status>>,
    /// All of this revision and before has been rendered.
    through: Revision,
    /// When the client last heard of this watch.
    sent: Instant,
    batch: Vec<Event>,
    batch_bytes: usize,
}

impl Watch {
    async fn run(mut self, begin: Begin, stopping: super::Stopping) {
        let responses = self.responses.clone();
        let end = tokio::select! {
            end = self.follow(begin) => end,
            () = stopping.wait() => End::Failed(ApiError::Stopping),
            () = responses.closed() => End::Gone,
        };
        if let End::Failed(error) = end {
            // The client may be gone, and then nobody wants to know.
            drop(responses.send(Err(error.into())).await);
        }
    }

    async fn follow(&mut self, begin: Begin) -> End {
        let result = self.try_follow(begin).await;
        result.err().unwrap_or(End::Gone)
    }

    async fn try_follow(&mut self, begin: Begin) -> Result<(), End> {
        // Before the snapshot is sent: what is committed meanwhile follows it.
        let mut records = self.cell.subscribe(begin.revision);
        if begin.announce {
            self.mark().await?;
        }
        if let Some(state) = begin.snapshot {
            self.send_snapshot(&state).await?;
        }
        loop {
            let mark_at = self.sent + self.progress;
            tokio::select! {
                record = records.next() => {
                    let record = record?;
                    self.take(&record).await?;
                    self.take_waiting(&mut records).await?;
                    self.flush().await?;
                    if self.sent.elapsed() >= self.progress {
                        self.mark().await?;
                    }
                }
                () = sleep_until(mark_at) => self.mark().await?,
            }
        }
    }

    /// Takes further records as long as they are there at once and the batch has room.
    async fn take_waiting(&mut self, records: &mut Subscription) -> Result<(), End> {
        while !self.is_full() && self.sent.elapsed() < self.progress {
            tokio::select! {
                biased;
                record = records.next() => {
                    let record = record?;
                    self.take(&record).await?;
                }
                () = ready(()) => break,
            }
        }
        Ok(())
    }

    fn is_full(&self) -> bool {
        self.batch.len() >= BATCH_EVENTS || self.batch_bytes >= BATCH_BYTES
    }

    /// Renders what is new of a record. Batches end with a commit, unless that one is very large.
    async fn take(&mut self, record: &Record) -> Result<(), End> {
        let mut rendered = Vec::new();
        for (commit, events) in record.batch.iter() {
            if commit.revision <= self.through {
                continue;
            }
            for event in events {
                let renderer = Renderer { names: &record.names, filter: &self.filter, commit };
                renderer.render(event, &mut rendered);
                for event in rendered.drain(..) {
                    self.batch_bytes += event.encoded_len();
                    self.batch.push(event);
                    if self.batch_bytes >= COMMIT_BYTES {
                        self.flush().await?;
                    }
                }
            }
            self.through = commit.revision;
            if self.is_full() {
                self.flush().await?;
            }
        }
        Ok(())
    }

    async fn flush(&mut self) -> Result<(), End> {
        if self.batch.is_empty() {
            return Ok(());
        }
        let events = std::mem::take(&mut self.batch);
        self.batch_bytes = 0;
        let through_revision = self.through.0;
        self.send(Body::Events(EventBatch { events, through_revision })).await
    }

    async fn mark(&mut self) -> Result<(), End> {
        self.send(Body::Progress(Progress { revision: self.through.0 })).await
    }

    async fn send(&mut self, body: Body) -> Result<(), End> {
        let response = WatchResponse { message: Some(body) };
        self.responses.send(Ok(response)).await.map_err(|_| End::Gone)?;
        self.sent = Instant::now();
        Ok(())
    }

    async fn send_snapshot(&mut self, state: &State) -> Result<(), End> {
        let revision = state.revision().0;
        let mut part = SnapshotPart { revision, ..SnapshotPart::default() };
        for node in state.nodes() {
            if self.filter.admits_node(node) {
                part.nodes.push(convert::node(state, node));
                self.send_part_if_full(&mut part).await?;
            }
        }
        for owner in state.owners().filter(|owner| owner.revision.0 > 0) {
            if self.filter.admits_owners() {
                let revision = owner.revision.0;
                part.owners.push(Owner { revision, ..convert::owner_description(&owner.spec) });
                self.send_part_if_full(&mut part).await?;
            }
        }
        for tenant in state.tenants() {
            if self.filter.admits_tenant(tenant) {
                part.tenants.push(convert::tenant(tenant, state.now()));
                self.send_part_if_full(&mut part).await?;
            }
        }
        for job in state.jobs_from(offpeak_core::model::JobId(0)) {
            if self.filter.admits_job(state, job) {
                part.jobs.push(convert::listed_job(state, job));
                self.send_part_if_full(&mut part).await?;
            }
        }
        for allocation in state.allocations_from(offpeak_core::model::AllocationId(0)) {
            if self.filter.admits_allocation(state, allocation) {
                part.allocations.push(convert::allocation(state, allocation));
                self.send_part_if_full(&mut part).await?;
            }
        }
        part.complete = true;
        self.send(Body::Snapshot(part)).await
    }

    async fn send_part_if_full(&mut self, part: &mut SnapshotPart) -> Result<(), End> {
        let (fleet, work) = (
            part.nodes.len() + part.owners.len(),
            part.tenants.len() + part.jobs.len() + part.allocations.len(),
        );
        let objects = fleet + work;
        if objects < PART_OBJECTS {
            return Ok(());
        }
        let empty = SnapshotPart { revision: part.revision, ..SnapshotPart::default() };
        self.send(Body::Snapshot(std::mem::replace(part, empty))).await
    }
}
