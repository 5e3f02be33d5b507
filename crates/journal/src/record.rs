//! Records and their places.

use std::fmt;

use consort_model::{Timestamp, Value};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::StoreError;

/// The place of a record in its run; counts from 1 without gaps. 0 stands before the first.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Seq(pub u64);

impl Seq {
    /// The place after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl fmt::Display for Seq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Counts the owners of a run. A writer with an older epoch is refused (fenced).
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Epoch(pub u64);

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "e{}", self.0)
    }
}

/// A kind of record of one machine. Serialises as `{"kind": …, "body": …}` (serde: `tag = "kind"`,
/// `content = "body"`); an unknown kind is an error, never skipped.
pub trait Record: Serialize + DeserializeOwned + Clone + Send + Sync + 'static {}
impl<T: Serialize + DeserializeOwned + Clone + Send + Sync + 'static> Record for T {}

/// A record as stored: the same envelope for all machines.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Envelope {
    /// The version of the form of this kind.
    pub v: u16,
    /// `StepPlanned`, `TimerSet`, … (`durable.md` 3).
    pub kind: String,
    /// When it was decided; never before an earlier record of the run.
    pub at: Timestamp,
    /// Its fields.
    #[serde(default)]
    pub body: Value,
}

/// The form of records that this version writes.
pub const FORMAT: u16 = 1;

impl Envelope {
    /// Wraps a record.
    ///
    /// # Errors
    /// When the record does not serialise as `{"kind": …, "body": …}`.
    pub fn wrap<R: Record>(record: &R, at: Timestamp) -> Result<Self, StoreError> {
        let encode = |problem: String| StoreError::Encoding { problem };
        let mut value = serde_json::to_value(record).map_err(|error| encode(error.to_string()))?;
        let kind = match value.get("kind").and_then(Value::as_str) {
            Some(kind) => kind.to_owned(),
            None => return Err(encode("a record has no kind".into())),
        };
        let body = value.get_mut("body").map(Value::take).unwrap_or_default();
        Ok(Self {
            v: FORMAT,
            kind,
            at,
            body,
        })
    }

    /// Reads the record.
    ///
    /// # Errors
    /// When the kind is unknown to this machine, or of a newer form: an old binary must not run a
    /// newer journal.
    pub fn unwrap<R: Record>(&self) -> Result<R, StoreError> {
        let unreadable = |problem: String| StoreError::UnknownRecord {
            kind: self.kind.clone(),
            problem,
        };
        if self.v > FORMAT {
            return Err(unreadable(format!(
                "its form is {}, this version reads up to {FORMAT}",
                self.v
            )));
        }
        let mut value = serde_json::json!({"kind": self.kind});
        if !self.body.is_null() {
            value["body"] = self.body.clone();
        }
        serde_json::from_value(value).map_err(|error| unreadable(error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
    #[serde(tag = "kind", content = "body")]
    enum Example {
        Planned { step: String },
        Ended,
    }

    #[test]
    fn a_record_survives_its_envelope() {
        for record in [Example::Planned { step: "a".into() }, Example::Ended] {
            let envelope = Envelope::wrap(&record, Timestamp::from_millis(5)).unwrap();
            assert_eq!(envelope.unwrap::<Example>().unwrap(), record);
        }
    }

    #[test]
    fn an_unknown_or_newer_record_is_refused() {
        let at = Timestamp::default();
        let unknown = Envelope {
            v: 1,
            kind: "Later".into(),
            at,
            body: json!({}),
        };
        let newer = Envelope {
            v: FORMAT + 1,
            kind: "Ended".into(),
            at,
            body: Value::Null,
        };
        assert!(unknown.unwrap::<Example>().is_err() && newer.unwrap::<Example>().is_err());
    }
}
