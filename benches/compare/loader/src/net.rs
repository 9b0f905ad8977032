//! The event loop: many TCP connections, one thread, one read and one write per wake.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::time::Duration;

use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use socket2::{Domain, Socket, Type};

use crate::Common;
use crate::measure::Tally;

/// Bytes read at once.
const SCRATCH: usize = 256 * 1024;

/// A scenario: it is told what arrives, and sends through the `Net` that it is given.
pub(crate) trait Driver {
    /// Bytes arrived on connection `id`. Returns how many of them were used; the rest is kept for the next call.
    fn received(&mut self, net: &mut Net, id: usize, bytes: &[u8]) -> Result<usize, String>;
    /// The server closed connection `id`: an error, unless the scenario expects it.
    fn closed(&mut self, _net: &mut Net, _id: usize) -> Result<(), String> {
        Err("closed by the server".to_owned())
    }
    /// From now on nothing new is sent. Returns the messages whose echo is still due.
    fn drain(&mut self) -> u64;
    /// What was counted so far.
    fn tally(&mut self) -> &mut Tally;
}

#[derive(Debug)]
struct Connection {
    stream: TcpStream,
    /// Bytes that the driver could not use yet.
    input: Vec<u8>,
    /// Bytes that the kernel did not take yet.
    output: Vec<u8>,
}

/// The connections, by number: 0 for the first one made, and so on.
#[derive(Debug)]
pub(crate) struct Net {
    poll: Poll,
    connections: Vec<Option<Connection>>,
    /// Connections started so far.
    made: usize,
    scratch: Vec<u8>,
    server: SocketAddr,
    sources: u8,
    spin: bool,
}

impl Net {
    pub(crate) fn new(common: &Common) -> io::Result<Self> {
        Ok(Self {
            poll: Poll::new()?,
            connections: Vec::new(),
            made: 0,
            scratch: vec![0; SCRATCH],
            server: common.addr,
            sources: common.sources,
            spin: common.spin,
        })
    }

    /// The value of a Host header for the server.
    pub(crate) fn host(&self) -> String {
        self.server.to_string()
    }

    /// Starts a connection and returns its number. What is sent before it stands is kept until then.
    pub(crate) fn connect(&mut self) -> io::Result<usize> {
        let id = self.connections.len();
        self.reserve(1);
        self.connect_again(id)?;
        Ok(id)
    }

    /// Makes room for the next `count` connections, which `connect_again` starts.
    pub(crate) fn reserve(&mut self, count: usize) {
        self.connections
            .resize_with(self.connections.len() + count, || None);
    }

    /// Starts a new connection under a number whose old one is gone.
    pub(crate) fn connect_again(&mut self, id: usize) -> io::Result<()> {
        self.made += 1;
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        socket.set_nonblocking(true)?;
        socket.set_tcp_nodelay(true)?;
        // Closed by a reset, so that scenarios which open many connections do not run out of ports.
        socket.set_linger(Some(Duration::ZERO))?;
        if self.sources > 1 {
            let source = Ipv4Addr::new(127, 0, 0, 1 + (self.made % usize::from(self.sources)) as u8);
            socket.bind(&SocketAddrV4::new(source, 0).into())?;
        }
        if let Err(error) = socket.connect(&self.server.into()) {
            // EINPROGRESS: the first writable event tells the outcome.
            if error.raw_os_error() != Some(115) {
                return Err(error);
            }
        }
        let mut stream = TcpStream::from_std(socket.into());
        self.poll
            .registry()
            .register(&mut stream, Token(id), Interest::READABLE | Interest::WRITABLE)?;
        self.connections[id] = Some(Connection {
            stream,
            input: Vec::new(),
            output: Vec::new(),
        });
        Ok(())
    }

    /// Closes connection `id`, if it is open.
    pub(crate) fn close(&mut self, id: usize) {
        self.connections[id] = None;
    }

    /// Sends `bytes` on connection `id`; what the kernel does not take is sent when it can.
    pub(crate) fn send(&mut self, id: usize, bytes: &[u8]) -> Result<(), String> {
        let Some(connection) = self.connections[id].as_mut() else {
            return Ok(());
        };
        let mut written = 0;
        if connection.output.is_empty() {
            written = match connection.stream.write(bytes) {
                Ok(written) => written,
                Err(error) if is_for_later(&error) => 0,
                Err(error) => return Err(format!("write: {error}")),
            };
        }
        connection.output.extend_from_slice(&bytes[written..]);
        Ok(())
    }

    /// Waits for events, `most` at the longest, and handles them. A connection that fails is counted and dropped.
    pub(crate) fn turn(
        &mut self,
        driver: &mut impl Driver,
        events: &mut Events,
        most: Duration,
    ) -> io::Result<()> {
        let most = if self.spin { Duration::ZERO } else { most };
        match self.poll.poll(events, Some(most)) {
            Err(error) if error.kind() == ErrorKind::Interrupted => return Ok(()),
            other => other?,
        }
        for event in events.iter() {
            let id = event.token().0;
            let mut outcome = Ok(());
            if event.is_writable() {
                outcome = self.flush(id);
            }
            if event.is_readable() && outcome.is_ok() {
                outcome = self.receive(driver, id, event.is_read_closed());
            }
            if let Err(error) = outcome {
                self.connections[id] = None;
                driver.tally().error(format!("connection {id}: {error}"));
            }
        }
        Ok(())
    }

    fn flush(&mut self, id: usize) -> Result<(), String> {
        let Some(connection) = self.connections[id].as_mut() else {
            return Ok(());
        };
        while !connection.output.is_empty() {
            match connection.stream.write(&connection.output) {
                Ok(written) => drop(connection.output.drain(..written)),
                Err(error) if is_for_later(&error) => return Ok(()),
                Err(error) => return Err(format!("write: {error}")),
            }
        }
        // An idle connection keeps no memory.
        connection.output = Vec::new();
        Ok(())
    }

    /// Reads until the kernel has nothing more: after a short read there will be a new event, unless the end is near.
    fn receive(&mut self, driver: &mut impl Driver, id: usize, closed: bool) -> Result<(), String> {
        let mut scratch = std::mem::take(&mut self.scratch);
        let outcome = loop {
            let Some(connection) = self.connections[id].as_mut() else {
                break Ok(());
            };
            let length = match connection.stream.read(&mut scratch) {
                Ok(0) => {
                    self.connections[id] = None;
                    break driver.closed(self, id);
                }
                Ok(length) => length,
                Err(error) if is_for_later(&error) => break Ok(()),
                Err(error) => break Err(format!("read: {error}")),
            };
            if let Err(error) = self.pass_on(driver, id, &scratch[..length]) {
                break Err(error);
            }
            if length < scratch.len() && !closed {
                break Ok(());
            }
        };
        self.scratch = scratch;
        outcome
    }

    /// Gives bytes to the driver, behind those that it left last time.
    fn pass_on(&mut self, driver: &mut impl Driver, id: usize, bytes: &[u8]) -> Result<(), String> {
        let mut kept = self.connections[id]
            .as_mut()
            .map(|connection| std::mem::take(&mut connection.input))
            .unwrap_or_default();
        if kept.is_empty() {
            let used = driver.received(self, id, bytes)?;
            kept.extend_from_slice(&bytes[used..]);
        } else {
            kept.extend_from_slice(bytes);
            let used = driver.received(self, id, &kept)?;
            kept.drain(..used);
        }
        if let Some(connection) = self.connections[id].as_mut().filter(|_| !kept.is_empty()) {
            connection.input = kept;
        }
        Ok(())
    }
}

/// The connection is not made yet, or has no room, or nothing to read.
fn is_for_later(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::NotConnected)
}
