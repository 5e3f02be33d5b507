//! The `crm` service; see the module of this name.

use std::process::ExitCode;

use customer_360::program::run_service;
use customer_360::settings::Settings;

fn main() -> ExitCode {
    run_service("crm", |stop| {
        customer_360::crm::run(Settings::from_process(), stop)
    })
}
