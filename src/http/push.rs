//! POST: a payload from the client, read in bounded memory, announced before it is complete.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};

use actix_web::dev::Payload;
use actix_web::http::header::{self, HeaderValue};
use actix_web::{HttpRequest, HttpResponse};
use bytes::{Bytes, BytesMut};
use futures_core::Stream;

use super::{headers, jsonp};
use crate::actor::Socket;
use crate::actor::transport::PendingPush;
use crate::proto::{PushBody, Refusal};

/// Reads a payload and hands it to its socket. If it is refused, what is left of it is given back.
pub(super) async fn push(
    req: &HttpRequest,
    payload: Payload,
    socket: Socket,
    jsonp: bool,
    binary: bool,
) -> Result<HttpResponse, (Refusal, Payload)> {
    let limit = socket.server().config().max_http_buffer_size;
    let mut body = Body {
        payload,
        limit,
        first: Bytes::new(),
        more: BytesMut::new(),
    };
    let decode = |bytes: Bytes| PushBody {
        bytes: if jsonp {
            jsonp::form_payload(&bytes).unwrap_or_default()
        } else {
            bytes
        },
        binary: binary && !jsonp,
    };
    let announced = headers::text(req.headers(), &header::CONTENT_LENGTH)
        .and_then(|length| length.parse().ok())
        .unwrap_or(0u64);
    let binary = binary && !jsonp;
    // Most bodies are there with their head: then one message says it all.
    let early = match announced > limit as u64 {
        true => Some(Err(Refusal::PayloadTooLarge)),
        false => poll_fn(|cx| Poll::Ready(ready(body.poll(cx)))).await,
    };
    let pending = match early {
        Some(Ok(bytes)) => PendingPush::new(socket, binary, Some(decode(bytes))),
        Some(Err(refusal)) => {
            let mut pending = PendingPush::new(socket, binary, None);
            pending.complete(Err(refusal));
            pending
        }
        None => {
            let mut pending = PendingPush::new(socket, binary, None);
            let mut begun = false;
            let answer = poll_fn(|cx| {
                // Refused, or out of time: the rest of the body is of no use.
                if let Poll::Ready(answer) = Pin::new(&mut pending).poll(cx) {
                    return Poll::Ready(Some(answer));
                }
                let complete = body.poll(cx);
                if !begun && !body.is_empty() {
                    begun = true;
                    pending.begun();
                }
                complete.map(|body| {
                    pending.complete(body.map(decode));
                    None
                })
            })
            .await;
            if let Some(answer) = answer {
                return answer.map(|()| ok()).map_err(|refusal| (refusal, body.payload));
            }
            pending
        }
    };
    pending
        .await
        .map(|()| ok())
        .map_err(|refusal| (refusal, body.payload))
}

fn ready<T>(poll: Poll<T>) -> Option<T> {
    match poll {
        Poll::Ready(value) => Some(value),
        Poll::Pending => None,
    }
}

/// `text/html`, lest some browsers offer a download (engine.io's experience).
fn ok() -> HttpResponse {
    let mut response = HttpResponse::Ok().body(Bytes::from_static(b"ok"));
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
            match std::task::ready!(Pin::new(&mut self.payload).poll_next(cx)) {
                Some(Ok(chunk)) if self.len() + chunk.len() > self.limit => {
                    return Poll::Ready(Err(Refusal::PayloadTooLarge));
                }
                Some(Ok(chunk)) => self.push(chunk),
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
