//! The `segments` workload; see the module of this name.

use std::process::ExitCode;

use clap::Parser;
use customer_360::program::{finish, log_to_stderr};
use customer_360::segments::command::{Command, run};
use customer_360::settings::Settings;

fn main() -> ExitCode {
    log_to_stderr();
    finish("segments", run(Command::parse(), &Settings::from_process()))
}
