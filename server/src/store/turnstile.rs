//! First come, first served: commits, checkpoint pieces and trims take turns.
//!
//! A plain mutex lets the thread that has just released it take it again, so that a checkpoint would starve the
//! commits. Here a commit waits for at most the pieces that were queued before it.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use super::error::StoreError;

/// The queue of those who want to write.
#[derive(Debug, Default)]
pub(super) struct Turnstile {
    queue: Mutex<Queue>,
    moved: Condvar,
}

#[derive(Debug, Default)]
struct Queue {
    next: u64,
    serving: u64,
    poisoned: bool,
}

impl Turnstile {
    /// Waits for its turn.
    ///
    /// # Errors
    ///
    /// [`StoreError::Poisoned`] when a write has failed.
    pub(super) fn enter(&self) -> Result<Turn<'_>, StoreError> {
        let mut queue = self.queue();
        let ticket = queue.next;
        queue.next += 1;
        while queue.serving != ticket {
            queue = self.moved.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
        let turn = Turn { turnstile: self };
        if queue.poisoned {
            drop(queue);
            drop(turn);
            return Err(StoreError::Poisoned);
        }
        Ok(turn)
    }

    /// Whether a write has failed.
    pub(super) fn is_poisoned(&self) -> bool {
        self.queue().poisoned
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        // Nothing in this file panics while it holds the lock, so a poisoned mutex carries no broken queue.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The right to write, until dropped.
#[derive(Debug)]
pub(super) struct Turn<'a> {
    turnstile: &'a Turnstile,
}

impl Turn<'_> {
    /// Runs `write`. If it fails or panics, nobody gets a turn any more: what is on disk is not known.
    pub(super) fn write(
        &mut self,
        write: impl FnOnce() -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        self.turnstile.queue().poisoned = true;
        write()?;
        self.turnstile.queue().poisoned = false;
        Ok(())
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.turnstile.queue().serving += 1;
        self.turnstile.moved.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn a_failed_write_ends_all_turns() {
        let turnstile = Turnstile::default();
        turnstile.enter().expect("free").write(|| Ok(())).expect("written");
        assert!(
            turnstile.enter().expect("free").write(|| Err(StoreError::CheckpointBusy)).is_err()
        );
        assert!(matches!(turnstile.enter(), Err(StoreError::Poisoned)));
        assert!(
            matches!(turnstile.enter(), Err(StoreError::Poisoned)),
            "the refused turn was given back"
        );
    }

    #[test]
    fn turns_are_given_in_the_order_of_arrival() {
        let turnstile = Turnstile::default();
        let (tx, rx) = mpsc::channel();
        std::thread::scope(|scope| {
            let held = turnstile.enter().expect("free");
            for name in 1..=3u64 {
                let (tx, turnstile) = (tx.clone(), &turnstile);
                scope.spawn(move || {
                    let _turn = turnstile.enter().expect("not poisoned");
                    tx.send(name).expect("received");
                });
                while turnstile.queue().next != name + 1 {
                    std::thread::yield_now();
                }
            }
            drop(held);
        });
        drop(tx);
        assert_eq!(rx.iter().collect::<Vec<_>>(), [1, 2, 3]);
    }
}
