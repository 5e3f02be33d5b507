//! jq expressions, sandboxed and bounded
