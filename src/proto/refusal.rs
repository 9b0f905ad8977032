//! What a request is answered with that is not let in: engine.io's codes, their texts and HTTP statuses.
//! Knows numbers and texts, not requests.

use std::borrow::Cow;

/// Why a request was refused. Whoever sent the request must act; the session it names goes on unless said otherwise.
///
/// The codes 0 to 5 and their texts are those of engine.io 6 (its `Server.errors` and `Server.errorMessages`).
#[derive(Debug, Clone, PartialEq, Eq, Hash, thiserror::Error)]
#[error("{}", self.message())]
#[non_exhaustive]
pub enum Refusal {
    /// Code 0: no such transport, or it is not enabled.
    UnknownTransport,
    /// Code 1: no session has that id (any more), or it cannot be an id at all.
    UnknownSid,
    /// Code 2: a handshake is a GET; OPTIONS and other methods have no meaning here at all.
    BadHandshakeMethod,
    /// Code 3, and what is wrong.
    BadRequest(BadRequest),
    /// Code 4: the application, or the `Origin` check, said no. With the message for the client.
    Forbidden(Cow<'static, str>),
    /// Code 5: `EIO` is neither 4 nor 3, or is missing, or is 3 where that is switched off.
    UnsupportedProtocolVersion,
    /// The body is longer than `max_http_buffer_size`. No code of engine.io's: 3, status 413.
    PayloadTooLarge {
        /// How many bytes it has, as far as that is known.
        size: u64,
    },
    /// The body did not arrive in time. No code of engine.io's: 3, status 408.
    RequestTimeout,
    /// The server takes no new sessions. No code of engine.io's: 3, status 503.
    ServerClosing,
    /// There are as many sessions as there may be. No code of engine.io's: 3, status 503.
    ServerFull,
    /// There are as many sessions that never polled as there may be. No code of engine.io's: 3, status 503.
    TooManyUnpolled,
    /// This client has as many sessions as it may have. No code of engine.io's: 3, status 429.
    TooManySessions,
    /// More handshakes came in a second than are looked at. No code of engine.io's: 3, status 429.
    TooManyHandshakes,
    /// A fault of the application or ours. No code of engine.io's: 3, status 500.
    Internal,
}

/// What is wrong with a request of code 3. Names are engine.io's where it has one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum BadRequest {
    /// The session is on another transport, and this is no upgrade.
    TransportMismatch,
    /// `transport=websocket` without an `Upgrade`, or an `Upgrade` that is no valid WebSocket handshake.
    TransportHandshake,
    /// An `Origin` header with bytes that no header may hold.
    InvalidOrigin,
    /// The application made no id.
    IdGeneration,
    /// `EIO`, `sid` or `transport` is there more than once.
    DuplicateParameter,
    /// Another `EIO` than the session's.
    ProtocolMismatch,
    /// A second GET while one is waiting, or a second POST while one is read. The session ends.
    Overlap,
    /// A body that is no payload. The session ends.
    InvalidPayload,
    /// A WebSocket for a session that has one, or is trying another.
    UpgradeConflict,
}

impl BadRequest {
    /// The name in the context of engine.io's `connection_error` event.
    pub fn name(self) -> &'static str {
        match self {
            BadRequest::TransportMismatch => "TRANSPORT_MISMATCH",
            BadRequest::TransportHandshake => "TRANSPORT_HANDSHAKE_ERROR",
            BadRequest::InvalidOrigin => "INVALID_ORIGIN",
            BadRequest::IdGeneration => "ID_GENERATION_ERROR",
            BadRequest::DuplicateParameter => "DUPLICATE_PARAMETER",
            BadRequest::ProtocolMismatch => "PROTOCOL_MISMATCH",
            BadRequest::Overlap => "OVERLAP",
            BadRequest::InvalidPayload => "INVALID_PAYLOAD",
            BadRequest::UpgradeConflict => "UPGRADE_CONFLICT",
        }
    }
}

impl From<BadRequest> for Refusal {
    fn from(reason: BadRequest) -> Self {
        Refusal::BadRequest(reason)
    }
}

impl Refusal {
    /// A refusal by the application; an empty message stands for "Forbidden".
    pub fn forbidden(message: impl Into<Cow<'static, str>>) -> Self {
        Refusal::Forbidden(message.into())
    }

    /// The code in the answer: 0 to 5, and 3 for what engine.io has no code for.
    pub fn code(&self) -> u8 {
        match self {
            Refusal::UnknownTransport => 0,
            Refusal::UnknownSid => 1,
            Refusal::BadHandshakeMethod => 2,
            Refusal::BadRequest(_) => 3,
            Refusal::Forbidden(_) => 4,
            Refusal::UnsupportedProtocolVersion => 5,
            Refusal::PayloadTooLarge { .. }
            | Refusal::RequestTimeout
            | Refusal::ServerClosing
            | Refusal::ServerFull
            | Refusal::TooManyUnpolled
            | Refusal::TooManySessions
            | Refusal::TooManyHandshakes
            | Refusal::Internal => 3,
        }
    }

    /// The text in the answer.
    pub fn message(&self) -> &str {
        match self {
            Refusal::UnknownTransport => "Transport unknown",
            Refusal::UnknownSid => "Session ID unknown",
            Refusal::BadHandshakeMethod => "Bad handshake method",
            Refusal::BadRequest(_) => "Bad request",
            Refusal::Forbidden(message) if !message.is_empty() => message,
            Refusal::Forbidden(_) => "Forbidden",
            Refusal::UnsupportedProtocolVersion => "Unsupported protocol version",
            Refusal::PayloadTooLarge { .. } => "Payload too large",
            Refusal::RequestTimeout => "Request timeout",
            Refusal::ServerClosing => "Server closing",
            Refusal::ServerFull | Refusal::TooManyUnpolled => "Server full",
            Refusal::TooManySessions => "Too many sessions",
            Refusal::TooManyHandshakes => "Too many handshakes",
            Refusal::Internal => "Internal server error",
        }
    }

    /// What exactly was refused, for logs and events; it is not in the answer.
    pub fn context(&self) -> &'static str {
        match self {
            Refusal::UnknownTransport => "UNKNOWN_TRANSPORT",
            Refusal::UnknownSid => "UNKNOWN_SID",
            Refusal::BadHandshakeMethod => "BAD_HANDSHAKE_METHOD",
            Refusal::BadRequest(reason) => reason.name(),
            Refusal::Forbidden(_) => "FORBIDDEN",
            Refusal::UnsupportedProtocolVersion => "UNSUPPORTED_PROTOCOL_VERSION",
            Refusal::PayloadTooLarge { .. } => "PAYLOAD_TOO_LARGE",
            Refusal::RequestTimeout => "REQUEST_TIMEOUT",
            Refusal::ServerClosing => "SERVER_CLOSING",
            Refusal::ServerFull => "SERVER_FULL",
            Refusal::TooManyUnpolled => "TOO_MANY_UNPOLLED",
            Refusal::TooManySessions => "TOO_MANY_SESSIONS",
            Refusal::TooManyHandshakes => "TOO_MANY_HANDSHAKES",
            Refusal::Internal => "INTERNAL_ERROR",
        }
    }

    /// The HTTP status of the answer.
    pub fn status(&self) -> u16 {
        match self {
            Refusal::Forbidden(_) => 403,
            Refusal::PayloadTooLarge { .. } => 413,
            Refusal::RequestTimeout => 408,
            Refusal::ServerClosing | Refusal::ServerFull | Refusal::TooManyUnpolled => 503,
            Refusal::TooManySessions | Refusal::TooManyHandshakes => 429,
            Refusal::Internal => 500,
            _ => 400,
        }
    }

    /// After how many seconds it may be tried again (`Retry-After`). Clients spread their attempts by jitter of
    /// their own.
    pub fn retry_after(&self) -> Option<u8> {
        match self {
            // Long enough for a restart, short enough for a user.
            Refusal::ServerClosing => Some(5),
            Refusal::ServerFull | Refusal::TooManyUnpolled | Refusal::TooManySessions => Some(10),
            Refusal::TooManyHandshakes => Some(1),
            _ => None,
        }
    }

    /// The JSON of the answer: `{"code":n,"message":".."}`.
    pub fn body(&self) -> String {
        format!(
            r#"{{"code":{},"message":{}}}"#,
            self.code(),
            serde_json::Value::from(self.message())
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The table of engine.io 6: code, status, body.
    #[test]
    fn codes_texts_and_statuses_are_engine_ios() {
        for (refusal, status, body) in [
            (
                Refusal::UnknownTransport,
                400,
                r#"{"code":0,"message":"Transport unknown"}"#,
            ),
            (
                Refusal::UnknownSid,
                400,
                r#"{"code":1,"message":"Session ID unknown"}"#,
            ),
            (
                Refusal::BadHandshakeMethod,
                400,
                r#"{"code":2,"message":"Bad handshake method"}"#,
            ),
            (
                BadRequest::TransportMismatch.into(),
                400,
                r#"{"code":3,"message":"Bad request"}"#,
            ),
            (Refusal::forbidden(""), 403, r#"{"code":4,"message":"Forbidden"}"#),
            (
                Refusal::forbidden("Thou \"shalt\" not"),
                403,
                r#"{"code":4,"message":"Thou \"shalt\" not"}"#,
            ),
            (
                Refusal::UnsupportedProtocolVersion,
                400,
                r#"{"code":5,"message":"Unsupported protocol version"}"#,
            ),
            (
                Refusal::PayloadTooLarge { size: 1 },
                413,
                r#"{"code":3,"message":"Payload too large"}"#,
            ),
            (
                Refusal::RequestTimeout,
                408,
                r#"{"code":3,"message":"Request timeout"}"#,
            ),
            (
                Refusal::ServerClosing,
                503,
                r#"{"code":3,"message":"Server closing"}"#,
            ),
            (Refusal::ServerFull, 503, r#"{"code":3,"message":"Server full"}"#),
            (
                Refusal::TooManyUnpolled,
                503,
                r#"{"code":3,"message":"Server full"}"#,
            ),
            (
                Refusal::TooManySessions,
                429,
                r#"{"code":3,"message":"Too many sessions"}"#,
            ),
            (
                Refusal::TooManyHandshakes,
                429,
                r#"{"code":3,"message":"Too many handshakes"}"#,
            ),
            (
                Refusal::Internal,
                500,
                r#"{"code":3,"message":"Internal server error"}"#,
            ),
        ] {
            assert_eq!(
                (refusal.status(), refusal.body().as_str()),
                (status, body),
                "{refusal:?}"
            );
        }
    }

    #[test]
    fn the_context_says_more_than_the_answer() {
        assert_eq!(
            Refusal::from(BadRequest::TransportMismatch).context(),
            "TRANSPORT_MISMATCH"
        );
        assert_eq!(Refusal::UnknownSid.context(), "UNKNOWN_SID");
        assert_eq!(Refusal::forbidden("no").to_string(), "no");
    }
}
