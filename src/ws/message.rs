//! What a connection gives, a message, and what bounds it.

use bytes::Bytes;
use bytestring::ByteString;

use crate::Data;

/// What a peer may make a connection hold. Checked against the headers of frames, before their payload comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The longest message, in bytes, all its fragments together.
    pub max_message: usize,
    /// The most frames that one message may come in. A message in one frame is always taken.
    pub max_fragments: usize,
}

/// A message, whole and checked (RFC 6455 section 5.6).
///
/// Usually a slice of the buffer that was read: whoever keeps a small one for long should copy it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// Text: UTF-8.
    Text(ByteString),
    /// Bytes.
    Binary(Bytes),
}

impl From<Message> for Data {
    fn from(message: Message) -> Data {
        match message {
            Message::Text(text) => Data::Text(text),
            Message::Binary(bytes) => Data::Binary(bytes),
        }
    }
}
