//! Engine.IO as an actor system.

mod config;
mod data;

pub mod proto;
pub mod ws;

#[cfg(feature = "server")]
mod actor;
#[cfg(feature = "server")]
mod http;

pub use config::{Compression, Config, Cookie, KeepHeaders, Origins, SameSite, WsEngine};
pub use data::Data;
pub use proto::{Close, CloseReason, Events, ReadyState, Revision, SendError, Sid, Transport, Transports};

#[cfg(feature = "server")]
pub use actor::{
    Credit, Event, Extensions, Handshake, Headers, IdError, Send, Server, ServerActor, ServerBuilder, Socket,
    SocketActor, SocketHandler,
};
#[cfg(feature = "server")]
pub use http::{
    Accept, Endpoint, Listener, Reject, Scope, handle_request, handle_upgrade, listen, run_until_signal,
    scope,
};

/// The newest revision of the protocol that is spoken here, as engine.io exports it.
pub const PROTOCOL: u8 = 4;
