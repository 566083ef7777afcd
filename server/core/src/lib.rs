//! The deterministic core of Offpeak: what a cell is and how it decides.
//!
//! A [`command::Request`] goes into [`engine::Engine::step`] together with the time; a [`event::Batch`] of events
//! and one answer a request come out. [`state::State`] is the fold of all events and the only thing that changes by
//! them; the scheduler's indexes are derived from it and can be thrown away.
//!
//! Deliberately absent: clocks, floats, input and output, logging, threads, random numbers but those that the planner
//! draws from a seed, hash maps that anything iterates over, and any knowledge of gRPC or of the store. Time enters as
//! data.

#![deny(clippy::iter_over_hash_type, clippy::float_arithmetic)]

pub mod billing;
pub mod command;
pub mod engine;
pub mod event;
pub mod fairness;
pub mod forecast;
pub mod forecaster;
mod lookup;
pub mod model;
pub mod outlook;
mod paged;
pub mod planner;
pub mod quote;
pub mod rejection;
pub mod scheduler;
pub mod state;
mod table;
