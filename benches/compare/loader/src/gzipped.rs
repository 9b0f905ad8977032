//! Echo of JSON over HTTP long-polling whose responses are gzipped: N sessions, each with one GET parked and one
//! message in flight. Requests are not compressed: no client does that.

use std::borrow::Cow;
use std::io;
use std::time::Instant;

use clap::Args;

use crate::json::{self, Messages};
use crate::measure::{Tally, throughput};
use crate::net::{Driver, Net};
use crate::polling::SEPARATOR;
use crate::{Common, Span, http};

const ACCEPT: &str = "Accept-Encoding: gzip, deflate, br, zstd\r\n\r\n";

/// What is sent.
#[derive(Debug, Clone, Args)]
pub(crate) struct Load {
    /// Sessions, with two connections each.
    #[arg(long, default_value_t = 100)]
    sessions: usize,
    /// Bytes of a message.
    #[arg(long, default_value_t = 16 * 1024)]
    size: usize,
}

#[derive(Debug)]
struct Session {
    /// Path and query; empty until the handshake is answered.
    target: String,
    poll: Vec<u8>,
    /// The head of a POST of any message: all have the same length.
    head: Vec<u8>,
    next: u32,
    is_awaiting: bool,
    is_pushing: bool,
    owes_pong: bool,
    sent: Option<Instant>,
}

/// The sessions; session `s` polls on connection `2 s` and posts on `2 s + 1`.
#[derive(Debug)]
struct Gzipped {
    load: Load,
    host: String,
    path: String,
    messages: Messages,
    sessions: Vec<Session>,
    is_draining: bool,
    /// Bytes of echoes as they came.
    received: u64,
    out: Vec<u8>,
    tally: Tally,
}

impl Gzipped {
    fn connect(&mut self, net: &mut Net) -> io::Result<()> {
        let (polls, _pushes) = (net.connect()?, net.connect()?);
        self.sessions.push(Session {
            target: String::new(),
            poll: Vec::new(),
            head: Vec::new(),
            next: 0,
            is_awaiting: false,
            is_pushing: false,
            owes_pong: false,
            sent: None,
        });
        let open = http::get(&self.host, &format!("{}?EIO=4&transport=polling", self.path));
        net.send(polls, &open).map_err(io::Error::other)
    }

    /// The handshake is answered: makes the session's requests.
    fn opened(&mut self, body: &[u8], session: usize) -> Result<(), String> {
        let target = format!("{}?EIO=4&transport=polling&sid={}", self.path, http::sid(body)?);
        let mut poll = http::get(&self.host, &target);
        poll.truncate(poll.len() - 2);
        poll.extend_from_slice(ACCEPT.as_bytes());
        let packet = &self.messages.get(0).packet;
        let mut head = http::post(&self.host, &target, packet);
        head.truncate(head.len() - packet.len());
        let state = &mut self.sessions[session];
        (state.target, state.poll, state.head) = (target, poll, head);
        self.tally.ready += 1;
        Ok(())
    }

    /// Handles the answer to a poll: an echo, gzipped, or packets of the heartbeat; seldom both.
    fn polled(&mut self, session: usize, body: &[u8], is_gzipped: bool) -> Result<(), String> {
        let variant = (session + self.sessions[session].next as usize).wrapping_sub(1);
        if is_gzipped && self.messages.knows(variant, body) {
            return self.echoed(session, body.len());
        }
        let packets = match is_gzipped {
            true => Cow::from(json::gunzip(body, self.load.size + 256)?),
            false => Cow::from(body),
        };
        for packet in packets.split(|&byte| byte == SEPARATOR) {
            match packet {
                b"2" => self.sessions[session].owes_pong = true,
                b"6" => {}
                _ if is_gzipped && packet == self.messages.get(variant).packet => {
                    self.echoed(session, body.len())?;
                    if packet.len() == packets.len() {
                        self.messages.learn(variant, body);
                    }
                }
                _ => {
                    let shown = String::from_utf8_lossy(&packet[..packet.len().min(60)]);
                    return Err(format!("instead of an echo, gzipped {is_gzipped}: {shown:?}"));
                }
            }
        }
        Ok(())
    }

    fn echoed(&mut self, session: usize, length: usize) -> Result<(), String> {
        let state = &mut self.sessions[session];
        if !std::mem::take(&mut state.is_awaiting) {
            return Err("an echo twice".to_owned());
        }
        self.tally.messages += 1;
        self.received += length as u64;
        if let Some(sent) = state.sent.take() {
            self.tally.latency(sent);
        }
        Ok(())
    }

    /// Posts what is due, if the last POST is answered: a pong at once, the next message once its echo is in.
    fn push(&mut self, net: &mut Net, session: usize) -> Result<(), String> {
        let state = &mut self.sessions[session];
        if state.is_pushing || state.target.is_empty() {
            return Ok(());
        }
        if std::mem::take(&mut state.owes_pong) {
            state.is_pushing = true;
            return net.send(2 * session + 1, &http::post(&self.host, &state.target, b"3"));
        }
        if state.is_awaiting || self.is_draining {
            return Ok(());
        }
        self.out.clear();
        self.out.extend_from_slice(&state.head);
        let variant = session + state.next as usize;
        self.out.extend_from_slice(&self.messages.get(variant).packet);
        state.next = state.next.wrapping_add(1);
        state.is_awaiting = true;
        state.is_pushing = true;
        state.sent = Some(Instant::now());
        net.send(2 * session + 1, &self.out)
    }
}

impl Driver for Gzipped {
    fn received(&mut self, net: &mut Net, id: usize, bytes: &[u8]) -> Result<usize, String> {
        let Some((body, used)) = http::response(bytes)? else {
            return Ok(0);
        };
        if used != bytes.len() {
            return Err("bytes behind a response".to_owned());
        }
        let session = id / 2;
        if id % 2 == 1 {
            if body != b"ok" {
                return Err(format!("POST answered {:?}", String::from_utf8_lossy(body)));
            }
            self.sessions[session].is_pushing = false;
        } else {
            if self.sessions[session].target.is_empty() {
                self.opened(body, session)?;
            } else {
                let head = &bytes[..used - body.len()];
                let is_gzipped = http::header(head, b"content-encoding") == Some(b"gzip");
                self.polled(session, body, is_gzipped)?;
            }
            net.send(id, &self.sessions[session].poll)?;
        }
        self.push(net, session)?;
        Ok(used)
    }

    fn drain(&mut self) -> u64 {
        self.is_draining = true;
        self.sessions.iter().filter(|session| session.is_awaiting).count() as u64
    }

    fn tally(&mut self) -> &mut Tally {
        &mut self.tally
    }
}

/// Runs the scenario.
pub(crate) fn run(common: &Common, span: &Span, load: &Load) -> io::Result<String> {
    let mut net = Net::new(common)?;
    let mut driver = Gzipped {
        load: load.clone(),
        host: net.host(),
        path: common.path.clone(),
        messages: Messages::new(load.size),
        sessions: Vec::new(),
        is_draining: false,
        received: 0,
        out: Vec::new(),
        tally: Tally::default(),
    };
    for _ in 0..load.sessions {
        driver.connect(&mut net)?;
    }
    let result = throughput(common, span, &mut net, &mut driver, load.sessions)?;
    let Load { sessions, size } = load;
    let each = driver.received as f64 / driver.tally.messages.max(1) as f64;
    Ok(format!(
        r#"{{"scenario":"gzipped","sessions":{sessions},"size":{size},"bytes_per_echo":{each:.0},{result}}}"#
    ))
}
