//! Settings come from the environment, read once at the start of a program.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, Read};
use std::path::PathBuf;
use std::str::FromStr;

/// Largest file that a `*_FILE` setting may name, in bytes.
const SECRET_FILE_LIMIT: u64 = 64 * 1024;

/// The environment of a program, as it was at the start.
///
/// An empty value counts as not set, as Compose files cannot unset a variable.
#[derive(Clone, Default)]
pub struct Settings {
    values: BTreeMap<String, String>,
}

/// A setting that is missing or makes no sense.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SettingError {
    /// A variable that the program cannot do without is not set.
    #[error("{name} is not set; set it to {purpose}")]
    Missing {
        /// The variable.
        name: String,
        /// What it is for.
        purpose: &'static str,
    },
    /// A variable has a value that cannot be read as what it should be.
    #[error("{name}={value:?} is not {expected}")]
    Invalid {
        /// The variable.
        name: String,
        /// Its value.
        value: String,
        /// What was expected.
        expected: &'static str,
    },
    /// Both forms of a secret are set.
    #[error("{name} and {name}_FILE are both set; keep one of them")]
    Ambiguous {
        /// The variable.
        name: String,
    },
    /// The file that a variable names cannot be read.
    #[error("cannot read the file that {name}_FILE names, {}", path.display())]
    File {
        /// The variable, without `_FILE`.
        name: String,
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

impl Settings {
    /// Reads the environment of this process. What is not Unicode is left out.
    #[must_use]
    pub fn from_process() -> Self {
        std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect()
    }

    /// A variable, or nothing where it is empty or not set.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.values
            .get(name)
            .map(String::as_str)
            .filter(|value| !value.is_empty())
    }

    /// A variable that must be there.
    ///
    /// # Errors
    /// [`SettingError::Missing`].
    pub fn required(&self, name: &str, purpose: &'static str) -> Result<&str, SettingError> {
        self.get(name).ok_or_else(|| SettingError::Missing {
            name: name.to_owned(),
            purpose,
        })
    }

    /// A variable parsed, or nothing where it is not set.
    ///
    /// # Errors
    /// [`SettingError::Invalid`].
    pub fn parsed<T: FromStr>(
        &self,
        name: &str,
        expected: &'static str,
    ) -> Result<Option<T>, SettingError> {
        let Some(value) = self.get(name) else {
            return Ok(None);
        };
        match value.parse() {
            Ok(parsed) => Ok(Some(parsed)),
            Err(_) => Err(SettingError::Invalid {
                name: name.to_owned(),
                value: value.to_owned(),
                expected,
            }),
        }
    }

    /// The base URL of another service, without a slash at its end.
    #[must_use]
    pub fn base_url(&self, name: &str, default: &str) -> String {
        self.get(name)
            .unwrap_or(default)
            .trim_end_matches('/')
            .to_owned()
    }

    /// A secret: the value of `NAME`, or the content of the file that `NAME_FILE` names.
    ///
    /// # Errors
    /// [`SettingError::Ambiguous`] if both are set, [`SettingError::File`] if the
    /// file cannot be read.
    pub fn secret(&self, name: &str) -> Result<Option<String>, SettingError> {
        let file = self.get(&format!("{name}_FILE")).map(PathBuf::from);
        match (self.get(name), file) {
            (Some(_), Some(_)) => Err(SettingError::Ambiguous {
                name: name.to_owned(),
            }),
            (Some(value), None) => Ok(Some(value.to_owned())),
            (None, Some(path)) => match read_small(&path) {
                Ok(text) => Ok(Some(text.trim_end_matches(['\r', '\n']).to_owned())),
                Err(source) => Err(SettingError::File {
                    name: name.to_owned(),
                    path,
                    source,
                }),
            },
            (None, None) => Ok(None),
        }
    }
}

fn read_small(path: &std::path::Path) -> io::Result<String> {
    let mut text = String::new();
    std::fs::File::open(path)?
        .take(SECRET_FILE_LIMIT)
        .read_to_string(&mut text)?;
    Ok(text)
}

impl FromIterator<(String, String)> for Settings {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(pairs: I) -> Self {
        Self {
            values: pairs.into_iter().collect(),
        }
    }
}

impl fmt::Debug for Settings {
    /// Names only: values may be secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.values.keys()).finish()
    }
}
