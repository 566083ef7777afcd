use std::{convert::Infallible, future::Future, time::Duration};

use http_body_util::Full;
use hyper::{
    Method, Request, Response, StatusCode,
    body::{Bytes, Incoming},
    header::{CONTENT_TYPE, HeaderValue},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{net::TcpListener, task::JoinSet};

use super::Metrics;
use crate::cell::Cell;

/// Connections served at the same time.
const LIMIT_CONNECTIONS: usize = 16;

/// How long a client may take to send its request.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

const OPEN_METRICS: HeaderValue =
    HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");

/// Answers `GET /metrics` until `shutdown`.
pub(crate) async fn serve(
    listener: TcpListener,
    cell: Cell,
    metrics: Metrics,
    shutdown: impl Future<Output = ()>,
) {
    let mut connections = JoinSet::new();
    tokio::pin!(shutdown);
    loop {
        let accepted = tokio::select! {
            () = &mut shutdown => return,
            Some(_) = connections.join_next(), if !connections.is_empty() => continue,
            accepted = listener.accept(), if connections.len() < LIMIT_CONNECTIONS => accepted,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "a connection to the metrics failed");
                // Without file descriptors the next attempt would fail at once.
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let (cell, metrics) = (cell.clone(), metrics.clone());
        connections.spawn(async move {
            let service =
                service_fn(|request| std::future::ready(respond(&request, &cell, &metrics)));
            let mut server = http1::Builder::new();
            server.timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT);
            if let Err(error) = server.serve_connection(TokioIo::new(stream), service).await {
                tracing::debug!(%error, "a connection to the metrics broke off");
            }
        });
    }
}

#[expect(clippy::unnecessary_wraps, reason = "what hyper wants of a service")]
fn respond(
    request: &Request<Incoming>,
    cell: &Cell,
    metrics: &Metrics,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let mut response = Response::new(Full::default());
    if request.uri().path() != "/metrics" {
        *response.status_mut() = StatusCode::NOT_FOUND;
    } else if request.method() != Method::GET {
        *response.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
    } else if let Ok(page) = metrics.render(cell) {
        response.headers_mut().insert(CONTENT_TYPE, OPEN_METRICS);
        *response.body_mut() = Full::from(page);
    } else {
        *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
    }
    Ok(response)
}
