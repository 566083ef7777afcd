//! One process at a time: a lock file of our own, taken before the database is touched.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::Path;

use super::error::StoreError;

const NAME: &str = "lock";

/// The exclusive right to the folder of a store, until dropped. The operating system gives it back when the process
/// dies, so a file that is left over means nothing.
#[derive(Debug)]
pub(super) struct FolderLock {
    file: File,
}

impl FolderLock {
    /// Takes the lock of `folder`, which must exist, or says who holds it.
    pub(super) fn take(folder: &Path) -> Result<Self, StoreError> {
        let path = folder.join(NAME);
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(StoreError::io("open", &path))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(StoreError::Locked {
                    path: folder.to_path_buf(),
                    pid: holder(&mut file),
                });
            }
            Err(TryLockError::Error(source)) => return Err(StoreError::io("lock", &path)(source)),
        }
        let write = file.set_len(0).and_then(|()| file.rewind());
        write
            .and_then(|()| writeln!(file, "{}", std::process::id()))
            .map_err(StoreError::io("write", &path))?;
        Ok(Self { file })
    }

    /// Whether `name` is that of the lock file.
    pub(super) fn is_lock(name: &std::ffi::OsStr) -> bool {
        name == NAME
    }
}

impl Drop for FolderLock {
    /// Closing alone would leave the lock to a child process that another thread is just starting, until it has
    /// closed what it inherited. If the system refuses, the end of the process lets go.
    fn drop(&mut self) {
        let _ = self.file.unlock();
    }
}

fn holder(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::{FolderLock, StoreError};

    #[test]
    fn a_lock_is_given_back_although_a_child_has_inherited_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let lock = FolderLock::take(folder.path()).expect("free");
        let inherited = lock.file.try_clone().expect("what a fork does");
        let refused = FolderLock::take(folder.path());
        assert!(matches!(refused, Err(StoreError::Locked { .. })), "{refused:?}");
        drop(lock);
        FolderLock::take(folder.path()).expect("given back");
        drop(inherited);
    }
}
