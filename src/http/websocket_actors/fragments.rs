//! Messages in pieces: actix's codec hands out the frames one by one and bounds each, not their sum, not their number.

use actix_http::ws::Item;
use bytes::{Bytes, BytesMut};
use bytestring::ByteString;

use crate::ws::{Limits, Message, ProtocolError};

/// Bounds messages, and puts those together that come in pieces.
pub(super) struct Fragments {
    limits: Limits,
    text: bool,
    data: BytesMut,
    /// Frames so far of the message that is coming.
    count: usize,
}

impl Fragments {
    pub(super) fn new(limits: Limits) -> Self {
        Fragments {
            limits,
            text: false,
            data: BytesMut::new(),
            count: 0,
        }
    }

    /// How many bytes the next frame may have.
    pub(super) fn room(&self) -> usize {
        self.limits.max_message.saturating_sub(self.data.len())
    }

    /// A message in one frame.
    pub(super) fn whole(&self, message: Message) -> Result<Message, ProtocolError> {
        let len = match &message {
            Message::Text(text) => text.len(),
            Message::Binary(bytes) => bytes.len(),
        };
        match len <= self.limits.max_message {
            true => Ok(message),
            false => Err(too_big(len)),
        }
    }

    /// The next piece. The codec has seen to it that first, middle and last ones come in this order.
    pub(super) fn add(&mut self, item: Item) -> Result<Option<Message>, ProtocolError> {
        let (piece, last) = match item {
            Item::FirstText(piece) => {
                self.text = true;
                (piece, false)
            }
            Item::FirstBinary(piece) => {
                self.text = false;
                (piece, false)
            }
            Item::Continue(piece) => (piece, false),
            Item::Last(piece) => (piece, true),
        };
        // Empty pieces cost no bytes: only their number ends an endless message.
        self.count += 1;
        if self.count > self.limits.max_fragments {
            return Err(ProtocolError::TooManyFragments);
        }
        if piece.len() > self.room() {
            return Err(too_big(self.data.len() + piece.len()));
        }
        self.data.extend_from_slice(&piece);
        if !last {
            return Ok(None);
        }
        self.count = 0;
        let whole = std::mem::take(&mut self.data).freeze();
        self.message(whole).map(Some)
    }

    fn message(&self, whole: Bytes) -> Result<Message, ProtocolError> {
        if !self.text {
            return Ok(Message::Binary(whole));
        }
        match ByteString::try_from(whole) {
            Ok(text) => Ok(Message::Text(text)),
            Err(_) => Err(ProtocolError::InvalidUtf8),
        }
    }
}

/// Of so many bytes so far.
fn too_big(len: usize) -> ProtocolError {
    ProtocolError::MessageTooBig {
        size: Some(len as u64),
    }
}
