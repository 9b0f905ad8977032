//! Close codes and the payload of a close frame (RFC 6455 sections 5.5.1 and 7.4).

use bytestring::ByteString;

use super::ProtocolError;
use super::frame::MAX_CONTROL;

/// The longest reason of a close frame, in bytes: what two bytes of code leave of a control frame.
pub const MAX_REASON: usize = MAX_CONTROL - 2;

/// A close code that may stand in a close frame (RFC 6455 section 7.4): 1000 to 1003, 1007 to 1014 (as the
/// IANA registry has them), 3000 to 4999.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct CloseCode(u16);

impl CloseCode {
    /// 1000: what the connection was for is done.
    pub const NORMAL: CloseCode = CloseCode(1000);
    /// 1001: the server goes down, or the browser leaves the page.
    pub const GOING_AWAY: CloseCode = CloseCode(1001);
    /// 1002: a frame broke the protocol.
    pub const PROTOCOL_ERROR: CloseCode = CloseCode(1002);
    /// 1003: a kind of data (text, binary) that is not taken here.
    pub const UNSUPPORTED_DATA: CloseCode = CloseCode(1003);
    /// 1007: text that is not UTF-8.
    pub const INVALID_PAYLOAD: CloseCode = CloseCode(1007);
    /// 1008: a message against the rules of this server.
    pub const POLICY_VIOLATION: CloseCode = CloseCode(1008);
    /// 1009: a message too big to be processed.
    pub const MESSAGE_TOO_BIG: CloseCode = CloseCode(1009);
    /// 1010: a client misses an extension. A server does not send it.
    pub const MANDATORY_EXTENSION: CloseCode = CloseCode(1010);
    /// 1011: something unexpected went wrong at the server.
    pub const INTERNAL_ERROR: CloseCode = CloseCode(1011);
    /// 1012: the service restarts.
    pub const SERVICE_RESTART: CloseCode = CloseCode(1012);
    /// 1013: overloaded; try again later.
    pub const TRY_AGAIN_LATER: CloseCode = CloseCode(1013);
    /// 1014: a gateway got an invalid answer from behind it.
    pub const BAD_GATEWAY: CloseCode = CloseCode(1014);

    /// The code for a number, if it may stand in a frame: not 1004 to 1006, 1015 and what nobody has assigned.
    pub const fn new(number: u16) -> Option<CloseCode> {
        match number {
            1000..=1003 | 1007..=1014 | 3000..=4999 => Some(CloseCode(number)),
            _ => None,
        }
    }

    /// The number on the wire.
    pub const fn number(self) -> u16 {
        self.0
    }
}

/// What stands in a close frame (RFC 6455 section 5.5.1).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CloseFrame {
    /// The code; `None` for a frame without payload (an API that needs a number calls that 1005).
    pub code: Option<CloseCode>,
    /// Text for whoever debugs; often empty.
    pub reason: ByteString,
}

impl CloseFrame {
    /// Reads the unmasked payload of a close frame.
    ///
    /// # Errors
    /// [`ProtocolError`]: one byte only, a code that must not be in a frame, a reason that is not UTF-8.
    pub fn decode(payload: &[u8]) -> Result<CloseFrame, ProtocolError> {
        match payload {
            [] => Ok(CloseFrame::default()),
            [_] => Err(ProtocolError::InvalidClose),
            [high, low, reason @ ..] => {
                let number = u16::from_be_bytes([*high, *low]);
                let code = CloseCode::new(number).ok_or(ProtocolError::InvalidCloseCode(number))?;
                let reason = ByteString::try_from(reason).map_err(|_| ProtocolError::InvalidUtf8)?;
                Ok(CloseFrame {
                    code: Some(code),
                    reason,
                })
            }
        }
    }

    /// The payload of a close frame with this code and as much of the reason as fits, cut between two
    /// characters.
    pub fn encode(code: CloseCode, reason: &str) -> Vec<u8> {
        let mut end = reason.len().min(MAX_REASON);
        while !reason.is_char_boundary(end) {
            end -= 1;
        }
        let mut payload = Vec::with_capacity(2 + end);
        payload.extend_from_slice(&code.number().to_be_bytes());
        payload.extend_from_slice(&reason.as_bytes()[..end]);
        payload
    }
}
