//! The planner's public behaviour, against a simulated world.

#![expect(unreachable_pub, reason = "a test binary has no outside")]

mod blueprint;
mod driver;
mod evaluation;
mod graph;
mod inputs;
mod lifecycle;
mod linting;
mod options;
mod order;
mod presentation;
mod problems;
mod properties;
mod refreshing;
mod services;
mod verdicts;
mod world;
