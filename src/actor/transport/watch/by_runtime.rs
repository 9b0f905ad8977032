//! The same where a set is no source to the runtime, outside Unix: the runtime watches each connection.

use std::io;
use std::net::{self, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::thread::{self, ThreadId};

use bytes::BytesMut;
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::io::poll_read_buf;

/// A connection, watched by the thread that has made this of it.
#[derive(Debug)]
pub(super) struct Watched(TcpStream, ThreadId);

impl Watched {
    pub(super) fn new(io: net::TcpStream) -> io::Result<Self> {
        Ok(Watched(TcpStream::from_std(io)?, thread::current().id()))
    }

    pub(super) fn accepted(io: net::TcpStream) -> io::Result<Self> {
        Self::new(io)
    }

    pub(super) fn is_here(&self) -> bool {
        self.1 == thread::current().id()
    }

    pub(super) fn into_loose(self) -> io::Result<net::TcpStream> {
        self.0.into_std()
    }

    pub(super) fn poll_read_into(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut BytesMut,
    ) -> Poll<io::Result<usize>> {
        poll_read_buf(Pin::new(&mut self.0), cx, buffer)
    }
}

impl AsyncRead for Watched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl AsyncWrite for Watched {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

/// A listener, watched by this thread.
#[derive(Debug)]
pub(crate) struct Acceptor(TcpListener);

impl Acceptor {
    pub(crate) fn new(listener: net::TcpListener) -> io::Result<Self> {
        TcpListener::from_std(listener).map(Acceptor)
    }

    pub(crate) async fn accept(&self) -> io::Result<(net::TcpStream, SocketAddr)> {
        let (io, peer) = self.0.accept().await?;
        // Of a connection that is gone already it need not be true.
        let _ = io.set_nodelay(true);
        let _ = SockRef::from(&io).set_keepalive(true);
        Ok((io.into_std()?, peer))
    }
}
