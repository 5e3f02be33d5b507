//! Messages, and what they must fulfil.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::lenient;

/// Longest id, in bytes.
const ID_LIMIT: usize = 200;
/// Longest text, in bytes.
const TEXT_LIMIT: usize = 8 * 1024;

/// A message to an end user.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Message {
    /// Identifies it: posting it again changes nothing.
    pub id: String,
    /// The customer to whom it goes.
    #[serde(deserialize_with = "lenient::whole")]
    pub customer_id: u32,
    /// When what it tells of happened, as RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
    /// What it says.
    pub text: String,
    /// Whatever else the sender adds.
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

/// A message with its place in the log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Stored {
    /// Its place, from 1, without gaps.
    pub offset: u64,
    /// The message.
    #[serde(flatten)]
    pub message: Message,
}

impl Message {
    /// What is wrong with the message, if anything is.
    #[must_use]
    pub fn fault(&self) -> Option<&'static str> {
        let Self {
            id,
            customer_id: _,
            at,
            text,
            more,
        } = self;
        if !(1..=ID_LIMIT).contains(&id.len()) || id.chars().any(char::is_control) {
            return Some("id has 1 to 200 bytes and no control characters");
        }
        if text.len() > TEXT_LIMIT {
            return Some("text has at most 8192 bytes");
        }
        if at
            .as_ref()
            .is_some_and(|at| at.parse::<jiff::Timestamp>().is_err())
        {
            return Some("at is a time like 2026-01-31T12:00:00.000Z");
        }
        more.contains_key("offset")
            .then_some("offset is given by the mailbox")
    }
}
