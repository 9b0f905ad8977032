//! How a session ends, and why a send may not be taken. An end is a reason, not an error.

use std::fmt;

/// Why a session ended. [`as_str`](CloseReason::as_str) gives the field's own strings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CloseReason {
    /// The other side was silent for too long.
    PingTimeout,
    /// The other side ended it, or its connection is gone.
    TransportClose,
    /// The other side broke the rules of a transport, or a connection broke.
    TransportError,
    /// The other side sent bytes that are no packets.
    ParseError,
    /// This side ended it.
    ForcedClose,
    /// The server shuts down.
    ServerClosing,
    /// More was sent than [`Config::max_buffered_bytes`](crate::Config::max_buffered_bytes), and nobody
    /// could be told.
    BufferFull,
    /// The application's handler panicked, or the actor that handles this session is gone.
    Panicked,
}

impl CloseReason {
    /// All of them, in the order of their declaration.
    #[cfg(feature = "server")]
    pub(crate) const ALL: [CloseReason; 8] = [
        CloseReason::PingTimeout,
        CloseReason::TransportClose,
        CloseReason::TransportError,
        CloseReason::ParseError,
        CloseReason::ForcedClose,
        CloseReason::ServerClosing,
        CloseReason::BufferFull,
        CloseReason::Panicked,
    ];

    /// The string that engine.io uses for it; what engine.io does not know has a string of its own.
    pub fn as_str(self) -> &'static str {
        match self {
            CloseReason::PingTimeout => "ping timeout",
            CloseReason::TransportClose => "transport close",
            CloseReason::TransportError => "transport error",
            CloseReason::ParseError => "parse error",
            CloseReason::ForcedClose => "forced close",
            CloseReason::ServerClosing => "server shutting down",
            CloseReason::BufferFull => "buffer full",
            CloseReason::Panicked => "handler panicked",
        }
    }

    /// The close code that a WebSocket gets along (RFC 6455 section 7.4.1).
    pub fn websocket_code(self) -> u16 {
        match self {
            CloseReason::PingTimeout | CloseReason::TransportClose | CloseReason::ForcedClose => 1000,
            CloseReason::ServerClosing => 1001,
            CloseReason::TransportError | CloseReason::ParseError => 1002,
            CloseReason::BufferFull => 1008,
            CloseReason::Panicked => 1011,
        }
    }
}

impl fmt::Display for CloseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A session's end: the reason, and in a few words what happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Close {
    /// The reason.
    pub reason: CloseReason,
    /// What happened in particular, e.g. `overlap from client`. Empty if the reason says it all.
    pub description: &'static str,
}

impl Close {
    /// An end that its reason explains.
    pub fn new(reason: CloseReason) -> Self {
        Close {
            reason,
            description: "",
        }
    }

    /// An end that needs a word more.
    pub fn because(reason: CloseReason, description: &'static str) -> Self {
        Close { reason, description }
    }
}

impl From<CloseReason> for Close {
    fn from(reason: CloseReason) -> Self {
        Close::new(reason)
    }
}

/// Why a message was not taken. The message is dropped; nothing else is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// The write buffer holds as many bytes as it may. Send less, or later.
    #[error("the socket's write buffer is full")]
    Full,
    /// The session is closing or closed. Stop sending.
    #[error("the session is closed")]
    Closed,
    /// The message alone is larger than the write buffer may ever be. Send it in parts.
    #[error("the message is larger than the socket's write buffer")]
    TooLarge,
}
