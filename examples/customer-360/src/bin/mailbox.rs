//! The `mailbox` service; see the module of this name.

use std::process::ExitCode;

use customer_360::program::run_service;
use customer_360::settings::Settings;

fn main() -> ExitCode {
    run_service("mailbox", |stop| {
        customer_360::mailbox::run(Settings::from_process(), stop)
    })
}
