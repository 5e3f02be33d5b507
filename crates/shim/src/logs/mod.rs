//! The instance's output: records in files that rotate.
//!
//! A record is one line: `2026-12-01T12:24:05.123456789Z stdout text`. A stream name with a `+`
//! (`stdout+`) says that the line of the program goes on in the next record of this stream; lines are
//! cut after 16 KiB. The stream `shim` carries remarks of the shim, such as how much was dropped.
//! The text is what the program wrote, control characters included: whoever prints it escapes it.
//!
//! `output.log` is the newest file, `output.log.1` the one before. Files end at line ends.

mod lines;
mod reader;
mod sink;

pub use reader::{Reader, Record, Stream};

pub(crate) use lines::Lines;
pub(crate) use sink::Sink;

/// The newest file of records.
pub const FILE: &str = "output.log";
/// Where a program writes by itself (`logging.mode: file`).
pub const RAW_FILE: &str = "output.raw";
/// The longest text of a record, in bytes.
pub const MAX_TEXT: usize = 16 * 1024;
