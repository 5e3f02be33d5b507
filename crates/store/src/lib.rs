//! State and journal on SQLite
