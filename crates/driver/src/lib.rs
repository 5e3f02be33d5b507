//! The traits that drivers implement, and their conformance suite
