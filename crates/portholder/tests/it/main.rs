//! The port holder as a process, over real sockets.

mod addresses;
mod control;
mod http;
mod l4;
mod replacement;
mod restart;
mod state;
mod support;
mod udp;
mod unix_http;
mod watching;
