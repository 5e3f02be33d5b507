//! Tests of the loader as others see it.

mod compose_suite;
