//! The scheduler service.

pub mod cell;
pub mod record;
pub mod store;
