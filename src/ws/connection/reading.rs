//! A connection's input: frames until a message is whole, control frames answered on the way.

use bytes::{Buf, Bytes, BytesMut};

use super::{Connection, MAX_PONGS, State};
use crate::ws::assembly::Assembly;
use crate::ws::frame::{self, Header, OpCode};
use crate::ws::mask::unmask;
use crate::ws::{CloseFrame, ProtocolError, deflate};

/// What reading came to. Small on purpose: the payload is not moved through it.
#[derive(Debug)]
pub(super) enum Ready {
    /// More bytes are needed.
    Nothing,
    /// A message in one frame, whose payload begins the input.
    Frame {
        text: bool,
        compressed: bool,
        len: usize,
        mask: [u8; 4],
    },
    /// A message in pieces.
    Assembled(Box<Assembly>),
}

impl Connection {
    /// The bounds of a short message in one frame that is not compressed and lies whole at the beginning of the input:
    /// what comes most often, with the checks that it needs.
    #[inline]
    pub(super) fn short_message(&self) -> Option<(bool, usize, [u8; 4])> {
        let [first, second, k0, k1, k2, k3, rest @ ..] = &*self.input else {
            return None;
        };
        let text = match *first {
            frame::TEXT => true,
            frame::BINARY => false,
            _ => return None,
        };
        // Masked, and with its length in seven bits.
        let len = usize::from(second.wrapping_sub(0x80));
        let is_plain = len < 126 && len <= rest.len() && len <= self.limits.max_message;
        let is_alone = self.assembly.is_none() && self.is_open();
        debug_assert!(!is_alone || self.discard == 0, "only who is closing discards");
        (is_plain && is_alone).then_some((text, len, [*k0, *k1, *k2, *k3]))
    }

    /// Frames until a message is whole or the input ends.
    pub(super) fn read(&mut self) -> Result<Ready, ProtocolError> {
        loop {
            if self.discard > 0 {
                let taken = self.discard.min(self.input.len() as u64);
                self.discard -= taken;
                self.consume(taken as usize);
            }
            if self
                .assembly
                .as_ref()
                .is_some_and(|assembly| assembly.missing() > 0)
                && let Some(assembly) = self.read_payload()?
            {
                return Ok(Ready::Assembled(assembly));
            }
            if self.input.is_empty() {
                return Ok(Ready::Nothing);
            }
            let header = Header::decode(&self.input, self.room(), self.compression.is_some());
            let Some(header) = header.map_err(|error| self.in_all(error))? else {
                break;
            };
            if header.opcode.is_control() {
                if !self.read_control(&header)? {
                    break;
                }
                continue;
            }
            if !self.is_open() {
                self.consume(header.size);
                self.discard = header.len;
                continue;
            }
            // `room` was at most a usize.
            let len = header.len as usize;
            let text = header.opcode == OpCode::Text;
            match (&self.assembly, header.opcode) {
                (None, OpCode::Continuation) => return Err(ProtocolError::UnexpectedContinuation),
                (Some(_), OpCode::Text | OpCode::Binary) => return Err(ProtocolError::UnexpectedMessage),
                (None, _) if header.fin && self.input.len() - header.size >= len => {
                    self.input.advance(header.size);
                    return Ok(Ready::Frame {
                        text,
                        compressed: header.compressed,
                        len,
                        mask: header.mask,
                    });
                }
                _ => {}
            }
            let assembly = self
                .assembly
                .get_or_insert_with(|| Box::new(Assembly::new(text, header.compressed)));
            assembly.begin(&header, len, self.limits.max_fragments)?;
            self.consume(header.size);
            if let Some(assembly) = self.read_payload()? {
                return Ok(Ready::Assembled(assembly));
            }
        }
        // The beginning of a header or of a control frame: it must not keep the whole read alive.
        self.input = BytesMut::from(&self.input[..]);
        Ok(Ready::Nothing)
    }

    /// How many bytes of payload the next data frame may have.
    #[inline]
    fn room(&self) -> u64 {
        if !self.is_open() {
            return u64::MAX; // discarded, not kept
        }
        let kept = self.assembly.as_ref().map_or(0, |assembly| assembly.len());
        let mut most = self.limits.max_message;
        if self.compression.is_some() && self.is_compressed() {
            most = deflate::longest_compressed(most);
        }
        most.saturating_sub(kept) as u64
    }

    /// A frame that is too much, counted together with those of its message that have come before.
    #[cold]
    fn in_all(&self, error: ProtocolError) -> ProtocolError {
        let kept = self.assembly.as_ref().map_or(0, |assembly| assembly.len());
        match error {
            ProtocolError::MessageTooBig { size: Some(size) } => ProtocolError::MessageTooBig {
                size: Some(size.saturating_add(kept as u64)),
            },
            other => other,
        }
    }

    /// Whether the message that is being received, or begins here, is compressed.
    fn is_compressed(&self) -> bool {
        match &self.assembly {
            Some(assembly) => assembly.is_compressed(),
            None => self.input.first().is_some_and(|first| first & frame::RSV1 != 0),
        }
    }

    /// The payload of a frame that is wholly there: a slice of the input, no copy.
    #[inline]
    pub(super) fn take_payload(&mut self, len: usize, mask: [u8; 4]) -> Bytes {
        let whole = len == self.input.len();
        let mut payload = if whole {
            std::mem::take(&mut self.input)
        } else {
            self.input.split_to(len)
        };
        if len == 0 {
            return Bytes::new();
        }
        unmask(&mut payload, mask);
        payload.freeze()
    }

    /// What is there of the current frame's payload goes to the message that is being received; which is
    /// returned if that was all of it.
    fn read_payload(&mut self) -> Result<Option<Box<Assembly>>, ProtocolError> {
        let Some(assembly) = &mut self.assembly else {
            return Ok(None);
        };
        let taken = assembly.take(&mut self.input)?;
        let complete = assembly.is_complete();
        self.consume(taken);
        Ok(self.assembly.take_if(|_| complete))
    }

    /// A control frame; false if it is not wholly there, or was the last one.
    fn read_control(&mut self, header: &Header) -> Result<bool, ProtocolError> {
        let Some(payload) = self.input.get_mut(header.size..header.size + header.len as usize) else {
            return Ok(false);
        };
        unmask(payload, header.mask);
        match header.opcode {
            // After our close frame nothing but the peer's is of interest.
            OpCode::Ping if matches!(self.state, State::Open) => {
                let payload = (&*payload).into();
                let pongs = &mut self.control().pongs;
                if pongs.len() == MAX_PONGS {
                    pongs.remove(0);
                }
                pongs.push(payload);
            }
            OpCode::Close => {
                let peer = CloseFrame::decode(payload)?;
                let reply = self.is_open().then(|| match peer.code {
                    Some(code) => CloseFrame::encode(code, ""),
                    None => Vec::new(),
                });
                self.end(reply, Some(peer));
                return Ok(false);
            }
            _ => {}
        }
        self.consume(header.size + header.len as usize);
        Ok(true)
    }

    /// Drops the first bytes of the input, and its memory with the last.
    fn consume(&mut self, len: usize) {
        if len >= self.input.len() {
            self.input = BytesMut::new();
        } else {
            self.input.advance(len);
        }
    }
}
