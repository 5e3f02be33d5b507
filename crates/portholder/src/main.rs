//! The port holder's own binary; all is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    consort_portholder::run_blocking(std::env::args_os().skip(1))
}
