//! A TCP connection that a WebSocket owns, with TLS or without: it moves between threads, and is watched by the one
//! that reads it.

use std::io;
use std::net;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::OwnedSemaphorePermit;
#[cfg(feature = "rustls")]
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tokio_util::io::poll_read_buf;

use super::watch::Watched;

/// A connection. Read it on the thread that it was [brought](Self::bring_here) to.
#[derive(Debug)]
pub(crate) struct Stream {
    io: Io,
    /// Its place among the connections of a listener, free when it ends.
    _place: Option<OwnedSemaphorePermit>,
}

#[derive(Debug)]
enum Io {
    Tcp(Tcp),
    #[cfg(feature = "rustls")]
    Tls(Box<TlsStream<Tcp>>),
}

/// Plain TCP.
#[derive(Debug)]
enum Tcp {
    /// No thread watches it.
    Loose(net::TcpStream),
    /// The thread does that has brought it here.
    Watched(Watched),
    /// It could not be watched.
    Lost,
}

impl Stream {
    /// A connection that is not blocking, and that nobody watches.
    pub(crate) fn loose(io: net::TcpStream) -> Self {
        Stream {
            io: Io::Tcp(Tcp::Loose(io)),
            _place: None,
        }
    }

    /// A connection that was accepted on this thread, and its place.
    ///
    /// # Errors
    /// When the system does not let this thread watch it.
    pub(crate) fn accepted(io: net::TcpStream, place: OwnedSemaphorePermit) -> io::Result<Self> {
        Ok(Stream {
            io: Io::Tcp(Tcp::Watched(Watched::accepted(io)?)),
            _place: Some(place),
        })
    }

    /// Does the server's part of a TLS handshake.
    #[cfg(feature = "rustls")]
    pub(crate) async fn secure(self, acceptor: &TlsAcceptor) -> io::Result<Self> {
        let io = match self.io {
            Io::Tcp(tcp) => Io::Tls(Box::new(acceptor.accept(tcp).await?)),
            secured => secured,
        };
        Ok(Stream { io, ..self })
    }

    /// Lets this thread watch it.
    ///
    /// # Errors
    /// When the system does not.
    pub(super) fn bring_here(&mut self) -> io::Result<()> {
        match &mut self.io {
            Io::Tcp(tcp) => tcp.bring_here(),
            #[cfg(feature = "rustls")]
            Io::Tls(tls) => tls.get_mut().0.bring_here(),
        }
    }

    /// Writes as much as it takes at once, as the last that is written.
    pub(super) fn write_last(&mut self, bytes: &[u8]) {
        let mut cx = Context::from_waker(Waker::noop());
        // What does not fit is lost, and the connection ends all the same.
        let _ = Pin::new(&mut *self).poll_write(&mut cx, bytes);
        #[cfg(feature = "rustls")]
        if let Io::Tls(tls) = &mut self.io {
            let _ = Pin::new(tls).poll_shutdown(&mut cx);
        }
    }

    /// Reads behind what lies in `buffer`, as much as there is room for. Returns how many bytes; none at the end.
    #[inline]
    pub(super) fn poll_read_into(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut BytesMut,
    ) -> Poll<io::Result<usize>> {
        match &mut self.io {
            Io::Tcp(Tcp::Watched(io)) => io.poll_read_into(cx, buffer),
            _ => poll_read_buf(Pin::new(self), cx, buffer),
        }
    }
}

impl Tcp {
    fn bring_here(&mut self) -> io::Result<()> {
        if matches!(self, Tcp::Watched(io) if io.is_here()) {
            return Ok(());
        }
        let io = match std::mem::replace(self, Tcp::Lost) {
            Tcp::Loose(io) => io,
            Tcp::Watched(io) => io.into_loose()?,
            Tcp::Lost => return Err(io::ErrorKind::NotConnected.into()),
        };
        *self = Tcp::Watched(Watched::new(io)?);
        Ok(())
    }
}

impl AsyncRead for Stream {
    #[inline]
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match &mut self.io {
            Io::Tcp(tcp) => Pin::new(tcp).poll_read(cx, buf),
            #[cfg(feature = "rustls")]
            Io::Tls(tls) => Pin::new(tls).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Stream {
    #[inline]
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.io {
            Io::Tcp(tcp) => Pin::new(tcp).poll_write(cx, buf),
            #[cfg(feature = "rustls")]
            Io::Tls(tls) => Pin::new(tls).poll_write(cx, buf),
        }
    }

    #[inline]
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.io {
            Io::Tcp(tcp) => Pin::new(tcp).poll_flush(cx),
            #[cfg(feature = "rustls")]
            Io::Tls(tls) => Pin::new(tls).poll_flush(cx),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.io {
            Io::Tcp(tcp) => Pin::new(tcp).poll_shutdown(cx),
            #[cfg(feature = "rustls")]
            Io::Tls(tls) => Pin::new(tls).poll_shutdown(cx),
        }
    }
}

impl AsyncRead for Tcp {
    #[inline]
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Tcp::Watched(io) => Pin::new(io).poll_read(cx, buf),
            _ => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }
}

impl AsyncWrite for Tcp {
    #[inline]
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Tcp::Watched(io) => Pin::new(io).poll_write(cx, buf),
            // A goodbye on the way.
            Tcp::Loose(io) => match io::Write::write(io, buf) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => Poll::Pending,
                written => Poll::Ready(written),
            },
            Tcp::Lost => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }

    #[inline]
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Tcp::Watched(io) => Pin::new(io).poll_shutdown(cx),
            _ => Poll::Ready(Ok(())),
        }
    }
}
