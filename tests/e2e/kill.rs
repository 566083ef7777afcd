//! A loaded server, killed again and again at any moment, loses nothing that it acknowledged or showed.
//!
//! The server is this test binary, started again as a process of its own (`server.rs`). Several clients change the
//! cell through all of it and note what they were answered (`load.rs`); one follows it (`follower.rs`). After every
//! restart the load pauses, and what was noted, what was followed, what the log tells and what the lists say must
//! be one and the same, to the last millionth of what is charged.

mod follower;
mod ledger;
mod load;
mod server;

use std::{
    env,
    hash::{BuildHasher, RandomState},
    path::Path,
    time::Duration,
};

use offpeak::v1::{CreateTenantRequest, RegisterNodesRequest, Tenant, UpdateTenantRequest};
use offpeak_client::{Client, ConnectOptions, RetryPolicy};
use offpeak_server::store::{Report, fsck};
use tokio::time::{sleep, timeout};

use self::{follower::Follower, ledger::Ledger, load::Load, server::Process};
use crate::{fold::Lists, house::node};

/// How many times the server is killed.
const KILLS: &str = "OFFPEAK_TEST_KILLS";
/// What decides when: a number that a failure tells.
const SEED: &str = "OFFPEAK_TEST_SEED";

/// The store is verified after so many kills.
const FSCK_EVERY: u64 = 20;
/// Once in so many kills the server is killed while it starts.
const EARLY_EVERY: u64 = 8;
/// How long the longest load lasts.
const LOAD_MS: u64 = 40;
/// How long anything may take after a restart. Nothing waits this long unless the claim fails.
const PATIENCE: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_server_keeps_what_it_acknowledged() {
    let kills: u64 = number(KILLS).unwrap_or(200);
    let seed = number(SEED).unwrap_or_else(|| RandomState::new().hash_one(0) >> 32);
    let mut chance = Chance(seed);
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    let address = server::free_address();

    let mut process = Process::start(&data, address);
    let client = persistent(address);
    set_up(&client).await;
    let mut follower = Follower::start(persistent(address));
    let load = Load::start(|| persistent(address), &mut chance);
    for kill in 1..=kills {
        let context = format!("kill {kill} of {SEED}={seed}");
        // Not a wait for a state: the kill has to come at any point of the work.
        sleep(Duration::from_micros(chance.below(LOAD_MS * 1_000))).await;
        process.kill(&context);
        if kill.is_multiple_of(FSCK_EVERY) {
            verify_store(&data, &context);
        }
        if kill.is_multiple_of(EARLY_EVERY) {
            process = Process::start(&data, address);
            sleep(Duration::from_micros(chance.below(LOAD_MS * 1_000))).await;
            process.kill(&context);
        }
        process = Process::start(&data, address);
        let verified = timeout(PATIENCE, verify(&client, &load, &mut follower, kill, &context));
        verified.await.unwrap_or_else(|_| panic!("{context}: nothing happens any more"));
    }
    process.kill("the last one");
    assert!(kills < 20 || follower.ledger.charged > 0, "something was charged");
    assert!(kills < 20 || follower.ledger.factors.len() > 1, "demand made something of it");
    let report = verify_store(&data, "in the end");
    let trimmed = report.compacted.0 > 0;
    assert!(trimmed || report.newest.0 < 10_000, "a long log was never trimmed: {report}");
}

/// Holds the load and looks whether everything is there.
async fn verify(client: &Client, load: &Load, follower: &mut Follower, kill: u64, context: &str) {
    let _paused = load.pause().await;
    // What is told last can be seen by a follower.
    let tenant =
        Tenant { labels: [("kill".to_owned(), kill.to_string())].into(), ..Tenant::default() };
    let request = UpdateTenantRequest {
        tenant: Some(Tenant { name: "acme".to_owned(), ..tenant }),
        update_mask: Some(prost_types::FieldMask { paths: vec!["labels".to_owned()] }),
        ..UpdateTenantRequest::default()
    };
    client.call(request).await.expect("updated");
    let lists = Lists::read(client).await.expect("lists");
    lists.check();
    follower.reach(lists.revision).await;
    follower.compare_with_log(client, lists.revision, context).await;
    for acknowledged in load.take_acknowledged() {
        follower.check(&acknowledged, &lists, context);
    }
    let folded = follower.fold_to(lists.revision);
    follower.check_ledger(client, context).await;
    Ledger::set_prices(client, kill).await;
    assert!(folded == lists.objects, "{context}: {folded:#?} is not {:#?}", lists.objects);
}

async fn set_up(client: &Client) {
    let tenant = Some(Tenant { name: "acme".to_owned(), ..Tenant::default() });
    let request = CreateTenantRequest { tenant, ..CreateTenantRequest::default() };
    client.call(request).await.expect("created");
    let nodes = (0..load::NODES).map(|index| node(&load::node_name(index))).collect();
    let request = RegisterNodesRequest { nodes, ..RegisterNodesRequest::default() };
    client.call(request).await.expect("registered");
}

/// A client that never gives up.
fn persistent(address: std::net::SocketAddr) -> Client {
    let retry = RetryPolicy {
        max_attempts: u32::MAX,
        first_pause: Duration::from_millis(2),
        longest_pause: Duration::from_millis(10),
    };
    let options = ConnectOptions { retry, ..ConnectOptions::to(format!("http://{address}")) };
    Client::connect_lazy(&options).expect("an address")
}

fn verify_store(folder: &Path, context: &str) -> Report {
    let report = fsck(folder).expect("verified");
    assert!(report.is_sound(), "{context}: {report}");
    report
}

fn number(variable: &str) -> Option<u64> {
    env::var(variable).ok().map(|value| value.parse().expect("a number"))
}

/// Numbers that look random and can be had again (`SplitMix64`).
#[derive(Clone, Debug)]
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }
}
