//! For people who test their own handlers: clients of a server in the same process, without HTTP, port or socket, in
//! virtual time.
//!
//! What runs is the real server, its sessions and its mailboxes; a [`Client`] takes the place of the requests and of
//! the WebSocket's frames. Time stands still while anything can run, and jumps to the next deadline when nothing can:
//! a ping timeout takes no longer than an echo, and comes in the same place each time.
//!
//! ```
//! use engineio::{CloseReason, Server, test};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! test::run(async {
//!     let server = Server::builder()
//!         .on_message(|socket, data| { let _ = socket.try_send(data); })
//!         .start();
//!
//!     let alice = test::polling(&server).query("name=alice").await?;
//!     alice.send("hi");
//!     alice.expect("hi").await;
//!     alice.upgrade().await?;
//!     alice.send("by WebSocket");
//!     alice.expect("by WebSocket").await;
//!     alice.stall(); // reads nothing from here on
//!     alice.expect_close(CloseReason::PingTimeout).await;
//!
//!     let bob = test::websocket(&server).header("cookie", "name=bob").await?;
//!     bob.close();
//!     bob.expect_close(CloseReason::TransportClose).await;
//! #   Ok(())
//! })
//! # }
//! ```
//!
//! What expects something panics if it does not come, and says what came instead. It waits for a minute more than
//! `ping_interval` + `ping_timeout` of the server's options. What an actor of the application has made of it is seen
//! behind [`settle`].
//!
//! Not known here is what belongs to HTTP: origins, CORS, cookies that are set, `allow_request` (hand over what it
//! would by [`Connect::extension`]), `trusted_proxies`, compression. Time does not wait for other threads, nor for real
//! sockets: a handler under test should use neither, or an answer may come hours late.

mod client;
mod connect;
mod peer;
mod websocket;

pub use client::{Client, UpgradeFailed};
pub use connect::Connect;

use std::future::Future;
use std::time::Duration;

use crate::Server;
use crate::proto::Transport;

/// Runs a test in an actix `System` of its own, whose time is virtual. Servers and actors are to be started inside.
///
/// # Panics
/// When the test does, and if the system has no resources for a runtime.
pub fn run<F: Future>(test: F) -> F::Output {
    let runtime = || {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build()
            .expect("the system has resources for a runtime")
    };
    actix_rt::System::with_tokio_rt(runtime).block_on(test)
}

/// Lets so much time pass, and all happen in it that is to happen.
pub async fn advance(time: Duration) {
    actix_rt::time::sleep(time).await;
}

/// Lets all happen that can happen now: a millisecond passes as soon as nothing is left to be done.
pub async fn settle() {
    advance(Duration::from_millis(1)).await;
}

/// A client that begins on polling, once this is awaited.
pub fn polling(server: &Server) -> Connect {
    Connect::new(server, Transport::Polling)
}

/// A client that begins on a WebSocket, once this is awaited.
pub fn websocket(server: &Server) -> Connect {
    Connect::new(server, Transport::WebSocket)
}
