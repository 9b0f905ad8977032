//! Fan-out: N WebSocket clients, one of which sends text that the server sends to all, M broadcasts in flight.
//!
//! A broadcast is over when the last client has it; then the next one goes out. What is counted are deliveries; the
//! latency is that of the last delivery of a broadcast. The text begins with `b`, by which the servers know it.

use std::collections::VecDeque;
use std::io;
use std::time::Instant;

use clap::Args;

use crate::measure::{Tally, throughput};
use crate::net::{Driver, Net};
use crate::payload::{pattern, stamp};
use crate::{Common, Span, ws};

/// Connections opened at the same time: less than what a listener queues.
const AT_ONCE: usize = 64;

/// What is sent.
#[derive(Debug, Clone, Args)]
pub(crate) struct Load {
    /// WebSocket clients, the sender included.
    #[arg(long, default_value_t = 1000)]
    connections: usize,
    /// Broadcasts in flight.
    #[arg(long, default_value_t = 4)]
    in_flight: usize,
    /// Bytes of a message.
    #[arg(long, default_value_t = 32)]
    size: usize,
}

/// A broadcast that not all clients have yet.
#[derive(Debug)]
struct Broadcast {
    packet: Vec<u8>,
    sent: Instant,
    deliveries: usize,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Stage {
    Upgrading,
    AwaitingOpen,
    /// The number of the next broadcast that it shall receive.
    Open(u32),
}

#[derive(Debug)]
struct FanOut {
    load: Load,
    request: Vec<u8>,
    clients: Vec<Stage>,
    flying: VecDeque<Broadcast>,
    /// Number of the first broadcast in `flying`, and of the next one to send.
    first: u32,
    next: u32,
    is_draining: bool,
    out: Vec<u8>,
    tally: Tally,
}

impl FanOut {
    fn connect(&mut self, net: &mut Net) -> io::Result<()> {
        let id = net.connect()?;
        self.clients.push(Stage::Upgrading);
        net.send(id, &self.request).map_err(io::Error::other)
    }

    /// Opens more connections while the last ones are answered, then starts the first broadcasts.
    fn opened(&mut self, net: &mut Net) -> Result<(), String> {
        self.tally.ready += 1;
        if self.clients.len() < self.load.connections {
            self.connect(net).map_err(|error| error.to_string())?;
        }
        if self.tally.ready == self.load.connections {
            self.broadcast(net)?;
        }
        Ok(())
    }

    /// Fills the window of broadcasts again.
    fn broadcast(&mut self, net: &mut Net) -> Result<(), String> {
        let mut out = std::mem::take(&mut self.out);
        while self.flying.len() < self.load.in_flight && !self.is_draining {
            let mut packet = b"4b".to_vec();
            packet.extend_from_slice(&pattern(self.load.size - 1, 0, false));
            stamp(&mut packet[2..10], self.next, [0; 8]);
            ws::frame(ws::TEXT, &packet, &mut out);
            self.flying.push_back(Broadcast {
                packet,
                sent: Instant::now(),
                deliveries: 0,
            });
            self.next += 1;
        }
        let sent = if out.is_empty() { Ok(()) } else { net.send(0, &out) };
        out.clear();
        self.out = out;
        sent
    }

    fn frame(&mut self, net: &mut Net, id: usize, frame: &ws::Frame<'_>) -> Result<(), String> {
        if let Stage::Open(number) = self.clients[id]
            && let Some(broadcast) = self.flying.get_mut((number - self.first) as usize)
            && frame.opcode == ws::TEXT
            && frame.payload == broadcast.packet
        {
            self.clients[id] = Stage::Open(number + 1);
            broadcast.deliveries += 1;
            self.tally.messages += 1;
            // Each client gets them in order: the first one is complete first.
            if broadcast.deliveries == self.load.connections {
                self.tally.latency(broadcast.sent);
                self.flying.pop_front();
                self.first += 1;
                return self.broadcast(net);
            }
            return Ok(());
        }
        match (frame.opcode, frame.payload) {
            (ws::TEXT, [b'0', b'{', ..]) if self.clients[id] == Stage::AwaitingOpen => {
                self.clients[id] = Stage::Open(0);
                self.opened(net)
            }
            (ws::TEXT, b"2") => {
                let mut pong = Vec::new();
                ws::frame(ws::TEXT, b"3", &mut pong);
                net.send(id, &pong)
            }
            (opcode, payload) => {
                let shown = String::from_utf8_lossy(&payload[..payload.len().min(60)]);
                Err(format!("instead of a broadcast: opcode {opcode}, {shown:?}"))
            }
        }
    }
}

impl Driver for FanOut {
    fn received(&mut self, net: &mut Net, id: usize, bytes: &[u8]) -> Result<usize, String> {
        let mut used = 0;
        if self.clients[id] == Stage::Upgrading {
            let Some(length) = ws::accepted(bytes)? else {
                return Ok(0);
            };
            self.clients[id] = Stage::AwaitingOpen;
            used = length;
        }
        while let Some(frame) = ws::parse(&bytes[used..])? {
            self.frame(net, id, &frame)?;
            used += frame.length;
        }
        Ok(used)
    }

    fn drain(&mut self) -> u64 {
        self.is_draining = true;
        let missing = |broadcast: &Broadcast| (self.load.connections - broadcast.deliveries) as u64;
        self.flying.iter().map(missing).sum()
    }

    fn tally(&mut self) -> &mut Tally {
        &mut self.tally
    }
}

/// Runs the scenario.
pub(crate) fn run(common: &Common, span: &Span, load: &Load) -> io::Result<String> {
    if load.size < 9 {
        return Err(io::Error::other("a broadcast has at least 9 bytes"));
    }
    let mut net = Net::new(common)?;
    let target = format!("{}?EIO=4&transport=websocket", common.path);
    let mut driver = FanOut {
        load: load.clone(),
        request: ws::request(&net.host(), &target),
        clients: Vec::new(),
        flying: VecDeque::new(),
        first: 0,
        next: 0,
        is_draining: false,
        out: Vec::new(),
        tally: Tally::default(),
    };
    for _ in 0..load.connections.min(AT_ONCE) {
        driver.connect(&mut net)?;
    }
    let result = throughput(common, span, &mut net, &mut driver, load.connections)?;
    let Load {
        connections,
        in_flight,
        size,
    } = load;
    Ok(format!(
        r#"{{"scenario":"fanout","connections":{connections},"in_flight":{in_flight},"size":{size},{result}}}"#
    ))
}
