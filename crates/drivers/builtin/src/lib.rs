//! Built-in resources: files, passwords, keys, tokens, certificates
