//! A workflow document that was checked.

use consort_model::{Digest, Value};

use crate::schedule::Schedule;
use crate::validate;

/// Something that is wrong with a document, and where in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// JSON pointer into the document.
    pub pointer: String,
    /// What is wrong, and how to mend it.
    pub message: String,
    /// It does not stop the document from being used.
    pub lint: bool,
}

/// A workflow document.
#[derive(Debug, Clone, PartialEq)]
pub struct Definition {
    document: Value,
    digest: Digest,
    schedule: Option<Schedule>,
    lints: Vec<Mistake>,
}

impl Definition {
    /// Reads and checks a document. In a blueprint `document` may be left out: then these names are
    /// used, with version 0.0.0.
    ///
    /// # Errors
    /// Every mistake, and everything that is not there yet, by its name.
    pub fn read(mut document: Value, namespace: &str, name: &str) -> Result<Self, Vec<Mistake>> {
        if let Some(object) = document.as_object_mut()
            && !object.contains_key("document")
        {
            let identity = serde_json::json!({"dsl": "1.0.3", "namespace": namespace, "name": name, "version": "0.0.0"});
            object.insert("document".into(), identity);
        }
        let (mistakes, lints): (Vec<_>, Vec<_>) = validate::check(&document)
            .into_iter()
            .partition(|mistake| !mistake.lint);
        if !mistakes.is_empty() {
            return Err(mistakes);
        }
        let schedule = match document.get("schedule").map(Schedule::read).transpose() {
            Ok(schedule) => schedule,
            Err(message) => {
                return Err(vec![Mistake {
                    pointer: "/schedule".into(),
                    message,
                    lint: false,
                }]);
            }
        };
        Ok(Self {
            digest: Digest::of_value(&document),
            document,
            schedule,
            lints,
        })
    }

    /// The document, with its defaults.
    pub const fn document(&self) -> &Value {
        &self.document
    }
    /// Of the canonical document.
    pub const fn digest(&self) -> Digest {
        self.digest
    }
    /// When it starts by itself.
    pub const fn schedule(&self) -> Option<&Schedule> {
        self.schedule.as_ref()
    }
    /// What a person should look at, although it can be used.
    pub fn lints(&self) -> &[Mistake] {
        &self.lints
    }
    /// The names of secrets that it may read.
    pub fn secrets(&self) -> Vec<&str> {
        let names = self
            .document
            .pointer("/use/secrets")
            .and_then(Value::as_array);
        names
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect()
    }

    /// The raw input of a run that an event starts: a list of one event, as `schedule.read` says
    /// (the whole event by default, as in 1.0.x).
    pub fn started_by(&self, event: &Value) -> Value {
        let data = self.at("/schedule/read") == "data";
        let item = if data {
            event.get("data").cloned().unwrap_or_default()
        } else {
            event.clone()
        };
        Value::Array(vec![item])
    }

    /// The tasks of a list.
    pub(crate) fn list(&self, pointer: &str) -> &[Value] {
        self.document
            .pointer(pointer)
            .and_then(Value::as_array)
            .map_or(&[], Vec::as_slice)
    }
    /// One task of a list: its name and what it says.
    pub(crate) fn task(&self, list: &str, index: usize) -> Option<(&str, &Value)> {
        let (name, task) = self.list(list).get(index)?.as_object()?.iter().next()?;
        Some((name, task))
    }
    /// What stands at a pointer.
    pub(crate) fn at(&self, pointer: &str) -> &Value {
        self.document.pointer(pointer).unwrap_or(&Value::Null)
    }
    /// An entry of `use`: a name, or the thing itself.
    pub(crate) fn resolve<'a>(&'a self, kind: &str, value: &'a Value) -> Option<&'a Value> {
        match value {
            Value::String(name) => self.document.get("use")?.get(kind)?.get(name),
            other => Some(other),
        }
    }
}

/// A pointer to a task of a list.
pub(crate) fn task_pointer(list: &str, index: usize, name: &str) -> String {
    format!(
        "{list}/{index}/{}",
        name.replace('~', "~0").replace('/', "~1")
    )
}
