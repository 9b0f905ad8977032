//! The mailbox: every message that a socket or the server takes, in one file.

use std::sync::Arc;

use std::time::Duration;

use actix::prelude::Message;
use tokio::sync::oneshot;

use super::fanout;
use super::handle::Socket;
use super::transport::{Carrier, Handed, Link, Offer};
use crate::Data;
use crate::proto::{Close, PollId, ProbeId, PushBody, PushId, Refusal, Reply, SendError};

/// A message for a client: `socket.addr().do_send(Send::text("hi"))`.
///
/// Sent by `do_send` it is fire and forget: if the write buffer has no room, and its
/// [policy](crate::FullPolicy) makes none, the session ends with
/// [`CloseReason::BufferFull`](crate::CloseReason::BufferFull), since nobody can be told. Sent by
/// `addr.send(..).await` it resolves when the message was flushed to the transport, or with the
/// [`SendError`] that kept it; if the session's process has ended before it came to this message, actix says so
/// by its `MailboxError::Closed`. [`Socket::try_send`] is the one that is bounded even
/// while the socket's thread is busy.
///
/// Where it is imported it hides the trait `Send`. What needs both, a bound `T: Send` say, imports it by another name:
/// `use engineio::Send as Message`.
#[derive(Debug, Clone, Message)]
#[rtype(result = "Result<(), SendError>")]
pub struct Send {
    pub(crate) data: Data,
    pub(crate) compress: bool,
    /// Set if it is volatile.
    pub(crate) key: Option<u64>,
    /// The broadcast that comes before it.
    pub(crate) after: u64,
}

impl Send {
    /// Text or binary. Sent to [`Socket::addr`], its place among [broadcasts](crate::Server::broadcast) is that of this
    /// call; by the methods of [`Socket`], that of theirs.
    pub fn new(data: impl Into<Data>) -> Self {
        Send {
            data: data.into(),
            compress: true,
            key: None,
            after: fanout::last(),
        }
    }

    /// Text.
    pub fn text(text: impl Into<bytestring::ByteString>) -> Self {
        Send::new(text.into())
    }

    /// Binary.
    pub fn binary(bytes: impl Into<bytes::Bytes>) -> Self {
        Send::new(bytes.into())
    }

    /// Whether this message may be compressed. Default true.
    pub fn compress(mut self, compress: bool) -> Self {
        self.compress = compress;
        self
    }

    /// Makes it volatile: while it waits in the write buffer, the next one with the same key replaces it, so that of
    /// each key at most one waits. The newer one takes its place, unless a message that is not volatile was sent
    /// since: then it comes last. Keys are the application's, and each socket's own.
    pub fn volatile(mut self, key: u64) -> Self {
        self.key = Some(key);
        self
    }
}

impl<T: Into<Data>> From<T> for Send {
    fn from(data: T) -> Self {
        Send::new(data)
    }
}

/// Messages whose bytes are reserved already.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) enum Deliver {
    One(Send),
    Many(Many),
    /// All those that wait together.
    Waiting,
}

/// Messages that were sent in one go.
#[derive(Debug)]
pub(crate) struct Many {
    pub(crate) messages: Vec<Data>,
    /// The broadcast that comes before them.
    pub(crate) after: u64,
}

impl Many {
    /// The same one by one.
    pub(crate) fn into_sends(self) -> impl Iterator<Item = Send> {
        let after = self.after;
        self.messages.into_iter().map(move |data| Send {
            data,
            compress: true,
            key: None,
            after,
        })
    }
}

/// The application has caught up with what came in.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Resume;

/// The asker of a [`Send`] waits until it is flushed.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct AwaitFlush;

/// The session shall end, at once or when everything has left.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct CloseSession {
    pub(crate) close: Close,
    pub(crate) discard: bool,
}

/// There is a broadcast for this socket.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Collect;

/// A deadline of the session may have come.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Heartbeat;

/// A session that never polled has had time enough.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Unpolled;

/// A GET asks for packets.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Poll {
    pub(crate) id: PollId,
    pub(crate) answer: oneshot::Sender<Result<Reply, Refusal>>,
}

/// A GET waits longer than a moment, and so will its session.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Rest;

/// The client of a GET left before it was answered.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct PollAborted(pub(crate) PollId);

/// A POST announces itself; a short one brings its body along.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Push {
    pub(crate) id: PushId,
    pub(crate) binary: bool,
    pub(crate) body: Option<PushBody>,
    pub(crate) answer: oneshot::Sender<Result<(), Refusal>>,
}

/// The first bytes of a POST's body have come, the last ones not.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct PushBegun(pub(crate) PushId);

/// The body of a POST is complete, or will never be.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Payload {
    pub(crate) id: PushId,
    pub(crate) body: Result<PushBody, Refusal>,
}

/// A WebSocket with this session's id was opened.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Attempt(pub(crate) Offer<Arc<Link>>);

/// A WebSocket sent `2probe`.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Probe {
    pub(crate) id: ProbeId,
    pub(crate) offer: Offer<Arc<Link>>,
}

/// A WebSocket sent `5`; what it sent behind comes along, or waits in its link.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Upgrade {
    pub(crate) id: ProbeId,
    pub(crate) offer: Offer<Carrier>,
}

/// The connection of the WebSocket on which the session begins.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Adopt(pub(crate) Offer<Handed>);

/// That connection will not come.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct WireLost;

/// The WebSocket of an upgrade attempt is gone.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct ProbeLost(pub(crate) ProbeId);

/// Something happened at the session's WebSocket: look at the link.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct LinkSignal;

/// To the server: enter a socket in the registry.
#[derive(Debug, Message)]
#[rtype(result = "Result<(), super::registry::RegisterError>")]
pub(crate) struct Register(pub(crate) Socket);

/// To the server: this session is over.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Unregister(pub(crate) Socket);

/// To the server: no socket lives any more.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Idle;

/// To the server: take no new sessions, end all in good order over this time; answered when the last one is gone.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Shutdown {
    pub(crate) window: Duration,
}

/// To the server: end what is left, at once.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct ShutdownNow;
