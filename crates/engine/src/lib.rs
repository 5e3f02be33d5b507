//! Carries plans out as runs; schedules, events, roll-out
