//! Scenarios as text: what goes in, and what happens.

mod billing;
mod budgets;
mod chosen;
mod constraints;
mod expected;
mod fairness;
mod forecasts;
mod gangs;
mod gpus;
mod grown;
mod horizons;
mod jobs;
mod moving;
mod nodes;
mod owner;
mod preemption;
mod quotes;
mod released;
mod requests;
mod starts;
mod staying;
mod tenants;
mod together;
mod windows;
