//! How much of a node its owner will need: an upper bound of the load, for each horizon, at a promised risk.
//!
//! Samples of the owner's load enter through [`Fleet::observe`], and [`NodeForecast::bound`] answers. In between, a
//! sample is put into its slot of five minutes; `season` remembers the last week by quarters of an hour, and
//! `experts` makes plain guesses from it, such as "the greatest of the last hour". `misses` counts by how much each
//! guess was off once its horizon had passed. `track` adds to a guess the margin that is worth most: less margin lends
//! more, and costs the `price` of a violation times its chance. There is one price for all nodes of an owner, steered
//! so that the promised share of bounds is exceeded; so the risk is spent where it buys the most. `calibration` knows
//! at which times that chance is greater than the counts say. `day_ahead` tells from the same counts what to expect of
//! each of the coming hours, and `together` what to expect of many nodes at once. docs/FORECAST.md has the sources and what is promised.
//!
//! A [`Fleet`] and its [`NodeForecast`]s are plain data, folded from samples: the same samples in the same order give
//! the same bounds. Deliberately absent: any other knowledge of the core, a clock, floats, and a model trained
//! beforehand. Constants are the same for every fleet. A missing sample is never taken for a low one.

mod calibration;
mod day_ahead;
mod edges;
mod experts;
mod fixed;
mod fleet;
mod horizon;
mod misses;
mod node;
mod pending;
mod price;
mod quantity;
mod season;
mod shared;
mod slot;
mod spread;
mod steady;
mod together;
mod track;

#[cfg(test)]
mod tests;

use crate::model::Horizon;
pub use day_ahead::{DayAhead, HOURS, HourLoad, Kin, TAILS_PERMILLE, hour_of};
pub use fleet::Fleet;
pub use node::NodeForecast;
pub use quantity::{Risk, Risks, Share};
pub use steady::Steady;
pub use together::{Part, Together};
