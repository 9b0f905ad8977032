//! How a session ends, and why a send may not be taken. An end is a reason, not an error.

use std::borrow::Cow;
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
    /// The write buffer was full, and [`FullPolicy::Close`](crate::FullPolicy::Close) ends the session then.
    SlowConsumer,
}

impl CloseReason {
    /// All of them, in the order of their declaration.
    #[cfg(feature = "server")]
    pub(crate) const ALL: [CloseReason; 9] = [
        CloseReason::PingTimeout,
        CloseReason::TransportClose,
        CloseReason::TransportError,
        CloseReason::ParseError,
        CloseReason::ForcedClose,
        CloseReason::ServerClosing,
        CloseReason::BufferFull,
        CloseReason::Panicked,
        CloseReason::SlowConsumer,
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
            CloseReason::SlowConsumer => "slow consumer",
        }
    }

    /// Which side ended it.
    pub fn side(self) -> Side {
        match self {
            CloseReason::PingTimeout
            | CloseReason::TransportClose
            | CloseReason::TransportError
            | CloseReason::ParseError => Side::Client,
            CloseReason::ForcedClose
            | CloseReason::ServerClosing
            | CloseReason::BufferFull
            | CloseReason::SlowConsumer
            | CloseReason::Panicked => Side::Server,
        }
    }

    /// The close code that a WebSocket gets along (RFC 6455 section 7.4.1).
    pub fn websocket_code(self) -> u16 {
        match self {
            CloseReason::PingTimeout | CloseReason::TransportClose | CloseReason::ForcedClose => 1000,
            CloseReason::ServerClosing => 1001,
            CloseReason::TransportError | CloseReason::ParseError => 1002,
            CloseReason::BufferFull | CloseReason::SlowConsumer => 1008,
            CloseReason::Panicked => 1011,
        }
    }
}

/// Whose doing an end is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Side {
    /// The client, or what lies between it and the server.
    Client,
    /// This server: its application, or its own rules about itself.
    Server,
}

impl fmt::Display for CloseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A session's end: the reason, in a few words what happened, and what is known of it in numbers.
///
/// As text it is all of that: `transport error: payload too large (1000001 bytes, limit 1000000)`.
///
/// An application makes one to say why it ends a session, of a text alone or with more:
///
/// ```
/// use engineio::{Close, CloseReason, Detail};
///
/// let close = Close::from("kicked by a moderator");
/// assert_eq!(close.reason, CloseReason::ForcedClose);
/// assert_eq!(close.to_string(), "forced close: kicked by a moderator");
/// let close = close.with(Detail::WebSocketCode(4001));
/// assert_eq!((close.websocket_code(), close.websocket_reason()), (4001, "kicked by a moderator"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Close {
    /// The reason.
    pub reason: CloseReason,
    /// What happened in particular, e.g. `overlap from client`, or the application's own words. Empty if the reason
    /// says it all.
    pub description: Cow<'static, str>,
    /// What is known of it in numbers.
    pub detail: Option<Detail>,
}

/// What is known of an end in numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Detail {
    /// The close code of the client's WebSocket (RFC 6455, section 7.4): 1005 if its close frame had none, 1006 if
    /// its connection ended without a close frame. Where this side ends a session, the code for the client instead of
    /// the reason's own.
    WebSocketCode(u16),
    /// A message or a body was too large.
    TooLarge {
        /// How many bytes were announced, if they were. What does not fit is its largest number.
        size: Option<u32>,
        /// How many are allowed. What does not fit is its largest number.
        limit: u32,
    },
    /// The client was silent.
    LastSeen {
        /// How many milliseconds ago its last packet came in.
        ago_ms: u32,
    },
}

impl Detail {
    /// Too large, by numbers of any size.
    pub(crate) fn too_large(size: Option<u64>, limit: usize) -> Self {
        Detail::TooLarge {
            size: size.map(|size| u32::try_from(size).unwrap_or(u32::MAX)),
            limit: u32::try_from(limit).unwrap_or(u32::MAX),
        }
    }
}

impl fmt::Display for Detail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Detail::WebSocketCode(code) => write!(f, "close code {code}"),
            Detail::TooLarge { size, limit } => {
                if let Some(size) = size {
                    write!(f, "{size} bytes, ")?;
                }
                write!(f, "limit {limit}")
            }
            Detail::LastSeen { ago_ms } => write!(f, "last seen {ago_ms} ms ago"),
        }
    }
}

impl fmt::Display for Close {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.reason.as_str())?;
        if !self.description.is_empty() {
            write!(f, ": {}", self.description)?;
        }
        self.detail.map_or(Ok(()), |detail| write!(f, " ({detail})"))
    }
}

impl Close {
    /// An end that its reason explains.
    pub fn new(reason: CloseReason) -> Self {
        Close {
            reason,
            description: Cow::Borrowed(""),
            detail: None,
        }
    }

    /// An end that needs a word more.
    pub fn because(reason: CloseReason, description: impl Into<Cow<'static, str>>) -> Self {
        Close {
            description: description.into(),
            ..Close::new(reason)
        }
    }

    /// The same with what is known in numbers.
    pub fn with(self, detail: Detail) -> Self {
        Close {
            detail: Some(detail),
            ..self
        }
    }

    /// The close code that a WebSocket gets along: [`CloseReason::websocket_code`], unless this side has another one
    /// for the client.
    pub fn websocket_code(&self) -> u16 {
        match self.detail {
            Some(Detail::WebSocketCode(code)) if self.reason.side() == Side::Server => code,
            _ => self.reason.websocket_code(),
        }
    }

    /// The text that a WebSocket gets along: what this side says of an end of its own, else the reason. Of more than
    /// 123 bytes, which are what fits in a close frame (RFC 6455 section 5.5), it is the beginning.
    pub fn websocket_reason(&self) -> &str {
        let own = self.reason.side() == Side::Server && !self.description.is_empty();
        let text = if own {
            &*self.description
        } else {
            self.reason.as_str()
        };
        let mut end = text.len().min(MAX_TEXT);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        text.get(..end).unwrap_or_default()
    }
}

/// The longest text of a close frame, in bytes.
const MAX_TEXT: usize = 123;

impl From<CloseReason> for Close {
    fn from(reason: CloseReason) -> Self {
        Close::new(reason)
    }
}

/// A forced close, in the application's own words.
impl From<&'static str> for Close {
    fn from(description: &'static str) -> Self {
        Close::because(CloseReason::ForcedClose, description)
    }
}

/// A forced close, in the application's own words.
impl From<String> for Close {
    fn from(description: String) -> Self {
        Close::because(CloseReason::ForcedClose, description)
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
    /// It was taken, and given up before it left: for a newer one with the same key, or for want of room
    /// ([`FullPolicy`](crate::FullPolicy)). Only who awaits that it is flushed is told.
    #[error("the message was dropped from the socket's write buffer")]
    Dropped,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_as_text_begins_with_engine_ios_string() {
        let told = |close: Close| close.to_string();
        assert_eq!(told(CloseReason::ForcedClose.into()), "forced close");
        let close = Close::because(CloseReason::TransportError, "overlap from client");
        assert_eq!(told(close), "transport error: overlap from client");
        let close = Close::because(CloseReason::TransportError, "payload too large");
        assert_eq!(
            told(close.clone().with(Detail::too_large(Some(1001), 1000))),
            "transport error: payload too large (1001 bytes, limit 1000)"
        );
        assert_eq!(
            told(close.with(Detail::too_large(None, usize::MAX))),
            "transport error: payload too large (limit 4294967295)"
        );
        let close = Close::new(CloseReason::TransportClose);
        assert_eq!(
            told(close.with(Detail::WebSocketCode(1006))),
            "transport close (close code 1006)"
        );
        let close = Close::new(CloseReason::PingTimeout);
        assert_eq!(
            told(close.with(Detail::LastSeen { ago_ms: 85_000 })),
            "ping timeout (last seen 85000 ms ago)"
        );
    }

    #[test]
    fn an_end_by_the_application_tells_the_websocket_its_own_words() {
        let told = |close: &Close| (close.websocket_code(), close.websocket_reason().to_owned());
        let close = Close::from("banned");
        assert_eq!(told(&close), (1000, "banned".to_owned()));
        let close = close.with(Detail::WebSocketCode(4003));
        assert_eq!(told(&close), (4003, "banned".to_owned()));
        assert_eq!(told(&Close::from("")), (1000, "forced close".to_owned()));
        // What is known of the client's end, and what happened, is not for the client.
        let close = Close::because(CloseReason::TransportError, "overlap from client");
        let close = close.with(Detail::WebSocketCode(1006));
        assert_eq!(told(&close), (1002, "transport error".to_owned()));
        // 122 bytes and a character of two.
        let close = Close::from("x".repeat(122) + "\u{e9}");
        assert_eq!(close.websocket_reason(), "x".repeat(122));
    }

    #[test]
    fn an_end_is_small() {
        assert!(size_of::<Close>() <= 40);
    }
}
