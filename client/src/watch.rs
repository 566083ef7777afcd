//! A watch that survives lost connections.

use std::time::Duration;

use offpeak::v1::{
    Event, EventBatch, FromRevision, FromSnapshot, GetStatusRequest, SnapshotPart, WatchFilter,
    WatchRequest, WatchResponse, watch_request::Start, watch_response::Message,
};
use tokio::time::sleep;
use tonic::{Code, Streaming};

use crate::{Client, Error, error::reason, retry::is_transient};

/// Where a watch begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WatchStart {
    /// With everything that exists, then what changes.
    Snapshot,
    /// With the events after this revision.
    After(u64),
    /// With what happens from now on.
    Now,
}

/// What to watch.
#[derive(Clone, Debug)]
pub struct WatchOptions {
    /// Where to begin.
    pub start: WatchStart,
    /// Which events pass.
    pub filter: WatchFilter,
    /// How often the server tells its revision when no event passes. `None`: as it likes.
    pub progress_interval: Option<Duration>,
    /// Begin with a new snapshot when the log no longer reaches back to where a watch from a snapshot was cut off.
    /// Without it, that is [`Error::Compacted`].
    pub snapshot_again: bool,
    /// After so many failed attempts in a row to resume, the watch fails. `None`: never.
    pub max_failures: Option<u32>,
}

impl WatchOptions {
    /// A watch of everything.
    #[must_use]
    pub fn new(start: WatchStart) -> Self {
        Self {
            start,
            filter: WatchFilter::default(),
            progress_interval: None,
            snapshot_again: false,
            max_failures: None,
        }
    }
}

/// What a watch yields.
#[derive(Debug)]
pub enum WatchMessage {
    /// A part of a snapshot. When `first` is set, whatever was learned before is void.
    Snapshot {
        /// Whether a snapshot begins here.
        first: bool,
        /// The objects.
        part: SnapshotPart,
    },
    /// Events, each once and in order.
    Events(EventBatch),
    /// Everything that passes the filter up to this revision has been yielded.
    Progress(u64),
    /// The connection was lost. The watch resumes by itself; this is only for telling people.
    Interrupted(Error),
}

/// An ordered stream of events without gap or repeat. Made by [`Client::watch`].
#[derive(Debug)]
pub struct Watch {
    client: Client,
    options: WatchOptions,
    state: State,
    position: Position,
    failures: u32,
    /// How long to wait before the next attempt to connect.
    pause: Duration,
}

#[derive(Debug)]
enum State {
    Apart,
    Connected(Box<Streaming<WatchResponse>>),
}

/// What has been yielded so far.
#[derive(Clone, Copy, Debug)]
struct Position {
    /// All events up to here were yielded. `None`: not even a snapshot is complete.
    through: Option<u64>,
    /// The last event yielded had this revision, and it was the n-th of that revision. A revision may be cut in two
    /// by a lost connection, so resuming means to skip its first n events.
    last: (u64, usize),
    /// How many events of `last` are still to be skipped, since the resumed stream brings them again.
    skip: usize,
    /// Parts of an unfinished snapshot were yielded.
    in_snapshot: bool,
}

impl Client {
    /// Starts a watch. Nothing is sent before the first [`Watch::next`].
    #[must_use]
    pub fn watch(&self, options: WatchOptions) -> Watch {
        let through = match options.start {
            WatchStart::After(revision) => Some(revision),
            WatchStart::Snapshot | WatchStart::Now => None,
        };
        Watch {
            client: self.clone(),
            options,
            state: State::Apart,
            position: Position { through, last: (0, 0), skip: 0, in_snapshot: false },
            failures: 0,
            pause: Duration::ZERO,
        }
    }
}

impl Watch {
    /// Everything up to this revision has been yielded. `None` before the first snapshot is complete.
    #[must_use]
    pub fn revision(&self) -> Option<u64> {
        self.position.through
    }

    /// The next message. Waits for as long as it takes; cancel safe.
    ///
    /// # Errors
    /// [`Error::Compacted`], what the server refuses, and the last loss when `max_failures` is reached.
    pub async fn next(&mut self) -> Result<WatchMessage, Error> {
        loop {
            let error = match &mut self.state {
                State::Apart => match self.open().await {
                    Ok(()) => continue,
                    Err(error) => error,
                },
                State::Connected(stream) => match stream.message().await {
                    Ok(Some(response)) => {
                        self.failures = 0;
                        match self.take(response) {
                            Some(message) => return Ok(message),
                            None => continue,
                        }
                    }
                    Ok(None) => Error::Disconnected { message: "the stream ended".to_owned() },
                    Err(status) => Error::from_status(&status, self.client.timeout),
                },
            };
            self.state = State::Apart;
            return self.recover(error).map(WatchMessage::Interrupted);
        }
    }

    /// Connects anew from where the watch stands, after a pause if it has just failed.
    async fn open(&mut self) -> Result<(), Error> {
        sleep(self.pause).await;
        let start = match (self.position.through, self.options.start) {
            (Some(revision), _) => Start::After(FromRevision { revision }),
            (None, WatchStart::Snapshot) => Start::Snapshot(FromSnapshot {}),
            // "Now" has to be a known revision, or what happens during a first failed attempt would be missed.
            (None, WatchStart::Now | WatchStart::After(_)) => {
                let status = self.client.call(GetStatusRequest::default()).await?;
                self.position.through = Some(status.revision);
                Start::After(FromRevision { revision: status.revision })
            }
        };
        let request = WatchRequest {
            start: Some(start),
            filter: Some(self.options.filter.clone()),
            progress_interval: self.options.progress_interval.map(|interval| {
                // An interval too long for the wire is as good as the longest one.
                interval
                    .try_into()
                    .unwrap_or(prost_types::Duration { seconds: i64::from(u32::MAX), nanos: 0 })
            }),
        };
        let opened = self.client.watches().watch(request).await;
        let stream = opened.map_err(|status| Error::from_status(&status, self.client.timeout))?;
        self.position.skip = self.position.last.1;
        self.position.in_snapshot = false;
        self.state = State::Connected(Box::new(stream.into_inner()));
        Ok(())
    }

    /// Decides whether an error ends the watch or only interrupts it.
    fn recover(&mut self, error: Error) -> Result<Error, Error> {
        self.failures = self.failures.saturating_add(1);
        self.pause = self.client.retry.pause(self.failures, &error);
        if (error.code(), error.reason()) == (Code::OutOfRange, reason::COMPACTED) {
            if self.options.start == WatchStart::Snapshot && self.options.snapshot_again {
                self.position.through = None;
                self.position.last = (0, 0);
                return Ok(error);
            }
            return Err(self.compacted(&error));
        }
        let given_up = self.options.max_failures.is_some_and(|most| self.failures >= most);
        if given_up || !is_transient(&error) {
            return Err(error);
        }
        Ok(error)
    }

    fn compacted(&self, error: &Error) -> Error {
        let first_available = match error {
            Error::Refused(refusal) => refusal
                .metadata
                .get(reason::FIRST_AVAILABLE)
                .and_then(|revision| revision.parse().ok()),
            _ => None,
        };
        Error::Compacted { after: self.position.through.unwrap_or(0), first_available }
    }

    fn take(&mut self, response: WatchResponse) -> Option<WatchMessage> {
        // A message without content is one of a newer server that this client cannot know.
        match response.message? {
            Message::Snapshot(part) => {
                let first = !self.position.in_snapshot;
                self.position.in_snapshot = !part.complete;
                if part.complete {
                    self.position.through = Some(part.revision);
                }
                Some(WatchMessage::Snapshot { first, part })
            }
            Message::Events(mut batch) => {
                batch.events.retain(|event| self.position.admit(event));
                self.position.advance(batch.through_revision);
                if batch.events.is_empty() {
                    return Some(WatchMessage::Progress(batch.through_revision));
                }
                Some(WatchMessage::Events(batch))
            }
            Message::Progress(progress) => {
                self.position.advance(progress.revision);
                Some(WatchMessage::Progress(progress.revision))
            }
        }
    }
}

impl Position {
    fn advance(&mut self, revision: u64) {
        self.through = Some(self.through.unwrap_or(0).max(revision));
    }

    /// Whether an event is new. One that was yielded before the connection was lost is not.
    fn admit(&mut self, event: &Event) -> bool {
        let (revision, count) = self.last;
        if event.revision < revision {
            return false;
        }
        if event.revision > revision {
            self.last = (event.revision, 1);
            self.skip = 0;
            return true;
        }
        if self.skip > 0 {
            self.skip -= 1;
            return false;
        }
        self.last = (revision, count + 1);
        true
    }
}
