//! How a WebSocket gets its connection out of actix's HTTP dispatcher: the 101 has a body that says it has one byte,
//! gives none, and so ends the dispatcher once the head has left, without a word on the wire. A dispatcher of ours has
//! the connection lent only; of others' we keep a second descriptor, for plain TCP under Unix. HTTP/1.1 alone; elsewhere
//! the bytes go on passing through the dispatcher.
//!
//! None of this is promised by actix-http: `tests/handover` guards each assumption.

use std::any::Any;
use std::cell::RefCell;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Once;
use std::task::{Context, Poll, Waker};

use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::{Extensions, Payload};
use actix_web::http::Version;
use actix_web::{HttpMessage as _, HttpRequest};
use bytes::{Bytes, BytesMut};
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::actor::transport::{Handover, Stream};
use crate::{Config, WsEngine};

/// What each connection of an `HttpServer` is to be told, so that WebSockets come to own theirs: much less memory for
/// each of them, and more messages for each second of the processor.
///
/// ```no_run
/// # #[actix_web::main] async fn main() -> std::io::Result<()> {
/// # let server = engineio::Server::builder().start();
/// use actix_web::{App, HttpServer};
///
/// HttpServer::new(move || App::new().service(engineio::scope(&server)))
///     .on_connect(engineio::on_connect)
///     .h1_allow_half_closed(false)
///     .bind(("127.0.0.1", 3000))?
///     .run()
///     .await
/// # }
/// ```
///
/// Who has an `on_connect` of his own calls this from it. A connection that was handed over counts no more for
/// `HttpServer::max_connections`, and `ServerHandle::stop` does not wait for it: [`Server::close`](crate::Server::close)
/// does.
///
/// Sets `TCP_NODELAY` besides: without it a push that follows another waits until the client has acknowledged that one,
/// 40 ms and more. A server with TLS, whose connections are not seen here, sets `HttpServer::tcp_nodelay(true)` itself.
///
/// And `SO_KEEPALIVE`: a client that has vanished without a word is noticed by the system (Linux asks after two hours),
/// even if its connection is idle. With TLS [`KeepAlive`](actix_web::http::KeepAlive) should have a timeout instead.
pub fn on_connect(connection: &dyn Any, extensions: &mut Extensions) {
    let Some(io) = connection.downcast_ref::<actix_rt::net::TcpStream>() else {
        return;
    };
    // A connection that is gone already.
    let _ = io.set_nodelay(true);
    let _ = SockRef::from(io).set_keepalive(true);
    #[cfg(unix)]
    extensions.insert(Descriptor(std::os::fd::AsRawFd::as_raw_fd(io)));
    #[cfg(not(unix))]
    let _ = extensions;
}

/// Which descriptor a connection has, as long as its dispatcher lives.
#[derive(Debug, Clone, Copy)]
struct Descriptor(#[cfg(unix)] std::os::fd::RawFd);

/// A connection that a dispatcher reads and writes until a WebSocket takes it.
#[derive(Debug, Clone)]
pub(super) struct Lent(Rc<RefCell<Option<Stream>>>);

impl Lent {
    pub(super) fn new(stream: Stream) -> Self {
        Lent(Rc::new(RefCell::new(Some(stream))))
    }

    fn with<T>(&self, act: impl FnOnce(Pin<&mut Stream>) -> Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        match &mut *self.0.borrow_mut() {
            Some(stream) => act(Pin::new(stream)),
            None => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }
}

impl AsyncRead for Lent {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.with(|stream| stream.poll_read(cx, buf))
    }
}

impl AsyncWrite for Lent {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.with(|stream| stream.poll_write(cx, buf))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.with(|stream| stream.poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.with(|stream| stream.poll_shutdown(cx))
    }
}

/// A connection that its dispatcher can do without.
#[derive(Debug)]
pub(super) enum Detachable {
    /// The dispatcher has it lent.
    Lent(Lent),
    /// A second handle to it.
    Second(Stream),
}

impl Detachable {
    fn detach(self) -> Option<Stream> {
        match self {
            Detachable::Lent(Lent(cell)) => cell.take(),
            Detachable::Second(stream) => Some(stream),
        }
    }
}

/// The connection on which this request came, if it may be handed over.
pub(super) fn connection(req: &HttpRequest, config: &Config) -> Option<Detachable> {
    static TOLD: Once = Once::new();
    if !config.handover || config.ws_engine != WsEngine::BuiltIn {
        return None;
    }
    let io = match req.version() {
        Version::HTTP_11 => detachable(req),
        _ => None,
    };
    if io.is_none() {
        TOLD.call_once(|| {
            log::debug!(
                target: "engineio::ws",
                "WebSockets stay in the HTTP server (TLS, HTTP/2, or no `on_connect(engineio::on_connect)`)"
            );
        });
    }
    io
}

fn detachable(req: &HttpRequest) -> Option<Detachable> {
    if let Some(lent) = req.extensions().get::<Lent>() {
        return Some(Detachable::Lent(lent.clone()));
    }
    let second = duplicate(*req.conn_data()?, req)?;
    Some(Detachable::Second(Stream::loose(second)))
}

/// The crate's one `unsafe`: a descriptor's number is borrowed while its connection serves the request.
#[cfg(unix)]
#[allow(unsafe_code)]
fn duplicate(Descriptor(number): Descriptor, req: &HttpRequest) -> Option<std::net::TcpStream> {
    use std::os::fd::BorrowedFd;
    if number < 0 {
        return None;
    }
    // SAFETY: the number is not -1, and the dispatcher that has put it into the connection's data keeps the descriptor
    // open while it serves the request. If an application kept the request beyond that, the number may be another
    // descriptor's: then duplicating it is harmless, and its peer tells it from ours below.
    let borrowed = unsafe { BorrowedFd::borrow_raw(number) };
    let io = std::net::TcpStream::from(borrowed.try_clone_to_owned().ok()?);
    (io.peer_addr().ok() == req.peer_addr()).then_some(io)
}

#[cfg(not(unix))]
fn duplicate(_: Descriptor, _: &HttpRequest) -> Option<std::net::TcpStream> {
    None
}

/// The body of a 101 whose connection is handed over.
pub(super) fn body(payload: Payload, io: Detachable, handover: Handover) -> BoxBody {
    BoxBody::new(Body {
        payload,
        early: BytesMut::new(),
        head_is_written: false,
        handover: Some((io, handover)),
    })
}

struct Body {
    payload: Payload,
    /// What the client sent behind its request.
    early: BytesMut,
    head_is_written: bool,
    handover: Option<(Detachable, Handover)>,
}

impl Body {
    /// Takes all that the dispatcher has read. It feeds the payload before it polls the body, as long as the payload
    /// has room: so it is emptied with every poll.
    fn drain(&mut self) {
        let mut cx = Context::from_waker(Waker::noop());
        while let Poll::Ready(Some(Ok(bytes))) =
            futures_core::Stream::poll_next(Pin::new(&mut self.payload), &mut cx)
        {
            self.early.extend_from_slice(&bytes);
        }
    }
}

impl MessageBody for Body {
    type Error = std::convert::Infallible;

    /// A byte that never comes: the dispatcher gives up on the response, and drops the connection as it is.
    fn size(&self) -> BodySize {
        BodySize::Sized(1)
    }

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        let this = &mut *self;
        this.drain();
        if !std::mem::replace(&mut this.head_is_written, true) {
            // The dispatcher writes when the body has nothing.
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        if let Some((io, handover)) = this.handover.take()
            && let Some(io) = io.detach()
        {
            handover.complete(io, std::mem::take(&mut this.early));
        }
        Poll::Ready(None)
    }
}

#[cfg(test)]
mod tests {
    use actix_rt::net::{TcpListener, TcpStream};

    use super::*;

    #[actix_web::test]
    async fn a_push_does_not_wait_for_the_one_before_it() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let _client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (io, _) = listener.accept().await.unwrap();
        on_connect(&io, &mut Extensions::new());
        assert!(io.nodelay().unwrap());
    }

    #[actix_web::test]
    async fn an_idle_client_that_has_vanished_is_noticed() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let _client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (io, _) = listener.accept().await.unwrap();
        on_connect(&io, &mut Extensions::new());
        assert!(SockRef::from(&io).keepalive().unwrap());
    }
}
