//! Echo over HTTP long-polling: N sessions, each with one GET parked and one POST of M messages at a time.
//!
//! A session sends M messages in one POST, polls until all echoes are in, and starts over: the poll first, then the
//! POST, as a client does that always keeps a poll open. Both connections stay.

use std::io;
use std::time::Instant;

use clap::Args;

use crate::http;
use crate::measure::{Tally, throughput};
use crate::net::{Driver, Net};
use crate::payload::{Stamped, pattern, stamp};
use crate::{Common, Span};

/// Between the packets of a payload (protocol revision 4).
pub(crate) const SEPARATOR: u8 = 0x1e;

/// What is sent.
#[derive(Debug, Clone, Args)]
pub(crate) struct Load {
    /// Sessions, with two connections each.
    #[arg(long, default_value_t = 100)]
    pub(crate) sessions: usize,
    /// Messages in flight in each.
    #[arg(long, default_value_t = 1)]
    pub(crate) in_flight: u32,
    /// Bytes of a message.
    #[arg(long, default_value_t = 32)]
    pub(crate) size: usize,
}

#[derive(Debug)]
struct Session {
    /// Empty until the handshake is answered.
    sid: String,
    poll: Vec<u8>,
    /// A POST of M messages, and where in it their numbers stand.
    push: Vec<u8>,
    numbers: Vec<usize>,
    echo: Stamped,
    /// Number of the next message to send, and of the next echo to come.
    next: u32,
    awaited: u32,
    is_pushing: bool,
    owes_pong: bool,
    sent: Option<Instant>,
}

/// The sessions; session `s` polls on connection `2 s` and posts on `2 s + 1`.
#[derive(Debug)]
struct Polling {
    load: Load,
    host: String,
    path: String,
    sessions: Vec<Session>,
    is_draining: bool,
    tally: Tally,
}

impl Polling {
    fn connect(&mut self, net: &mut Net) -> io::Result<()> {
        let (polls, _pushes) = (net.connect()?, net.connect()?);
        let mut echo = vec![b'4'];
        echo.extend_from_slice(&pattern(self.load.size, polls / 2, false));
        self.sessions.push(Session {
            sid: String::new(),
            poll: Vec::new(),
            push: Vec::new(),
            numbers: Vec::new(),
            echo: Stamped::new(echo, 1, self.load.size, [0; 8]),
            next: 0,
            awaited: 0,
            is_pushing: false,
            owes_pong: false,
            sent: None,
        });
        let open = http::get(
            &self.host,
            &format!("{}?EIO=4&transport=polling&t=P0o1x2y", self.path),
        );
        net.send(polls, &open).map_err(io::Error::other)
    }

    /// The handshake is answered: makes the session's requests and sends the first ones.
    fn opened(&mut self, body: &[u8], session: usize) -> Result<(), String> {
        let state = &mut self.sessions[session];
        state.sid = http::sid(body)?;
        let target = format!(
            "{}?EIO=4&transport=polling&t=P0o1x2y&sid={}",
            self.path, state.sid
        );
        state.poll = http::get(&self.host, &target);
        let packet = state.echo.stamp(0).to_vec();
        let packets = vec![packet; self.load.in_flight as usize];
        let payload = packets.join(&SEPARATOR);
        state.push = http::post(&self.host, &target, &payload);
        let start = state.push.len() - payload.len();
        state.numbers = (0..packets.len())
            .map(|at| start + at * (self.load.size + 2) + 1)
            .collect();
        self.tally.ready += 1;
        Ok(())
    }

    /// Handles one packet of a poll.
    fn packet(&mut self, session: usize, packet: &[u8]) -> Result<(), String> {
        let state = &mut self.sessions[session];
        match packet {
            [b'2'] => state.owes_pong = true,
            [b'6'] => {}
            _ if packet == state.echo.stamp(state.awaited) => {
                state.awaited += 1;
                self.tally.messages += 1;
                if state.awaited == state.next
                    && let Some(sent) = state.sent.take()
                {
                    self.tally.latency(sent);
                }
            }
            _ => {
                let shown = String::from_utf8_lossy(&packet[..packet.len().min(60)]);
                return Err(format!("instead of echo {}: {shown:?}", state.awaited));
            }
        }
        Ok(())
    }

    /// Posts what is due, if the last POST is answered: a pong at once, the next messages once all echoes are in.
    fn push(&mut self, net: &mut Net, session: usize) -> Result<(), String> {
        let state = &mut self.sessions[session];
        if state.is_pushing || state.sid.is_empty() {
            return Ok(());
        }
        if state.owes_pong {
            state.owes_pong = false;
            state.is_pushing = true;
            let target = format!(
                "{}?EIO=4&transport=polling&t=P0o1x2y&sid={}",
                self.path, state.sid
            );
            return net.send(2 * session + 1, &http::post(&self.host, &target, b"3"));
        }
        if state.awaited == state.next && !self.is_draining {
            for &at in &state.numbers {
                stamp(
                    &mut state.push[at..at + self.load.size.min(8)],
                    state.next,
                    [0; 8],
                );
                state.next += 1;
            }
            state.is_pushing = true;
            state.sent = Some(Instant::now());
            return net.send(2 * session + 1, &state.push);
        }
        Ok(())
    }
}

impl Driver for Polling {
    fn received(&mut self, net: &mut Net, id: usize, bytes: &[u8]) -> Result<usize, String> {
        let Some((body, used)) = http::response(bytes)? else {
            return Ok(0);
        };
        if used != bytes.len() {
            return Err("bytes behind a response".to_owned());
        }
        let session = id / 2;
        if id % 2 == 1 {
            if !body.eq_ignore_ascii_case(b"ok") {
                return Err(format!("POST answered {:?}", String::from_utf8_lossy(body)));
            }
            self.sessions[session].is_pushing = false;
        } else {
            if self.sessions[session].sid.is_empty() {
                self.opened(body, session)?;
            } else {
                for packet in body.split(|&byte| byte == SEPARATOR) {
                    self.packet(session, packet)?;
                }
            }
            net.send(id, &self.sessions[session].poll)?;
        }
        self.push(net, session)?;
        Ok(used)
    }

    fn drain(&mut self) -> u64 {
        self.is_draining = true;
        self.sessions
            .iter()
            .map(|session| u64::from(session.next - session.awaited))
            .sum()
    }

    fn tally(&mut self) -> &mut Tally {
        &mut self.tally
    }
}

/// Runs the scenario.
pub(crate) fn run(common: &Common, span: &Span, load: &Load) -> io::Result<String> {
    let mut net = Net::new(common)?;
    let mut driver = Polling {
        load: load.clone(),
        host: net.host(),
        path: common.path.clone(),
        sessions: Vec::new(),
        is_draining: false,
        tally: Tally::default(),
    };
    for _ in 0..load.sessions {
        driver.connect(&mut net)?;
    }
    let result = throughput(common, span, &mut net, &mut driver, load.sessions)?;
    let Load {
        sessions,
        in_flight,
        size,
    } = load;
    Ok(format!(
        r#"{{"scenario":"polling","sessions":{sessions},"in_flight":{in_flight},"size":{size},{result}}}"#
    ))
}
