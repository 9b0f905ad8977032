//! The Engine.IO server as an actor system on Actix.
//!
//! Engine.IO is the transport layer under Socket.IO: a session begins on HTTP long-polling and swaps to
//! WebSocket on the fly, without losing, doubling or reordering a message. Both revisions of the protocol are
//! served: today's clients (`EIO=4`) and the old ones (`EIO=3`).
//!
#![cfg_attr(
    feature = "server",
    doc = r#"
```no_run
#[actix_web::main]
async fn main() -> std::io::Result<()> {
    let server = engineio::Server::builder()
        .on_message(|socket, data| {
            let _ = socket.try_send(data);
        })
        .start();
    engineio::listen(&server, ("127.0.0.1", 3000))?.run().await
}
```

In an `App` of your own it is [`scope`], what engine.io calls `attach`. An application is told of its sessions in
one of [four ways](guide::handlers): closures for all of them (above); an own behaviour inside each socket's actor
([`SocketHandler`], the fastest); an actor for each session; or one hub actor for all ([`ServerBuilder::hub`]). The
last two are told [`Event`]s:

```
use actix::prelude::*;
use engineio::{Event, Socket};
use std::collections::HashSet;

#[derive(Default)]
struct Lobby(HashSet<Socket>);

impl Actor for Lobby {
    type Context = Context<Self>;
}

impl Handler<Event> for Lobby {
    type Result = ();

    fn handle(&mut self, event: Event, _: &mut Self::Context) {
        match event {
            Event::Connection { socket, .. } => drop(self.0.insert(socket)),
            Event::Close { socket, .. } => drop(self.0.remove(&socket)),
            Event::Message { socket, data, .. } => socket.server().broadcast_to(&self.0, data),
            _ => {}
        }
    }
}

# #[actix_web::main] async fn main() {
let server = engineio::Server::builder().hub(Lobby::default().start().recipient()).start();
# }
```

# The guide

- [`guide::handlers`]: who handles a session, and what each way costs
- [`guide::sending`]: ways to send, bounded buffers, clients that do not read
- [`guide::deploying`]: setting up `HttpServer`, nginx and HAProxy, several processes, who is let in, the way down,
  metrics, logging
- [`guide::compression`]: what it costs, and when to turn it off
- [`guide::migrating`]: from engine.io, name by name

In an `HttpServer` of your own set `on_connect(engineio::on_connect)` and `h1_allow_half_closed(false)`, and end it by
[`run_until_signal`]: [why, and what else](guide::deploying#setting-up-httpserver). With the feature `test`,
`engineio::test` has clients for tests of your own handlers: in the same process, without a port, in virtual time.
"#
)]
//! # The rooms
//!
//! ```text
//!  room 1, the rules            room 2, the processes            room 3, the doors
//!  proto   ws                   actor                            http
//!  packets, payloads,     ◄──   ServerActor, SocketActor,   ◄──  scope(), listen(), polling,
//!  sessions, frames             mailboxes, handlers              JSONP, WebSocket, headers
//!  no clock, no socket          no rule, no HTTP                 no rule, no session state
//! ```
//!
//! Imports go to the left only. Without the default feature `server` this crate is room 1 alone: the protocol as
//! a library ([`proto::Session`], [`ws::Connection`]); `examples/session.rs` drives it by hand.

// Without it, what the options say of scopes and signals leads nowhere.
#![cfg_attr(not(feature = "server"), allow(rustdoc::broken_intra_doc_links))]

mod config;
mod data;

pub mod proto;
pub mod ws;

#[cfg(feature = "server")]
pub mod guide;
#[cfg(feature = "test")]
pub mod test;

#[cfg(feature = "server")]
mod actor;
#[cfg(feature = "server")]
mod http;

pub use config::{
    Config, Cookie, HttpCompression, KeepHeaders, Limits, Network, NetworkError, Origins, PerMessageDeflate,
    ProxyHeaders, SameSite, WsEngine,
};
pub use data::Data;
pub use proto::{
    BadRequest, Close, CloseReason, Detail, Events, FullPolicy, Packet, PacketType, ReadyState, Refusal,
    Revision, SendError, Sid, Side, Transport, Transports,
};

#[cfg(feature = "server")]
pub use actor::{
    Credit, Event, Extensions, Handshake, Headers, IdError, Refused, Room, RoomEmpty, RoundTrips, Send,
    Server, ServerActor, ServerBuilder, Socket, SocketActor, SocketHandler, SocketStats, Stats,
};
#[cfg(feature = "rustls")]
pub use http::listen_rustls;
#[cfg(feature = "server")]
pub use http::{
    Accept, Endpoint, Listener, Reject, Scope, handle_request, handle_upgrade, listen, on_connect,
    run_until_signal, scope,
};

#[cfg(feature = "serde")]
pub use actor::{BadInput, Json, JsonHandler, JsonRoom};

#[cfg(feature = "metrics")]
pub use http::{MetricsCollector, metrics};

/// The newest revision of the protocol that is spoken here, as engine.io exports it.
pub const PROTOCOL: u8 = 4;

/// The README's code compiles.
#[cfg(all(doctest, feature = "server"))]
#[doc = include_str!("../README.md")]
struct Readme;
