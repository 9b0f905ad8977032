//! Handshakes over polling: N keep-alive connections, each asks for one session after the other.
//!
//! The sessions are left as they are: a server's heartbeat ends them, if it runs that long.

use std::io;
use std::time::Instant;

use clap::Args;

use crate::measure::{Tally, throughput};
use crate::net::{Driver, Net};
use crate::{Common, Span, http};

/// What is sent.
#[derive(Debug, Clone, Args)]
pub(crate) struct Load {
    /// Connections.
    #[arg(long, default_value_t = 100)]
    connections: usize,
}

#[derive(Debug)]
struct Client {
    /// The last session's sid.
    sid: String,
    sent: Instant,
    is_waiting: bool,
}

#[derive(Debug)]
struct Handshakes {
    request: Vec<u8>,
    clients: Vec<Client>,
    is_draining: bool,
    tally: Tally,
}

impl Driver for Handshakes {
    fn received(&mut self, net: &mut Net, id: usize, bytes: &[u8]) -> Result<usize, String> {
        let Some((body, used)) = http::response(bytes)? else {
            return Ok(0);
        };
        let client = &mut self.clients[id];
        let sid = http::sid(body)?;
        if sid == client.sid {
            return Err(format!("the sid {sid} twice"));
        }
        if client.sid.is_empty() {
            self.tally.ready += 1;
        }
        client.sid = sid;
        self.tally.messages += 1;
        self.tally.latency(client.sent);
        client.is_waiting = !self.is_draining;
        if client.is_waiting {
            client.sent = Instant::now();
            net.send(id, &self.request)?;
        }
        Ok(used)
    }

    fn drain(&mut self) -> u64 {
        self.is_draining = true;
        self.clients.iter().filter(|client| client.is_waiting).count() as u64
    }

    fn tally(&mut self) -> &mut Tally {
        &mut self.tally
    }
}

/// Runs the scenario.
pub(crate) fn run(common: &Common, span: &Span, load: &Load) -> io::Result<String> {
    let mut net = Net::new(common)?;
    let target = format!("{}?EIO=4&transport=polling&t=P0o1x2y", common.path);
    let mut driver = Handshakes {
        request: http::get(&net.host(), &target),
        clients: Vec::new(),
        is_draining: false,
        tally: Tally::default(),
    };
    for _ in 0..load.connections {
        let id = net.connect()?;
        driver.clients.push(Client {
            sid: String::new(),
            sent: Instant::now(),
            is_waiting: true,
        });
        net.send(id, &driver.request).map_err(io::Error::other)?;
    }
    let result = throughput(common, span, &mut net, &mut driver, load.connections)?;
    Ok(format!(
        r#"{{"scenario":"handshake","connections":{},{result}}}"#,
        load.connections
    ))
}
