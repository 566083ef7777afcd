//! Looks further ahead in owners' calendars while time goes on.
//!
//! The core knows of a calendar only what was worked out beforehand. This task reads the committed state once in a
//! while, works out the windows of those owners of whom too little is known, and hands them in like any other command.

use std::{sync::Arc, time::Duration};

use offpeak_core::{
    command::{Command, Request},
    model::{Millis, Time},
    state::State,
};
use tokio::sync::Notify;

use crate::{
    calendar::{LEAST_STRETCH, windows},
    cell::{Cell, CellError},
    clock::Clock,
};

/// How long the cell's clock goes on between two looks.
const INTERVAL: Millis = Millis::HOUR;

/// The longest sleep: the clock may be set while nobody looks.
const MAX_SLEEP: Duration = Duration::from_secs(3_600);

/// Renews what must be renewed, again and again.
pub(crate) async fn keep_renewing(cell: Cell, clock: Arc<dyn Clock>) {
    let jumped = Arc::new(Notify::new());
    let waker = Arc::clone(&jumped);
    clock.on_jump(Box::new(move || waker.notify_one()));
    loop {
        if let Err(CellError::Stopping) = renew(&cell).await {
            return;
        }
        let wait = clock.until(clock.now().after(INTERVAL)).min(MAX_SLEEP);
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = jumped.notified() => {}
        }
    }
}

/// Renews the windows of every owner of whom too little is known.
pub(crate) async fn renew(cell: &Cell) -> Result<(), CellError> {
    let now = cell.now();
    for command in cell.read(|state| due(state, now)) {
        cell.submit(Request { command, request_id: None, validate_only: false }).await?;
    }
    Ok(())
}

fn due(state: &State, now: Time) -> Vec<Command> {
    let needed = now.after(LEAST_STRETCH);
    let mut commands = Vec::new();
    for owner in state.owners() {
        if owner.spec.calendar.is_empty() || owner.windows.through >= needed {
            continue;
        }
        let name = owner.spec.name.clone();
        match windows(&owner.spec.calendar, now) {
            Ok(windows) => {
                commands.push(Command::RenewWindows { owner: name, of: owner.revision, windows });
            }
            Err(error) => {
                tracing::warn!(owner = name.as_str(), %error, "a calendar is not renewed")
            }
        }
    }
    commands
}
