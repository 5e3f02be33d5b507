//! Published workflow graphs: Pegasus DAX and WfFormat.

use std::collections::BTreeMap;

use crate::spec::{Edge, Micros};

mod dax;
mod wfformat;

pub use dax::dax;
pub use wfformat::wfformat;

/// A graph as it was published, without node types.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dag {
    /// The tasks.
    pub tasks: Vec<DagTask>,
    /// Who needs whom, each pair once.
    pub edges: Vec<Edge>,
}

/// A task of a published graph.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DagTask {
    /// Its id in the file.
    pub name: String,
    /// Its run time on a node of speed 1.
    pub work_us: Micros,
}

/// How to read what the formats leave open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LoadOptions {
    /// As the published comparisons do it: a run time of zero is a tenth of a microsecond, not a
    /// millisecond.
    pub compatible: bool,
    /// As the published comparisons do it: of several files between two tasks only the last one
    /// counts, in the order in which files are first read.
    pub one_file_per_edge: bool,
}

/// Why a file is not a graph.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// Larger than the limit.
    #[error("the file has {given} bytes; at most {most} are read")]
    TooLarge {
        /// Its size.
        given: usize,
        /// The limit.
        most: usize,
    },
    /// More tasks or files than the limit.
    #[error("the file has more than {most} {what}; no more are read")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// The limit.
        most: usize,
    },
    /// Not XML.
    #[error("byte {at}: the file is not well-formed XML")]
    Xml {
        /// Where.
        at: u64,
        /// What the parser said.
        #[source]
        source: quick_xml::Error,
    },
    /// Not JSON of this form.
    #[error("the file is not WfFormat 1.4 to 1.6")]
    Json(#[source] serde_json::Error),
    /// Something that must be there.
    #[error("byte {at}: <{element}> has no `{attribute}`")]
    Missing {
        /// Where.
        at: u64,
        /// Of which element.
        element: &'static str,
        /// What is missing.
        attribute: &'static str,
    },
    /// A number that is none.
    #[error("`{value}` is not a number that `{what}` may have")]
    Number {
        /// What was found.
        value: String,
        /// For what.
        what: &'static str,
    },
    /// A name that two tasks have.
    #[error("two tasks have the id `{id}`")]
    Twice {
        /// The id.
        id: String,
    },
    /// A name that no task has.
    #[error("the task `{id}` is referred to but not defined")]
    Unknown {
        /// The id.
        id: String,
    },
    /// A task without a run time.
    #[error("the task `{id}` has no run time under `execution`")]
    NoRunTime {
        /// The id.
        id: String,
    },
}

pub(crate) const LARGEST_FILE: usize = 256 << 20;
const MOST_TASKS: usize = 1_000_000;
const MOST_USES: usize = 20_000_000;

fn check_size(text: &str) -> Result<(), LoadError> {
    if text.len() > LARGEST_FILE {
        return Err(LoadError::TooLarge {
            given: text.len(),
            most: LARGEST_FILE,
        });
    }
    Ok(())
}

/// Seconds to microseconds, rounded up; what is within a thousandth of a whole one is that one.
fn micros(seconds: f64, options: LoadOptions) -> Result<Micros, LoadError> {
    let seconds = match seconds.abs() {
        0.0 if options.compatible => 1e-7,
        0.0 => 1e-3,
        other => other,
    };
    let exact = seconds * 1e6;
    let near = exact.round();
    let whole = if (exact - near).abs() < 1e-3 {
        near
    } else {
        exact.ceil()
    };
    if whole.is_finite() && whole < 1e18 {
        Ok((whole as Micros).max(1))
    } else {
        Err(LoadError::Number {
            value: seconds.to_string(),
            what: "run time",
        })
    }
}

/// A file: its size, who writes it, who reads it.
#[derive(Debug, Default)]
struct FileUse {
    size: Option<u64>,
    /// Published files name some logs as outputs of many tasks: the last writer counts.
    writer: Option<u32>,
    readers: Vec<u32>,
    /// When it was first read, counted over the document.
    first_read: Option<usize>,
}

/// Collects tasks, files and declared edges, and makes a graph of them.
#[derive(Debug, Default)]
struct Collected {
    tasks: Vec<DagTask>,
    index: BTreeMap<String, u32>,
    files: BTreeMap<String, FileUse>,
    declared: Vec<(u32, u32)>,
    uses: usize,
}

impl Collected {
    fn task(&mut self, id: &str, work_us: Micros) -> Result<u32, LoadError> {
        if self.tasks.len() >= MOST_TASKS {
            return Err(LoadError::TooMany {
                what: "tasks",
                most: MOST_TASKS,
            });
        }
        let index = self.tasks.len() as u32;
        if self.index.insert(id.to_owned(), index).is_some() {
            return Err(LoadError::Twice { id: id.to_owned() });
        }
        self.tasks.push(DagTask {
            name: id.to_owned(),
            work_us,
        });
        Ok(index)
    }

    fn find(&self, id: &str) -> Result<u32, LoadError> {
        let found = self.index.get(id).copied();
        found.ok_or_else(|| LoadError::Unknown { id: id.to_owned() })
    }

    /// A task uses a file. Of several sizes the first counts.
    fn uses(
        &mut self,
        task: u32,
        file: &str,
        size: Option<u64>,
        reads: bool,
    ) -> Result<(), LoadError> {
        self.uses += 1;
        if self.uses > MOST_USES {
            return Err(LoadError::TooMany {
                what: "uses of files",
                most: MOST_USES,
            });
        }
        let known = self.files.entry(file.to_owned()).or_default();
        known.size = known.size.or(size);
        if reads {
            known.first_read.get_or_insert(self.uses);
            known.readers.push(task);
        } else {
            known.writer = Some(task);
        }
        Ok(())
    }

    /// Declared edges and those that follow from files.
    fn graph(self, options: LoadOptions) -> Dag {
        let mut files: Vec<&FileUse> = self.files.values().collect();
        files.sort_by_key(|file| file.first_read);
        let declared = self.declared.iter().map(|&edge| (edge, 0));
        let mut edges: BTreeMap<(u32, u32), u64> = declared.collect();
        for file in files {
            if let Some(from) = file.writer {
                for &to in file.readers.iter().filter(|&&to| to != from) {
                    let size = file.size.unwrap_or(0);
                    let bytes = edges.entry((from, to)).or_default();
                    *bytes = if options.one_file_per_edge {
                        size
                    } else {
                        bytes.saturating_add(size)
                    };
                }
            }
        }
        let edge = |((from, to), bytes)| Edge { from, to, bytes };
        Dag {
            tasks: self.tasks,
            edges: edges.into_iter().map(edge).collect(),
        }
    }
}
