//! Workloads and jobs.
