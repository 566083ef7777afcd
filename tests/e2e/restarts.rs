//! What a cell keeps when it is stopped in order.

use offpeak_client::{WatchMessage, WatchOptions, WatchStart, reason};
use offpeak_server::server::{Server, StartError};
use tokio::time::timeout;

use crate::{
    fold::Lists,
    house::{House, PATIENCE, job, line, node},
};

#[tokio::test]
async fn a_restarted_cell_lists_what_it_listed() {
    let house = House::new().await;
    house.create_tenant("acme").await;
    house.register(vec![node("a"), node("b")]).await;
    house.submit(job("train", 9, 2_000)).await;
    let mut lines = house.lines_after(0);
    let expected = ["tenant acme", "registered a", "registered b", "submitted acme/train"];
    lines.expect(&expected).await;
    lines.expect(&["placed acme/train 0..4 on a 4..8 on b"]).await;
    house.report_load("a", 5_000).await;
    let before = Lists::read(&house.client).await.expect("lists");
    let house = house.restart().await;
    let after = Lists::read(&house.client).await.expect("lists");
    after.check();
    assert_eq!(after.objects, before.objects);
    assert_eq!(after.revision, before.revision);
    house.stop().await;
}

#[tokio::test]
async fn a_watch_resumes_after_a_restart_without_gap_or_repeat() {
    let mut house = House::new().await;
    house.create_tenant("t0").await;
    let mut watch = house.client.watch(WatchOptions::new(WatchStart::After(1)));
    let (mut lines, mut interruptions) = (Vec::new(), Vec::new());
    for round in 1..=4 {
        while lines.len() < round {
            match timeout(PATIENCE, watch.next()).await.expect("it goes on").expect("no error") {
                WatchMessage::Events(batch) => lines.extend(batch.events.iter().map(line)),
                WatchMessage::Interrupted(error) => interruptions.push(error.reason().to_owned()),
                WatchMessage::Snapshot { .. } | WatchMessage::Progress(_) => {}
            }
        }
        // Committed before the watch can have resumed.
        house = house.restart().await;
        house.create_tenant(&format!("t{round}")).await;
    }
    assert_eq!(lines, ["tenant t0", "tenant t1", "tenant t2", "tenant t3"]);
    // The first word of each interruption is the server's own; what follows are refused connections.
    assert_eq!(interruptions.first().map(String::as_str), Some(reason::SERVER_STOPPING));
    let told = interruptions.iter().filter(|told| *told == reason::SERVER_STOPPING).count();
    assert_eq!(told, 3);
    house.stop().await;
}

#[tokio::test]
async fn a_folder_serves_one_server_at_a_time() {
    let house = House::new().await;
    house.create_tenant("acme").await;
    let error = Server::start(house.config.clone()).await.expect_err("locked");
    assert!(matches!(error, StartError::Open(_)), "{error:?}");
    // The one that runs does not notice.
    house.create_tenant("other").await;
    house.stop().await;
}
