//! What encoding claims.

mod cell;
mod checkpoint;
mod extras;
mod ledger;
mod owners;
mod quotes;
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

fn unhex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
    let byte = |pair: &[u8]| {
        let pair = std::str::from_utf8(pair).expect("it is ASCII");
        u8::from_str_radix(pair, 16).expect("it is hexadecimal")
    };
    digits.chunks(2).map(byte).collect()
}
