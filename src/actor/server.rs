//! The server's process: it alone writes the registry, and it leads the way down. No request after the
//! handshake passes through it, and no code of the application runs in it.

use actix::prelude::*;
use tokio::sync::oneshot;

use super::handle::Server;
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
            let close = Close::new(CloseReason::ServerClosing);
            socket.addr().do_send(CloseSession { close, discard });
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

    fn handle(&mut self, _: Shutdown, _: &mut Self::Context) -> Self::Result {
        self.closing = true;
        self.close_all(false);
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
