//! Tests of the loader as others see it.

mod bombs;
mod compose_suite;
mod element_mistakes;
mod elements;
mod environment;
mod expressions;
mod extends_include;
mod language;
mod merge;
mod mistakes;
mod project;
mod properties;
mod support;
mod tags;
