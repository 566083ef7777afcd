//! What encoding claims.

mod cell;
mod checkpoint;
mod record;
mod strategies;

pub(crate) use cell::Cell;

/// Lines of 32 bytes each.
fn hex(bytes: &[u8]) -> String {
    let mut text = String::new();
    for line in bytes.chunks(32) {
        text.extend(line.iter().map(|byte| format!("{byte:02x}")));
        text.push('\n');
    }
    text
}
