//! The behaviour of workflows, seen from outside.

mod crashes;
mod events;
mod examples;
mod features;
mod gherkin;
mod hostile;
mod mistakes;
mod secrets;
mod views;
mod world;
mod yaml;
