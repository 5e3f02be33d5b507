//! `segments`: the batch workload. It fits the BG/NBD model to the purchase histories
//! (Fader, Hardie and Lee, "Counting Your Customers" the Easy Way, Marketing Science
//! 24(2), 2005), measures how sure the fit is, and sorts customers into segments.

pub mod artefacts;
pub mod bootstrap;
pub mod command;
pub mod fit;
pub mod history;
pub mod merge;
pub mod minimise;
pub mod model;
pub mod outlook;
pub mod random;
pub mod remote;
pub mod special;
