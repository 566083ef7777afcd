//! The scheduler service.

pub mod codec;
pub mod record;
pub mod recover;
pub mod store;
