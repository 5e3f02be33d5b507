//! The small process that owns ports and virtual addresses
