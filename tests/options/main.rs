//! Every option, each with a test that fails if the option is ignored.

#![cfg(feature = "server")]

#[path = "../common/mod.rs"]
mod common;

mod admission;
mod buffer;
mod claims;
mod compression;
mod door;
mod ids;
mod limits;
mod origins;
mod presets;
mod sizes;
mod timing;
mod transports;
