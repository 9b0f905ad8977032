//! Memory per idle session: many sessions, one echo each, then silence but for the heartbeat.
//!
//! A few sessions are opened before the first reading, so that what a server sets up once is not counted. A polling
//! session has one keep-alive connection, on which its GET is parked in the end.

use std::io;
use std::time::Duration;

use clap::{Args, ValueEnum};

use crate::measure::{Tally, open, run_for};
use crate::net::{Driver, Net};
use crate::polling::SEPARATOR;
use crate::process::resident_kib;
use crate::websocket::{self, WebSockets};
use crate::{Common, http};

/// Sessions opened at the same time: less than what a listener queues.
const AT_ONCE: usize = 64;
/// Sessions opened before the first reading.
pub(crate) const FIRST: usize = 100;
const ECHO: &[u8] = b"4ONE ECHO OF THIRTY-TWO BYTES....";

#[derive(Debug, Clone, Copy, PartialEq, ValueEnum)]
enum Transport {
    Websocket,
    Polling,
}

/// What is opened.
#[derive(Debug, Args)]
pub(crate) struct Load {
    /// How the sessions are connected.
    #[arg(long, value_enum)]
    transport: Transport,
    /// Number of sessions.
    #[arg(long, default_value_t = 5000)]
    sessions: usize,
    /// Seconds of silence before the second reading. A session that ends meanwhile is an error.
    #[arg(long, default_value_t = 1.0)]
    hold: f64,
}

/// A driver whose sessions can be opened one by one.
pub(crate) trait Opener: Driver {
    fn open_one(&mut self, net: &mut Net) -> io::Result<()>;
}

impl Opener for WebSockets {
    fn open_one(&mut self, net: &mut Net) -> io::Result<()> {
        self.connect(net)
    }
}

/// What a polling session waits for.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Stage {
    /// The answer to its handshake.
    Open,
    /// The answer to a POST.
    Pushed,
    /// The answer to a GET: packets.
    Polled,
}

#[derive(Debug)]
struct Session {
    stage: Stage,
    /// Path and query, with the sid once it is known.
    target: String,
    is_echoed: bool,
}

/// Polling sessions, one per connection.
#[derive(Debug)]
struct Parked {
    host: String,
    path: String,
    sessions: Vec<Session>,
    tally: Tally,
}

impl Opener for Parked {
    fn open_one(&mut self, net: &mut Net) -> io::Result<()> {
        let id = net.connect()?;
        let target = format!("{}?EIO=4&transport=polling", self.path);
        let request = http::get(&self.host, &target);
        self.sessions.push(Session {
            stage: Stage::Open,
            target,
            is_echoed: false,
        });
        net.send(id, &request).map_err(io::Error::other)
    }
}

impl Driver for Parked {
    fn received(&mut self, net: &mut Net, id: usize, bytes: &[u8]) -> Result<usize, String> {
        let Some((body, used)) = http::response(bytes)? else {
            return Ok(0);
        };
        let Session {
            stage,
            target,
            is_echoed,
        } = &mut self.sessions[id];
        // The heartbeat may come at any time, together with the echo too.
        let mut push = None;
        match *stage {
            Stage::Open => {
                target.push_str("&sid=");
                target.push_str(&http::sid(body)?);
                push = Some(ECHO);
            }
            Stage::Pushed if body.eq_ignore_ascii_case(b"ok") => {}
            Stage::Pushed => return Err(format!("POST answered {:?}", String::from_utf8_lossy(body))),
            Stage::Polled => {
                for packet in body.split(|&byte| byte == SEPARATOR) {
                    match packet {
                        ECHO if !*is_echoed => {
                            *is_echoed = true;
                            self.tally.messages += 1;
                            self.tally.ready += 1;
                        }
                        b"2" => push = Some(&b"3"[..]),
                        b"6" => {}
                        _ => return Err(format!("unexpected packet {:?}", String::from_utf8_lossy(packet))),
                    }
                }
            }
        }
        *stage = if push.is_some() {
            Stage::Pushed
        } else {
            Stage::Polled
        };
        let request = match push {
            Some(packet) => http::post(&self.host, target, packet),
            None => http::get(&self.host, target),
        };
        net.send(id, &request)?;
        Ok(used)
    }

    fn drain(&mut self) -> u64 {
        self.sessions.iter().filter(|session| !session.is_echoed).count() as u64
    }

    fn tally(&mut self) -> &mut Tally {
        &mut self.tally
    }
}

/// Runs the scenario.
pub(crate) fn run(common: &Common, load: &Load) -> io::Result<String> {
    let mut net = Net::new(common)?;
    match load.transport {
        Transport::Websocket => {
            let echo = websocket::Load {
                connections: load.sessions,
                in_flight: 1,
                size: 32,
                binary: false,
            };
            let driver = WebSockets::new(common, &net, &echo, 1);
            compare(common, load, &mut net, driver)
        }
        Transport::Polling => {
            let driver = Parked {
                host: net.host(),
                path: common.path.clone(),
                sessions: Vec::new(),
                tally: Tally::default(),
            };
            compare(common, load, &mut net, driver)
        }
    }
}

/// Reads the server's memory before and after the sessions are opened.
fn compare(common: &Common, load: &Load, net: &mut Net, mut driver: impl Opener) -> io::Result<String> {
    let settle = Duration::from_millis(300);
    let hold = Duration::from_secs_f64(load.hold);
    grow(net, &mut driver, FIRST)?;
    run_for(net, &mut driver, settle)?;
    let before = resident_kib(common.pid)?;
    grow(net, &mut driver, FIRST + load.sessions)?;
    run_for(net, &mut driver, hold)?;
    let after = resident_kib(common.pid)?;
    let errors = driver.tally().errors;
    let missing = driver.drain();
    let each = after.saturating_sub(before) as f64 * 1024.0 / load.sessions as f64;
    let transport = if load.transport == Transport::Polling {
        "polling"
    } else {
        "websocket"
    };
    Ok(format!(
        r#"{{"scenario":"idle","transport":"{transport}","sessions":{},"errors":{},"before_kib":{before},"after_kib":{after},"bytes_per_session":{each:.0}}}"#,
        load.sessions,
        errors.max(missing),
    ))
}

/// Opens sessions, some at a time, until there are `sessions`.
pub(crate) fn grow(net: &mut Net, driver: &mut impl Opener, sessions: usize) -> io::Result<()> {
    loop {
        let done = driver.tally().ready + driver.tally().errors as usize;
        if done >= sessions {
            return Ok(());
        }
        let goal = sessions.min(done + AT_ONCE);
        for _ in done..goal {
            driver.open_one(net)?;
        }
        open(net, driver, goal)?;
    }
}
