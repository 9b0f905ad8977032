//! An HTTP/1.1 connection of an own listener, from its accept to its end: what actix-http's dispatcher does elsewhere,
//! with that crate's parser and encoder, but without buffers and timers while nothing happens. The App serves one request
//! after the other. Nothing here knows of Engine.IO, but that a WebSocket may take the connection away.

#[cfg(all(test, feature = "test"))]
mod tests;

mod answers;
mod buffers;

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use actix_http::body::{BoxBody, MessageBody};
use actix_http::error::{ParseError, PayloadError};
use actix_http::h1::{Codec, Message, MessageType};
use actix_http::{ConnectionType, HttpMessage as _, Request, ServiceConfig, StatusCode, Version};
use actix_rt::time::{Sleep, sleep};
use actix_service::Service;
use actix_web::dev::ServiceResponse;
use bytes::BytesMut;
use tokio::io::AsyncWrite;
use tokio_util::codec::{Decoder, Encoder};
use tokio_util::io::poll_read_buf;

use super::inlet::Inlet;
use super::served::Served;
use crate::actor::transport::Stream;
use crate::http::handover::Lent;
use crate::http::short::Short;

/// How long a client may take for the head of a request, from its first byte on, or from the connection's begin.
const HEAD_DEADLINE: Duration = Duration::from_secs(5);

/// How long a client may take nothing of what it is sent.
const WRITE_DEADLINE: Duration = Duration::from_secs(60);

/// How many bytes are read in one go.
const READ_SIZE: usize = 8 * 1024;

/// With less room than this a buffer gets more before it is read into.
const MIN_ROOM: usize = 1024;

/// How many bytes are read of requests that wait: for the one before them, or for the client to take its answers.
const MAX_AHEAD: usize = 32 * 1024;

/// How many bytes are encoded before they are written.
const WRITE_SIZE: usize = 32 * 1024;

/// A connection, and what it is at. `F` is an answer of the App that is awaited.
pub(super) struct Connection<F> {
    io: Lent,
    peer: SocketAddr,
    codec: Codec,
    /// What was read and is not yet understood.
    input: BytesMut,
    /// What is to be written.
    output: BytesMut,
    /// Where the body of the request goes that is in work, until it is complete.
    inlet: Option<Inlet>,
    step: Step<F>,
    /// Whether no request has come yet.
    is_fresh: bool,
    /// Whether more may have come than was read.
    has_more: bool,
    /// Whether no further request is taken.
    is_last: bool,
    /// Whether the request has `Connection: upgrade`, and nothing that could take the connection.
    upgrades_to_nothing: bool,
    /// Whether the client has ended the connection.
    has_left: bool,
    deadline: Option<(Awaited, Pin<Box<Sleep>>)>,
}

/// What a client has a deadline for.
#[derive(Clone, Copy, PartialEq)]
enum Awaited {
    /// The head of a request.
    Head,
    /// Room for what it is sent.
    Room,
}

enum Step<F> {
    /// No request is there.
    Idle,
    /// Its session has it.
    Short(Short),
    /// The App has it.
    Asked(F),
    /// Its answer is on its way. Not asked for more before all is written, if it has been `slow`.
    Answering { body: BoxBody, slow: bool },
}

/// What is to be done when all has been written.
#[derive(PartialEq)]
enum Then {
    GoOn,
    Wait,
}

impl<F> Connection<F> {
    pub(super) fn new(stream: Stream, peer: SocketAddr, config: ServiceConfig) -> Self {
        Connection {
            io: Lent::new(stream),
            peer,
            codec: Codec::new(config),
            input: BytesMut::new(),
            output: BytesMut::new(),
            inlet: None,
            step: Step::Idle,
            is_fresh: true,
            has_more: false,
            is_last: false,
            upgrades_to_nothing: false,
            has_left: false,
            deadline: None,
        }
    }

    /// Ready when the connection is over.
    pub(super) fn poll<S>(&mut self, cx: &mut Context<'_>, served: &Served<S>) -> Poll<()>
    where
        S: Service<Request, Future = F>,
        F: Future<Output = Result<ServiceResponse, actix_web::Error>> + Unpin,
    {
        self.borrow_buffers();
        let end = self.poll_with_buffers(cx, served);
        self.return_buffers();
        end
    }

    fn poll_with_buffers<S>(&mut self, cx: &mut Context<'_>, served: &Served<S>) -> Poll<()>
    where
        S: Service<Request, Future = F>,
        F: Future<Output = Result<ServiceResponse, actix_web::Error>> + Unpin,
    {
        loop {
            self.read(cx);
            let Ok(then) = self.work(cx, served) else {
                return Poll::Ready(());
            };
            let written = match self.write(cx) {
                Poll::Ready(Err(_)) => return Poll::Ready(()),
                written => written.is_ready(),
            };
            if self.has_left {
                return Poll::Ready(());
            }
            let is_idle = matches!(self.step, Step::Idle);
            if written && is_idle && (self.is_last || served.is_stopping()) {
                // TLS says goodbye if it can do so at once.
                let _ = Pin::new(&mut self.io).poll_shutdown(cx);
                return Poll::Ready(());
            }
            if written && then == Then::GoOn || self.has_more && self.has_room() {
                continue;
            }
            let starts = self.is_fresh || !self.input.is_empty();
            let awaited = match written {
                false => Some(Awaited::Room),
                true if is_idle && !self.is_last && starts => Some(Awaited::Head),
                true => None,
            };
            match ready!(self.poll_deadline(awaited, cx)) {
                Awaited::Head => self.refuse(StatusCode::REQUEST_TIMEOUT),
                Awaited::Room => return Poll::Ready(()),
            }
        }
    }

    /// Ready when what is `awaited` has not come in time.
    fn poll_deadline(&mut self, awaited: Option<Awaited>, cx: &mut Context<'_>) -> Poll<Awaited> {
        self.deadline.take_if(|(of, _)| Some(*of) != awaited);
        let Some(awaited) = awaited else {
            return Poll::Pending;
        };
        let time = match awaited {
            Awaited::Head => HEAD_DEADLINE,
            Awaited::Room => WRITE_DEADLINE,
        };
        let (_, deadline) = self
            .deadline
            .get_or_insert_with(|| (awaited, Box::pin(sleep(time))));
        deadline.as_mut().poll(cx).map(|()| awaited)
    }

    /// Reads what there is, as far as there is room, and not much more than one request.
    fn read(&mut self, cx: &mut Context<'_>) {
        self.has_more = false;
        while !self.has_left {
            self.has_more = !self.has_room();
            if self.has_more {
                return;
            }
            if self.input.capacity() - self.input.len() < MIN_ROOM {
                self.input.reserve(READ_SIZE);
            }
            match poll_read_buf(Pin::new(&mut self.io), cx, &mut self.input) {
                Poll::Ready(Ok(count)) if count > 0 => self.feed(),
                Poll::Ready(_) => self.leave(),
                Poll::Pending => return,
            }
            self.has_more = matches!(self.step, Step::Idle) && self.input.len() >= READ_SIZE;
            if self.has_more {
                return;
            }
        }
    }

    fn has_room(&self) -> bool {
        match (&self.inlet, &self.step) {
            (Some(inlet), _) => inlet.has_room(),
            // The parser knows how long a head may be, and is asked.
            (None, Step::Idle) if self.output.is_empty() => true,
            (None, _) => self.input.len() < MAX_AHEAD,
        }
    }

    /// Gives the body of a request what has come of it.
    fn feed(&mut self) {
        while let Some(inlet) = &self.inlet {
            match self.codec.decode(&mut self.input) {
                Ok(Some(Message::Chunk(Some(chunk)))) => inlet.feed(chunk),
                Ok(Some(_)) => self.end_body(Ok(())),
                Ok(None) => return,
                Err(_) => {
                    self.end_body(Err(PayloadError::EncodingCorrupted));
                    self.is_last = true;
                }
            }
        }
    }

    fn end_body(&mut self, end: Result<(), PayloadError>) {
        if let Some(inlet) = self.inlet.take() {
            inlet.end(end);
        }
    }

    /// The client has ended the connection, or it is broken.
    fn leave(&mut self) {
        self.has_left = true;
        self.end_body(Err(PayloadError::Incomplete(None)));
    }

    /// Takes the next request, and brings it as far as it goes.
    ///
    /// # Errors
    /// When an answer cannot be finished: the connection can only be dropped.
    fn work<S>(&mut self, cx: &mut Context<'_>, served: &Served<S>) -> io::Result<Then>
    where
        S: Service<Request, Future = F>,
        F: Future<Output = Result<ServiceResponse, actix_web::Error>> + Unpin,
    {
        while self.output.len() < WRITE_SIZE {
            match &mut self.step {
                Step::Idle if self.is_last || served.is_stopping() => return Ok(Then::Wait),
                Step::Idle if self.input.is_empty() => return Ok(Then::Wait),
                Step::Idle => {
                    self.step = if let Some(short) = served.short(&mut self.input) {
                        Step::Short(short)
                    } else if let Some(request) = self.next_request() {
                        Step::Asked(served.service.call(request))
                    } else {
                        return Ok(Then::Wait);
                    };
                    self.is_fresh = false;
                    // The next head has its own time.
                    self.deadline.take_if(|(of, _)| *of == Awaited::Head);
                }
                Step::Short(short) => {
                    let Poll::Ready(response) = Pin::new(short).poll(cx) else {
                        return Ok(Then::Wait);
                    };
                    self.answer_shortly(response, served.is_stopping())?;
                }
                Step::Asked(answer) => {
                    let Poll::Ready(answer) = Pin::new(answer).poll(cx) else {
                        return Ok(Then::Wait);
                    };
                    let response = match answer {
                        Ok(response) => response.into(),
                        Err(error) => error.into(),
                    };
                    self.answer(response, served.is_stopping())?;
                }
                Step::Answering { slow: true, .. } if !self.output.is_empty() => return Ok(Then::GoOn),
                Step::Answering { body, slow } => match Pin::new(body).poll_next(cx) {
                    Poll::Ready(Some(chunk)) => {
                        let chunk = chunk.map_err(|_| io::ErrorKind::InvalidData)?;
                        self.codec.encode(Message::Chunk(Some(chunk)), &mut self.output)?;
                    }
                    Poll::Ready(None) => {
                        self.codec.encode(Message::Chunk(None), &mut self.output)?;
                        self.finish();
                    }
                    Poll::Pending => {
                        *slow = true;
                        if self.output.is_empty() {
                            return Ok(Then::Wait);
                        }
                    }
                },
            }
        }
        Ok(Then::GoOn)
    }

    /// The next request, with as much of its body as has come.
    fn next_request(&mut self) -> Option<Request> {
        let mut request = match self.codec.decode(&mut self.input) {
            Ok(Some(Message::Item(request))) => request,
            Ok(_) => return None,
            Err(error) => {
                self.refuse(match error {
                    ParseError::TooLarge => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
                    _ => StatusCode::BAD_REQUEST,
                });
                return None;
            }
        };
        request.head_mut().peer_addr = Some(self.peer);
        let kind = self.codec.message_type();
        self.upgrades_to_nothing =
            self.codec.upgrade() && kind != MessageType::Stream && request.version() == Version::HTTP_11;
        if self.upgrades_to_nothing {
            // Outweighs the other type: proxies say that of polls too, and want the connection kept.
            request.head_mut().set_connection_type(ConnectionType::KeepAlive);
        }
        if kind == MessageType::None {
            return Some(request);
        }
        if kind == MessageType::Stream {
            // A WebSocket may take the connection. All that comes is its.
            request.extensions_mut().insert(self.io.clone());
        }
        let (inlet, payload) = Inlet::open();
        *request.payload() = payload;
        self.inlet = Some(inlet);
        self.feed();
        if self.inlet.is_some() && request.head().expect() {
            self.output.extend_from_slice(b"HTTP/1.1 100 Continue\r\n\r\n");
        }
        Some(request)
    }
}
