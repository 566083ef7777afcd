//! The command line tool `offpeak`.

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main()
}
