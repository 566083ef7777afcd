//! Calls that their client gives up.

use offpeak::v1::{self, event::Kind, watch_request::Start, watch_response::Message};
use prost::Message as _;

use crate::{
    house::{House, next, node, register},
    raw::{Raw, framed},
};

const CALLS: usize = 40;
const NODES: usize = 50;

fn batch(call: usize) -> v1::RegisterNodesRequest {
    let nodes = (0..NODES).map(|index| node(&format!("n{call}-{index}"))).collect();
    let request_id = format!("r-{call}");
    v1::RegisterNodesRequest { request_id, ..register(nodes) }
}

/// How many nodes each revision registered after `revision`, up to `newest`.
async fn registered(house: &House, revision: u64, newest: u64) -> Vec<usize> {
    let start = Start::After(v1::FromRevision { revision });
    let mut watch = house.watch(start).await.expect("a watch");
    let mut counts = std::collections::BTreeMap::new();
    let mut through = revision;
    while through < newest {
        let Message::Events(batch) = next(&mut watch).await else { continue };
        through = batch.through_revision;
        for event in batch.events {
            if let Some(Kind::NodeRegistered(_)) = event.kind {
                *counts.entry(event.revision).or_insert(0) += 1;
            }
        }
    }
    counts.into_values().collect()
}

#[tokio::test]
async fn a_cancelled_call_is_done_whole_or_not_at_all() {
    let house = House::start().await;
    let begin = house.status().await.revision;
    let mut raw = Raw::connect(house.server.address()).await;
    for call in 0..CALLS {
        // A connection with many resets is closed by the server.
        if call % 10 == 0 {
            raw = Raw::connect(house.server.address()).await;
        }
        let message = framed(&batch(call).encode_to_vec());
        let path = "/offpeak.v1.NodeService/RegisterNodes";
        // Given up after a time that differs from call to call.
        raw.abandon(path, message, call % 8).await;
    }
    let status = house.status().await;
    assert_eq!(status.nodes % NODES as u64, 0, "no batch is there in part");

    for call in 0..CALLS {
        house.nodes.clone().register_nodes(batch(call)).await.expect("done before or now");
    }
    let status = house.status().await;
    assert_eq!(status.nodes, (CALLS * NODES) as u64, "each was done once");
    let counts = registered(&house, begin, status.revision).await;
    assert_eq!(counts, vec![NODES; CALLS], "each revision has a batch, whole");
}
