//! Echo of JSON over WebSocket with permessage-deflate (RFC 7692), and the memory of sessions that had one such echo.
//!
//! The client offers what a browser offers, and compresses every message, as browsers do. It keeps no window itself;
//! where the server keeps one, every echo is decompressed.

use std::borrow::Cow;
use std::io;
use std::time::{Duration, Instant};

use clap::Args;
use flate2::Decompress;

use crate::idle::{FIRST, Opener, grow};
use crate::json::{self, Messages};
use crate::measure::{Tally, run_for, throughput};
use crate::net::{Driver, Net};
use crate::process::resident_kib;
use crate::{Common, Span, http, ws};

const OFFER: &str = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\r\n";

/// Messages of so many bytes must come back compressed.
const THRESHOLD: usize = 1024;

/// What is sent.
#[derive(Debug, Clone, Args)]
pub(crate) struct Load {
    /// WebSocket connections.
    #[arg(long, default_value_t = 100)]
    connections: usize,
    /// Messages in flight on each, a divisor of 64.
    #[arg(long, default_value_t = 4)]
    in_flight: u32,
    /// Bytes of a message.
    #[arg(long, default_value_t = 4096)]
    size: usize,
    /// Offer no compression.
    #[arg(long)]
    plain: bool,
}

/// What idle sessions are measured.
#[derive(Debug, Args)]
pub(crate) struct Idle {
    /// Number of sessions.
    #[arg(long, default_value_t = 5000)]
    sessions: usize,
    /// Seconds of silence before the second reading.
    #[arg(long, default_value_t = 1.0)]
    hold: f64,
    /// Bytes of the one message of each.
    #[arg(long, default_value_t = 4096)]
    size: usize,
    /// Offer no compression.
    #[arg(long)]
    plain: bool,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Stage {
    Upgrading,
    AwaitingOpen,
    Echoing,
}

#[derive(Debug)]
struct Client {
    stage: Stage,
    /// The server's window, if it keeps one.
    window: Option<Decompress>,
    next: u32,
    awaited: u32,
    sample: (u32, Option<Instant>),
}

#[derive(Debug)]
struct Deflated {
    load: Load,
    request: Vec<u8>,
    messages: Messages,
    /// The messages as frames.
    frames: Vec<Vec<u8>>,
    clients: Vec<Client>,
    /// Messages per connection after which it falls silent.
    limit: u32,
    /// Bytes of echoes as they came.
    received: u64,
    out: Vec<u8>,
    tally: Tally,
}

impl Deflated {
    fn new(common: &Common, net: &Net, load: &Load, limit: u32) -> Self {
        let mut request = ws::request(&net.host(), &format!("{}?EIO=4&transport=websocket", common.path));
        request.truncate(request.len() - 2);
        let offer = match load.plain {
            // As long, for servers that keep the request's headers.
            true => OFFER.replace("deflate", "unknown"),
            false => OFFER.to_owned(),
        };
        request.extend_from_slice(offer.as_bytes());
        let messages = Messages::new(load.size);
        let frame = |variant| {
            let packet = &messages.get(variant).packet;
            let mut framed = Vec::new();
            if load.plain {
                ws::frame(ws::TEXT, packet, &mut framed);
            } else {
                ws::frame(ws::RSV1 | ws::TEXT, &json::deflate(packet), &mut framed);
            }
            framed
        };
        Self {
            load: load.clone(),
            request,
            frames: (0..json::VARIANTS).map(frame).collect(),
            messages,
            clients: Vec::new(),
            limit,
            received: 0,
            out: Vec::new(),
            tally: Tally::default(),
        }
    }

    /// Reads the answer to the handshake.
    fn accepted(&mut self, id: usize, bytes: &[u8]) -> Result<usize, String> {
        let Some(length) = ws::accepted(bytes)? else {
            return Ok(0);
        };
        let extensions = http::header(&bytes[..length], b"sec-websocket-extensions").unwrap_or_default();
        let extensions = String::from_utf8_lossy(extensions);
        if extensions.starts_with("permessage-deflate") == self.load.plain {
            return Err(format!("not what was offered: {extensions:?}"));
        }
        let keeps = !self.load.plain && !extensions.contains("server_no_context_takeover");
        let client = &mut self.clients[id];
        client.window = keeps.then(|| Decompress::new(false));
        client.stage = Stage::AwaitingOpen;
        Ok(length)
    }

    fn frame(&mut self, id: usize, frame: &ws::Frame<'_>) -> Result<(), String> {
        let client = &mut self.clients[id];
        let variant = id + client.awaited as usize;
        let is_compressed = frame.opcode & ws::RSV1 != 0;
        let is_known =
            is_compressed && client.window.is_none() && self.messages.knows(variant, frame.payload);
        if !is_known {
            let most = self.load.size + 256;
            let is_as_agreed = match self.load.plain {
                true => !is_compressed,
                false => is_compressed || self.load.size < THRESHOLD,
            };
            let packet = match &mut client.window {
                Some(window) if is_compressed => Cow::from(json::inflate(window, frame.payload, most)?),
                None if is_compressed => {
                    Cow::from(json::inflate(&mut Decompress::new(false), frame.payload, most)?)
                }
                _ => Cow::from(frame.payload),
            };
            match (client.stage, &packet[..]) {
                (Stage::AwaitingOpen, [b'0', b'{', ..]) => {
                    client.stage = Stage::Echoing;
                    self.tally.ready += 1;
                    return Ok(());
                }
                (_, b"2") => {
                    ws::frame(ws::TEXT, b"3", &mut self.out);
                    return Ok(());
                }
                (Stage::Echoing, packet) if packet == self.messages.get(variant).packet && is_as_agreed => {}
                _ => {
                    let shown = String::from_utf8_lossy(&packet[..packet.len().min(60)]);
                    return Err(format!(
                        "instead of echo {}: opcode {:#x}, {shown:?}",
                        client.awaited, frame.opcode
                    ));
                }
            }
            if is_compressed && client.window.is_none() {
                self.messages.learn(variant, frame.payload);
            }
        }
        if let (number, Some(sent)) = client.sample
            && number == client.awaited
        {
            self.tally.latency(sent);
            client.sample.1 = None;
        }
        client.awaited += 1;
        self.tally.messages += 1;
        self.received += frame.payload.len() as u64;
        Ok(())
    }

    /// Fills the connection's window again and sends it in one write.
    fn refill(&mut self, net: &mut Net, id: usize) -> Result<(), String> {
        let client = &mut self.clients[id];
        if client.stage == Stage::Echoing {
            let first = client.next;
            while client.next - client.awaited < self.load.in_flight && client.next < self.limit {
                let variant = (id + client.next as usize) % json::VARIANTS;
                self.out.extend_from_slice(&self.frames[variant]);
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

impl Opener for Deflated {
    fn open_one(&mut self, net: &mut Net) -> io::Result<()> {
        let id = net.connect()?;
        self.clients.push(Client {
            stage: Stage::Upgrading,
            window: None,
            next: 0,
            awaited: 0,
            sample: (0, None),
        });
        net.send(id, &self.request).map_err(io::Error::other)
    }
}

impl Driver for Deflated {
    fn received(&mut self, net: &mut Net, id: usize, bytes: &[u8]) -> Result<usize, String> {
        let mut used = 0;
        if self.clients[id].stage == Stage::Upgrading {
            used = self.accepted(id, bytes)?;
            if used == 0 {
                return Ok(0);
            }
        }
        while let Some(frame) = ws::parse_with(&bytes[used..], ws::RSV1)? {
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

/// Runs the echo.
pub(crate) fn run(common: &Common, span: &Span, load: &Load) -> io::Result<String> {
    let mut net = Net::new(common)?;
    let mut driver = Deflated::new(common, &net, load, u32::MAX);
    for _ in 0..load.connections {
        driver.open_one(&mut net)?;
    }
    let result = throughput(common, span, &mut net, &mut driver, load.connections)?;
    let Load {
        connections,
        in_flight,
        size,
        plain,
    } = load;
    let each = driver.received as f64 / driver.tally.messages.max(1) as f64;
    Ok(format!(
        r#"{{"scenario":"deflated","connections":{connections},"in_flight":{in_flight},"size":{size},"plain":{plain},"bytes_per_echo":{each:.0},{result}}}"#
    ))
}

/// Reads the server's memory before and after the sessions are opened.
pub(crate) fn idle(common: &Common, idle: &Idle) -> io::Result<String> {
    let &Idle {
        sessions,
        hold,
        size,
        plain,
    } = idle;
    let load = Load {
        connections: sessions,
        in_flight: 1,
        size,
        plain,
    };
    let mut net = Net::new(common)?;
    let mut driver = Deflated::new(common, &net, &load, 1);
    grow(&mut net, &mut driver, FIRST)?;
    run_for(&mut net, &mut driver, Duration::from_millis(300))?;
    let before = resident_kib(common.pid)?;
    grow(&mut net, &mut driver, FIRST + sessions)?;
    run_for(&mut net, &mut driver, Duration::from_secs_f64(hold))?;
    let after = resident_kib(common.pid)?;
    let missing = (FIRST + sessions) as u64 - driver.tally.messages;
    let errors = driver.tally.errors.max(missing);
    let each = after.saturating_sub(before) as f64 * 1024.0 / sessions as f64;
    Ok(format!(
        r#"{{"scenario":"deflated-idle","sessions":{sessions},"size":{size},"plain":{plain},"errors":{errors},"before_kib":{before},"after_kib":{after},"bytes_per_session":{each:.0}}}"#
    ))
}
