//! How a session begins: entered in the registry, shown to the application, opened, and its process started.

use std::sync::Arc;

use actix::prelude::*;

use super::{SocketActor, TURN};
use crate::actor::clock;
use crate::actor::fanout::LocalBranch;
use crate::actor::guard::Place;
use crate::actor::handle::{OpenError, Server, Socket};
use crate::actor::handshake::Handshake;
use crate::actor::limits::Permit;
use crate::actor::transport::{Link, PendingPoll};
use crate::proto::{Session, Sid, Transport};

/// A session that has just been opened.
pub(crate) enum Opened {
    /// On polling: the handshake is its first poll.
    Polling(PendingPoll),
    /// On a WebSocket, whose end of the link this is.
    WebSocket(Arc<Link>),
    /// On a WebSocket whose connection is still to come.
    Awaiting(Socket),
}

impl Server {
    /// Opens a session and starts its process on this thread. When this returns the session can be found. If it
    /// begins on a WebSocket, `hands_over` tells whether its connection will be the socket's own.
    pub(crate) async fn open(
        &self,
        sid: Sid,
        handshake: Handshake,
        hands_over: bool,
        permit: Permit,
    ) -> Result<Opened, OpenError> {
        let context = Context::<SocketActor>::new();
        let seat = LocalBranch::of(self).sit();
        let kept = handshake.keep(&self.config().keep_headers);
        let socket = Socket::new(sid, context.address(), self.clone(), seat.address(), kept);
        seat.take(socket.clone());
        let mut place = Place::new(socket.clone(), permit);
        self.register(socket.clone()).await?;
        place.count();
        let listeners = self
            .application()
            .connect(&socket, &handshake)
            .map_err(|_| OpenError::Panicked)?;
        let now = clock::now();
        let interest = listeners.interest(socket.hooks());
        let (revision, base64) = (handshake.revision, handshake.base64);
        let session = Session::new(self.shared_config(), revision, base64, interest, now);
        let is_websocket = handshake.transport == Transport::WebSocket;
        let link = (is_websocket && !hands_over).then(|| Arc::new(Link::new(socket.clone())));
        let mut actor = SocketActor {
            session,
            seat,
            socket: socket.clone(),
            listeners,
            place,
            wire: None,
            aside: None,
            signalled: true,
            turn: TURN,
            resting: false,
            alarm: None,
        };
        if let Some(link) = &link {
            actor.aside().link = Some(link.clone());
        }
        // What the application said in its factory comes behind the open packet.
        actor.obey(now);
        actor.session.open(now, handshake.transport, &socket.id());
        actor.socket.publish(&actor.session);
        if let Some(link) = &link {
            link.adopt();
        }
        context.run(actor);
        log::debug!(target: "engineio::socket", "{:?} opened on {}", socket.id(), handshake.transport);
        Ok(match link {
            Some(link) => Opened::WebSocket(link),
            None if is_websocket => Opened::Awaiting(socket),
            None => Opened::Polling(PendingPoll::new(socket)),
        })
    }
}
