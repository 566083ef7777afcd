//! The scheduler service.
//!
//! A request comes in through `api`, is handed to the [`cell`], decided by the core on the [`driver`]'s engine thread,
//! appended to the [`store`]'s log, folded into the view and published to the feed, and only then answered.
//! [`server`] puts these together; the binary `offpeakd` and the tests start it. [`simulate`] drives the same core on a
//! virtual clock, from files, and [`backtest`] its forecast alone.

mod advice;
mod calendar;
mod feed;
mod reason;
mod renewal;
mod view;

pub mod api;
pub mod backtest;
pub mod cell;
pub mod clock;
pub mod codec;
pub mod config;
pub mod driver;
pub mod record;
pub mod recover;
pub mod server;
pub mod simulate;
pub mod store;
pub mod tables;
pub mod telemetry;
