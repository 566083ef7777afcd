//! The typed Rust client of Offpeak.
//!
//! [`Client`] holds one HTTP/2 connection to a cell. [`Client::call`] sends any unary request of `offpeak.v1` with a
//! deadline, repeats it where that is safe, and turns a status into an [`Error`] with its reason and field
//! violations. [`Client::watch`] gives a [`Watch`]: every committed event in order, resumed by itself after a lost
//! connection without gap or repeat. The streaming RPCs are reached through the generated clients, such as
//! [`Client::jobs`].
//!
//! Deliberately absent: TLS, a cache of the cell's state, and a second set of types beside the generated ones.
//!
//! ```no_run
//! use offpeak_client::{Client, ConnectOptions};
//! use offpeak::v1::ListNodesRequest;
//!
//! # async fn example() -> Result<(), offpeak_client::Error> {
//! let client = Client::connect(ConnectOptions::default()).await?;
//! let page = client.call(ListNodesRequest::default()).await?;
//! println!("{} nodes at revision {}", page.nodes.len(), page.revision);
//! # Ok(())
//! # }
//! ```

mod call;
mod connect;
mod error;
mod request_id;
mod retry;
mod watch;

pub use call::Unary;
pub use connect::{Client, ConnectOptions, DEFAULT_ENDPOINT, DEFAULT_TIMEOUT};
pub use error::{Error, FieldViolation, Refusal, Violation, reason};
pub use request_id::new_request_id;
pub use retry::RetryPolicy;
pub use watch::{Watch, WatchMessage, WatchOptions, WatchStart};
