//! What crosses crates; everything is in `tests/`.
