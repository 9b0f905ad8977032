//! The 101 and its body: a WebSocket whose bytes pass through actix's HTTP connection. Works wherever HTTP/1.1
//! does, behind TLS and any middleware.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::Payload;
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderValue};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder};
use bytes::Bytes;
use futures_core::Stream;

use super::handover::{self, Detachable};
use super::headers;
#[cfg(feature = "ws_engine")]
use super::websocket_actors;
use crate::actor::Socket;
#[cfg(feature = "ws_engine")]
use crate::actor::transport::Attachment;
use crate::actor::transport::{Handover, Link, WebSocketTransport};
use crate::proto::{BadRequest, Refusal};
use crate::ws::handshake::Accept;
use crate::{Config, WsEngine};

/// Checks the headers of a WebSocket handshake, and agrees on compression if that is wanted here.
pub(super) fn accept(req: &HttpRequest, config: &Config) -> Result<Accept, Refusal> {
    let mut handshake = headers::websocket_handshake(req.headers());
    if let Some(deflate) = &config.per_message_deflate
        && config.ws_engine == WsEngine::BuiltIn
    {
        for line in req.headers().get_all(header::SEC_WEBSOCKET_EXTENSIONS) {
            handshake.extensions_within(line.as_bytes(), deflate.context_takeover);
        }
    }
    handshake
        .accept()
        .map_err(|_| BadRequest::TransportHandshake.into())
}

/// A session that begins on this WebSocket.
pub(super) fn open(accept: &Accept, payload: Payload, link: Arc<Link>) -> HttpResponse {
    let engine = link.socket().server().config().ws_engine;
    let body = match engine {
        WsEngine::BuiltIn => Body::boxed(payload, WebSocketTransport::direct(link, accept.deflate)),
        #[cfg(feature = "ws_engine")]
        WsEngine::ActixWebActors => websocket_actors::body(payload, Attachment::direct(link)),
    };
    switch(accept, body)
}

/// The same, whose connection will be the socket's own.
pub(super) fn open_over(accept: &Accept, payload: Payload, socket: Socket, io: Detachable) -> HttpResponse {
    let handover = Handover::direct(socket, accept.deflate);
    switch(accept, handover::body(payload, io, handover))
}

/// A WebSocket that wants to become the transport of a session.
pub(super) fn upgrade(req: &HttpRequest, payload: Payload, socket: Socket) -> Result<HttpResponse, Refusal> {
    let server = socket.server();
    let accept = accept(req, server.config())?;
    let body = match handover::connection(req, server.config()) {
        Some(io) => handover::body(payload, io, Handover::upgrade(socket, accept.deflate)),
        None => {
            let link = Arc::new(Link::new(socket));
            match server.config().ws_engine {
                WsEngine::BuiltIn => Body::boxed(payload, WebSocketTransport::upgrade(link, accept.deflate)),
                #[cfg(feature = "ws_engine")]
                WsEngine::ActixWebActors => websocket_actors::body(payload, Attachment::upgrade(link)),
            }
        }
    };
    Ok(switch(&accept, body))
}

/// The 101.
fn switch(accept: &Accept, body: BoxBody) -> HttpResponse {
    let mut response = HttpResponseBuilder::new(StatusCode::SWITCHING_PROTOCOLS)
        .upgrade("websocket")
        .body(body);
    if let Ok(key) = HeaderValue::from_bytes(&accept.key) {
        response.headers_mut().insert(header::SEC_WEBSOCKET_ACCEPT, key);
    }
    if let Some(agreement) = accept.deflate
        && let Ok(agreement) = HeaderValue::try_from(agreement.to_string())
    {
        response
            .headers_mut()
            .insert(header::SEC_WEBSOCKET_EXTENSIONS, agreement);
    }
    if let Some(protocol) = &accept.protocol
        && let Ok(protocol) = HeaderValue::try_from(protocol)
    {
        response
            .headers_mut()
            .insert(header::SEC_WEBSOCKET_PROTOCOL, protocol);
    }
    response
}

/// The body of the 101. actix's dispatcher polls it after every read, and whenever it is woken.
struct Body {
    payload: Payload,
    transport: WebSocketTransport,
}

impl Body {
    fn boxed(payload: Payload, transport: WebSocketTransport) -> BoxBody {
        BoxBody::new(Body { payload, transport })
    }
}

impl MessageBody for Body {
    type Error = std::convert::Infallible;

    fn size(&self) -> BodySize {
        BodySize::Stream
    }

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        let this = &mut *self;
        // The dispatcher polls us after it has read, so no waker of ours need lie in the payload.
        let mut noop = Context::from_waker(Waker::noop());
        while this.transport.wants_input(cx) {
            if this.transport.has_rest() {
                this.transport.proceed();
                continue;
            }
            match Pin::new(&mut this.payload).poll_next(&mut noop) {
                Poll::Ready(Some(Ok(bytes))) => this.transport.receive(bytes),
                Poll::Ready(Some(Err(_)) | None) => {
                    this.transport.disconnected();
                    break;
                }
                Poll::Pending => break,
            }
        }
        this.transport.poll_output(cx).map(|bytes| bytes.map(Ok))
    }
}
