//! What a peer can do wrong in frames, and the close code that it is told. A refused handshake is not here.

use super::CloseCode;

/// A peer that broke RFC 6455 or went over a limit. The connection has failed (RFC 6455 section 7.1.7): a
/// close frame with [`ProtocolError::close_code`] is queued and nothing more is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProtocolError {
    /// A client's frame without a mask (RFC 6455 section 5.1).
    #[error("unmasked frame")]
    Unmasked,
    /// A reserved bit that no negotiated extension gives a meaning (RFC 6455 section 5.2).
    #[error("reserved bit set")]
    ReservedBit,
    /// One of the reserved opcodes 3 to 7 and 11 to 15, given here (RFC 6455 section 5.2).
    #[error("reserved opcode {0}")]
    ReservedOpCode(u8),
    /// A control frame without FIN (RFC 6455 section 5.5).
    #[error("fragmented control frame")]
    FragmentedControl,
    /// A control frame with more than 125 bytes of payload (RFC 6455 section 5.5).
    #[error("control frame over 125 bytes")]
    OversizeControl,
    /// A length in more bytes than it needs, or with its most significant bit set (RFC 6455 section 5.2).
    #[error("invalid frame length")]
    InvalidLength,
    /// A continuation with no message to continue (RFC 6455 section 5.4).
    #[error("continuation without a message")]
    UnexpectedContinuation,
    /// A new message inside a fragmented one (RFC 6455 section 5.4).
    #[error("message inside a fragmented message")]
    UnexpectedMessage,
    /// A message, what its frames' headers announce of it, or what it inflates to, over [`Limits::max_message`].
    ///
    /// [`Limits::max_message`]: super::Limits::max_message
    #[error("message too big")]
    MessageTooBig {
        /// How many bytes its frames' headers announce so far, if that is what was too much.
        size: Option<u64>,
    },
    /// A message in more frames than [`Limits::max_fragments`].
    ///
    /// [`Limits::max_fragments`]: super::Limits::max_fragments
    #[error("too many fragments")]
    TooManyFragments,
    /// Text, or a close frame's reason, that is not UTF-8 (RFC 6455 section 8.1).
    #[error("invalid UTF-8")]
    InvalidUtf8,
    /// A compressed message that cannot be inflated, or breaks off (RFC 7692 section 6.2).
    #[error("invalid compressed message")]
    InvalidDeflate,
    /// A close frame with a payload of one byte: half a code (RFC 6455 section 5.5.1).
    #[error("close frame with half a code")]
    InvalidClose,
    /// A close code, given here, that must not stand in a frame (RFC 6455 section 7.4).
    #[error("invalid close code {0}")]
    InvalidCloseCode(u16),
}

impl ProtocolError {
    /// The code of the close frame that tells the peer (RFC 6455 section 7.4.1): 1007 for bad UTF-8 and
    /// what cannot be inflated, 1009 for a message over the limit, 1008 for too many fragments, 1002 for everything
    /// else.
    pub fn close_code(self) -> CloseCode {
        match self {
            ProtocolError::InvalidUtf8 | ProtocolError::InvalidDeflate => CloseCode::INVALID_PAYLOAD,
            ProtocolError::MessageTooBig { .. } => CloseCode::MESSAGE_TOO_BIG,
            ProtocolError::TooManyFragments => CloseCode::POLICY_VIOLATION,
            _ => CloseCode::PROTOCOL_ERROR,
        }
    }
}
