//! The shim's own binary: `consort-shim STATE_DIR`, started by [`consort_shim::launch`].

use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let mut args = std::env::args_os().skip(1);
    match (args.next(), args.next()) {
        (Some(dir), None) => consort_shim::run(Path::new(&dir)),
        _ => consort_shim::usage(),
    }
}
