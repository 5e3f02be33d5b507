//! Ids, addresses, values, the typed blueprint, plans, runs: the shared vocabulary; no I/O
