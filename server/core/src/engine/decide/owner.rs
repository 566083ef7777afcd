//! Commands about owners.

use std::sync::Arc;

use super::{check_revision, done};
use crate::{
    command::{OwnerPatch, Target},
    engine::Decision,
    event::Event,
    model::{Name, Owner, Revision, Windows},
    rejection::Rejection,
    state::State,
};

pub(super) fn update(
    state: &State,
    target: &Target,
    patch: OwnerPatch,
) -> Result<Decision, Rejection> {
    let unknown = Owner::new(target.name.clone());
    let owner = state.owner(&target.name).unwrap_or(&unknown);
    check_revision("owner", target, owner.revision)?;
    let mut spec = owner.spec.as_ref().clone();
    let mut windows = Arc::clone(&owner.windows);
    spec.risk = patch.risk.unwrap_or(spec.risk);
    spec.labels = patch.labels.unwrap_or(spec.labels);
    spec.annotations = patch.annotations.unwrap_or(spec.annotations);
    spec.shortfall_budget = patch.shortfall_budget.unwrap_or(spec.shortfall_budget);
    if let Some((calendar, of_it)) = patch.calendar
        && calendar != spec.calendar
    {
        spec.calendar = calendar;
        windows = Arc::new(of_it);
    }
    if spec == *owner.spec {
        return Ok(done(Vec::new()));
    }
    Ok(done(vec![Event::OwnerUpdated { spec: Arc::new(spec), windows }]))
}

/// Whoever worked the windows out looked at an earlier state: what has changed since makes them void, and is no error.
pub(super) fn renew(state: &State, owner: Name, of: Revision, windows: Windows) -> Decision {
    let known = state.owner(&owner).filter(|known| known.revision == of);
    let has_changed = known.is_some_and(|known| *known.windows != windows);
    let renewed = || Event::WindowsRenewed { owner, windows: Arc::new(windows) };
    done(has_changed.then(renewed).into_iter().collect())
}
