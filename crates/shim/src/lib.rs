//! The small process that owns one instance
