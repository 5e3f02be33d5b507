//! The example's programs, from outside.

mod cdnow;
mod crm;
mod end_to_end;
mod hub;
mod load;
mod mailbox;
mod orders;
mod segments;
mod settings;
mod sse;
mod support;
mod token;
