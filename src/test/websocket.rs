//! A client's WebSocket: messages as they are before they become frames, over the link that real ones use.

use std::rc::Rc;
use std::sync::Arc;

use tokio::time::timeout_at;

use super::peer::Peer;
use crate::Data;
use crate::actor::transport::{Attachment, Link, Outbound, decode};
use crate::proto::{Frame, Packet, PacketType, Probe};
use crate::ws::{CloseFrame, Message, ProtocolError};

/// One end of a WebSocket, as its client holds it.
#[derive(Debug)]
pub(super) struct WebSocket {
    peer: Rc<Peer>,
    attachment: Attachment,
    closed: bool,
}

impl WebSocket {
    /// The one on which a session begins.
    pub(super) fn direct(peer: Rc<Peer>, link: Arc<Link>) -> Self {
        WebSocket {
            peer,
            attachment: Attachment::direct(link),
            closed: false,
        }
    }

    /// The one that the session of `peer` has moved to: `None` if the server does not want it.
    pub(super) async fn upgrade(peer: Rc<Peer>) -> Option<Self> {
        let link = Arc::new(Link::new(peer.socket.clone()));
        let mut websocket = WebSocket {
            attachment: Attachment::upgrade(link),
            closed: false,
            peer,
        };
        websocket.send([Probe::ping()]);
        let answer = websocket.until(|websocket| websocket.receive().pop()).await?;
        if answer != Probe::pong() {
            return None;
        }
        // The server ends a poll that waits: it knows of the probe.
        let peer = websocket.peer.clone();
        peer.update(|state| state.paused = true);
        let is_idle = websocket.until(|websocket| {
            websocket.receive();
            peer.look(|state| (!state.polling && !state.pushing).then_some(()))
        });
        is_idle.await?;
        websocket.send([Packet::new(PacketType::Upgrade)]);
        Some(websocket)
    }

    /// Carries the packets of its session to its end.
    pub(super) async fn run(mut self) {
        let peer = self.peer.clone();
        let done = self.until(|websocket| {
            if websocket.attachment.wants_input(&peer.waker()) {
                let packets = peer.look(|state| std::mem::take(&mut state.outgoing));
                websocket.send(packets);
            }
            for packet in websocket.receive() {
                peer.handle(packet);
            }
            None::<()>
        });
        done.await;
        peer.update(|state| state.over = true);
    }

    /// Waits for what `look` looks for: `None` if the WebSocket is closed before.
    async fn until<T>(&mut self, mut look: impl FnMut(&mut Self) -> Option<T>) -> Option<T> {
        let peer = self.peer.clone();
        loop {
            let change = peer.change();
            let found = look(self);
            if found.is_some() || self.closed {
                return found;
            }
            let Some(deadline) = self.attachment.deadline() else {
                change.await;
                continue;
            };
            if timeout_at(deadline.into(), change).await.is_err() {
                self.closed = self.attachment.handle_timeout().is_err();
            }
        }
    }

    /// Sends packets. A close packet closes the WebSocket instead, as clients do.
    fn send(&mut self, packets: impl IntoIterator<Item = Packet>) {
        let limit = self.peer.socket.server().config().max_http_buffer_size;
        let (mut batch, mut too_big) = (Attachment::batch(), None);
        for packet in packets {
            if packet.kind == PacketType::Close {
                self.closed = true;
                break;
            }
            let frame = packet.into_frame(self.peer.socket.protocol(), false);
            let size = frame.data.len() + usize::from(frame.prefix.is_some());
            if size > limit {
                too_big = Some(size as u64);
                break;
            }
            self.closed |= self
                .attachment
                .handle_message(message(frame), &mut batch)
                .is_err();
        }
        self.attachment.push(batch);
        if too_big.is_some() {
            self.closed = true;
            self.attachment
                .broken(ProtocolError::MessageTooBig { size: too_big });
        } else if self.closed {
            self.attachment.lost(Some(&CloseFrame::default()));
        }
    }

    /// What has come in, unless nothing is read. A close frame is answered.
    fn receive(&mut self) -> Vec<Packet> {
        let (mut packets, mut close) = (Vec::new(), None);
        if self.closed || self.peer.look(|state| state.stalled) {
            return packets;
        }
        let revision = self.peer.socket.protocol();
        self.attachment
            .take_outbound(usize::MAX, &self.peer.waker(), |item, _| match item {
                Outbound::Frame { frame, .. } => {
                    let packet = decode(message(frame), revision);
                    packets.push(packet.expect("the server encodes what can be decoded"));
                }
                Outbound::Close(code, reason) => {
                    close = Some(CloseFrame {
                        code: Some(code),
                        reason,
                    });
                }
            });
        if close.is_some() {
            self.attachment.lost(close.as_ref());
            self.closed = true;
        }
        packets
    }
}

/// Whatever waits for its upgrade waits no longer.
impl Drop for WebSocket {
    fn drop(&mut self) {
        self.peer.update(|state| state.paused = false);
    }
}

/// A frame as the other side reads it.
fn message(Frame { prefix, data }: Frame) -> Message {
    match (data, prefix) {
        (Data::Text(text), None) => Message::Text(text),
        (Data::Text(text), Some(digit)) => Message::Text(format!("{}{text}", char::from(digit)).into()),
        (Data::Binary(bytes), None) => Message::Binary(bytes),
        (Data::Binary(bytes), Some(number)) => Message::Binary([&[number], &*bytes].concat().into()),
    }
}
