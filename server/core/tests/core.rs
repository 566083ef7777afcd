//! What the core promises: scenarios as text, properties over random commands, and a naive model that must agree.

mod claims;
mod scenario;
