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
one of four ways: closures for all of them (above); an own behaviour inside each socket's actor
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
            Event::Message { data, .. } => {
                for other in &self.0 {
                    other.addr().do_send(engineio::Send::new(data.clone()));
                }
            }
            _ => {}
        }
    }
}

# #[actix_web::main] async fn main() {
let server = engineio::Server::builder().hub(Lobby::default().start().recipient()).start();
# }
```

# Sending

| | bounded | tells |
|---|---|---|
| [`Socket::try_send`] | always | at once: taken, [`SendError::Full`], `Closed` or `TooLarge` |
| `socket.addr().send(Send::..).await` | once it is handled | when it was flushed to the transport, or why not |
| `socket.addr().do_send(Send::..)` | once it is handled | nothing; what has no room ends the session |

# The way down

A session lives on the thread that took its handshake and ends with it. [`Server::close`] and [`Server::drain`] are
the only orderly ways down: both take no new sessions (503, and [`Server::is_ready`] says so to a load balancer) and
let what is buffered leave first; `drain` spreads the ends over some time, lest all clients come back at once to the
servers that are left. [`run_until_signal`] and [`listen`] drain on SIGTERM and Ctrl-C, over
[`Config::drain_window`], before the HTTP server stops; a second signal makes it quick.

# Who is let in

In this order, for each handshake:

1. [`Config::origins`]: from which pages browsers may come, on polling and WebSocket alike.
2. [`Config::limits`]: sessions in all (503) and for each address (429), handshakes a second (429), sessions that
   never polled (503), each with `Retry-After`. Behind a proxy name it in [`Config::trusted_proxies`], else all its
   clients are one address, and have it set `X-Forwarded-For`.
3. [`Scope::allow_request`]: the application. Who the client is, found out by a token or the cookie of a session, is
   handed to its handler by [`Accept::with`] and found in [`Handshake::extensions`].

# Watching it

[`Server::stats`] and [`Socket::stats`] count sessions, messages, bytes, upgrades, ends, refusals, what waits and how
far clients are; with the feature `metrics` they are a page for Prometheus. [`Close`] says of an end which
side it was, and what is known in numbers.

# Testing

With the feature `test` of a dev-dependency, `engineio::test` has clients for tests of your own handlers: in the same
process, without a port, and in virtual time, so that a ping timeout is over at once.

# Setting up `HttpServer`

- `h1_allow_half_closed(false)`: else actix does not tell that the client of a waiting poll has left, and what is
  sent to it is lost until the ping timeout.
- `client_disconnect_timeout(Duration::ZERO)`: else the TCP connection of a closed WebSocket stays for a second.
- `keep_alive(KeepAlive::Os)`: else a client that sends every few seconds opens a connection each time.
- a session's id is a secret in the URL: give actix's `Logger` a format without the query, such as `"%a %s %D"`.
- a WebSocket whose peer stops reading loses its session after the ping timeout; its TCP connection stays until the
  peer or the system ends it, since actix does not ask a response for more while it cannot write.

# Behind a proxy

`examples/deploy` has configurations for nginx and HAProxy with several server processes behind them; the tests run them
as they are. Whatever the proxy:

- all requests of a session go to the process that has it: by a cookie of the proxy, or by the process's name before
  the session's id ([`ServerBuilder::generate_id`]);
- its timeouts are longer than `ping_interval` + `ping_timeout`;
- it passes `Upgrade` on, buffers no responses, and takes bodies of `max_http_buffer_size`;
- it ends its request when the client of a waiting poll has left (HAProxy: `option abortonclose`);
- `Host` arrives as the browser sent it, since origins are compared with it.

# Logging

By the `log` crate, with targets `engineio::server`, `::socket`, `::polling` and `::ws`:
`RUST_LOG=engineio=debug` is what `DEBUG=engine*` was. Ids are shortened to four characters.
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
    Close, CloseReason, Detail, Events, ReadyState, Revision, SendError, Sid, Side, Transport, Transports,
};

#[cfg(feature = "server")]
pub use actor::{
    Credit, Event, Extensions, Handshake, Headers, IdError, Refused, RoundTrips, Send, Server, ServerActor,
    ServerBuilder, Socket, SocketActor, SocketHandler, SocketStats, Stats,
};
#[cfg(feature = "server")]
pub use http::{
    Accept, Endpoint, Listener, Reject, Scope, handle_request, handle_upgrade, listen, on_connect,
    run_until_signal, scope,
};

#[cfg(feature = "metrics")]
pub use http::{MetricsCollector, metrics};

/// The newest revision of the protocol that is spoken here, as engine.io exports it.
pub const PROTOCOL: u8 = 4;

/// The README's code compiles.
#[cfg(all(doctest, feature = "server"))]
#[doc = include_str!("../README.md")]
struct Readme;
