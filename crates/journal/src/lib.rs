//! Durable runs: records, machines, the store's trait and its conformance suite
