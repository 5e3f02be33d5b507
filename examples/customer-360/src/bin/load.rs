//! Steady requests; see the module of this name.

use std::process::ExitCode;

use clap::Parser;
use customer_360::load::command::{Options, load};
use customer_360::program::{finish, log_to_stderr, report, run_tool};

fn main() -> ExitCode {
    log_to_stderr();
    let options = Options::parse();
    let result = run_tool(|stop| async move { load(&options, &stop).await }).and_then(|summary| {
        report(&summary)?;
        match summary.failed {
            0 => Ok(()),
            failed => Err(format!("{failed} of {} requests failed", summary.sent).into()),
        }
    });
    finish("load", result)
}
