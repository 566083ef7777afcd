//! The scheduler service.

pub mod store;
