//! Every bound that expressions live under, in one place.

use serde::{Deserialize, Serialize};

/// Longest expression that is compiled at all, in bytes.
pub const MAX_TEXT: usize = 64 * 1024;
/// Longest expression that runs in this process, in bytes.
pub const MAX_FAST_TEXT: usize = 8 * 1024;
/// Deepest nesting of brackets and strings in any expression.
pub const MAX_NESTING: usize = 48;
/// Deepest nesting of brackets and strings of an expression that runs in this process.
pub const MAX_FAST_NESTING: usize = 32;
/// Most tokens in a row, summed over the brackets round them. It bounds how deep parser, analysis
/// and interpreter recurse on chains such as `1 + 1 + …`.
pub const MAX_CHAIN: usize = 400;
/// As [`MAX_CHAIN`], for an expression that runs in this process.
pub const MAX_FAST_CHAIN: usize = 200;
/// Deepest nesting of arrays and objects in inputs and results. `serde_json` refuses to read 128
/// levels, so this leaves room for a record round a value.
pub const MAX_DEPTH: usize = 120;
/// Most bytes of input and variables, written as JSON, for an expression that runs in this process.
pub const MAX_FAST_INPUT: usize = 1024 * 1024;
/// Most bytes of input and variables, written as JSON, for the helper.
pub const MAX_INPUT: usize = 16 * 1024 * 1024;
/// Most bytes of a result, written as JSON.
pub const MAX_RESULT: usize = 4 * 1024 * 1024;
/// Most outputs of one expression.
pub const MAX_OUTPUTS: usize = 10_000;
/// Most copies of its input that an expression that runs in this process may write out.
pub const MAX_WEIGHT: u64 = 64;
/// Most bytes that `file` and `template` may read in one evaluation.
pub const MAX_FILES: usize = 1024 * 1024;
/// Most expressions in one scalar or template.
pub const MAX_PARTS: usize = 1_000;
/// Most characters of an error message; the rest is cut.
pub const MAX_MESSAGE: usize = 600;
/// Longest line that the helper reads: input, files and text, with JSON round them.
pub const MAX_JOB_LINE: usize = 64 * 1024 * 1024;

/// The bounds of one helper job. The first two are for whoever runs the process; the others are
/// kept by [`crate::helper::run_job`] itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Milliseconds after which the process is killed.
    pub deadline_ms: u64,
    /// Bytes of address space that the process may use beyond what it began with.
    pub memory_bytes: u64,
    /// Bytes of the result as JSON.
    pub result_bytes: usize,
    /// Nesting of the result.
    pub depth: usize,
    /// Number of outputs.
    pub outputs: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            deadline_ms: 1_000,
            memory_bytes: 64 * 1024 * 1024,
            result_bytes: MAX_RESULT,
            depth: MAX_DEPTH,
            outputs: MAX_OUTPUTS,
        }
    }
}
