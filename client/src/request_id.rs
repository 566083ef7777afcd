//! Ids that make a repeated request safe.

use std::{
    hash::{BuildHasher, Hasher, RandomState},
    sync::{
        LazyLock,
        atomic::{AtomicU64, Ordering},
    },
};

/// The standard library seeds these keys from the operating system's randomness, 128 bits once a process.
static KEYS: LazyLock<RandomState> = LazyLock::new(RandomState::new);
static DRAWN: AtomicU64 = AtomicU64::new(0);

/// A new request id: 128 bits that no other process and no earlier call has drawn, in hexadecimal.
#[must_use]
pub fn new_request_id() -> String {
    format!("{:016x}{:016x}", random(), random())
}

/// A number that cannot be foreseen; good enough for ids and jitter, not for secrets.
pub(crate) fn random() -> u64 {
    let mut hasher = KEYS.build_hasher();
    hasher.write_u64(DRAWN.fetch_add(1, Ordering::Relaxed));
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::new_request_id;

    #[test]
    fn request_ids_differ() {
        let ids: BTreeSet<String> = (0..1000).map(|_| new_request_id()).collect();
        assert_eq!(ids.len(), 1000);
        assert!(ids.iter().all(|id| id.len() == 32));
    }
}
