//! What an application sees: each event with its order and arguments, by each of the ways in which it is called;
//! sends and what they report; the properties of `Socket` and `Server`.

#![cfg(feature = "server")]

#[path = "../common/mod.rs"]
mod common;

mod detail;
mod handles;
mod life;
mod order;
mod reasons;
mod sends;
mod shutdown;
mod stats;
