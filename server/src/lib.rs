//! The scheduler service.

pub mod cell;
pub mod codec;
pub mod record;
pub mod store;
