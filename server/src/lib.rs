//! The scheduler service.

pub mod record;
pub mod store;
