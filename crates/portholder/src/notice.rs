//! Lines for the log, which the shim keeps.

use std::error::Error;
use std::io::Write;

/// Writes one line to standard error. A full disk or a closed pipe is no reason to stop serving.
pub(crate) fn notice(text: &str) {
    // One write call, so that lines of two threads do not mix.
    let line = format!("{}\n", text.replace(['\n', '\r'], " "));
    let _ = std::io::stderr().write_all(line.as_bytes());
}

/// An error and its sources on one line.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
