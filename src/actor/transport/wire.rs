//! A WebSocket whose connection is its socket's own: it is read, taken apart and written inside the task of
//! that socket's actor. No queue, lock or signal lies between. Decides nothing about the session.

use std::cell::{Cell, RefCell};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use bytes::{Buf, Bytes, BytesMut};
use bytestring::ByteString;
use tokio::io::AsyncWrite;

use super::arrival::Arrival;
use super::attachment::{broken, ended};
use super::bare::Bare;
use super::handed::{Handed, say_goodbye};
use super::linger::Linger;
use super::output::{self, Output};
use super::stream::Stream;
use crate::Data;
use crate::actor::clock;
use crate::proto::{Close, FrameRef, PacketType, Revision};
use crate::ws::{CloseCode, Connection, Encoding, Message, ProtocolError};

/// How many bytes are read in one go.
const READ_SIZE: usize = 64 * 1024;

/// How many bytes are written in one go, but for the last message's.
const WRITE_SIZE: usize = 64 * 1024;

/// A message of fewer bytes is copied while messages are being kept.
const SMALL: usize = READ_SIZE / 4;

/// A read of at most so many bytes is copied whole instead: a message that is kept keeps no more than that.
const SMALL_READ: usize = 1024;

/// How many reads are copied after one whose messages were kept.
const COPIED_READS: u32 = 64;

thread_local! {
    /// What the connections of this thread read into: messages are slices of it, and it is used again once they
    /// are dropped.
    static INPUT: RefCell<BytesMut> = RefCell::new(BytesMut::with_capacity(READ_SIZE));
    /// How many more reads are copied. Somebody keeps messages, and a small one must not keep a whole read.
    static COPY: Cell<u32> = const { Cell::new(0) };
}

/// A WebSocket in the hands of its socket's actor.
#[derive(Debug)]
pub(in crate::actor) struct Wire {
    io: Stream,
    connection: Connection,
    /// What is encoded and the connection has not taken.
    unsent: BytesMut,
    /// It takes nothing more now.
    blocked: bool,
    /// Apart, since it is seldom there.
    pause: Option<Box<Pause>>,
    /// The connection is gone.
    gone: bool,
    /// Small messages of what was read last are copied.
    copies: bool,
    bare: Bare,
}

/// What is different for a moment.
#[derive(Debug)]
enum Pause {
    /// Nothing leaves before, nothing is read.
    Quiet(Instant),
    /// The peer broke the protocol, and is listened to for a while.
    Linger(Linger),
}

impl Wire {
    /// # Errors
    /// When the system does not let this thread watch the connection.
    pub(in crate::actor) fn new(
        mut handed: Handed,
        quiet_until: Option<Instant>,
        bare: Bare,
    ) -> io::Result<Self> {
        handed.io.bring_here()?;
        Ok(Wire {
            io: handed.io,
            connection: handed.connection,
            unsent: handed.unsent,
            blocked: false,
            pause: quiet_until.map(|until| Box::new(Pause::Quiet(until))),
            gone: false,
            copies: false,
            bare,
        })
    }

    /// Reads once. `Err` when the connection has ended; else ask for messages.
    pub(in crate::actor) fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Close>> {
        let io = &mut self.io;
        let read = INPUT.with_borrow_mut(|buffer| {
            if !buffer.try_reclaim(READ_SIZE) {
                // Messages of an earlier read are still there.
                *buffer = BytesMut::with_capacity(READ_SIZE);
                COPY.set(COPIED_READS);
            }
            match ready!(io.poll_read_into(cx, buffer)) {
                Ok(0) | Err(_) => Poll::Ready(None),
                Ok(_) => Poll::Ready(Some(buffer.split())),
            }
        });
        match ready!(read) {
            Some(bytes) => {
                if let Some(Pause::Linger(linger)) = self.pause.as_deref_mut() {
                    linger.heard(clock::now());
                }
                let left = COPY.get();
                let is_small = bytes.len() <= SMALL_READ;
                self.copies = left > 0 && !is_small;
                match left > 0 && is_small {
                    true => self.connection.receive_mut(BytesMut::from(&*bytes)),
                    false => self.connection.receive_mut(bytes),
                }
                COPY.set(left.saturating_sub(1));
                Poll::Ready(Ok(()))
            }
            None => {
                self.gone = true;
                Poll::Ready(Err(ended(self.connection.close_received())))
            }
        }
    }

    /// Whether answers to pings wait, which come before what is pushed.
    #[inline]
    pub(in crate::actor) fn has_transmit(&self) -> bool {
        self.connection.has_transmit()
    }

    /// Whether something was read and is not [polled](Self::poll_arrival) yet.
    #[inline]
    pub(in crate::actor) fn has_input(&self) -> bool {
        self.connection.has_input()
    }

    /// What comes next of what was read.
    #[inline]
    pub(in crate::actor) fn poll_arrival(&mut self, now: Instant, revision: Revision) -> Arrival {
        if !self.connection.has_input() && !self.connection.is_closed() {
            return Arrival::Nothing;
        }
        if self.bare.is_on() {
            return self.poll_any(now, revision);
        }
        match self.connection.poll_text_after(PacketType::Message.digit()) {
            Ok(Some(text)) => {
                let text = if self.copies { unshare_text(text) } else { text };
                Arrival::Message(Data::Text(text))
            }
            Ok(None) => self.poll_any(now, revision),
            Err(error) => self.broken(now, error),
        }
    }

    fn poll_any(&mut self, now: Instant, revision: Revision) -> Arrival {
        let packet = match self.bare.poll(&mut self.connection) {
            Ok(Some((prefix, message))) => {
                let message = if self.copies { unshare(message) } else { message };
                self.bare.decode((prefix, message), revision)
            }
            Ok(None) if self.connection.is_closed() && self.linger().is_none() => {
                return Arrival::Lost(ended(self.connection.close_received()));
            }
            Ok(None) => return Arrival::Nothing,
            Err(error) => return self.broken(now, error),
        };
        Arrival::of(packet)
    }

    /// The peer broke the protocol. Reading on for a moment keeps the close frame from being lost to a reset.
    #[cold]
    fn broken(&mut self, now: Instant, error: ProtocolError) -> Arrival {
        self.pause = Some(Box::new(Pause::Linger(Linger::new(now))));
        Arrival::Lost(broken(error, self.connection.limits()))
    }

    /// Whether frames may be [pushed](Self::push) now. If not, the next [`poll_flush`](Self::poll_flush) tells when.
    #[inline]
    pub(in crate::actor) fn has_room(&self) -> bool {
        self.unsent.len() < WRITE_SIZE && !self.blocked && !self.gone
    }

    /// Lends what the next [`poll_flush`](Self::poll_flush) writes, if there is room and messages may be encoded
    /// without their connection.
    pub(in crate::actor) fn lend_output(&mut self) -> Option<Output> {
        let encoding = self.encoding().filter(|_| self.has_room())?;
        let mut bytes = match self.unsent.capacity() {
            0 => output::take(),
            _ => std::mem::take(&mut self.unsent),
        };
        self.connection.transmit(&mut bytes);
        Some(Output {
            bytes,
            encoding,
            bare: self.bare,
            room: WRITE_SIZE,
        })
    }

    /// Takes it back.
    pub(in crate::actor) fn take_output(&mut self, output: Output) {
        match output.bytes.is_empty() {
            true => output::give(output.bytes),
            false => self.unsent = output.bytes,
        }
    }

    /// Encodes a frame, to be written by the next [`poll_flush`](Self::poll_flush).
    #[inline]
    pub(in crate::actor) fn push(&mut self, frame: FrameRef<'_>, compress: bool) {
        if self.unsent.capacity() == 0 {
            self.unsent = output::take();
        }
        let FrameRef { is_text, payload, .. } = frame;
        let Some(prefix) = self.bare.prefix(frame) else {
            return;
        };
        let out = &mut self.unsent;
        // The answers to pings that came before the message that this one answers.
        self.connection.transmit(out);
        if compress {
            self.connection.send_compressed(is_text, prefix, payload, out);
        } else {
            self.connection.send(is_text, prefix, payload, out);
        }
    }

    /// How frames are encoded that go to many.
    pub(in crate::actor) fn encoding(&self) -> Option<Encoding> {
        self.connection.encoding()
    }

    /// The same as [`push`](Self::push) for a frame that is encoded already.
    pub(in crate::actor) fn push_encoded(&mut self, frame: &[u8]) {
        if self.unsent.capacity() == 0 {
            self.unsent = output::take();
        }
        self.connection.transmit(&mut self.unsent);
        self.connection.send_encoded(frame, &mut self.unsent);
    }

    /// Writes what was pushed, and the frames of the connection's own, as far as the peer takes them. Returns whether
    /// nothing waits to be written.
    pub(in crate::actor) fn poll_flush(&mut self, cx: &mut Context<'_>) -> bool {
        if self.gone || self.is_quiet() {
            return false;
        }
        self.connection.transmit(&mut self.unsent);
        if self.unsent.is_empty() && !self.blocked {
            return true;
        }
        let mut unsent = std::mem::take(&mut self.unsent);
        let written = self.poll_write_bytes(cx, &unsent);
        let all = written == unsent.len();
        self.blocked = !(all && self.poll_flush_io(cx));
        if !all {
            unsent.advance(written);
            self.unsent = unsent;
        } else {
            output::give(unsent);
        }
        if !self.blocked && self.linger().is_some() {
            // The close frame that says what was wrong was the last: a peer that waits for the end need not wait longer.
            let _ = Pin::new(&mut self.io).poll_shutdown(cx);
        }
        !self.blocked
    }

    /// How many of the bytes the connection takes now; it wakes `cx` when it takes more.
    fn poll_write_bytes(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> usize {
        let mut written = 0;
        while written < bytes.len() {
            match Pin::new(&mut self.io).poll_write(cx, &bytes[written..]) {
                Poll::Ready(Ok(count)) if count > 0 => written += count,
                Poll::Ready(_) => {
                    self.gone = true;
                    break;
                }
                Poll::Pending => break,
            }
        }
        written
    }

    /// Whether nothing waits inside the connection, as may below TLS.
    fn poll_flush_io(&mut self, cx: &mut Context<'_>) -> bool {
        match Pin::new(&mut self.io).poll_flush(cx) {
            Poll::Ready(flushed) => {
                self.gone |= flushed.is_err();
                flushed.is_ok()
            }
            Poll::Pending => false,
        }
    }

    /// Begins the closing handshake.
    pub(in crate::actor) fn close(&mut self, now: Instant, close: &Close) {
        let code = CloseCode::new(close.websocket_code()).unwrap_or(CloseCode::NORMAL);
        self.connection.close(now, code, close.websocket_reason());
    }

    /// Nothing is left to be done for it: both sides have closed, or the connection is gone.
    pub(in crate::actor) fn is_over(&self) -> bool {
        let closed = self.connection.is_closed() && self.linger().is_none();
        self.gone || (closed && self.unsent.is_empty() && !self.blocked && !self.connection.has_transmit())
    }

    /// Whether it may be read: it is there, and the first packet may leave.
    pub(in crate::actor) fn is_readable(&self) -> bool {
        !self.gone && !self.is_quiet()
    }

    /// Whether the connection has been lost.
    pub(in crate::actor) fn is_gone(&self) -> bool {
        self.gone
    }

    /// When [`handle_timeout`](Self::handle_timeout) wants to be called, but for the end of the first silence.
    pub(in crate::actor) fn deadline(&self) -> Option<Instant> {
        self.linger().or(self.connection.deadline())
    }

    fn linger(&self) -> Option<Instant> {
        match self.pause.as_deref() {
            Some(Pause::Linger(linger)) => Some(linger.deadline()),
            Some(Pause::Quiet(_)) | None => None,
        }
    }

    /// The first silence is not over.
    #[inline]
    fn is_quiet(&self) -> bool {
        matches!(self.pause.as_deref(), Some(Pause::Quiet(_)))
    }

    /// Time has passed.
    pub(in crate::actor) fn handle_timeout(&mut self, now: Instant) {
        self.pause.take_if(|pause| match &**pause {
            Pause::Quiet(until) => *until <= now,
            Pause::Linger(linger) => linger.deadline() <= now,
        });
        self.connection.handle_timeout(now);
    }
}

/// Its actor is gone: as much of a goodbye as the connection takes at once.
impl Drop for Wire {
    fn drop(&mut self) {
        if !self.gone {
            say_goodbye(&mut self.io, &mut self.connection, &mut self.unsent);
        }
    }
}

/// The same in memory of its own, if it is small.
#[cold]
fn unshare(message: Message) -> Message {
    match message {
        Message::Text(text) => Message::Text(unshare_text(text)),
        Message::Binary(bytes) if bytes.len() < SMALL => Message::Binary(Bytes::copy_from_slice(&bytes)),
        large => large,
    }
}

#[cold]
fn unshare_text(text: ByteString) -> ByteString {
    match text.len() < SMALL {
        true => ByteString::from(&*text),
        false => text,
    }
}
