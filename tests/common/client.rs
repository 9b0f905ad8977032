//! A client of Engine.IO over polling, and its way to WebSocket, step by step as a test wants it.

use std::net::SocketAddr;

use engineio::Sid;
use serde_json::Value;

use super::{Frame, Http, Response, WebSocket};

/// What separates packets in a payload of revision 4.
const SEPARATOR: char = '\x1e';

/// A session of revision 4 on polling: one connection for its polls, one for what it posts.
pub(crate) struct Polling {
    addr: SocketAddr,
    target: String,
    polls: Http,
    posts: Http,
    /// The handshake's answer.
    pub(crate) response: Response,
    /// What the open packet says.
    pub(crate) open: Value,
    /// What came along with the open packet.
    pub(crate) initial: Vec<String>,
}

impl Polling {
    /// Opens a session at the default path.
    pub(crate) async fn open(addr: SocketAddr) -> Polling {
        Polling::open_at(addr, "/engine.io/", &[]).await
    }

    /// Opens a session at a path, to which a query may be added, with headers.
    pub(crate) async fn open_at(addr: SocketAddr, path: &str, headers: &[(&str, &str)]) -> Polling {
        let (polls, posts) = (Http::connect(addr).await, Http::connect(addr).await);
        Polling::over(addr, polls, posts, path, headers).await
    }

    /// Opens a session over connections that are there.
    pub(crate) async fn over(
        addr: SocketAddr,
        mut polls: Http,
        posts: Http,
        path: &str,
        headers: &[(&str, &str)],
    ) -> Polling {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let target = format!("{path}?EIO=4&transport=polling");
        let response = polls.get_with(&format!("{target}&{query}"), headers).await;
        assert_eq!(response.status, 200, "{response:?}");
        let mut packets = response.text().split(SEPARATOR);
        let open = open_packet(packets.next().expect("an open packet"));
        let initial = packets.map(str::to_owned).collect();
        let sid = open["sid"].as_str().expect("a sid");
        Polling {
            addr,
            target: format!("{target}&sid={sid}"),
            polls,
            posts,
            response,
            initial,
            open,
        }
    }

    /// The session's id as the server knows it.
    pub(crate) fn sid(&self) -> Sid {
        Sid::parse(self.open["sid"].as_str().expect("a sid")).expect("an id")
    }

    /// The URL of its polls, without the origin.
    pub(crate) fn target(&self) -> &str {
        &self.target
    }

    /// The URL of its WebSocket, without the origin.
    pub(crate) fn ws_target(&self) -> String {
        self.target.replace("polling", "websocket")
    }

    /// Sends a poll and does not wait for the answer.
    pub(crate) async fn send_poll(&mut self) {
        self.polls.send("GET", &self.target, &[], None).await;
    }

    /// The answer to the poll that was sent.
    pub(crate) async fn answer(&mut self) -> Response {
        self.polls.response().await
    }

    /// The packets in the answer to the poll that was sent.
    pub(crate) async fn packets(&mut self) -> Vec<String> {
        let response = self.answer().await;
        assert_eq!(response.status, 200, "{response:?}");
        response.text().split(SEPARATOR).map(str::to_owned).collect()
    }

    /// Polls once.
    pub(crate) async fn poll(&mut self) -> Vec<String> {
        self.send_poll().await;
        self.packets().await
    }

    /// Polls until there were so many packets.
    pub(crate) async fn poll_for(&mut self, count: usize) -> Vec<String> {
        let mut packets = Vec::new();
        while packets.len() < count {
            packets.extend(self.poll().await);
        }
        packets
    }

    /// Posts a payload.
    pub(crate) async fn post(&mut self, payload: &str) -> Response {
        self.posts.post(&self.target, payload.as_bytes()).await
    }

    /// Posts packets, which must be taken.
    pub(crate) async fn push(&mut self, packets: &[&str]) {
        let response = self.post(&packets.join("\x1e")).await;
        assert_eq!((response.status, response.text()), (200, "ok"));
    }

    /// The same session through another port.
    pub(crate) async fn at(&self, addr: SocketAddr) -> Polling {
        Polling {
            addr,
            target: self.target.clone(),
            polls: Http::connect(addr).await,
            posts: Http::connect(addr).await,
            response: self.response.clone(),
            open: self.open.clone(),
            initial: Vec::new(),
        }
    }

    /// Leaves without a word: both connections are closed.
    pub(crate) fn leave(self) {}

    /// Opens a WebSocket for this session.
    pub(crate) async fn websocket(&self) -> WebSocket {
        WebSocket::connect(self.addr, &self.ws_target(), &[])
            .await
            .expect("a 101")
    }
}

/// The upgrade as engine.io-client does it: probe, wait for the poll that is on, swap. Returns the WebSocket and
/// the packets that the last polls brought.
pub(crate) async fn upgrade(client: &mut Polling, mut ws: WebSocket) -> (WebSocket, Vec<String>) {
    client.send_poll().await;
    ws.text("2probe").await;
    assert_eq!(ws.next().await, Frame::Text("3probe".to_owned()));
    let mut packets = client.packets().await;
    packets.retain(|packet| packet != "6");
    ws.text("5").await;
    (ws, packets)
}

/// The JSON of an open packet.
pub(crate) fn open_packet(packet: &str) -> Value {
    let json = packet
        .strip_prefix('0')
        .unwrap_or_else(|| panic!("no open packet: {packet}"));
    serde_json::from_str(json).expect("JSON")
}
