//! Owners say when they want their nodes back, and get them in time.

use offpeak::v1::{
    CalendarEntry, GetOwnerRequest, GetOwnerResponse, HeldShare, JobSpec, ListOwnersRequest, Node,
    Once, Owner, PreviewCalendarRequest, UpdateOwnerRequest, WatchFilter, Weekly,
    calendar_entry::Days,
};
use offpeak_client::{WatchMessage, WatchOptions, WatchStart};
use offpeak_core::model::Millis;
use prost_types::{Duration, FieldMask};
use tokio::time::timeout;

use crate::house::{BEGIN, House, PATIENCE, connect, cpu, job, job_with, node, start};

fn of(owner: &str, name: &str) -> Node {
    Node { owner: owner.to_owned(), ..node(name) }
}

/// Half of every node.
fn entry(name: &str, days: Days) -> CalendarEntry {
    CalendarEntry {
        name: name.to_owned(),
        days: Some(days),
        time_zone: "Europe/Berlin".to_owned(),
        share: Some(HeldShare { permille: 500, ..HeldShare::default() }),
        ..CalendarEntry::default()
    }
}

/// The clocks of the cell begin at 01:00 in Berlin.
fn sale() -> CalendarEntry {
    let (start, end) = ("2026-01-01T03:00".to_owned(), "2026-01-01T04:00".to_owned());
    entry("sale", Days::Once(Once { start, end }))
}

fn every_day() -> CalendarEntry {
    let length = Some(Duration { seconds: 3_600, nanos: 0 });
    let days = Days::Weekly(Weekly { weekdays: (1..=7).collect() });
    CalendarEntry { start: "12:00".to_owned(), length, ..entry("noon", days) }
}

impl House {
    async fn describe(&self, calendar: Vec<CalendarEntry>) -> u64 {
        let owner = Owner { name: "shop".to_owned(), calendar, ..Owner::default() };
        let request = UpdateOwnerRequest {
            owner: Some(owner),
            update_mask: Some(FieldMask { paths: vec!["calendar".to_owned()] }),
            ..UpdateOwnerRequest::default()
        };
        self.client.call(request).await.expect("updated").revision
    }

    async fn owner(&self, name: &str) -> GetOwnerResponse {
        let request = GetOwnerRequest { name: name.to_owned(), min_revision: 0 };
        self.client.call(request).await.expect("found")
    }

    /// When all windows are known that begin before, in days from the beginning.
    async fn known_days(&self) -> i64 {
        let through = self.owner("shop").await.windows_through.expect("a calendar").seconds;
        (through - i64::try_from(BEGIN.0 / 1000).expect("small")) / 86_400
    }
}

#[tokio::test]
async fn a_window_is_announced_cleared_and_lent_again() {
    let house = House::new().await;
    house.register(vec![of("shop", "a")]).await;
    house.create_tenant("acme").await;
    let begin = house.submit(job("train", 2, 4_000)).await;
    house.describe(vec![sale()]).await;
    let mut lines = house.lines_after(begin - 1);
    lines.expect(&["submitted acme/train", "placed acme/train 0..2 on a", "owner shop"]).await;
    house.advance(3_600);
    lines.expect(&["turned shop", "advised acme/train 1 on a"]).await;
    house.advance(48 * 60);
    lines.expect(&["turned shop", "notice acme/train 1 on a: owner expected"]).await;
    house.advance(11 * 60);
    lines.expect(&["evicted acme/train 1 from a: owner expected"]).await;
    house.advance(60);
    lines.expect(&["planned 1 of acme/train on a"]).await;
    assert_eq!(house.node("a", 0).await.headroom, Some(cpu(0)));
    house.advance(3_600);
    lines.expect(&["turned shop", "placed acme/train 1 on a"]).await;
    house.stop().await;
}

#[tokio::test]
async fn work_that_must_be_left_alone_does_not_begin_before_a_window() {
    let house = House::new().await;
    house.register(vec![of("shop", "a"), of("other", "b")]).await;
    house.create_tenant("acme").await;
    let begin = house.describe(vec![sale()]).await;
    let min_runtime = Some(Duration { seconds: 4 * 3_600, nanos: 0 });
    let spec = JobSpec { count: 2, request: Some(cpu(6_000)), min_runtime, ..JobSpec::default() };
    house.submit(job_with("long", spec)).await;
    let mut lines = house.lines_after(begin);
    lines.expect(&["submitted acme/long", "placed acme/long 0 on b"]).await;
    house.advance(3 * 3_600);
    lines.expect(&["turned shop", "placed acme/long 1 on a"]).await;
    house.stop().await;
}

#[tokio::test]
async fn owners_are_listed_whether_described_or_only_named() {
    let house = House::new().await;
    house.register(vec![of("shop", "a"), of("shop", "b"), of("other", "c"), node("d")]).await;
    let revision = house.describe(vec![every_day(), sale()]).await;
    let owners = house.client.call(ListOwnersRequest::default()).await.expect("listed").owners;
    let told = owners.iter().map(|owner| (owner.name.as_str(), owner.nodes, owner.revision));
    assert_eq!(told.collect::<Vec<_>>(), [("other", 1, 0), ("shop", 2, revision)]);
    assert_eq!(owners[1].calendar, [every_day(), sale()]);
    let first = ListOwnersRequest { page_size: 1, ..ListOwnersRequest::default() };
    let page = house.client.call(first.clone()).await.expect("listed");
    let next = ListOwnersRequest { page_token: page.next_page_token, ..first };
    let page = house.client.call(next).await.expect("listed");
    assert_eq!((page.owners[0].name.as_str(), page.next_page_token.as_str()), ("shop", ""));
    house.stop().await;
}

#[tokio::test]
async fn a_preview_tells_the_time_of_the_zone_and_of_utc() {
    let house = House::new().await;
    house.describe(vec![sale(), every_day()]).await;
    let request = PreviewCalendarRequest {
        name: "shop".to_owned(),
        limit: 2,
        ..PreviewCalendarRequest::default()
    };
    let windows = house.client.call(request).await.expect("previewed").windows;
    let told = windows.iter().map(|window| {
        let start = window.start.expect("a start").to_string();
        (window.entry.as_str(), window.local_start.as_str(), start)
    });
    assert_eq!(
        told.collect::<Vec<_>>(),
        [
            ("sale", "2026-01-01T03:00+01:00", "2026-01-01T02:00:00Z".to_owned()),
            ("noon", "2026-01-01T12:00+01:00", "2026-01-01T11:00:00Z".to_owned()),
        ]
    );
    let known = house.owner("shop").await.windows;
    assert_eq!(known[..2], windows);
    house.stop().await;
}

#[tokio::test]
async fn windows_are_known_far_enough_ahead_however_long_a_cell_runs_or_rests() {
    let house = House::new().await;
    house.describe(vec![every_day()]).await;
    assert_eq!(house.known_days().await, 60);
    house.advance(20 * 86_400);
    let mut watch = house.client.watch(WatchOptions::new(WatchStart::Now));
    while house.known_days().await < 80 {
        timeout(PATIENCE, watch.next()).await.expect("it goes on").expect("no error");
    }
    let House { server, clock, config, folder, .. } = house;
    server.shutdown().await;
    clock.advance(Millis(100 * 86_400_000));
    let server = start(&config, &clock).await;
    let client = connect(server.address()).await;
    let house = House { server, client, clock, config, folder };
    assert_eq!(house.known_days().await, 180);
    house.stop().await;
}

#[tokio::test]
async fn a_restarted_cell_knows_its_owners() {
    let house = House::new().await;
    house.register(vec![of("shop", "a")]).await;
    let revision = house.describe(vec![sale()]).await;
    house.advance(2 * 3_600);
    house.lines_after(revision).expect(&["turned shop"]).await;
    let GetOwnerResponse { owner, windows, .. } = house.owner("shop").await;
    let headroom = house.node("a", 0).await.headroom;
    let house = house.restart().await;
    let after = house.owner("shop").await;
    assert_eq!((after.owner, after.windows), (owner, windows));
    assert_eq!(house.node("a", 0).await.headroom, headroom);
    assert_eq!(headroom, Some(cpu(4_000)));
    house.stop().await;
}

#[tokio::test]
async fn a_watch_tells_of_owners_unless_it_is_narrowed_to_something_else() {
    let house = House::new().await;
    house.register(vec![of("shop", "a")]).await;
    let revision = house.describe(vec![sale()]).await;
    let mut watch = house.client.watch(WatchOptions::new(WatchStart::Snapshot));
    let message = timeout(PATIENCE, watch.next()).await.expect("it comes").expect("no error");
    let WatchMessage::Snapshot { part, .. } = message else { panic!("a snapshot: {message:?}") };
    let told: Vec<_> = part.owners.iter().map(|o| (o.name.as_str(), o.revision)).collect();
    assert_eq!(told, [("shop", revision)]);
    let filter = WatchFilter { region: "eu".to_owned(), ..WatchFilter::default() };
    let narrowed = WatchOptions { filter, ..WatchOptions::new(WatchStart::Snapshot) };
    let message = house.client.watch(narrowed).next().await.expect("no error");
    let WatchMessage::Snapshot { part, .. } = message else { panic!("a snapshot: {message:?}") };
    assert!(part.owners.is_empty());
    house.stop().await;
}
