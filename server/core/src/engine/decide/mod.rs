//! Turns commands into events, or refuses them. Reads the state and nothing else, so that checking a command only
//! is deciding it and dropping the events.

mod change;
pub(super) mod job;
mod node;
mod owner;
mod price;
pub(super) mod task;
mod tenant;

use super::Decision;
use crate::{
    command::{Command, Detail, Target},
    event::Event,
    model::{Revision, Time},
    rejection::Rejection,
    state::State,
};

/// What `command` comes to. Those that come by the million put it into `room`, which is empty.
pub(super) fn decide(
    state: &State,
    now: Time,
    command: Command,
    room: Vec<Event>,
) -> Result<Decision, Rejection> {
    match command {
        Command::RegisterNodes(nodes) => node::register(state, nodes),
        Command::UpdateNode { target, patch } => node::update(state, &target, *patch),
        Command::CordonNode(target) => node::cordon(state, &target),
        Command::UncordonNode(target) => node::uncordon(state, &target),
        Command::DrainNode { target, grace } => node::drain(state, now, &target, grace),
        Command::RemoveNode { target, force } => node::remove(state, &target, force),
        Command::UpdateOwner { target, patch } => owner::update(state, &target, *patch),
        Command::RenewWindows { owner, of, windows } => Ok(owner::renew(state, owner, of, windows)),
        Command::ReportLoad(reports) => node::report_load(state, now, reports),
        Command::Forecast(bounds) => Ok(node::bound(state, bounds)),
        Command::SetPriceBook { book, expected } => price::set(state, now, *book, expected),
        Command::CreateTenant(spec) => tenant::create(state, *spec),
        Command::UpdateTenant { target, patch } => tenant::update(state, &target, *patch),
        Command::DeleteTenant(target) => tenant::delete(state, &target),
        Command::SubmitJob { tenant, name, spec } => {
            job::submit(state, now, &tenant, name, spec, room)
        }
        Command::UpdateJob { tenant, target, patch } => {
            change::update(state, now, &tenant, &target, *patch)
        }
        Command::CancelJob { tenant, target, grace } => {
            change::cancel(state, now, &tenant, &target, grace)
        }
        Command::ReportTasks(reports) => task::report(state, now, reports, room),
        Command::SetPolicy(policy) => {
            let same = *state.policy() == policy;
            Ok(done(if same { Vec::new() } else { vec![Event::PolicyChanged(policy)] }))
        }
        Command::Quote(quotes) => Ok(job::quote(state, quotes)),
        Command::Promise(_) => Ok(done(Vec::new())),
    }
}

fn done(events: Vec<Event>) -> Decision {
    Decision { events, detail: Detail::Done }
}

/// Refuses when the object changed since the revision that was expected.
fn check_revision(kind: &str, target: &Target, found: Revision) -> Result<(), Rejection> {
    match target.expected {
        Some(expected) if expected != found => Err(Rejection::StaleRevision {
            object: format!("{kind} {:?}", target.name.as_str()),
            expected,
            found,
        }),
        _ => Ok(()),
    }
}
