//! The `consort` command: always a client of the API; the same binary is the server and, where the
//! small programs are not embedded, the shim and the port holder.

mod args;
mod assemble;
mod background;
mod bundle;
mod commands;
mod environment;
mod home;
mod output;
mod progress;
mod small;

use std::process::ExitCode;

use clap::Parser;
use consort_model::{Code, Problem};

use args::{Cli, Command};
use environment::Environment;
use output::Output;

fn main() -> ExitCode {
    let environment = Environment::read();
    let cli = Cli::parse();
    // The small programs first: they must not pay for what the rest needs.
    match &cli.command {
        Command::Shim { directory } => return consort_shim::run(directory),
        Command::PortHolder { arguments } => return small::port_holder(arguments),
        Command::Jq => return small::expressions(),
        _ => {}
    }
    hide_panics();
    let output = Output::new(cli.global.output, &environment);
    match commands::run(cli, environment, output.clone()) {
        Ok(code) => code,
        Err(problems) => {
            output.problems(&problems);
            let code = problems
                .first()
                .map_or(1, |problem| problem.code.exit_code());
            ExitCode::from(code)
        }
    }
}

/// No panic reaches a user as a trace: it is a problem of the code `internal`, with the place.
fn hide_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic
            .location()
            .map(|location| format!("{}:{}", location.file(), location.line()));
        let message = panic.payload_as_str().unwrap_or("no message").to_owned();
        let problem = Problem::new(
            Code::INTERNAL,
            format!("{message} ({})", place.unwrap_or_default()),
        );
        let _ = std::io::Write::write_all(
            &mut std::io::stderr(),
            format!("{}\n", output::render(&problem, false)).as_bytes(),
        );
    }));
}
