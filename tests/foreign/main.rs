//! Says that `cargo test` leaves the foreign client out: it is in Python and needs packages that Rust does not bring.

#![expect(clippy::print_stdout, reason = "it is here to tell a person something")]

fn main() {
    println!("the foreign client is not run here: tests/foreign/run.sh runs it, as CI does");
}
