//! The scheduler service.

pub mod api;
pub mod cell;
pub mod codec;
pub mod record;
pub mod store;
