//! What comes in, one read at a time. Left alone, actix-web-actors reads on while frames wait that nobody has taken,
//! and gathers a frame of whatever length it announces before the limit is looked at.

use std::cell::{Cell, RefCell};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use actix_web::dev::Payload;
use actix_web::error::PayloadError;
use bytes::Bytes;
use futures_core::Stream;

use super::MAX_CONTROL;

/// The longest header of a frame (RFC 6455 section 5.2).
const MAX_HEADER: usize = 14;

/// The bytes of a WebSocket, on their way to the codec.
pub(super) struct Intake {
    payload: RefCell<Payload>,
    /// Frames may be left of what was read.
    busy: Cell<bool>,
    /// Nothing is to be read.
    paused: Cell<bool>,
    /// Bytes that were read since the last frame: those of the next one.
    pending: Cell<usize>,
    /// How many bytes the payload of the next data frame may have.
    room: Cell<usize>,
    end: Cell<Option<End>>,
}

/// Why nothing more comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// The connection is gone.
    Gone,
    /// A frame is longer than the limit.
    TooBig,
}

impl Intake {
    pub(super) fn new(payload: Payload, room: usize) -> Self {
        Intake {
            payload: RefCell::new(payload),
            busy: Cell::new(false),
            paused: Cell::new(false),
            pending: Cell::new(0),
            room: Cell::new(room),
            end: Cell::new(None),
        }
    }

    /// The codec has read a frame, there may be another one.
    pub(super) fn frame_was_read(&self) {
        self.busy.set(true);
        self.pending.set(0);
    }

    /// How many bytes the payload of the next data frame may have.
    pub(super) fn expect(&self, room: usize) {
        self.room.set(room);
    }

    /// Whether reading is to stop for now.
    pub(super) fn pause(&self, paused: bool, cx: &Context<'_>) {
        if self.paused.replace(paused) && !paused {
            cx.waker().wake_by_ref();
        }
    }

    /// Why it ended.
    pub(super) fn end(&self) -> Option<End> {
        self.end.get()
    }

    /// Reads and throws away, until the connection is gone.
    pub(super) fn poll_discard(&self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            match self.poll_payload(cx) {
                Poll::Ready(Some(Ok(_))) => {}
                Poll::Ready(_) => return Poll::Ready(()),
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    fn poll_payload(&self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, PayloadError>>> {
        Pin::new(&mut *self.payload.borrow_mut()).poll_next(cx)
    }

    fn finish(&self, end: End) -> Poll<Option<Result<Bytes, PayloadError>>> {
        self.end.set(Some(end));
        Poll::Ready(None)
    }
}

/// An intake as the codec's source. It is asked before each frame, and for as long as it gives.
pub(super) struct Gate(pub(super) Rc<Intake>);

impl Stream for Gate {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let intake = &self.0;
        if intake.busy.take() {
            // Once more when nothing came of what there is.
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        if intake.paused.get() {
            return Poll::Pending;
        }
        // All of it was tried and is not a frame yet.
        if intake.pending.get() > intake.room.get().max(MAX_CONTROL) + MAX_HEADER {
            return intake.finish(End::TooBig);
        }
        match intake.poll_payload(cx) {
            Poll::Ready(Some(Ok(bytes))) => {
                intake.busy.set(true);
                intake.pending.set(intake.pending.get() + bytes.len());
                Poll::Ready(Some(Ok(bytes)))
            }
            Poll::Ready(_) => intake.finish(End::Gone),
            Poll::Pending => Poll::Pending,
        }
    }
}
