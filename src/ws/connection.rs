//! One WebSocket, the server's end, from the 101 on: bytes in, messages out, and the other way round, with
//! fragments, ping and pong, and the closing handshake. No IO, no clock: `now` is an argument.

use std::time::{Duration, Instant};

use bytes::{Buf, Bytes, BytesMut};
use bytestring::ByteString;

use self::reading::Ready;
use super::assembly::Assembly;
use super::deflate::{self, Agreement, Effort, Windows};
use super::encoding::Compressing;
use super::frame::{self, OpCode};
use super::mask::unmask;
use super::{CloseCode, CloseFrame, Limits, Message, ProtocolError};

mod reading;
mod writing;

/// How long the peer's close frame is awaited after ours (RFC 6455 section 7.1.1 leaves it to the server).
pub const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

/// How hard compression tries, unless [`Connection::deflate_level`] says otherwise.
const DEFAULT_LEVEL: u8 = 4;

/// How many pings one read is answered; of more than these the first ones are not (RFC 6455 section 5.5.3).
pub const MAX_PONGS: usize = 16;

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
        peer: Option<Box<CloseFrame>>,
    },
}

/// The control frames that wait to be sent. Apart, since mostly there are none.
#[derive(Debug, Default)]
struct Control {
    /// The payloads of the pongs: the answers to the latest pings (RFC 6455 section 5.5.3).
    pongs: Vec<Box<[u8]>>,
    /// The payload of the close frame.
    close: Option<Box<[u8]>>,
}

/// What permessage-deflate came to.
#[derive(Debug, Clone, Copy)]
struct Compression {
    agreement: Agreement,
    how: Compressing,
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
    control: Option<Box<Control>>,
    /// permessage-deflate was negotiated, so RSV1 is allowed.
    compression: Option<Compression>,
    /// What compressed messages may refer to, if that was agreed on; from the first one on.
    pub(super) windows: Option<Box<Windows>>,
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
            control: None,
            compression: None,
            windows: None,
            state: State::Open,
        }
    }

    /// A connection whose 101 agreed on permessage-deflate: it takes compressed messages, and
    /// [`send_compressed`](Connection::send_compressed) compresses those of at least `threshold` bytes.
    pub fn with_deflate(limits: Limits, agreement: Agreement, threshold: usize) -> Self {
        let effort = Effort::new(agreement, DEFAULT_LEVEL);
        let how = Compressing {
            effort,
            // No message is longer than that.
            threshold: u32::try_from(threshold).unwrap_or(u32::MAX),
        };
        Connection {
            compression: Some(Compression { agreement, how }),
            ..Connection::new(limits)
        }
    }

    /// How hard compression tries: 1 (fast) to 9 (small), 4 unless it is said here; 0 counts as 1, what is above 9
    /// as 9.
    #[must_use]
    pub fn deflate_level(mut self, level: u8) -> Self {
        if let Some(compression) = &mut self.compression {
            compression.how.effort = Effort::new(compression.agreement, level);
        }
        self
    }

    /// The limits of what the peer may send.
    pub fn limits(&self) -> &Limits {
        &self.limits
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
            State::Closed { peer } => peer.as_deref(),
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
        match input.try_into_mut() {
            Ok(input) => self.receive_mut(input),
            Err(shared) => self.receive_slice(&shared),
        }
    }

    /// The same, for bytes that nobody else holds.
    pub fn receive_mut(&mut self, input: BytesMut) {
        if self.input.is_empty() && !self.is_closed() {
            self.input = input;
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

    /// Whether bytes were received that no message has taken yet.
    #[inline]
    pub fn has_input(&self) -> bool {
        !self.input.is_empty()
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
        let Some((text, payload)) = self.poll_payload()? else {
            return Ok(None);
        };
        if !text {
            return Ok(Some(Message::Binary(payload)));
        }
        self.text(payload).map(|text| Some(Message::Text(text)))
    }

    /// The same for protocols that put a byte in front of a text: if it is ASCII it comes apart, without a copy.
    ///
    /// # Errors
    /// Those of [`poll_message`](Connection::poll_message).
    #[inline]
    pub fn poll_prefixed(&mut self) -> Result<Option<(Option<u8>, Message)>, ProtocolError> {
        let Some((text, mut payload)) = self.poll_payload()? else {
            return Ok(None);
        };
        if !text {
            return Ok(Some((None, Message::Binary(payload))));
        }
        let prefix = payload.first().copied().filter(u8::is_ascii);
        if prefix.is_some() {
            payload.advance(1);
        }
        self.text(payload).map(|text| Some((prefix, Message::Text(text))))
    }

    /// The next message without its first byte, if it is a short text in one frame that begins with this ASCII byte:
    /// what comes most often, on the shortest way. `None` says nothing about other messages: ask
    /// [`poll_prefixed`](Connection::poll_prefixed).
    ///
    /// # Errors
    /// Those of [`poll_message`](Connection::poll_message).
    #[inline]
    pub fn poll_text_after(&mut self, prefix: u8) -> Result<Option<ByteString>, ProtocolError> {
        debug_assert!(prefix.is_ascii());
        match self.short_message() {
            Some((true, len, mask)) if len > 0 && self.begins_with(prefix, mask) => {
                let mut payload = self.take_short(len, mask);
                payload.advance(frame::SHORT_HEADER + 1);
                self.text(payload).map(Some)
            }
            _ => Ok(None),
        }
    }

    /// Whether the payload of the short message begins with this byte.
    #[inline]
    fn begins_with(&self, prefix: u8, mask: [u8; 4]) -> bool {
        self.input.get(frame::SHORT_HEADER).map(|first| first ^ mask[0]) == Some(prefix)
    }

    /// The frame of the short message, unmasked.
    #[inline]
    fn take_short(&mut self, len: usize, mask: [u8; 4]) -> Bytes {
        let end = frame::SHORT_HEADER + len;
        let mut frame = if end == self.input.len() {
            std::mem::take(&mut self.input)
        } else {
            self.input.split_to(end)
        };
        unmask(&mut frame[frame::SHORT_HEADER..], mask);
        frame.freeze()
    }

    /// The next message's bytes, and whether they are to be text.
    #[inline]
    fn poll_payload(&mut self) -> Result<Option<(bool, Bytes)>, ProtocolError> {
        if let Some((text, len, mask)) = self.short_message() {
            let mut payload = self.take_short(len, mask);
            payload.advance(frame::SHORT_HEADER);
            return Ok(Some((text, payload)));
        }
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
            let max = self.limits.max_message;
            let window = self.windows().map(|windows| &mut windows.client);
            match deflate::inflate(&payload, max, window) {
                Ok(inflated) => payload = inflated,
                Err(error) => return Err(self.fail(error)),
            }
        }
        Ok(Some((text, payload)))
    }

    #[inline]
    fn text(&mut self, payload: Bytes) -> Result<ByteString, ProtocolError> {
        ByteString::try_from(payload).map_err(|_| self.fail(ProtocolError::InvalidUtf8))
    }

    /// What compressed messages may refer to, if that was agreed on.
    fn windows(&mut self) -> Option<&mut Windows> {
        let agreement = self.compression?.agreement;
        (agreement.window_bytes() > 0)
            .then(|| &mut **self.windows.get_or_insert_with(|| Box::new(agreement.windows())))
    }

    /// Starts the closing handshake (RFC 6455 section 7.1.2): the close frame leaves by
    /// [`transmit`](Connection::transmit), with the reason cut to 123 bytes between two characters. Input that was
    /// not yet polled is discarded. Does nothing if either side has closed.
    pub fn close(&mut self, now: Instant, code: CloseCode, reason: &str) {
        if !self.is_open() {
            return;
        }
        self.control().close = Some(CloseFrame::encode(code, reason).into());
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
        self.control.is_some()
    }

    /// Appends the control frames that wait: the pongs to the latest [`MAX_PONGS`] pings, then the close frame.
    #[inline]
    pub fn transmit(&mut self, out: &mut BytesMut) {
        let Some(control) = self.control.take() else {
            return;
        };
        for payload in &control.pongs {
            frame::encode(OpCode::Pong, None, payload, out);
        }
        if let Some(payload) = &control.close {
            frame::encode(OpCode::Close, None, payload, out);
        }
    }

    fn control(&mut self) -> &mut Control {
        self.control.get_or_insert_default()
    }

    /// Nothing is read from here on. A close frame that is queued already stays the only one.
    fn end(&mut self, close: Option<Vec<u8>>, peer: Option<CloseFrame>) {
        if let Some(payload) = close {
            self.control().close = Some(payload.into());
        }
        self.input = BytesMut::new();
        self.assembly = None;
        self.windows = None;
        self.discard = 0;
        self.state = State::Closed {
            peer: peer.map(Box::new),
        };
    }

    /// The peer is told the code (and no reason, as by `ws`, which clients may compare), unless we have closed before.
    #[cold]
    fn fail(&mut self, error: ProtocolError) -> ProtocolError {
        let close = self.is_open().then(|| CloseFrame::encode(error.close_code(), ""));
        self.end(close, None);
        error
    }
}
