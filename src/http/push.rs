//! POST: a payload from the client, read in bounded memory, announced before it is complete.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use actix_web::body::BoxBody;
use actix_web::dev::Payload;
use actix_web::error::PayloadError;
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderValue};
use actix_web::{HttpRequest, HttpResponse};
use bytes::{Bytes, BytesMut};
use futures_core::Stream;

use super::{headers, jsonp};
use crate::actor::Socket;
use crate::actor::transport::PendingPush;
use crate::proto::{BadRequest, PushBody, Refusal};

/// A POST whose body must be read.
pub(super) struct Incoming {
    body: Body,
    socket: Socket,
    form: Form,
    /// Why there is no use in reading on.
    failed: Option<Refusal>,
}

/// How the payload lies in the body.
#[derive(Clone, Copy)]
struct Form {
    jsonp: bool,
    binary: bool,
}

/// A POST whose head has come. Nobody knows of it yet.
pub(super) fn begin(
    req: &HttpRequest,
    payload: Payload,
    socket: Socket,
    jsonp: bool,
    binary: bool,
    limit: usize,
) -> Incoming {
    let announced = headers::text(req.headers(), &header::CONTENT_LENGTH)
        .and_then(|length| length.parse().ok())
        .unwrap_or(0u64);
    Incoming {
        body: Body {
            payload,
            limit,
            first: Bytes::new(),
            more: BytesMut::new(),
        },
        socket,
        form: Form {
            jsonp,
            binary: binary && !jsonp,
        },
        failed: (announced > limit as u64).then_some(Refusal::PayloadTooLarge { size: announced }),
    }
}

impl Form {
    fn payload(self, body: Bytes) -> PushBody {
        let bytes = if self.jsonp {
            jsonp::form_payload(&body).unwrap_or_default()
        } else {
            body
        };
        PushBody {
            bytes,
            binary: self.binary,
        }
    }
}

impl Incoming {
    /// Announces a POST whose body is there already, and hands it over with the same message.
    ///
    /// `Ready(None)` if it cannot be complete.
    pub(super) fn poll_complete(&mut self, cx: &mut Context<'_>) -> Poll<Option<PendingPush>> {
        if self.failed.is_some() {
            return Poll::Ready(None);
        }
        Poll::Ready(match ready!(self.body.poll(cx)) {
            Ok(bytes) => {
                let body = Some(self.form.payload(bytes));
                Some(PendingPush::new(self.socket.clone(), self.form.binary, body))
            }
            Err(refusal) => {
                self.failed = Some(refusal);
                None
            }
        })
    }

    /// Announces the POST, then reads its body to its end or its session's refusal. The answer is to be
    /// awaited of the push; what is left of the body comes along.
    pub(super) async fn read(self) -> (PendingPush, Payload) {
        let Incoming {
            mut body,
            socket,
            form,
            failed,
        } = self;
        let mut push = PendingPush::new(socket, form.binary, None);
        if let Some(refusal) = failed {
            push.complete(Err(refusal));
            return (push, body.payload);
        }
        let mut begun = false;
        poll_fn(|cx| {
            // Refused, or out of time: the rest of the body is of no use.
            if push.poll_answer(cx) {
                return Poll::Ready(());
            }
            let complete = body.poll(cx);
            if !begun && !body.is_empty() {
                begun = true;
                push.begun();
            }
            complete.map(|body| push.complete(body.map(|bytes| form.payload(bytes))))
        })
        .await;
        (push, body.payload)
    }
}

/// `text/html`, lest some browsers offer a download (engine.io's experience).
pub(super) fn ok() -> HttpResponse {
    let body = BoxBody::new(Bytes::from_static(b"ok"));
    let mut response = HttpResponse::with_body(StatusCode::OK, body);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html"));
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    response
}

/// A request's body up to a limit. One chunk is not copied.
struct Body {
    payload: Payload,
    limit: usize,
    first: Bytes,
    more: BytesMut,
}

impl Body {
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn len(&self) -> usize {
        self.first.len() + self.more.len()
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<Bytes, Refusal>> {
        loop {
            match ready!(Pin::new(&mut self.payload).poll_next(cx)) {
                Some(Ok(chunk)) if self.len() + chunk.len() > self.limit => {
                    let size = (self.len() + chunk.len()) as u64;
                    return Poll::Ready(Err(Refusal::PayloadTooLarge { size }));
                }
                Some(Ok(chunk)) => self.push(chunk),
                Some(Err(PayloadError::EncodingCorrupted)) => {
                    return Poll::Ready(Err(BadRequest::InvalidPayload.into()));
                }
                // The client left; what it is told matters to nobody.
                Some(Err(_)) => return Poll::Ready(Err(Refusal::UnknownSid)),
                None if self.more.is_empty() => return Poll::Ready(Ok(std::mem::take(&mut self.first))),
                None => return Poll::Ready(Ok(std::mem::take(&mut self.more).freeze())),
            }
        }
    }

    fn push(&mut self, chunk: Bytes) {
        if self.is_empty() {
            self.first = chunk;
            return;
        }
        if !self.first.is_empty() {
            self.more.extend_from_slice(&std::mem::take(&mut self.first));
        }
        self.more.extend_from_slice(&chunk);
    }
}
