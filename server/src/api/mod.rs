//! Placeholder until the API is merged.
use crate::cell::Cell;
use std::future::Future;
/// Options.
#[derive(Clone, Debug, Default)]
pub struct ApiOptions {
    /// Drain.
    pub drain_limit: std::time::Duration,
}
/// Serves.
pub async fn serve(
    listener: tokio::net::TcpListener,
    cell: Cell,
    options: ApiOptions,
    shutdown: impl Future<Output = ()> + Send,
) -> Result<(), tonic::transport::Error> {
    let _ = (listener, cell, options);
    shutdown.await;
    Ok(())
}
