//! Between the messages of `offpeak.v1` and the types of the core.
//!
//! Inwards, a request becomes a command or a list of everything that is wrong with it, each with the path of its
//! field; what is judged here needs no state. Outwards, objects of the state become messages (`objects.rs`, `share.rs`).
//!
//! Deliberately absent: gRPC codes, and any rule that depends on what the cell knows.

mod billing;
mod calendar;
mod constraints;
mod extras;
mod job;
mod node;
mod objects;
mod owner;
mod pending;
mod resources;
mod scalars;
mod share;
mod tenant;
mod violations;

#[cfg(test)]
mod tests;

use offpeak_core::command::{Command, Request, RequestId};
use xxhash_rust::xxh3::Xxh3;

pub(crate) use billing::{
    add_line, budget_level, demand_factor, held_by, kept_book, midnight, statement_line,
};
pub(crate) use calendar::calendar;
pub(crate) use extras::payload_message;
pub(crate) use node::report_load;
pub(crate) use objects::{
    allocation, eviction_reason, job, job_description, job_spec, job_state, listed_job,
    load_sample, node, node_description, node_state, node_state_in, notice, placement_reason,
    planned_start, quote, resources as amounts, span, tenant_description, timestamp,
};
pub(crate) use owner::{owner, owner_description, scorecard, window};
pub(crate) use pending::{node_reason, pending_reason};
pub(crate) use scalars::{
    at_most, duration, enumerations, given_name, label_map, name, names, optional_name, time,
};
pub(crate) use share::tenant;
pub(crate) use violations::{At, Violations};

/// The longest request id in bytes.
pub(crate) const MAX_REQUEST_ID_BYTES: usize = 128;

/// A request that wants to change something.
pub(crate) trait Mutation: prost::Message {
    /// Tells requests apart whose bodies look alike.
    const METHOD: &'static str;

    /// The field that makes a retry safe.
    fn request_id(&mut self) -> &mut String;

    /// Whether nothing is to be changed.
    fn validate_only(&self) -> bool;

    /// The intent; worth nothing if a violation was noted.
    fn command(&self, violations: &mut Violations) -> Command;
}

/// Checks a request and makes it a command.
pub(crate) fn accept<M: Mutation>(mut message: M) -> Result<Request, Violations> {
    let mut violations = Violations::default();
    let id = std::mem::take(message.request_id());
    let request_id = (!id.is_empty()).then(|| {
        check_request_id(&id, &mut violations);
        RequestId { id: id.into(), fingerprint: fingerprint(&message) }
    });
    let command = message.command(&mut violations);
    let validate_only = message.validate_only();
    violations.check(Request { command, request_id, validate_only })
}

/// Of a request without its id. It is remembered in the log, so the algorithm (XXH3, 128 bits) and the encoding
/// (prost, fields and map keys in order) are part of the format.
fn fingerprint<M: Mutation>(message: &M) -> u128 {
    let mut hash = Xxh3::new();
    hash.update(M::METHOD.as_bytes());
    hash.update(&[0]);
    hash.update(&message.encode_to_vec());
    hash.digest128()
}

fn check_request_id(id: &str, violations: &mut Violations) {
    let at = At::Root.field("request_id");
    if id.len() > MAX_REQUEST_ID_BYTES {
        let found = id.len();
        violations.refuse(
            &at,
            format_args!("has {found} bytes, more than the {MAX_REQUEST_ID_BYTES} allowed"),
        );
    } else if !id.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
        violations.refuse(&at, "must consist of printable ASCII characters");
    }
}

macro_rules! mutation {
    ($message:ident, $method:literal, $command:path) => {
        impl $crate::api::convert::Mutation for offpeak::v1::$message {
            const METHOD: &'static str = $method;

            fn request_id(&mut self) -> &mut String {
                &mut self.request_id
            }

            fn validate_only(&self) -> bool {
                self.validate_only
            }

            fn command(
                &self,
                violations: &mut $crate::api::convert::Violations,
            ) -> offpeak_core::command::Command {
                $command(self, violations)
            }
        }
    };
}
use mutation;
