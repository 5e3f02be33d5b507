//! How large values may get. Expressions copy values into others, so that a small blueprint can ask
//! for more than any machine holds: each value is measured before it is copied.

use consort_model::{Partial, Value};

/// A value has at most so many parts (scalars, lists, objects).
pub(crate) const MAX_PARTS: usize = 200_000;
/// Its texts and keys have at most so many bytes.
pub(crate) const MAX_BYTES: usize = 32 << 20;
/// It nests at most so deep.
pub(crate) const MAX_DEPTH: usize = 128;

/// How large a value is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Size {
    pub parts: usize,
    pub bytes: usize,
    pub depth: usize,
}

impl Size {
    /// The size of a value; measuring stops soon after a limit is passed.
    pub(crate) fn of(value: &Partial) -> Self {
        let mut size = Self::default();
        size.add(value, 1);
        size
    }

    /// What is wrong with it, if it is too large.
    pub(crate) const fn excess(self) -> Option<&'static str> {
        if self.depth > MAX_DEPTH {
            Some("is nested more than 128 levels deep")
        } else if self.parts > MAX_PARTS {
            Some("has more than 200,000 parts")
        } else if self.bytes > MAX_BYTES {
            Some("has more than 32 MiB of text")
        } else {
            None
        }
    }

    /// Both together, side by side.
    pub(crate) fn plus(self, other: Self) -> Self {
        Self {
            parts: self.parts.saturating_add(other.parts),
            bytes: self.bytes.saturating_add(other.bytes),
            depth: self.depth.max(other.depth),
        }
    }

    fn add(&mut self, value: &Partial, depth: usize) {
        self.parts += 1;
        self.depth = self.depth.max(depth);
        if self.excess().is_some() {
            return;
        }
        match value {
            Partial::Unknown(_) => {}
            Partial::Scalar(Value::String(text)) => self.bytes += text.len(),
            Partial::Scalar(_) => self.bytes += 8,
            Partial::List(items) => {
                for item in items {
                    self.add(item, depth + 1);
                    if self.excess().is_some() {
                        return;
                    }
                }
            }
            Partial::Map(map) => {
                for (key, item) in map {
                    self.bytes += key.len();
                    self.add(item, depth + 1);
                    if self.excess().is_some() {
                        return;
                    }
                }
            }
        }
    }
}
