//! Upgrade cycles: handshake over polling, a parked poll, a probe on a WebSocket, the upgrade, one echo, the close.
//!
//! What a client does that starts on polling: its upgrade packet waits until the parked poll is answered, so that
//! nothing is lost. The latency is the time from the probe's ping to the echo, the first message on the WebSocket.

use std::io;
use std::time::Instant;

use clap::Args;

use crate::measure::{Tally, throughput};
use crate::net::{Driver, Net};
use crate::payload::{Stamped, pattern};
use crate::polling::SEPARATOR;
use crate::{Common, Span, http, ws};

/// Bytes of the message that is echoed.
const SIZE: usize = 32;

/// What is done.
#[derive(Debug, Clone, Args)]
pub(crate) struct Load {
    /// Clients that go through cycles at the same time.
    #[arg(long, default_value_t = 50)]
    clients: usize,
}

/// How far a cycle is on its polling connection.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Poll {
    Opening,
    Parked,
    Answered,
}

/// How far a cycle is on its WebSocket.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Probe {
    Idle,
    Upgrading,
    Pinged,
    Ponged,
    AwaitingEcho,
    Closing,
}

/// A client; `c` polls on connection `2 c` and has its WebSocket on `2 c + 1`.
#[derive(Debug)]
struct Client {
    poll: Poll,
    probe: Probe,
    pinged: Instant,
    /// The request of a poll.
    park: Vec<u8>,
    owes_pong: bool,
    echo: Stamped,
    /// Number of its next message.
    cycle: u32,
    is_busy: bool,
}

#[derive(Debug)]
struct Upgrades {
    host: String,
    path: String,
    open: Vec<u8>,
    clients: Vec<Client>,
    is_draining: bool,
    tally: Tally,
}

impl Upgrades {
    /// Begins a cycle on fresh connections.
    fn begin(&mut self, net: &mut Net, at: usize) -> Result<(), String> {
        let client = &mut self.clients[at];
        client.is_busy = !self.is_draining;
        if !client.is_busy {
            return Ok(());
        }
        (client.poll, client.probe) = (Poll::Opening, Probe::Idle);
        client.owes_pong = false;
        net.connect_again(2 * at).map_err(|error| error.to_string())?;
        net.send(2 * at, &self.open)
    }

    /// A response on the polling connection.
    fn polled(&mut self, net: &mut Net, at: usize, body: &[u8]) -> Result<(), String> {
        let client = &mut self.clients[at];
        match client.poll {
            Poll::Opening => {
                client.poll = Poll::Parked;
                client.probe = Probe::Upgrading;
                let sid = http::sid(body)?;
                let target = format!("{}?EIO=4&transport=polling&t=P0o1x2y&sid={sid}", self.path);
                client.park = http::get(&self.host, &target);
                net.send(2 * at, &client.park)?;
                let target = format!("{}?EIO=4&transport=websocket&sid={sid}", self.path);
                net.connect_again(2 * at + 1).map_err(|error| error.to_string())?;
                net.send(2 * at + 1, &ws::request(&self.host, &target))
            }
            Poll::Parked => self.packets(net, at, body),
            Poll::Answered => Err(format!(
                "poll answered twice: {:?}",
                String::from_utf8_lossy(body)
            )),
        }
    }

    /// The parked poll is answered: by a noop, or by a ping, whose pong goes out on the WebSocket.
    fn packets(&mut self, net: &mut Net, at: usize, body: &[u8]) -> Result<(), String> {
        let client = &mut self.clients[at];
        for packet in body.split(|&byte| byte == SEPARATOR) {
            match packet {
                b"6" => client.poll = Poll::Answered,
                b"2" => client.owes_pong = true,
                _ => return Err(format!("poll answered {:?}", String::from_utf8_lossy(body))),
            }
        }
        if client.poll == Poll::Parked {
            net.send(2 * at, &client.park)
        } else {
            self.upgrade(net, at)
        }
    }

    /// Sends the upgrade packet and a message, once the probe and the poll are answered.
    fn upgrade(&mut self, net: &mut Net, at: usize) -> Result<(), String> {
        let client = &mut self.clients[at];
        if client.poll != Poll::Answered || client.probe != Probe::Ponged {
            return Ok(());
        }
        client.probe = Probe::AwaitingEcho;
        let mut out = Vec::new();
        ws::frame(ws::TEXT, b"5", &mut out);
        if std::mem::take(&mut client.owes_pong) {
            ws::frame(ws::TEXT, b"3", &mut out);
        }
        ws::frame(ws::TEXT, client.echo.stamp(client.cycle), &mut out);
        net.send(2 * at + 1, &out)
    }

    /// A frame on the WebSocket; true when the cycle is over.
    fn frame(&mut self, net: &mut Net, at: usize, frame: &ws::Frame<'_>) -> Result<bool, String> {
        let client = &mut self.clients[at];
        match (client.probe, frame.opcode) {
            (Probe::Pinged, ws::TEXT) if frame.payload == b"3probe" => {
                client.probe = Probe::Ponged;
                self.upgrade(net, at)?;
            }
            // A noop too many, or a ping that the close overtakes.
            (Probe::AwaitingEcho | Probe::Closing, ws::TEXT) if matches!(frame.payload, b"6" | b"2") => {}
            (Probe::AwaitingEcho, ws::TEXT) if frame.payload == client.echo.stamp(client.cycle) => {
                self.tally.latency(client.pinged);
                client.cycle += 1;
                client.probe = Probe::Closing;
                let mut out = Vec::new();
                ws::frame(ws::CLOSE, &1000_u16.to_be_bytes(), &mut out);
                net.send(2 * at + 1, &out)?;
            }
            (Probe::Closing, ws::CLOSE) => return Ok(true),
            (stage, opcode) => {
                let shown = String::from_utf8_lossy(frame.payload);
                return Err(format!("{stage:?}: opcode {opcode}, {shown:?}"));
            }
        }
        Ok(false)
    }

    /// The session is closed: counts the cycle and begins the next.
    fn finish(&mut self, net: &mut Net, at: usize) -> Result<(), String> {
        net.close(2 * at);
        net.close(2 * at + 1);
        if self.clients[at].cycle == 1 {
            self.tally.ready += 1;
        }
        self.tally.messages += 1;
        self.begin(net, at)
    }
}

impl Driver for Upgrades {
    fn received(&mut self, net: &mut Net, id: usize, bytes: &[u8]) -> Result<usize, String> {
        let at = id / 2;
        if id.is_multiple_of(2) {
            let Some((body, used)) = http::response(bytes)? else {
                return Ok(0);
            };
            self.polled(net, at, body)?;
            return Ok(used);
        }
        let mut used = 0;
        if self.clients[at].probe == Probe::Upgrading {
            let Some(length) = ws::accepted(bytes)? else {
                return Ok(0);
            };
            used = length;
            let mut out = Vec::new();
            ws::frame(ws::TEXT, b"2probe", &mut out);
            self.clients[at].probe = Probe::Pinged;
            self.clients[at].pinged = Instant::now();
            net.send(id, &out)?;
        }
        while let Some(frame) = ws::parse(&bytes[used..])? {
            used += frame.length;
            if self.frame(net, at, &frame)? {
                self.finish(net, at)?;
                return Ok(bytes.len());
            }
        }
        Ok(used)
    }

    fn closed(&mut self, net: &mut Net, id: usize) -> Result<(), String> {
        let at = id / 2;
        match self.clients[at].probe {
            // Nothing is due on the polling connection any more.
            Probe::AwaitingEcho | Probe::Closing if id.is_multiple_of(2) => Ok(()),
            Probe::Closing => self.finish(net, at),
            stage => Err(format!("closed by the server in stage {stage:?}")),
        }
    }

    fn drain(&mut self) -> u64 {
        self.is_draining = true;
        self.clients.iter().filter(|client| client.is_busy).count() as u64
    }

    fn tally(&mut self) -> &mut Tally {
        &mut self.tally
    }
}

/// Runs the scenario.
pub(crate) fn run(common: &Common, span: &Span, load: &Load) -> io::Result<String> {
    let mut net = Net::new(common)?;
    let target = format!("{}?EIO=4&transport=polling&t=P0o1x2y", common.path);
    let mut driver = Upgrades {
        host: net.host(),
        path: common.path.clone(),
        open: http::get(&net.host(), &target),
        clients: Vec::new(),
        is_draining: false,
        tally: Tally::default(),
    };
    for at in 0..load.clients {
        let mut echo = vec![b'4'];
        echo.extend_from_slice(&pattern(SIZE, at, false));
        driver.clients.push(Client {
            poll: Poll::Opening,
            probe: Probe::Idle,
            pinged: Instant::now(),
            park: Vec::new(),
            owes_pong: false,
            echo: Stamped::new(echo, 1, SIZE, [0; 8]),
            cycle: 0,
            is_busy: true,
        });
        net.reserve(2);
        driver.begin(&mut net, at).map_err(io::Error::other)?;
    }
    let result = throughput(common, span, &mut net, &mut driver, load.clients)?;
    Ok(format!(
        r#"{{"scenario":"upgrade","clients":{},{result}}}"#,
        load.clients
    ))
}
