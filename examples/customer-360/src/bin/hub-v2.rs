//! The `hub` service, second version; see the module `hub`.

use std::process::ExitCode;

use customer_360::hub::{edition, run};
use customer_360::program::run_service;
use customer_360::settings::Settings;

fn main() -> ExitCode {
    run_service("hub-v2", |stop| {
        run(&edition::SECOND, Settings::from_process(), stop)
    })
}
