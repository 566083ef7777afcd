//! HTTP/2 by hand, for what a gRPC client would never send.

use std::{net::SocketAddr, time::Duration};

use bytes::Bytes;
use h2::client::SendRequest;
use http::{HeaderMap, Request};
use tokio::net::TcpStream;
use tonic::{Code, Status};

/// A connection without a gRPC client on it.
#[derive(Clone)]
pub(crate) struct Raw {
    requests: SendRequest<Bytes>,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) http: u16,
    pub(crate) status: Status,
}

/// A message in its frame.
pub(crate) fn framed(message: &[u8]) -> Bytes {
    let length = u32::try_from(message.len()).expect("not that large");
    framed_as(0, length, message)
}

/// A frame whose head may lie.
pub(crate) fn framed_as(flag: u8, length: u32, message: &[u8]) -> Bytes {
    let mut frame = vec![flag];
    frame.extend(length.to_be_bytes());
    frame.extend(message);
    frame.into()
}

impl Raw {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.expect("connected");
        let (requests, connection) = h2::client::Builder::new()
            .initial_window_size(1 << 24)
            .initial_connection_window_size(1 << 28)
            .handshake(stream)
            .await
            .expect("a handshake");
        tokio::spawn(connection);
        Self { requests }
    }

    fn request(path: &str, headers: &[(&str, &[u8])]) -> Request<()> {
        let mut request = Request::post(format!("http://cell{path}"))
            .header("content-type", "application/grpc")
            .header("te", "trailers");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).expect("a request")
    }

    /// Sends a whole call.
    pub(crate) async fn call(&self, path: &str, headers: &[(&str, &[u8])], body: Bytes) -> Answer {
        self.send(path, headers, body, true).await.expect("an answer")
    }

    /// Sends a call, which the client ends or does not. `None`: it was still open after seconds.
    pub(crate) async fn send(
        &self,
        path: &str,
        headers: &[(&str, &[u8])],
        body: Bytes,
        end: bool,
    ) -> Option<Answer> {
        let mut requests = self.requests.clone().ready().await.expect("the connection lives");
        let request = Self::request(path, headers);
        let (answer, mut sending) = requests.send_request(request, false).expect("sent");
        // The server may have refused the call already.
        drop(sending.send_data(body, end));
        let answer = tokio::time::timeout(Duration::from_secs(5), gather(answer)).await;
        drop(sending);
        answer.ok()
    }

    /// Sends a call and gives it up after so many turns of this task.
    pub(crate) async fn abandon(&mut self, path: &str, body: Bytes, turns: usize) {
        let mut requests = self.requests.clone().ready().await.expect("the connection lives");
        let request = Self::request(path, &[]);
        let (answer, mut sending) = requests.send_request(request, false).expect("sent");
        sending.send_data(body, true).expect("sent");
        for _ in 0..turns {
            tokio::task::yield_now().await;
        }
        sending.send_reset(h2::Reason::CANCEL);
        drop(answer);
    }
}

async fn gather(answer: h2::client::ResponseFuture) -> Answer {
    let (head, mut stream) = answer.await.expect("a response").into_parts();
    while let Some(chunk) = stream.data().await {
        let Ok(chunk) = chunk else { break };
        stream.flow_control().release_capacity(chunk.len()).expect("received");
    }
    let trailers: Option<HeaderMap> = stream.trailers().await.ok().flatten();
    let status = Status::from_header_map(&head.headers)
        .or_else(|| Status::from_header_map(&trailers?))
        .unwrap_or_else(|| Status::new(Code::Unknown, "no grpc-status"));
    Answer { http: head.status.as_u16(), status }
}
