//! The deterministic core of Offpeak.

pub mod model;
