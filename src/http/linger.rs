//! Responses that are complete at once and end later, so that what they say arrives before the connection ends.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use actix_rt::time::{Sleep, sleep};
use actix_web::HttpResponse;
use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::Payload;
use actix_web::http::header::{self, HeaderValue};
use bytes::Bytes;
use futures_core::Stream;

/// How long the rest of a refused body is awaited.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(1);

/// How many bytes of a refused body are read, and thrown away.
const DRAIN_LIMIT: usize = 16 * 1024 * 1024;

/// Closes the connection when `timeout` has passed after the response.
pub(super) fn close_after(mut response: HttpResponse, timeout: Duration) -> HttpResponse {
    response
        .head_mut()
        .set_connection_type(actix_http::ConnectionType::Close);
    linger(response, timeout, None)
}

/// Reads on behind the response: to close a connection on which the client still sends would reset it, and
/// the client would never read why.
pub(super) fn drain(response: HttpResponse, payload: Payload) -> HttpResponse {
    linger(response, DRAIN_TIMEOUT, Some(payload))
}

fn linger(response: HttpResponse, timeout: Duration, payload: Option<Payload>) -> HttpResponse {
    response.map_body(|head, body| {
        let text = body.try_into_bytes().ok().filter(|text| !text.is_empty());
        if text.is_none() {
            // Without a size the body is polled; the client is told the truth.
            head.headers_mut()
                .insert(header::CONTENT_LENGTH, HeaderValue::from_static("0"));
            head.no_chunking(true);
        }
        BoxBody::new(Body {
            text,
            end: Box::pin(sleep(timeout)),
            payload,
            left: DRAIN_LIMIT,
        })
    })
}

struct Body {
    /// What is left to say.
    text: Option<Bytes>,
    end: Pin<Box<Sleep>>,
    payload: Option<Payload>,
    left: usize,
}

impl MessageBody for Body {
    type Error = Infallible;

    fn size(&self) -> BodySize {
        match &self.text {
            Some(text) => BodySize::Sized(text.len() as u64),
            None => BodySize::Stream,
        }
    }

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Infallible>>> {
        if let Some(text) = self.text.take() {
            return Poll::Ready(Some(Ok(text)));
        }
        while let Some(payload) = &mut self.payload {
            match Pin::new(payload).poll_next(cx) {
                Poll::Ready(Some(Ok(bytes))) if bytes.len() <= self.left => self.left -= bytes.len(),
                Poll::Ready(_) => return Poll::Ready(None),
                Poll::Pending => break,
            }
        }
        self.end.as_mut().poll(cx).map(|()| None)
    }
}
