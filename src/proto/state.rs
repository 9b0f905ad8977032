//! The states of a session. Everything in this file touches nothing but its own enums.

use std::time::Instant;

use super::event::{PollId, ProbeId, PushId};
use super::{Close, Transport};

/// What engine.io calls `readyState`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ReadyState {
    /// The application is being told of it.
    Opening,
    /// Messages flow.
    Open,
    /// No message is taken any more; what was taken still leaves.
    Closing,
    /// The end.
    Closed,
}

impl ReadyState {
    /// engine.io's string for it: `opening`, `open`, `closing` or `closed`.
    pub fn as_str(self) -> &'static str {
        match self {
            ReadyState::Opening => "opening",
            ReadyState::Open => "open",
            ReadyState::Closing => "closing",
            ReadyState::Closed => "closed",
        }
    }
}

/// Where a session is in its life.
///
/// ```text
///             open                close               flushed, or its deadline
///   Opening ────────► Open(Link) ────────► Closing(Link) ─────────┐
///      │                  │                     │                  ▼
///      └──────────────────┴─────────────────────┴──────────────► Closed
///                  the client closes, breaks a rule or is silent
///
///   Link:  Polling ──2probe──► Polling + probe ──5──► WebSocket
///             ▲                       │
///             └───────────────────────┘
///               anything else, lost, or its deadline
/// ```
#[derive(Debug)]
#[cfg_attr(test, derive(Clone, Hash))]
pub(super) enum State {
    /// The application is being told; nothing has left yet. It may already want to close again.
    Opening { close: Option<Box<Close>> },
    /// Messages flow.
    Open(Link),
    /// No message is taken any more; what is in the write buffer still leaves.
    Closing {
        link: Link,
        close: Box<Close>,
        deadline: Instant,
    },
    /// The end. Until `farewell` a poll that was under way when the client closed is still answered.
    Closed { farewell: Option<Instant> },
}

/// The transport of a session.
#[derive(Debug)]
#[cfg_attr(test, derive(Clone, Hash))]
pub(super) enum Link {
    /// Apart, since a WebSocket needs none of it.
    Polling(Box<Polling>),
    WebSocket(WebSocket),
}

#[derive(Debug, Default)]
#[cfg_attr(test, derive(Clone, Hash))]
pub(super) struct Polling {
    /// The poll that waits for something to say.
    pub(super) parked: Option<PollId>,
    /// The POST that is coming in.
    pub(super) push: Option<Push>,
    /// The upgrade that is on.
    pub(super) probe: Option<Probing>,
    /// How many packets at the buffer's head make up the handshake's answer, which travels alone.
    pub(super) handshake: usize,
}

#[derive(Debug, Default)]
#[cfg_attr(test, derive(Clone, Hash))]
pub(super) struct WebSocket {
    /// A POST of before the swap that has not arrived yet: nothing is read from the WebSocket until then.
    pub(super) held: Option<Box<Push>>,
}

#[derive(Debug, Clone, Copy)]
#[cfg_attr(test, derive(Hash))]
pub(super) struct Push {
    pub(super) id: PushId,
    /// When its body must be complete.
    pub(super) deadline: Instant,
    /// Whether a byte of its body has been seen.
    pub(super) begun: bool,
}

/// An upgrade from `2probe` until `5`.
#[derive(Debug)]
#[cfg_attr(test, derive(Clone, Hash))]
pub(super) struct Probing {
    pub(super) id: ProbeId,
    pub(super) deadline: Instant,
    /// How many polls were answered by `noop` already.
    pub(super) noops: u8,
    /// When the parked poll gets its `noop`.
    pub(super) noop_at: Option<Instant>,
}

impl State {
    pub(super) fn link(&self) -> Option<&Link> {
        match self {
            State::Open(link) | State::Closing { link, .. } => Some(link),
            State::Opening { .. } | State::Closed { .. } => None,
        }
    }

    pub(super) fn link_mut(&mut self) -> Option<&mut Link> {
        match self {
            State::Open(link) | State::Closing { link, .. } => Some(link),
            State::Opening { .. } | State::Closed { .. } => None,
        }
    }

    /// The polling side, if that is the transport.
    pub(super) fn polling(&mut self) -> Option<&mut Polling> {
        match self.link_mut() {
            Some(Link::Polling(polling)) => Some(polling),
            _ => None,
        }
    }

    /// The WebSocket side, if that is the transport.
    pub(super) fn websocket(&mut self) -> Option<&mut WebSocket> {
        match self.link_mut() {
            Some(Link::WebSocket(websocket)) => Some(websocket),
            _ => None,
        }
    }

    /// The POST that is coming in, or was when the session moved to WebSocket.
    pub(super) fn push(&self) -> Option<&Push> {
        match self.link()? {
            Link::Polling(polling) => polling.push.as_ref(),
            Link::WebSocket(websocket) => websocket.held.as_deref(),
        }
    }

    pub(super) fn push_mut(&mut self) -> Option<&mut Push> {
        match self.link_mut()? {
            Link::Polling(polling) => polling.push.as_mut(),
            Link::WebSocket(websocket) => websocket.held.as_deref_mut(),
        }
    }

    pub(super) fn ready_state(&self) -> ReadyState {
        match self {
            State::Opening { .. } => ReadyState::Opening,
            State::Open(_) => ReadyState::Open,
            State::Closing { .. } => ReadyState::Closing,
            State::Closed { .. } => ReadyState::Closed,
        }
    }

    pub(super) fn transport(&self) -> Option<Transport> {
        self.link().map(|link| match link {
            Link::Polling(_) => Transport::Polling,
            Link::WebSocket(_) => Transport::WebSocket,
        })
    }

    /// `Opening` becomes `Open`, or `Closing` if that was asked for meanwhile. From any other state this
    /// is the driver's mistake and changes nothing.
    pub(super) fn open(&mut self, link: Link, close_deadline: Instant) {
        if let State::Opening { close } = self {
            *self = match close.take() {
                None => State::Open(link),
                Some(close) => State::Closing {
                    link,
                    close,
                    deadline: close_deadline,
                },
            };
        }
    }

    /// `Open` becomes `Closing`, `Opening` will.
    pub(super) fn close(&mut self, close: Close, deadline: Instant) {
        *self = match std::mem::replace(self, State::Closed { farewell: None }) {
            State::Opening { close: earlier } => State::Opening {
                close: earlier.or(Some(Box::new(close))),
            },
            State::Open(link) => State::Closing {
                link,
                close: Box::new(close),
                deadline,
            },
            other => other,
        };
    }

    /// The probe with this id wins: polling gives way to WebSocket. Returns what polling leaves behind.
    pub(super) fn upgrade(&mut self, id: ProbeId) -> Option<Box<Polling>> {
        let link = self.link_mut()?;
        let Link::Polling(polling) = link else { return None };
        if polling.probe.as_ref()?.id != id {
            return None;
        }
        let polling = std::mem::take(polling);
        *link = Link::WebSocket(WebSocket::default());
        Some(polling)
    }
}
