//! The errors of the rules, by who must act. No catch-all, nothing boxed.

/// Bytes that are no packet or payload. The session that sent them ends with a parse error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// There was nothing where a packet should be: an empty body, or nothing behind a separator.
    #[error("empty packet")]
    Empty,
    /// The first character is no packet type.
    #[error("unknown packet type")]
    PacketType,
    /// Binary in base64 that does not decode.
    #[error("invalid base64")]
    Base64,
    /// Text that is not UTF-8.
    #[error("invalid UTF-8")]
    Utf8,
    /// A packet's header (revision 3) that is missing or no number, or a length beyond the payload's end.
    #[error("invalid packet length")]
    Length,
    /// A binary payload (`application/octet-stream`) in revision 4, which has none.
    #[error("binary payload in revision 4")]
    BinaryPayload,
}
