//! A WebSocket between two owners: whoever read it last has given it away, and its socket's actor has not taken it.

use std::task::Waker;

use bytes::BytesMut;

use super::link::{Link, Outbound};
use super::stream::Stream;
use crate::actor::clock;
use crate::proto::CloseReason;
use crate::ws::{CloseCode, Connection};

/// A WebSocket on its way to its socket's actor, wherever that runs. Dropped on the way, its peer is told.
#[derive(Debug)]
pub(crate) struct Handed {
    pub(super) io: Stream,
    pub(super) connection: Connection,
    pub(super) unsent: BytesMut,
}

impl Handed {
    /// A connection, what was read of it, and what of its output was not written yet.
    pub(super) fn new(io: Stream, connection: Connection, unsent: BytesMut) -> Self {
        Handed {
            io,
            connection,
            unsent,
        }
    }

    /// What was given to the link while it was probed comes first.
    pub(in crate::actor) fn send_first(&mut self, link: &Link) {
        link.take_outbound(usize::MAX, Waker::noop(), |item, _| match item {
            Outbound::Frame { frame, .. } => {
                let frame = frame.borrow();
                self.connection
                    .send(frame.is_text, frame.prefix, frame.payload, &mut self.unsent);
            }
            Outbound::Encoded(frames) => {
                self.connection.send_encoded(&frames, &mut self.unsent);
            }
            Outbound::Close(..) => {}
        });
    }

    /// Nobody takes it: as much of a goodbye as the connection takes at once.
    pub(super) fn say_goodbye(mut self) {
        say_goodbye(&mut self.io, &mut self.connection, &mut self.unsent);
    }
}

/// As much of a goodbye as the connection takes at once.
pub(super) fn say_goodbye(io: &mut Stream, connection: &mut Connection, unsent: &mut BytesMut) {
    if connection.is_open() {
        let reason = CloseReason::TransportClose;
        let code = CloseCode::new(reason.websocket_code()).unwrap_or(CloseCode::NORMAL);
        connection.close(clock::now(), code, reason.as_str());
    }
    connection.transmit(unsent);
    if !unsent.is_empty() {
        io.write_last(unsent);
    }
}
