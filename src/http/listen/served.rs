//! What serves the connections of a thread, and ends them.

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use actix_http::{KeepAlive, Request, ServiceConfig};
use actix_service::Service;
use actix_web::dev::ServiceResponse;
use bytes::BytesMut;
use tokio::sync::Notify;

use super::connection::Connection;
use crate::actor::transport::Stream;
use crate::http::short::{Short, Shortcut};

/// What the connections of a thread have in common.
pub(super) struct Served<S> {
    pub(super) service: S,
    shortcut: Option<Shortcut>,
    config: ServiceConfig,
    is_stopping: Cell<bool>,
    stopping: Notify,
}

impl<S> Served<S> {
    pub(super) fn new(service: S, shortcut: Option<Shortcut>) -> Self {
        // Without timers: its users have their own.
        let config = ServiceConfig::new(KeepAlive::Os, Duration::ZERO, Duration::ZERO, false, None);
        Served {
            service,
            shortcut,
            config,
            is_stopping: Cell::new(false),
            stopping: Notify::new(),
        }
    }

    /// Whether connections end with what they are at.
    pub(super) fn is_stopping(&self) -> bool {
        self.is_stopping.get()
    }

    /// A request that needs no App.
    pub(super) fn short(&self, input: &mut BytesMut) -> Option<Short> {
        self.shortcut.as_ref()?.take(input)
    }

    /// Ends all connections, as soon as they have answered.
    pub(super) fn stop(&self) {
        self.is_stopping.set(true);
        self.stopping.notify_waiters();
    }
}

impl<S> Served<S>
where
    S: Service<Request, Response = ServiceResponse, Error = actix_web::Error>,
    S::Future: Unpin,
{
    /// Serves a connection until it ends, or a WebSocket has taken it.
    pub(super) async fn serve(self: Rc<Self>, stream: Stream, peer: SocketAddr) {
        let mut connection = Connection::new(stream, peer, self.config.clone());
        let mut stopping = pin!(self.stopping.notified());
        let mut is_heard = false;
        poll_fn(|cx| {
            if !std::mem::replace(&mut is_heard, true) {
                let _ = stopping.as_mut().poll(cx);
            }
            connection.poll(cx, &self)
        })
        .await;
    }
}
