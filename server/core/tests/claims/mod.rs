//! Scenarios as text: what goes in, and what happens.

mod budgets;
mod constraints;
mod forecasts;
mod gangs;
mod gpus;
mod horizons;
mod jobs;
mod nodes;
mod owner;
mod preemption;
mod quotes;
mod requests;
mod tenants;
mod windows;
