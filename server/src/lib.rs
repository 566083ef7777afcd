//! The scheduler service.

pub mod codec;
pub mod record;
pub mod store;
