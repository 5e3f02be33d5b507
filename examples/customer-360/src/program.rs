//! What every program does at its start and at its end.

use std::error::Error;
use std::io::{self, Write};
use std::process::ExitCode;

use serde::Serialize;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::info;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

/// The error that ends a program; its chain of sources is printed.
pub type Failure = Box<dyn Error + Send + Sync>;

/// Logs one line per event on standard output, as a service does.
pub fn log_to_stdout() {
    logger().with_writer(io::stdout).init();
}

/// Logs to standard error, for tools whose standard output is data.
pub fn log_to_stderr() {
    logger().with_writer(io::stderr).init();
}

type Builder = tracing_subscriber::fmt::SubscriberBuilder<
    tracing_subscriber::fmt::format::DefaultFields,
    tracing_subscriber::fmt::format::Format,
    EnvFilter,
>;

fn logger() -> Builder {
    let filter = EnvFilter::builder()
        .with_default_directive(LevelFilter::INFO.into())
        .from_env_lossy();
    tracing_subscriber::fmt()
        .with_ansi(false)
        .with_target(false)
        .with_env_filter(filter)
}

/// Turns the result of a program into its exit code, printing the chain of errors.
pub fn finish(name: &str, result: Result<(), Failure>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            // Nobody is left to tell if standard error is closed.
            let _ = writeln!(io::stderr(), "{name}: {}", chain(failure.as_ref()));
            ExitCode::FAILURE
        }
    }
}

/// Prints what a tool found, as one line of JSON on standard output.
///
/// # Errors
/// If standard output is closed.
pub fn report(found: &impl Serialize) -> Result<(), Failure> {
    writeln!(io::stdout(), "{}", serde_json::to_string(found)?)?;
    Ok(())
}

/// An error and its sources, each said once, with colons between them.
#[must_use]
pub fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(next) = source {
        text.push_str(": ");
        text.push_str(&next.to_string());
        source = next.source();
    }
    text
}

/// Runs a service until its future ends, with a token that SIGTERM and SIGINT cancel.
pub fn run_service<F>(name: &str, service: impl FnOnce(CancellationToken) -> F) -> ExitCode
where
    F: Future<Output = Result<(), Failure>>,
{
    log_to_stdout();
    let result = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(Failure::from)
        .and_then(|runtime| {
            runtime.block_on(async {
                let stop = stop_on_signals()?;
                service(stop).await
            })
        });
    finish(name, result)
}

/// Runs a tool on one thread, with a token that SIGTERM and SIGINT cancel.
///
/// # Errors
/// Those of the tool, and of the runtime if it cannot be made.
pub fn run_tool<T, F>(tool: impl FnOnce(CancellationToken) -> F) -> Result<T, Failure>
where
    F: Future<Output = Result<T, Failure>>,
{
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let stop = stop_on_signals()?;
        tool(stop).await
    })
}

/// A token that the first SIGTERM or SIGINT cancels.
///
/// # Errors
/// If the handlers cannot be installed.
pub fn stop_on_signals() -> io::Result<CancellationToken> {
    let stop = CancellationToken::new();
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let token = stop.clone();
    TaskTracker::new().spawn(async move {
        // Both arms are cancel-safe: a signal not yet received stays pending.
        let name = tokio::select! {
            _ = terminate.recv() => "SIGTERM",
            _ = interrupt.recv() => "SIGINT",
        };
        info!(signal = name, "stopping");
        token.cancel();
    });
    Ok(stop)
}
