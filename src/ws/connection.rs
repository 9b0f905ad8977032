//! One WebSocket, the server's end, from the 101 on: bytes in, messages out, and the other way round, with
//! fragments, ping and pong, and the closing handshake. No IO, no clock: `now` is an argument.

use std::time::{Duration, Instant};

use bytes::{Buf, Bytes, BytesMut};
use bytestring::ByteString;

use super::assembly::Assembly;
use super::deflate::{self, Agreement};
use super::frame::{self, Header, OpCode};
use super::mask::unmask;
use super::{CloseCode, CloseFrame, Limits, Message, ProtocolError};

/// How long the peer's close frame is awaited after ours (RFC 6455 section 7.1.1 leaves it to the server).
pub const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

/// Where the closing handshake is (RFC 6455 section 7.1).
///
/// ```text
///          close()                  peer's close frame, timeout, error
///   Open ------------> Closing -------------------------------------> Closed
///     \                                                                ^
///      `---- peer's close frame (answered), error (close queued) -----'
/// ```
#[derive(Debug)]
enum State {
    Open,
    /// We have closed. Data is discarded; the peer's close frame is awaited.
    Closing {
        deadline: Instant,
    },
    /// Nothing is read any more, nothing sent but what is queued. With the peer's close frame, if it came.
    Closed {
        peer: Option<CloseFrame>,
    },
}

/// How messages are compressed.
#[derive(Debug, Clone, Copy)]
struct Compression {
    agreement: Agreement,
    /// Shorter messages are sent as they are.
    threshold: usize,
}

/// What reading came to. Small on purpose: the payload is not moved through it.
#[derive(Debug)]
enum Ready {
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

/// One WebSocket, seen from the server.
///
/// After each [`receive`](Connection::receive): [`poll_message`](Connection::poll_message) until it gives
/// `None` or an error, then [`transmit`](Connection::transmit), write, and end the TCP connection if
/// [`is_closed`](Connection::is_closed). After [`close`](Connection::close) the same, and
/// [`handle_timeout`](Connection::handle_timeout) at the [`deadline`](Connection::deadline).
/// A connection that waits for a peer holds no buffer.
#[derive(Debug)]
pub struct Connection {
    limits: Limits,
    /// What was read and not yet taken.
    pub(super) input: BytesMut,
    /// The message that has not come wholly.
    pub(super) assembly: Option<Box<Assembly>>,
    /// What is missing of a discarded frame's payload.
    discard: u64,
    /// The payload of the pong to send: the answer to the latest ping (RFC 6455 section 5.5.3).
    pong: Option<Box<[u8]>>,
    /// The payload of the close frame to send.
    close: Option<Box<[u8]>>,
    /// permessage-deflate was negotiated, so RSV1 is allowed.
    compression: Option<Compression>,
    state: State,
}

impl Connection {
    /// A connection whose 101 was sent.
    pub fn new(limits: Limits) -> Self {
        Connection {
            limits,
            input: BytesMut::new(),
            assembly: None,
            discard: 0,
            pong: None,
            close: None,
            compression: None,
            state: State::Open,
        }
    }

    /// A connection whose 101 agreed on permessage-deflate: it takes compressed messages, and
    /// [`send_compressed`](Connection::send_compressed) compresses those of at least `threshold` bytes.
    pub fn with_deflate(limits: Limits, agreement: Agreement, threshold: usize) -> Self {
        Connection {
            compression: Some(Compression { agreement, threshold }),
            ..Connection::new(limits)
        }
    }

    /// Whether data may still be sent: neither side has closed.
    #[inline]
    pub fn is_open(&self) -> bool {
        matches!(self.state, State::Open)
    }

    /// Whether the closing handshake is over, the connection failed, or the peer did not answer in time:
    /// [`transmit`](Connection::transmit) once more, write that, and end the TCP connection. (While the peer
    /// still sends, reading on for a moment keeps the close frame from being lost to a reset.)
    #[inline]
    pub fn is_closed(&self) -> bool {
        matches!(self.state, State::Closed { .. })
    }

    /// The peer's close frame, if it came.
    pub fn close_received(&self) -> Option<&CloseFrame> {
        match &self.state {
            State::Closed { peer } => peer.as_ref(),
            State::Open | State::Closing { .. } => None,
        }
    }

    /// When to call [`handle_timeout`](Connection::handle_timeout): [`CLOSE_TIMEOUT`] after our close, as long
    /// as the peer's close frame has not come.
    pub fn deadline(&self) -> Option<Instant> {
        match self.state {
            State::Closing { deadline } => Some(deadline),
            State::Open | State::Closed { .. } => None,
        }
    }

    /// Takes bytes that were read. They are not copied if nothing is left from before and `input` is the only
    /// handle to its memory. After the end they are dropped.
    pub fn receive(&mut self, input: Bytes) {
        if self.input.is_empty() && !self.is_closed() {
            self.input = input
                .try_into_mut()
                .unwrap_or_else(|shared| BytesMut::from(&shared[..]));
        } else {
            self.receive_slice(&input);
        }
    }

    /// Takes bytes that were read into a buffer that is used again: one copy, of exactly their size.
    pub fn receive_slice(&mut self, input: &[u8]) {
        if !self.is_closed() {
            self.input.extend_from_slice(input);
        }
    }

    /// The next message, or `None` if more bytes are needed (or none will be taken). Pings and the peer's close
    /// frame are answered on the way, through [`transmit`](Connection::transmit). After
    /// [`close`](Connection::close) data is discarded.
    ///
    /// # Errors
    /// [`ProtocolError`], once: the connection has failed, the close frame that says so is queued (unless one
    /// was sent before), and nothing more is read.
    #[inline]
    pub fn poll_message(&mut self) -> Result<Option<Message>, ProtocolError> {
        let (text, compressed, mut payload) = match self.read() {
            Ok(Ready::Nothing) => return Ok(None),
            Ok(Ready::Frame {
                text,
                compressed,
                len,
                mask,
            }) => (text, compressed, self.take_payload(len, mask)),
            Ok(Ready::Assembled(assembly)) => (
                assembly.is_text(),
                assembly.is_compressed(),
                assembly.into_bytes(),
            ),
            Err(error) => return Err(self.fail(error)),
        };
        if compressed {
            match deflate::inflate(&payload, self.limits.max_message) {
                Ok(inflated) => payload = inflated,
                Err(error) => return Err(self.fail(error)),
            }
        }
        if !text {
            return Ok(Some(Message::Binary(payload)));
        }
        match ByteString::try_from(payload) {
            Ok(text) => Ok(Some(Message::Text(text))),
            Err(_) => Err(self.fail(ProtocolError::InvalidUtf8)),
        }
    }

    /// Appends one message to `out`, as one frame: `prefix` if there is one, then `payload`. Text must be UTF-8,
    /// which is not checked. Returns false, and appends nothing, if either side has closed.
    #[inline]
    pub fn send(&mut self, text: bool, prefix: Option<u8>, payload: &[u8], out: &mut BytesMut) -> bool {
        if !self.is_open() {
            return false;
        }
        let opcode = if text { OpCode::Text } else { OpCode::Binary };
        frame::encode(opcode, prefix, payload, out);
        true
    }

    /// The same, compressed: if that was agreed on, the message with its prefix is not below the threshold, and it
    /// gets shorter by it.
    pub fn send_compressed(
        &mut self,
        text: bool,
        prefix: Option<u8>,
        payload: &[u8],
        out: &mut BytesMut,
    ) -> bool {
        let len = payload.len() + usize::from(prefix.is_some());
        let compression = self
            .compression
            .filter(|compression| self.is_open() && len >= compression.threshold);
        let opcode = if text { OpCode::Text } else { OpCode::Binary };
        let write = |message: &[u8]| frame::encode_compressed(opcode, message, out);
        compression.is_some_and(|compression| deflate::deflate(compression.agreement, prefix, payload, write))
            || self.send(text, prefix, payload, out)
    }

    /// Starts the closing handshake (RFC 6455 section 7.1.2): the close frame leaves by
    /// [`transmit`](Connection::transmit), with the reason cut to 123 bytes between two characters. Input that was
    /// not yet polled is discarded. Does nothing if either side has closed.
    pub fn close(&mut self, now: Instant, code: CloseCode, reason: &str) {
        if !self.is_open() {
            return;
        }
        self.close = Some(CloseFrame::encode(code, reason).into());
        self.discard = self
            .assembly
            .take()
            .map_or(0, |assembly| assembly.missing() as u64);
        self.state = State::Closing {
            deadline: now + CLOSE_TIMEOUT,
        };
    }

    /// Time has passed: at the [`deadline`](Connection::deadline) the peer is waited for no longer.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.deadline().is_some_and(|deadline| now >= deadline) {
            self.end(None, None);
        }
    }

    /// Whether [`transmit`](Connection::transmit) has something to append.
    #[inline]
    pub fn has_transmit(&self) -> bool {
        self.pong.is_some() || self.close.is_some()
    }

    /// Appends the control frames that wait: the pong to the latest ping, then the close frame. At most 254
    /// bytes.
    #[inline]
    pub fn transmit(&mut self, out: &mut BytesMut) {
        if let Some(payload) = self.pong.take() {
            frame::encode(OpCode::Pong, None, &payload, out);
        }
        if let Some(payload) = self.close.take() {
            frame::encode(OpCode::Close, None, &payload, out);
        }
    }

    /// Nothing is read from here on. A close frame that is queued already stays the only one.
    fn end(&mut self, close: Option<Vec<u8>>, peer: Option<CloseFrame>) {
        if let Some(payload) = close {
            self.close = Some(payload.into());
        }
        self.input = BytesMut::new();
        self.assembly = None;
        self.discard = 0;
        self.state = State::Closed { peer };
    }

    /// The peer is told the code (and no reason, as by `ws`, which clients may compare), unless we have closed before.
    #[cold]
    fn fail(&mut self, error: ProtocolError) -> ProtocolError {
        let close = self.is_open().then(|| CloseFrame::encode(error.close_code(), ""));
        self.end(close, None);
        error
    }

    /// Frames until a message is whole or the input ends.
    fn read(&mut self) -> Result<Ready, ProtocolError> {
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
            let Some(header) = Header::decode(&self.input, self.room(), self.compression.is_some())? else {
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

    /// Whether the message that is being received, or begins here, is compressed.
    fn is_compressed(&self) -> bool {
        match &self.assembly {
            Some(assembly) => assembly.is_compressed(),
            None => self.input.first().is_some_and(|first| first & frame::RSV1 != 0),
        }
    }

    /// The payload of a frame that is wholly there: a slice of the input, no copy.
    #[inline]
    fn take_payload(&mut self, len: usize, mask: [u8; 4]) -> Bytes {
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
            OpCode::Ping if matches!(self.state, State::Open) => self.pong = Some((&*payload).into()),
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
