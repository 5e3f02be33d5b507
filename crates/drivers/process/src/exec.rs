//! Commands inside an instance.

use std::collections::BTreeMap;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use consort_driver::{Context, DriverError};
use consort_model::Code;
use consort_shim::Client;
use consort_shim::protocol::Event;

use crate::instance::find;
use crate::layout::Layout;
use crate::runtime::Runtime;
use crate::{error, instance};

const ANSWER: Duration = Duration::from_secs(5);
/// How soon a command ends after nobody waits for it any more.
const LOOK: Duration = Duration::from_millis(100);

/// Tells the thread that follows a command that its caller has gone.
struct Abandon(Arc<AtomicBool>);

impl Drop for Abandon {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

pub(crate) async fn exec(
    runtime: &Runtime,
    context: &Context,
    id: &str,
    command: Vec<String>,
    streams: [OwnedFd; 3],
) -> Result<i32, DriverError> {
    if command.first().is_none_or(String::is_empty) {
        return Err(DriverError::new(Code::USAGE, "there is no command to run"));
    }
    let Some((folder, record)) = find(&Layout::of(context)?, id)? else {
        let message = format!("there is no instance `{id}`");
        return Err(DriverError::new(Code::NODE_UNKNOWN, message)
            .remedy("`consort ps` shows those that there are."));
    };
    if matches!(
        instance::look(folder.clone()).await?,
        consort_shim::Found::ShimLost { .. }
    ) {
        instance::rescue(runtime, context, &folder).await?;
    }
    let gone = Arc::new(AtomicBool::new(false));
    let _abandon = Abandon(Arc::clone(&gone));
    error::blocking(move || run(&record.control, &command, streams, &gone)).await?
}

fn run(
    control: &std::path::Path,
    command: &[String],
    streams: [OwnedFd; 3],
    gone: &AtomicBool,
) -> Result<i32, DriverError> {
    let mut client = Client::connect(control, ANSWER).map_err(error::shim)?;
    let words: Vec<&str> = command.iter().map(String::as_str).collect();
    let [stdin, stdout, stderr] = &streams;
    let stdio = [stdin.as_fd(), stdout.as_fd(), stderr.as_fd()];
    client
        .exec_start(&words, &BTreeMap::new(), None, false, stdio)
        .map_err(error::shim)?;
    // The readers at the other ends must see their end when the command ends.
    drop(streams);
    // The command is killed with this connection.
    while !gone.load(Ordering::Relaxed) {
        match client.next_event(LOOK).map_err(error::shim)? {
            Some(Event::ExecExit(exit)) => return code(&exit),
            Some(Event::State(_)) | None => {}
        }
    }
    Err(DriverError::new(
        Code::RUN_CANCELLED,
        "nobody waits for the command any more",
    ))
}

fn code(exit: &consort_shim::record::Exit) -> Result<i32, DriverError> {
    match (exit.code, exit.signal, &exit.error) {
        (Some(127), _, Some(problem)) => Err(DriverError::new(
            Code::PROGRAM_MISSING,
            "the command cannot be run",
        )
        .because(problem.clone())),
        (Some(code), _, _) => Ok(code),
        // As a shell does.
        (None, Some(signal), _) => Ok(128 + signal),
        (None, None, _) => Err(DriverError::new(
            Code::NODE_FAILED,
            "it is not known how the command ended",
        )),
    }
}
