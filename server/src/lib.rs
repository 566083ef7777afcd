//! The scheduler service.

pub mod api;
pub mod cell;
pub mod record;
pub mod store;
