//! The errors of the rules, by who must act. No catch-all, nothing boxed.

/// Bytes that are no packet or payload. The session that sent them ends with a parse error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// There was nothing where a packet should be.
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
    /// A length (revision 3) that is missing, no number, or beyond the payload's end.
    #[error("invalid packet length")]
    Length,
    /// More packets in one payload than its bytes can mean well.
    #[error("too many packets in one payload")]
    TooManyPackets,
}
