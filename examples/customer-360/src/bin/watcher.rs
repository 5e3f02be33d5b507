//! An end user who checks what arrives; see the module of this name.

use std::process::ExitCode;

use clap::Parser;
use customer_360::program::{finish, log_to_stderr, report, run_tool};
use customer_360::watcher::command::{Options, watch};

fn main() -> ExitCode {
    log_to_stderr();
    let options = Options::parse();
    let result = run_tool(|stop| async move { watch(&options, &stop).await }).and_then(|summary| {
        report(&summary)?;
        match summary.good() {
            true => Ok(()),
            false => Err("messages were missing, came twice or out of order".into()),
        }
    });
    finish("watcher", result)
}
