//! Tests of the session: each rule by itself, then all of them against a model of the client and the network.

mod answering;
mod buffer;
mod close;
mod events;
mod full;
mod heartbeat;
mod model;
mod passing;
mod polling;
mod support;
mod upgrade;
