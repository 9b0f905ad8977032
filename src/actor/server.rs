//! The server's process: it alone writes the registry, and it leads the way down. No request after the
//! handshake passes through it, and no code of the application runs in it.

use std::time::Duration;

use actix::prelude::*;
use rand::RngExt as _;
use rand::seq::SliceRandom as _;
use tokio::sync::oneshot;

use super::clock;
use super::handle::{Server, Socket};
use super::messages::{CloseSession, Idle, Register, Shutdown, ShutdownNow, Unregister};
use super::registry::RegisterError;
use crate::proto::{Close, CloseReason};

/// The process behind a [`Server`].
#[derive(Debug)]
pub struct ServerActor {
    server: Server,
    closing: bool,
    waiting: Vec<oneshot::Sender<()>>,
}

impl ServerActor {
    pub(super) fn new(server: Server) -> Self {
        ServerActor {
            server,
            closing: false,
            waiting: Vec::new(),
        }
    }

    fn close_all(&self, discard: bool) {
        for socket in self.server.clients() {
            close(&socket, discard);
        }
    }

    fn release_if_idle(&mut self) {
        if self.closing && self.server.living() == 0 {
            for waiting in self.waiting.drain(..) {
                let _ = waiting.send(());
            }
        }
    }
}

/// Ends sessions in good order, one after the other: each at a moment of its own in its share of the time, in an
/// order that has nothing to do with their age, so that their clients do not come back all at once.
async fn close_over(window: Duration, mut sockets: Vec<Socket>) {
    let start = clock::now();
    let mut rng = rand::rng();
    sockets.shuffle(&mut rng);
    let share = window.as_secs_f64() / sockets.len().max(1) as f64;
    let mut share_begins = 0.0;
    for socket in sockets {
        let moment = Duration::from_secs_f64(share_begins + rng.random_range(0.0..1.0) * share);
        share_begins += share;
        actix_rt::time::sleep_until((start + moment).into()).await;
        close(&socket, false);
    }
}

fn close(socket: &Socket, discard: bool) {
    let close = Close::new(CloseReason::ServerClosing);
    socket.process().do_send(CloseSession { close, discard });
}

impl Actor for ServerActor {
    type Context = Context<Self>;

    /// The default of 16 is for senders that wait, and handshakes of a reconnect storm all do.
    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(4096);
    }
}

impl Handler<Register> for ServerActor {
    type Result = Result<(), RegisterError>;

    fn handle(&mut self, Register(socket): Register, _: &mut Self::Context) -> Self::Result {
        if self.closing {
            return Err(RegisterError::Closing);
        }
        self.server.registry().insert(socket)
    }
}

impl Handler<Unregister> for ServerActor {
    type Result = ();

    fn handle(&mut self, Unregister(socket): Unregister, _: &mut Self::Context) {
        self.server.registry().remove(&socket);
    }
}

impl Handler<Idle> for ServerActor {
    type Result = ();

    fn handle(&mut self, _: Idle, _: &mut Self::Context) {
        self.release_if_idle();
    }
}

impl Handler<Shutdown> for ServerActor {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, Shutdown { window }: Shutdown, ctx: &mut Self::Context) -> Self::Result {
        self.closing = true;
        if window.is_zero() {
            self.close_all(false);
        } else {
            ctx.spawn(close_over(window, self.server.clients()).into_actor(self));
        }
        let (done, idle) = oneshot::channel();
        self.waiting.push(done);
        self.release_if_idle();
        Box::pin(async move {
            let _ = idle.await;
        })
    }
}

impl Handler<ShutdownNow> for ServerActor {
    type Result = ();

    fn handle(&mut self, _: ShutdownNow, _: &mut Self::Context) {
        self.closing = true;
        self.close_all(true);
    }
}
