//! What the handover of a WebSocket's TCP connection takes for granted of actix-http, which promises none of it; and
//! the lives of connections that were handed over. If one of the files here fails with a new version of actix-http, the
//! handover must not be used with it: see the limit in `Cargo.toml`.

#![cfg(all(feature = "server", target_os = "linux"))]

#[path = "../life/mod.rs"]
mod support;

mod bodies;
mod early;
mod fallback;
mod order;
mod wire;

use std::any::Any;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::os::fd::AsRawFd as _;
use std::sync::{Arc, Mutex};

use actix_web::dev::Extensions;
use actix_web::rt::net::TcpStream;
use engineio::{Config, Server};

use support::{Http, Polling, WebSocket, descriptors, until};

/// Which descriptors connections had when they were accepted, by their peer.
#[derive(Clone, Default)]
struct Accepted(Arc<Mutex<HashMap<SocketAddr, i32>>>);

impl Accepted {
    /// An `on_connect` that writes it down before it does what ours does.
    fn on_connect(&self) -> impl Fn(&dyn Any, &mut Extensions) + Send + Sync + 'static {
        let accepted = self.clone();
        move |connection, extensions| {
            accepted.note(connection);
            engineio::on_connect(connection, extensions);
        }
    }

    /// An `on_connect` that does nothing else.
    fn only_note(&self) -> impl Fn(&dyn Any, &mut Extensions) + Send + Sync + 'static {
        let accepted = self.clone();
        move |connection, _| accepted.note(connection)
    }

    fn note(&self, connection: &dyn Any) {
        if let Some(tcp) = connection.downcast_ref::<TcpStream>() {
            let peer = tcp.peer_addr().expect("a peer");
            self.0.lock().expect("no panic").insert(peer, tcp.as_raw_fd());
        }
    }

    /// Waits until the server's end of this connection has one descriptor, and another than it was accepted with:
    /// the dispatcher has closed its own.
    fn assert_handed_over(&self, http: &Http) {
        let (server, client) = ends(http);
        until("the handover", || {
            let before = self.0.lock().expect("no panic")[&client];
            let now = descriptors(server, client);
            now.len() == 1 && now[0] != before
        });
    }

    /// Fails unless the dispatcher, and it alone, has the connection.
    fn assert_kept(&self, http: &Http) {
        let (server, client) = ends(http);
        let before = self.0.lock().expect("no panic")[&client];
        assert_eq!(descriptors(server, client), [before]);
    }
}

fn ends(http: &Http) -> (SocketAddr, SocketAddr) {
    let server = http.stream.peer_addr().expect("a peer");
    (server, http.stream.local_addr().expect("an address"))
}

/// A server that echoes.
fn echo(config: Config) -> Server {
    Server::builder()
        .config(config)
        .on_message(|socket, data| {
            let _ = socket.try_send(data);
        })
        .start()
}

/// The head of a WebSocket's request.
fn request(query: &str) -> String {
    format!(
        "GET /engine.io/?{query} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
}

const DIRECT: &str = "EIO=4&transport=websocket";

/// Reads the 101, and the open packet behind it.
fn opened(mut http: Http) -> (WebSocket, support::Response) {
    let response = http.response();
    assert_eq!(response.status, 101, "{}", response.head);
    let mut websocket = WebSocket { http };
    let open = websocket.text();
    assert!(open.starts_with("0{"), "{open}");
    (websocket, response)
}

/// A session that begins on a WebSocket, and one that has moved to it: both echo.
fn both(address: SocketAddr) -> [WebSocket; 2] {
    let mut direct = WebSocket::open(address);
    direct.echo("direct");
    let mut polling = Polling::open(address);
    polling.echo("polling");
    let mut upgraded = WebSocket::upgrade(&mut polling);
    upgraded.echo("upgraded");
    [direct, upgraded]
}
