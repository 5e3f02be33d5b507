//! The store from outside, on real files.

mod backup;
mod blobs;
mod crash;
mod damage;
mod failing;
mod full;
mod opening;
mod retention;
mod rules;
mod secrets;
mod support;
mod torn;
mod writing;
