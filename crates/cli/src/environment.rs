//! The environment, read once. Nothing else in the program asks for it.
//!
//! | variable | what |
//! | --- | --- |
//! | `CONSORT_HOME` | the home; else `$XDG_STATE_HOME/consort`, else `~/.local/state/consort` |
//! | `CONSORT_INPUT_NAME` | the value of input `NAME` |
//! | `CONSORT_LOG` | what the server logs: `info`, `debug`, `consort_engine=trace` |
//! | `NO_COLOR` | no colours |
//! | `XDG_RUNTIME_DIR` | where sockets are, unless this is root |
//! | `COMPOSE_*` | as Compose documents them |

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::path::PathBuf;

/// What the process was started with.
#[derive(Debug, Clone)]
pub(crate) struct Environment {
    /// Every variable that is Unicode.
    pub(crate) variables: BTreeMap<String, String>,
    /// The working folder.
    pub(crate) directory: PathBuf,
    /// Is somebody looking at standard output?
    pub(crate) stdout_terminal: bool,
    /// Is somebody looking at standard error?
    pub(crate) stderr_terminal: bool,
    /// Can somebody be asked?
    pub(crate) stdin_terminal: bool,
}

impl Environment {
    pub(crate) fn read() -> Self {
        Self {
            variables: std::env::vars_os()
                .filter_map(|(name, value)| {
                    Some((name.into_string().ok()?, value.into_string().ok()?))
                })
                .collect(),
            directory: std::env::current_dir().unwrap_or_else(|_| PathBuf::from("/")),
            stdout_terminal: std::io::stdout().is_terminal(),
            stderr_terminal: std::io::stderr().is_terminal(),
            stdin_terminal: std::io::stdin().is_terminal(),
        }
    }

    /// A variable that is set and not empty.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.variables
            .get(name)
            .map(String::as_str)
            .filter(|value| !value.is_empty())
    }
}
