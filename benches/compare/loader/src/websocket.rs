//! Echo over WebSocket: N connections, each with M messages in flight.

use std::io;
use std::time::Instant;

use clap::Args;

use crate::measure::{Tally, throughput};
use crate::net::{Driver, Net};
use crate::ws::{self, Messages};
use crate::{Common, Span};

/// What is sent.
#[derive(Debug, Clone, Args)]
pub(crate) struct Load {
    /// WebSocket connections.
    #[arg(long, default_value_t = 100)]
    pub(crate) connections: usize,
    /// Messages in flight on each.
    #[arg(long, default_value_t = 16)]
    pub(crate) in_flight: u32,
    /// Bytes of a message.
    #[arg(long, default_value_t = 32)]
    pub(crate) size: usize,
    /// Binary messages instead of text.
    #[arg(long)]
    pub(crate) binary: bool,
}

/// How far a connection is.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Stage {
    Upgrading,
    AwaitingOpen,
    Echoing,
}

#[derive(Debug)]
struct Client {
    stage: Stage,
    messages: Messages,
    /// Number of the next message to send, and of the next echo to come.
    next: u32,
    awaited: u32,
    /// The message whose latency is being taken, and when it was sent.
    sample: (u32, Option<Instant>),
}

/// The connections and what they have sent. Also opens the WebSockets of the scenario `idle`.
#[derive(Debug)]
pub(crate) struct WebSockets {
    load: Load,
    request: Vec<u8>,
    clients: Vec<Client>,
    /// Messages per connection after which it falls silent.
    limit: u32,
    out: Vec<u8>,
    tally: Tally,
}

impl WebSockets {
    /// No connection yet. Each will send `limit` messages at most.
    pub(crate) fn new(common: &Common, net: &Net, load: &Load, limit: u32) -> Self {
        let target = format!("{}?EIO=4&transport=websocket", common.path);
        Self {
            load: load.clone(),
            request: ws::request(&net.host(), &target),
            clients: Vec::new(),
            limit,
            out: Vec::new(),
            tally: Tally::default(),
        }
    }

    /// Starts one more connection.
    pub(crate) fn connect(&mut self, net: &mut Net) -> io::Result<()> {
        let id = net.connect()?;
        self.clients.push(Client {
            stage: Stage::Upgrading,
            messages: Messages::new(self.load.size, id, self.load.binary),
            next: 0,
            awaited: 0,
            sample: (0, None),
        });
        net.send(id, &self.request).map_err(io::Error::other)
    }

    /// Handles one frame of connection `id`; answers go to `self.out`.
    fn frame(&mut self, id: usize, frame: &ws::Frame<'_>) -> Result<(), String> {
        let client = &mut self.clients[id];
        if client.stage == Stage::Echoing && client.messages.is_echo(client.awaited, frame) {
            if let (number, Some(sent)) = client.sample
                && number == client.awaited
            {
                self.tally.latency(sent);
                client.sample.1 = None;
            }
            client.awaited += 1;
            self.tally.messages += 1;
            return Ok(());
        }
        match (frame.opcode, frame.payload) {
            (ws::TEXT, [b'0', b'{', ..]) if client.stage == Stage::AwaitingOpen => {
                client.stage = Stage::Echoing;
                self.tally.ready += 1;
            }
            (ws::TEXT, b"2") => ws::frame(ws::TEXT, b"3", &mut self.out),
            (ws::PING, payload) => ws::frame(ws::PING + 1, payload, &mut self.out),
            (opcode, payload) => {
                let shown = String::from_utf8_lossy(&payload[..payload.len().min(60)]);
                return Err(format!(
                    "instead of echo {}: opcode {opcode}, {shown:?}",
                    client.awaited
                ));
            }
        }
        Ok(())
    }

    /// Fills the connection's window again and sends it in one write.
    fn refill(&mut self, net: &mut Net, id: usize) -> Result<(), String> {
        let client = &mut self.clients[id];
        if client.stage == Stage::Echoing {
            let first = client.next;
            while client.next - client.awaited < self.load.in_flight && client.next < self.limit {
                client.messages.append(client.next, &mut self.out);
                client.next += 1;
            }
            if client.next != first && client.sample.1.is_none() {
                client.sample = (first, Some(Instant::now()));
            }
        }
        if self.out.is_empty() {
            return Ok(());
        }
        let sent = net.send(id, &self.out);
        self.out.clear();
        sent
    }
}

impl Driver for WebSockets {
    fn received(&mut self, net: &mut Net, id: usize, bytes: &[u8]) -> Result<usize, String> {
        let mut used = 0;
        if self.clients[id].stage == Stage::Upgrading {
            let Some(length) = ws::accepted(bytes)? else {
                return Ok(0);
            };
            self.clients[id].stage = Stage::AwaitingOpen;
            used = length;
        }
        while let Some(frame) = ws::parse(&bytes[used..])? {
            self.frame(id, &frame)?;
            used += frame.length;
        }
        self.refill(net, id)?;
        Ok(used)
    }

    fn drain(&mut self) -> u64 {
        self.limit = 0;
        self.clients
            .iter()
            .map(|client| u64::from(client.next - client.awaited))
            .sum()
    }

    fn tally(&mut self) -> &mut Tally {
        &mut self.tally
    }
}

/// Runs the scenario.
pub(crate) fn run(common: &Common, span: &Span, load: &Load) -> io::Result<String> {
    let mut net = Net::new(common)?;
    let mut driver = WebSockets::new(common, &net, load, u32::MAX);
    for _ in 0..load.connections {
        driver.connect(&mut net)?;
    }
    let result = throughput(common, span, &mut net, &mut driver, load.connections)?;
    let Load {
        connections,
        in_flight,
        size,
        binary,
    } = load;
    Ok(format!(
        r#"{{"scenario":"websocket","connections":{connections},"in_flight":{in_flight},"size":{size},"binary":{binary},{result}}}"#
    ))
}
