//! Connections that the runtime itself watches, one by one: those that have to be heard in one order with HTTP's, and
//! outside Unix all of them, since a set is no source to the runtime there.

use std::io;
use std::net;
#[cfg(not(unix))]
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
#[cfg(not(unix))]
use std::thread::{self, ThreadId};

#[cfg(not(unix))]
use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
#[cfg(not(unix))]
use tokio::net::TcpListener;
use tokio::net::TcpStream;
#[cfg(not(unix))]
use tokio_util::io::poll_read_buf;

/// A connection, watched by the runtime of the thread that has made this of it.
#[derive(Debug)]
pub(super) struct ByRuntime {
    io: TcpStream,
    #[cfg(not(unix))]
    thread: ThreadId,
}

impl ByRuntime {
    /// Watches a connection that is not blocking.
    ///
    /// # Errors
    /// Those of the system.
    pub(super) fn new(io: net::TcpStream) -> io::Result<Self> {
        Ok(ByRuntime {
            io: TcpStream::from_std(io)?,
            #[cfg(not(unix))]
            thread: thread::current().id(),
        })
    }

    /// Whether this thread watches it.
    #[cfg(not(unix))]
    pub(super) fn is_here(&self) -> bool {
        self.thread == thread::current().id()
    }

    /// The connection, watched by nobody.
    ///
    /// # Errors
    /// Those of the system.
    pub(super) fn into_loose(self) -> io::Result<net::TcpStream> {
        self.io.into_std()
    }

    /// Reads behind what lies in `buffer`, as much as there is room for.
    #[cfg(not(unix))]
    pub(super) fn poll_read_into(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut BytesMut,
    ) -> Poll<io::Result<usize>> {
        poll_read_buf(Pin::new(&mut self.io), cx, buffer)
    }
}

impl AsyncRead for ByRuntime {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(cx, buf)
    }
}

impl AsyncWrite for ByRuntime {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

/// A listener, watched by this thread.
#[cfg(not(unix))]
#[derive(Debug)]
pub(crate) struct Acceptor(TcpListener);

#[cfg(not(unix))]
impl Acceptor {
    pub(crate) fn new(listener: net::TcpListener) -> io::Result<Self> {
        TcpListener::from_std(listener).map(Acceptor)
    }

    pub(crate) async fn accept(&self) -> io::Result<(net::TcpStream, SocketAddr)> {
        let (io, peer) = self.0.accept().await?;
        // Of a connection that is gone already it need not be true.
        let _ = io.set_nodelay(true);
        Ok((io.into_std()?, peer))
    }
}
