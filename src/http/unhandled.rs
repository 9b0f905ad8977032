//! Upgrade requests that no transport takes: answered, and their connection closed a little later.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use actix_rt::time::{Sleep, sleep};
use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::http::StatusCode;
use actix_web::{HttpResponse, HttpResponseBuilder};
use bytes::Bytes;

use super::door::Door;
use crate::proto::{BadRequest, Refusal};

/// The answer to an upgrade that is not to a WebSocket.
pub(super) fn answer(door: &Door, status: StatusCode) -> HttpResponse {
    let refusal = Refusal::from(BadRequest::TransportHandshake);
    log::debug!(target: "engineio::server", "refused an upgrade that no transport takes");
    let timeout = door.config().destroy_upgrade_timeout;
    closing(status, refusal.body(), timeout)
}

/// A response after which the connection is closed when `timeout` has passed.
pub(super) fn closing(status: StatusCode, text: String, timeout: std::time::Duration) -> HttpResponse {
    let body = Body {
        text: Some(text.into()),
        end: Box::pin(sleep(timeout)),
    };
    HttpResponseBuilder::new(status)
        .force_close()
        .content_type("application/json")
        .body(BoxBody::new(body))
}

/// A body that is complete at once and ends later.
struct Body {
    text: Option<Bytes>,
    end: Pin<Box<Sleep>>,
}

impl MessageBody for Body {
    type Error = Infallible;

    fn size(&self) -> BodySize {
        BodySize::Sized(self.text.as_ref().map_or(0, |text| text.len() as u64))
    }

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Infallible>>> {
        match self.text.take() {
            Some(text) => Poll::Ready(Some(Ok(text))),
            None => self.end.as_mut().poll(cx).map(|()| None),
        }
    }
}
