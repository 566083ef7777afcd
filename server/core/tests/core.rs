//! What the core promises: scenarios as text, and properties over random commands with a naive model that must agree.

mod claims;
mod properties;
mod scenario;
