//! A file beside the database that remembers a revision which was durable.
//!
//! Sled takes a damaged part of its log for the torn end of it and opens without what came after, and it starts empty
//! when its file is gone. The CRCs of what is left cannot show either. So the newest revision is noted when the store
//! is opened or closed and with every checkpoint, and a store that ends before it is refused.

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::Path;

use crc32c::crc32c;
use offpeak_core::model::Revision;

use super::error::StoreError;

const NAME: &str = "witness";
const NEXT_NAME: &str = "witness.next";

/// Notes that `revision` is durable in the store in `folder`.
pub(super) fn note(folder: &Path, revision: Revision) -> Result<(), StoreError> {
    let next = folder.join(NEXT_NAME);
    let number = revision.0.to_le_bytes();
    let write = || {
        let mut file = File::create(&next)?;
        file.write_all(&number)?;
        file.write_all(&crc32c(&number).to_le_bytes())?;
        file.sync_all()?;
        fs::rename(&next, folder.join(NAME))
    };
    write().map_err(StoreError::io("write", &next))?;
    super::disk::sync_folder(folder)
}

/// The revision that was noted last, if one was. A file that is damaged itself says nothing.
pub(super) fn recall(folder: &Path) -> Result<Option<Revision>, StoreError> {
    let path = folder.join(NAME);
    let bytes = match fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(StoreError::io("read", &path)(error)),
    };
    let Some((number, checksum)) = bytes.split_first_chunk::<8>() else {
        return Ok(None);
    };
    if checksum != crc32c(number).to_le_bytes() {
        return Ok(None);
    }
    Ok(Some(Revision(u64::from_le_bytes(*number))))
}

/// Removes the note, of a store that is removed.
pub(super) fn forget(folder: &Path) -> Result<(), StoreError> {
    for name in [NAME, NEXT_NAME] {
        let path = folder.join(name);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(StoreError::io("remove", &path)(error));
            }
            _ => {}
        }
    }
    Ok(())
}
