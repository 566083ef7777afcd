mod forecasts;
mod memory_log;
pub(super) mod planner;
mod quotes;

use std::{
    collections::BTreeMap,
    future::Future,
    pin::pin,
    sync::{Arc, Mutex},
    task::{Context, Poll, Waker},
    time::Duration,
};

use offpeak_core::{
    command::{Command, Request},
    event::Event,
    model::{Millis, Name, NodeSpec, Priority, Quota, Resources, Revision, TenantSpec, Time},
    rejection::Rejection,
    state::State,
};

use super::{Driver, FatalError, Setup};
use crate::{
    cell::{Cell, CellError, FeedError, Subscription},
    clock::ManualClock,
    config::Config,
    recover::{Recovered, recover},
    store::Log,
    telemetry::Metrics,
};
use memory_log::{Fate, MemoryLog};

/// Longer than anything here takes, so that a failure does not hang.
const PATIENCE: Duration = Duration::from_secs(20);

/// A cell on a log in memory.
struct House {
    driver: Driver,
    cell: Cell,
    log: Arc<MemoryLog>,
    clock: Arc<ManualClock>,
    metrics: Metrics,
    fatal: Arc<Mutex<Vec<String>>>,
}

impl House {
    fn new(config: &Config) -> Self {
        Self::on(Arc::default(), config)
    }

    fn on(log: Arc<MemoryLog>, config: &Config) -> Self {
        // A quote comes when it comes, which would make events depend on how long a test takes.
        Self::with_quotes(log, &Config { quotes_share_percent: 0, ..config.clone() })
    }

    fn with_quotes(log: Arc<MemoryLog>, config: &Config) -> Self {
        let Recovered { state, forecaster } = recover(&*log).expect("what was written can be read");
        let clock = Arc::new(ManualClock::new(Time(1_000_000)));
        let metrics = Metrics::new();
        let fatal = Arc::new(Mutex::new(Vec::new()));
        let reports = Arc::clone(&fatal);
        let setup = Setup {
            state,
            forecaster,
            log: Arc::clone(&log) as Arc<dyn Log>,
            clock: Arc::clone(&clock) as _,
            metrics: metrics.clone(),
            on_fatal: Arc::new(move |error: &FatalError| {
                reports.lock().expect("unharmed").push(error.to_string());
            }),
        };
        let driver = Driver::start(config, setup).expect("threads");
        Self { cell: driver.cell(), driver, log, clock, metrics, fatal }
    }

    async fn create(&self, names: impl IntoIterator<Item = String>) {
        for name in names {
            self.cell.submit(create(&name)).await.expect("a new tenant");
        }
    }
}

pub(super) fn create(name: &str) -> Request {
    request(Command::CreateTenant(Box::new(TenantSpec {
        name: Name::parse(name).expect("a name"),
        parent: Name::default(),
        guarantee: Resources::default(),
        quota: Quota::default(),
        weight: 1,
        priority_ceiling: Priority(0),
        labels: BTreeMap::new(),
        budget: Default::default(),
        annotations: Default::default(),
    })))
}

fn register(name: &str, report_ttl: Option<Millis>) -> Request {
    request(Command::RegisterNodes(vec![NodeSpec { report_ttl, ..node(name, 4_000) }]))
}

pub(super) fn node(name: &str, cpu_millis: u64) -> NodeSpec {
    NodeSpec {
        name: Name::parse(name).expect("a name"),
        owner: Name::default(),
        region: Name::default(),
        zone: Name::default(),
        labels: BTreeMap::new(),
        taints: Vec::new(),
        capacity: Resources { cpu_millis, ..Resources::default() },
        gpu_model: Name::default(),
        reservation: Resources::default(),
        report_ttl: None,
        annotations: Default::default(),
    }
}

pub(super) fn request(command: Command) -> Request {
    Request { command, request_id: None, validate_only: false }
}

fn numbered(count: usize) -> impl Iterator<Item = String> {
    (0..count).map(|number| format!("t{number}"))
}

/// Polls a future once and drops it.
fn poll_once<T>(future: impl Future<Output = T>) -> Poll<T> {
    pin!(future).poll(&mut Context::from_waker(Waker::noop()))
}

fn is_ready(future: impl Future) -> bool {
    poll_once(future).is_ready()
}

/// Takes records until `last`, each of which must follow the one before.
async fn follow(mut subscription: Subscription, mut cursor: Revision, last: Revision) -> usize {
    let mut records = 0;
    while cursor < last {
        let record = tokio::time::timeout(PATIENCE, subscription.next()).await;
        let record = record.expect("a record comes").expect("the feed goes on");
        for commit in &record.batch.commits {
            // Only the first record may begin before the cursor.
            if records > 0 || commit.revision > cursor {
                assert_eq!(commit.revision, cursor.next(), "no gap and no repeat");
                cursor = commit.revision;
            }
        }
        records += 1;
    }
    records
}

#[tokio::test]
async fn nothing_is_answered_or_shown_before_it_is_durable() {
    let house = House::new(&Config::default());
    let mut feed = house.cell.subscribe(Revision(0));
    house.log.hold_appends();
    let mut created = pin!(house.cell.submit(create("a")));
    let mut refused = pin!(house.cell.submit(create("a")));
    house.log.wait_until_held();
    assert!(!is_ready(created.as_mut()) && !is_ready(refused.as_mut()) && !is_ready(feed.next()));
    assert_eq!(house.cell.read(State::tenant_count), 0);

    house.log.release();
    assert_eq!(created.await.expect("accepted").revision, Revision(1));
    let refused = refused.await;
    assert!(matches!(refused, Err(CellError::Rejected(Rejection::TenantExists(_)))), "{refused:?}");
    assert_eq!(house.cell.read(State::tenant_count), 1);
    assert_eq!(feed.next().await.expect("published").batch.commits.len(), 1);
    house.driver.stop().await;
}

#[tokio::test]
async fn a_batch_is_answered_in_its_own_order() {
    let house = House::new(&Config::default());
    let batch = ["a", "b", "a", "c"].map(create);
    let answers = house.cell.submit_many(batch.into()).await;
    let revisions: Vec<_> =
        answers.iter().map(|answer| answer.as_ref().ok().map(|done| done.revision.0)).collect();
    assert_eq!(revisions, [Some(1), Some(2), None, Some(3)]);
    house.driver.stop().await;
}

#[tokio::test]
async fn steps_that_wait_for_an_append_share_the_next_record() {
    let house =
        House::new(&Config { batch_limit_requests: 1, steps_in_flight: 4, ..Config::default() });
    house.log.hold_appends();
    let first = house.cell.submit(create("first"));
    house.log.wait_until_held();
    let others: Vec<_> = numbered(8).map(|name| house.cell.submit(create(&name))).collect();
    // Four steps are on their way and the engine holds a fifth.
    while house.cell.queue_length() > 3 {
        tokio::task::yield_now().await;
    }
    house.log.release();
    first.await.expect("accepted");
    for other in others {
        other.await.expect("accepted");
    }
    assert!(house.log.record_count() < 9, "{} records", house.log.record_count());
    house.driver.stop().await;
}

#[tokio::test]
async fn a_full_queue_answers_overloaded_and_drops_nothing_it_took() {
    let config = Config {
        queue_limit_requests: 2,
        batch_limit_requests: 1,
        steps_in_flight: 1,
        ..Config::default()
    };
    let house = House::new(&config);
    house.log.hold_appends();
    let mut taken = Vec::new();
    // The queue, the channel, and what the two threads hold: more than that cannot be under way.
    let overloaded = 'full: {
        for name in numbered(100) {
            let mut answer = Box::pin(house.cell.submit(create(&name)));
            match answer.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
                Poll::Pending => taken.push(answer),
                Poll::Ready(answer) => break 'full answer,
            }
        }
        panic!("the queue has no limit");
    };
    assert!(matches!(overloaded, Err(CellError::Overloaded { .. })), "{overloaded:?}");
    house.log.release();
    for answer in taken {
        answer.await.expect("accepted");
    }
    house.driver.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn slow_subscribers_catch_up_from_the_log_without_gap_or_repeat() {
    let config = Config {
        feed_limit_records: 2,
        feed_read_bytes: 200,
        feed_limit_readers: 2,
        ..Config::default()
    };
    let house = House::new(&config);
    let last = Revision(400);
    let followers: Vec<_> = (0..6)
        .map(|after| Revision(after * 7))
        .map(|after| tokio::spawn(follow(house.cell.subscribe(after), after, last)))
        .collect();
    house.create(numbered(200)).await;
    let late = tokio::spawn(follow(house.cell.subscribe(Revision(0)), Revision(0), last));
    house.create(numbered(400).skip(200)).await;
    for follower in followers.into_iter().chain([late]) {
        follower.await.expect("no gap and no repeat");
    }
    assert_eq!(house.cell.status().watchers, 0);
    house.driver.stop().await;
}

#[tokio::test]
async fn a_subscription_goes_on_where_a_cancelled_read_left_it() {
    let config = Config { feed_limit_records: 1, feed_read_bytes: 1, ..Config::default() };
    let house = House::new(&config);
    house.create(numbered(20)).await;
    let mut subscription = house.cell.subscribe(Revision(0));
    let mut cursor = Revision(0);
    for _ in 0..5 {
        // The read that was begun may be done by now.
        if let Poll::Ready(record) = poll_once(subscription.next()) {
            let revisions = record.expect("the feed goes on").batch.revisions();
            assert_eq!(revisions, Some((cursor.next(), cursor.next())), "no gap and no repeat");
            cursor = cursor.next();
        }
    }
    follow(subscription, cursor, Revision(20)).await;
    house.driver.stop().await;
}

#[tokio::test]
async fn a_cursor_before_the_log_is_compacted() {
    let config = Config { retention_revisions: 4, ..Config::default() };
    let house = House::new(&config);
    house.create(numbered(10)).await;
    house.driver.stop().await;

    let house = House::on(house.log, &config);
    assert_eq!(house.cell.status().compacted, Revision(6));
    let error = house.cell.subscribe(Revision(5)).next().await.expect_err("compacted");
    let FeedError::Compacted { first_available } = error else { panic!("{error}") };
    assert_eq!(first_available, Revision(7));
    assert_eq!(follow(house.cell.subscribe(Revision(6)), Revision(6), Revision(10)).await, 4);
    house.driver.stop().await;
}

#[tokio::test]
async fn waiting_for_a_revision_ends_when_it_is_visible() {
    let house = House::new(&Config::default());
    let mut waiting = pin!(house.cell.wait_for(Revision(1), PATIENCE));
    assert!(!is_ready(waiting.as_mut()));
    house.create(numbered(1)).await;
    waiting.await.expect("reached");
    let late = house.cell.wait_for(Revision(9), Duration::from_millis(1)).await;
    assert!(matches!(late, Err(CellError::NotYet { newest: Revision(1) })), "{late:?}");
    house.driver.close();
    let closed = house.cell.wait_for(Revision(9), PATIENCE).await;
    assert!(matches!(closed, Err(CellError::Stopping)), "{closed:?}");
    house.driver.stop().await;
}

#[tokio::test]
async fn a_copy_of_an_engine_that_is_held_up_is_not_waited_for_any_longer_than_was_said() {
    let house = House::new(&Config { steps_in_flight: 1, ..Config::default() });
    house.log.hold_appends();
    // One in the log, one in flight, and one that the engine cannot hand on.
    let mut answers = Vec::new();
    for name in numbered(3) {
        answers.push(house.cell.submit(create(&name)));
        while house.cell.queue_length() > 0 {
            tokio::task::yield_now().await;
        }
    }
    let soon = Duration::from_millis(20);
    let copy = tokio::time::timeout(PATIENCE, house.cell.fork(Revision(0), soon)).await;
    let copy = copy.expect("no longer than was said");
    assert!(matches!(copy, Err(CellError::NotYet { newest: Revision(0) })), "{copy:?}");
    house.log.release();
    for answer in answers {
        answer.await.expect("accepted");
    }
    let copy = house.cell.fork(Revision(3), PATIENCE).await.expect("a copy");
    assert_eq!(copy.state().revision(), Revision(3));
    house.driver.stop().await;
}

#[tokio::test]
async fn commits_go_on_while_a_checkpoint_is_written() {
    let house = House::new(&Config::default());
    house.create(numbered(3)).await;
    house.log.hold_checkpoints();
    let cell = house.cell.clone();
    let checkpoint = tokio::spawn(async move { cell.checkpoint().await });
    tokio::task::yield_now().await;
    house.log.wait_until_held();
    house.create(numbered(6).skip(3)).await;
    house.log.release();
    assert_eq!(checkpoint.await.expect("no panic").expect("written"), Revision(3));
    let Recovered { state, .. } = recover(&*house.log).expect("readable");
    assert_eq!((state.revision(), state.tenant_count()), (Revision(6), 6));
    house.driver.stop().await;
}

#[tokio::test]
async fn enough_log_brings_a_checkpoint_about() {
    let config = Config { checkpoint_every_bytes: 1, ..Config::default() };
    let house = House::new(&config);
    house.log.hold_checkpoints();
    house.create(numbered(1)).await;
    house.log.wait_until_held();
    house.log.release();
    house.driver.stop().await;
}

#[tokio::test]
async fn a_large_checkpoint_puts_the_next_one_off() {
    let config = Config { checkpoint_every_bytes: 1, ..Config::default() };
    let house = House::new(&config);
    house.log.weigh_checkpoints(1 << 40);
    house.create(numbered(20)).await;
    house.driver.stop().await;
    assert_eq!(house.log.checkpoints_begun(), 1, "the last one");
}

#[tokio::test]
async fn stopping_answers_what_was_taken_and_leaves_a_checkpoint() {
    let house = House::new(&Config::default());
    let mut subscription = house.cell.subscribe(Revision(0));
    house.log.hold_appends();
    let taken = house.cell.submit(create("a"));
    house.log.wait_until_held();
    house.driver.close();
    let late = house.cell.submit(create("b")).await;
    assert!(matches!(late, Err(CellError::Stopping)), "{late:?}");
    house.log.release();
    house.driver.stop().await;
    taken.await.expect("taken before");
    let ended = subscription.next().await;
    assert!(matches!(ended, Err(FeedError::Stopping)), "{ended:?}");
    assert_eq!(house.log.bounds().checkpoint, Revision(1));
    assert_eq!(Arc::strong_count(&house.log), 1, "the log can be closed");
    assert!(matches!(house.cell.checkpoint().await, Err(CellError::Stopping)));
}

#[tokio::test]
async fn a_failed_append_is_fatal_and_acknowledges_nothing() {
    for (fate, report) in [
        (Fate::Fail, "the revisions 1 to 1 could not be written"),
        (Fate::Panic, "the commit thread panicked"),
    ] {
        let house = House::new(&Config::default());
        house.log.decide(fate);
        let answer = house.cell.submit(create("a")).await;
        assert!(matches!(answer, Err(CellError::Stopping)), "{answer:?}");
        let ended = house.cell.subscribe(Revision(0)).next().await;
        assert!(matches!(ended, Err(FeedError::Stopping)), "{ended:?}");
        assert_eq!(house.cell.read(State::revision), Revision(0));
        let late = house.cell.submit(create("b")).await;
        assert!(matches!(late, Err(CellError::Stopping)), "{late:?}");
        assert_eq!(*house.fatal.lock().expect("unharmed"), [report]);
        house.driver.stop().await;
    }
}

#[tokio::test]
async fn the_engine_wakes_when_something_is_due() {
    let house = House::new(&Config::default());
    let registered = house.cell.submit(register("n", Some(Millis::SECOND))).await;
    let mut feed = house.cell.subscribe(registered.expect("accepted").revision);
    house.clock.advance(Millis(2_000));
    let record = tokio::time::timeout(PATIENCE, feed.next()).await.expect("it comes");
    let events = record.expect("published").batch.events.clone();
    assert!(matches!(events[..], [Event::NodeLost { .. }]), "{events:?}");
    house.driver.stop().await;
}
