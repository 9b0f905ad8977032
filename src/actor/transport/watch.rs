//! What watches the TCP connections of a thread: one set for all of them, which is a single source to the runtime. A
//! registration of each with the runtime itself takes eight times the memory. Knows nothing of what the connections carry.

mod set;
#[cfg(test)]
mod tests;

use std::cell::RefCell;
use std::future::poll_fn;
use std::io::{self, Read as _, Write as _};
use std::net::{self, Shutdown, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use rustix::buffer::spare_capacity;
use rustix::net::{RecvFlags, recv};
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_util::io::poll_read_buf;

use self::set::{Place, Ready};

/// How many bytes are read in one go, to be copied.
const SCRATCH_SIZE: usize = 8 * 1024;

/// A connection that has brought so many bytes at once is read without a copy next time.
const MUCH: usize = 4 * 1024;

/// Whether a connection has `TCP_NODELAY` and `SO_KEEPALIVE` if its listener has.
const INHERITS_OPTIONS: bool = cfg!(any(target_os = "linux", target_os = "android"));

thread_local! {
    /// What all connections of this thread read into.
    static SCRATCH: RefCell<[u8; SCRATCH_SIZE]> = const { RefCell::new([0; SCRATCH_SIZE]) };
}

/// A connection, watched by the thread that has made this of it. One task at a time may wait for it.
#[derive(Debug)]
pub(super) struct Watched {
    place: Place,
    io: net::TcpStream,
    /// What was read last filled much of its buffer.
    brings_much: bool,
}

impl Watched {
    /// Watches a connection that is not blocking.
    ///
    /// # Errors
    /// When the system does not allow it, or the runtime is at its end.
    pub(super) fn new(io: net::TcpStream) -> io::Result<Self> {
        Self::ready(io, Ready::WRITE)
    }

    /// The same for a connection whose client has mostly said something already.
    ///
    /// # Errors
    /// As those of [`new`](Self::new).
    pub(super) fn accepted(io: net::TcpStream) -> io::Result<Self> {
        Self::ready(io, Ready::READ | Ready::WRITE)
    }

    fn ready(io: net::TcpStream, ready: Ready) -> io::Result<Self> {
        let place = Place::take(&io, ready)?;
        Ok(Watched {
            place,
            io,
            brings_much: false,
        })
    }

    /// Whether this thread watches it.
    pub(super) fn is_here(&self) -> bool {
        self.place.is_here()
    }

    /// The connection, watched by nobody.
    ///
    /// # Errors
    /// Those of the system.
    pub(super) fn into_loose(self) -> io::Result<net::TcpStream> {
        self.place.leave(&self.io)?;
        Ok(self.io)
    }

    /// Reads behind what lies in `buffer`, as much as there is room for. What comes in small pieces is copied, since
    /// that costs less than the memory that it takes to go without.
    pub(super) fn poll_read_into(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut BytesMut,
    ) -> Poll<io::Result<usize>> {
        let count = match self.brings_much {
            true => ready!(self.poll_read_directly(cx, buffer))?,
            false => ready!(poll_read_buf(Pin::new(&mut *self), cx, buffer))?,
        };
        self.brings_much = count >= MUCH;
        Poll::Ready(Ok(count))
    }

    fn poll_read_directly(&self, cx: &mut Context<'_>, buffer: &mut BytesMut) -> Poll<io::Result<usize>> {
        self.place.poll_io(Ready::READING, cx, || {
            // The same memory, unless somebody else has a part of it: then it is left to him.
            let mut bytes = Vec::from(std::mem::take(buffer));
            bytes.reserve(MUCH);
            let (before, room) = (bytes.len(), bytes.capacity() - bytes.len());
            let read = recv(&self.io, spare_capacity(&mut bytes), RecvFlags::empty());
            *buffer = Bytes::from(bytes).into();
            let (count, _) = read?;
            debug_assert_eq!(before + count, buffer.len());
            Ok((count, count == room))
        })
    }
}

impl AsyncRead for Watched {
    #[inline]
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.place.poll_io(Ready::READING, cx, || {
            SCRATCH.with_borrow_mut(|scratch| {
                let room = SCRATCH_SIZE.min(buf.remaining());
                let count = (&self.io).read(&mut scratch[..room])?;
                buf.put_slice(&scratch[..count]);
                Ok(((), count == room))
            })
        })
    }
}

impl AsyncWrite for Watched {
    #[inline]
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.place.poll_io(Ready::WRITE, cx, || {
            let count = (&self.io).write(buf)?;
            Ok((count, count == buf.len()))
        })
    }

    #[inline]
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.io.shutdown(Shutdown::Write))
    }
}

/// A listener, watched by the thread that has made this of it. Nobody watches its connections yet.
#[derive(Debug)]
pub(crate) struct Acceptor {
    place: Place,
    listener: mio::net::TcpListener,
}

impl Acceptor {
    /// Watches a listener that is not blocking.
    ///
    /// # Errors
    /// When the system does not allow it, or the runtime is at its end.
    pub(crate) fn new(listener: net::TcpListener) -> io::Result<Self> {
        if INHERITS_OPTIONS {
            set_options(SockRef::from(&listener))?;
        }
        let place = Place::take(&listener, Ready::empty())?;
        let listener = mio::net::TcpListener::from_std(listener);
        Ok(Acceptor { place, listener })
    }

    /// The next connection, not blocking, and its peer. What is written to it leaves at once, even if the peer has not
    /// acknowledged what was written before; and a peer that has vanished is noticed, even if nothing is written.
    ///
    /// # Errors
    /// Those of accept(2).
    pub(crate) async fn accept(&self) -> io::Result<(net::TcpStream, SocketAddr)> {
        let accept = || Ok((self.listener.accept()?, true));
        let (io, peer) = poll_fn(|cx| self.place.poll_io(Ready::READING, cx, accept)).await?;
        if !INHERITS_OPTIONS {
            // Of a connection that is gone already they need not be true.
            let _ = set_options(SockRef::from(&io));
        }
        Ok((io.into(), peer))
    }
}

fn set_options(socket: SockRef<'_>) -> io::Result<()> {
    socket.set_tcp_nodelay(true)?;
    socket.set_keepalive(true)
}
