//! The body of a request, from the connection that reads it to whoever consumes it.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use actix_http::Payload;
use actix_http::error::PayloadError;
use bytes::Bytes;
use futures_core::Stream;

/// How many bytes wait for their consumer before no more are read.
const ROOM: usize = 32 * 1024;

/// The end that the connection holds.
pub(super) struct Inlet(Rc<RefCell<Body>>);

/// The end that the request carries.
struct Outlet(Rc<RefCell<Body>>);

#[derive(Default)]
struct Body {
    chunks: VecDeque<Bytes>,
    bytes: usize,
    end: Option<Result<(), PayloadError>>,
    reader: Option<Waker>,
}

impl Inlet {
    pub(super) fn open() -> (Inlet, Payload) {
        let body = Rc::<RefCell<Body>>::default();
        let payload = Box::pin(Outlet(body.clone()));
        (Inlet(body), Payload::Stream { payload })
    }

    /// Whether more may be read. What nobody wants is read, and thrown away.
    pub(super) fn has_room(&self) -> bool {
        self.is_unwanted() || self.0.borrow().bytes < ROOM
    }

    pub(super) fn feed(&self, chunk: Bytes) {
        if self.is_unwanted() {
            return;
        }
        let mut body = self.0.borrow_mut();
        body.bytes += chunk.len();
        body.chunks.push_back(chunk);
        body.wake();
    }

    /// Nothing more comes: it is complete, or cannot be.
    pub(super) fn end(self, end: Result<(), PayloadError>) {
        let mut body = self.0.borrow_mut();
        body.end = Some(end);
        body.wake();
    }

    fn is_unwanted(&self) -> bool {
        Rc::strong_count(&self.0) == 1
    }
}

impl Body {
    fn wake(&mut self) {
        if let Some(reader) = self.reader.take() {
            reader.wake();
        }
    }
}

impl Stream for Outlet {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut body = self.0.borrow_mut();
        if let Some(chunk) = body.chunks.pop_front() {
            body.bytes -= chunk.len();
            return Poll::Ready(Some(Ok(chunk)));
        }
        match body.end.replace(Ok(())) {
            Some(end) => Poll::Ready(end.err().map(Err)),
            None => {
                body.end = None;
                body.reader = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    #[actix_web::test]
    async fn what_waits_is_bounded_by_its_consumer() {
        let (inlet, mut payload) = Inlet::open();
        inlet.feed(Bytes::from(vec![0; ROOM - 1]));
        assert!(inlet.has_room());
        inlet.feed(Bytes::from_static(b"x"));
        assert!(!inlet.has_room());
        let chunk = poll_fn(|cx| Pin::new(&mut payload).poll_next(cx)).await;
        assert_eq!(chunk.unwrap().unwrap().len(), ROOM - 1);
        assert!(inlet.has_room());
    }

    #[test]
    fn what_nobody_wants_is_thrown_away() {
        let (inlet, payload) = Inlet::open();
        inlet.feed(Bytes::from(vec![0; ROOM]));
        drop(payload);
        assert!(inlet.has_room());
        inlet.feed(Bytes::from_static(b"x"));
        assert_eq!(inlet.0.borrow().chunks.len(), 1);
    }
}
