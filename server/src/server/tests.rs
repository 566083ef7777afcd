use std::{path::Path, time::Duration};

use offpeak::v1::{GetStatusRequest, admin_service_client::AdminServiceClient};
use offpeak_core::model::Revision;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::{Config, Running, Server, StartError};
use crate::{
    cell::FeedError,
    config::{Optional, Span},
    store::StoreError,
};

fn config(folder: &Path) -> Config {
    let anywhere = "127.0.0.1:0".parse().expect("an address");
    Config {
        listen: anywhere,
        metrics_listen: Optional(Some(anywhere)),
        data_dir: folder.join("data"),
        cell: "attic".to_owned(),
        ..Config::default()
    }
}

async fn start(config: Config) -> Running {
    Server::start(config).await.expect("a server")
}

#[tokio::test]
async fn a_restarted_server_goes_on_where_it_stopped() {
    let folder = tempfile::tempdir().expect("a folder");
    let settings = Config { notice: Span(Duration::from_secs(7)), ..config(folder.path()) };
    let server = start(settings.clone()).await;
    assert_eq!(server.cell().status().newest, Revision(1), "the policy differs from the default");
    // Handles that are still held do not keep the store locked.
    let _cell = server.cell();
    server.shutdown().await;

    let server = start(settings).await;
    let status = server.cell().status();
    assert_eq!((status.newest, status.checkpoint), (Revision(1), Revision(1)));
    assert_eq!(server.cell().read(|state| state.policy().notice.0), 7_000);
    server.shutdown().await;
}

#[tokio::test]
async fn the_api_is_served_until_the_server_stops() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = start(config(folder.path())).await;
    let address = format!("http://{}", server.address());
    let mut client = AdminServiceClient::connect(address.clone()).await.expect("connected");
    let status = client.get_status(GetStatusRequest::default()).await.expect("served");
    assert_eq!(status.into_inner().cell, "attic");
    let mut subscription = server.cell().subscribe(Revision(0));
    server.shutdown().await;
    assert!(matches!(subscription.next().await, Err(FeedError::Stopping)));
    assert!(AdminServiceClient::connect(address).await.is_err(), "nobody listens");
}

#[tokio::test]
async fn the_metrics_tell_of_commands() {
    let folder = tempfile::tempdir().expect("a folder");
    let settings = Config { notice: Span(Duration::from_secs(7)), ..config(folder.path()) };
    let server = start(settings).await;
    let address = server.metrics_address().expect("metrics are on");
    let mut stream = TcpStream::connect(address).await.expect("connected");
    let request = b"GET /metrics HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n";
    stream.write_all(request).await.expect("sent");
    let mut page = String::new();
    stream.read_to_string(&mut page).await.expect("answered");
    for line in [
        "HTTP/1.1 200 OK",
        "offpeak_commands_total{command=\"set_policy\",result=\"accepted\"} 1",
        "offpeak_revision 1",
        "offpeak_append_seconds_count 1",
        "offpeak_nodes 0",
    ] {
        assert!(page.contains(line), "{line} is not in:\n{page}");
    }
    server.shutdown().await;
}

#[tokio::test]
async fn a_store_in_use_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = start(config(folder.path())).await;
    let error = Server::start(config(folder.path())).await.expect_err("locked");
    assert!(matches!(error, StartError::Open(StoreError::Locked { .. })), "{error:?}");
    server.shutdown().await;
}

#[tokio::test]
async fn an_address_in_use_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = start(config(folder.path())).await;
    let taken = Config { listen: server.address(), ..config(&folder.path().join("other")) };
    let error = Server::start(taken).await.expect_err("taken");
    let told = format!("could not listen on {} for calls", server.address());
    assert_eq!(error.to_string(), told);
    server.shutdown().await;
}
