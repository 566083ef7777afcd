//! Files to read, `-` being stdin.

use std::{fs, io};

use super::failure::{Failure, exit};

/// The whole text of a file.
///
/// Reads on a thread of its own: a terminal may keep stdin waiting, and Ctrl-C must still be heard.
pub(crate) async fn read(file: &str) -> Result<String, Failure> {
    let path = file.to_owned();
    let reading = tokio::task::spawn_blocking(move || {
        if path == "-" { io::read_to_string(io::stdin().lock()) } else { fs::read_to_string(path) }
    });
    let text = reading.await.unwrap_or_else(|error| Err(error.into()));
    text.map_err(|error| {
        Failure::new(exit::FAILURE, format!("cannot read {}: {error}", shown(file)))
    })
}

/// The file's name for messages.
pub(crate) fn shown(file: &str) -> &str {
    if file == "-" { "stdin" } else { file }
}
