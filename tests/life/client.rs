//! Clients of blocking sockets: HTTP/1.1 with keep-alive, a polling session, a WebSocket.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};

use super::PATIENCE;

/// One HTTP connection.
pub(crate) struct Http {
    pub(crate) stream: TcpStream,
    input: Vec<u8>,
}

/// A response, its body complete.
#[derive(Debug, Clone)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Response {
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("UTF-8")
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }
}

impl Http {
    pub(crate) fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).expect("connect");
        stream.set_read_timeout(Some(PATIENCE)).expect("timeout");
        stream.set_write_timeout(Some(PATIENCE)).expect("timeout");
        stream.set_nodelay(true).expect("nodelay");
        Http {
            stream,
            input: Vec::new(),
        }
    }

    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).expect("write");
    }

    pub(crate) fn send_get(&mut self, query: &str) {
        self.send(format!(
            "GET /engine.io/?{query} HTTP/1.1\r\nHost: localhost\r\n\r\n"
        ));
    }

    pub(crate) fn get(&mut self, query: &str) -> Response {
        self.send_get(query);
        self.response()
    }

    pub(crate) fn post(&mut self, query: &str, body: &str) -> Response {
        let length = body.len();
        self.send(format!(
            "POST /engine.io/?{query} HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\n\
             Content-Length: {length}\r\n\r\n{body}"
        ));
        self.response()
    }

    /// The next response.
    pub(crate) fn response(&mut self) -> Response {
        self.try_response()
            .expect("a response before the connection ends")
    }

    /// The next response; `None` if the connection ends before.
    pub(crate) fn try_response(&mut self) -> Option<Response> {
        let end = loop {
            match self.input.windows(4).position(|four| four == b"\r\n\r\n") {
                Some(at) => break at + 4,
                None => self.read()?,
            }
        };
        let head = String::from_utf8(self.input.drain(..end).collect()).expect("a head in UTF-8");
        let status = head[9..12].parse().expect("a status");
        let mut response = Response {
            status,
            head,
            body: Vec::new(),
        };
        let length = match response.header("content-length") {
            Some(length) => length.parse().expect("a length"),
            None => 0,
        };
        while self.input.len() < length {
            self.read()?;
        }
        response.body = self.input.drain(..length).collect();
        Some(response)
    }

    /// Reads more; `None` at the connection's end.
    fn read(&mut self) -> Option<()> {
        let mut chunk = [0; 64 * 1024];
        match self.stream.read(&mut chunk) {
            Ok(0) => None,
            Ok(read) => {
                self.input.extend_from_slice(&chunk[..read]);
                Some(())
            }
            Err(error) if matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe) => None,
            Err(error) => panic!("nothing came: {error}"),
        }
    }
}

/// A session on polling, by one connection for its GETs and one for its POSTs.
pub(crate) struct Polling {
    address: SocketAddr,
    pub(crate) sid: String,
    pub(crate) gets: Http,
    posts: Option<Http>,
}

impl Polling {
    pub(crate) fn open(address: SocketAddr) -> Self {
        Self::open_on(Http::connect(address), address)
    }

    pub(crate) fn open_on(gets: Http, address: SocketAddr) -> Self {
        Self::open_with(gets, address, "")
    }

    pub(crate) fn open_with(mut gets: Http, address: SocketAddr, more: &str) -> Self {
        let response = gets.get(&format!("EIO=4&transport=polling{more}"));
        assert_eq!(response.status, 200, "{}", response.head);
        let sid = sid(response.text());
        Polling {
            address,
            sid,
            gets,
            posts: None,
        }
    }

    pub(crate) fn query(&self) -> String {
        format!("EIO=4&transport=polling&sid={}", self.sid)
    }

    pub(crate) fn poll(&mut self) -> Response {
        let query = self.query();
        self.gets.get(&query)
    }

    /// Sends a GET; its answer is `self.gets.response()`.
    pub(crate) fn send_poll(&mut self) {
        let query = self.query();
        self.gets.send_get(&query);
    }

    pub(crate) fn post(&mut self, body: &str) -> Response {
        let (address, query) = (self.address, self.query());
        self.posts
            .get_or_insert_with(|| Http::connect(address))
            .post(&query, body)
    }

    /// Sends a message and fails unless it comes back, and nothing else does.
    pub(crate) fn echo(&mut self, text: &str) {
        let sent = self.post(&format!("4{text}"));
        assert_eq!((sent.status, sent.text()), (200, "ok"));
        let received = self.poll();
        assert_eq!((received.status, received.text()), (200, &*format!("4{text}")));
    }

    /// Ends the session as clients do.
    pub(crate) fn close(mut self) {
        assert_eq!(self.post("1").status, 200);
    }
}

/// The id in an open packet.
fn sid(packet: &str) -> String {
    let (_, rest) = packet.split_once("\"sid\":\"").expect("an id");
    rest.split('"').next().expect("an id").to_owned()
}

/// A frame's opcode and its payload.
pub(crate) type Frame = (u8, Vec<u8>);

/// One WebSocket.
pub(crate) struct WebSocket {
    pub(crate) http: Http,
}

impl WebSocket {
    /// A session that begins on a WebSocket.
    pub(crate) fn open(address: SocketAddr) -> Self {
        let mut websocket = Self::connect(address, "EIO=4&transport=websocket");
        let open = websocket.text();
        assert!(open.starts_with("0{"), "{open}");
        websocket
    }

    /// A WebSocket for a session that polls.
    pub(crate) fn attempt(session: &Polling) -> Self {
        let query = format!("EIO=4&transport=websocket&sid={}", session.sid);
        Self::connect(session.address, &query)
    }

    /// The same, through the whole swap: a poll that waits is answered meanwhile.
    pub(crate) fn upgrade(session: &mut Polling) -> Self {
        let mut websocket = Self::attempt(session);
        websocket.send("2probe");
        assert_eq!(websocket.text(), "3probe");
        websocket.send("5");
        websocket
    }

    pub(crate) fn connect(address: SocketAddr, query: &str) -> Self {
        let (websocket, response) = Self::request(address, query);
        assert_eq!(response.status, 101, "{}", response.head);
        websocket
    }

    pub(crate) fn request(address: SocketAddr, query: &str) -> (Self, Response) {
        let mut http = Http::connect(address);
        http.send(format!(
            "GET /engine.io/?{query} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        ));
        let response = http.response();
        (WebSocket { http }, response)
    }

    pub(crate) fn send(&mut self, text: &str) {
        self.send_frame(1, text.as_bytes());
    }

    pub(crate) fn send_frame(&mut self, opcode: u8, payload: &[u8]) {
        self.http.send(frame(opcode, payload));
    }

    /// The next frame; `None` at the connection's end.
    pub(crate) fn frame(&mut self) -> Option<Frame> {
        self.raw_frame().map(|(first, payload)| (first & 15, payload))
    }

    /// The same with its first byte whole: FIN, the reserved bits and the opcode.
    pub(crate) fn raw_frame(&mut self) -> Option<Frame> {
        let (size, length) = loop {
            let input = &self.http.input;
            let head = match input.get(1).copied() {
                Some(126) if input.len() >= 4 => {
                    Some((4, usize::from(input[2]) << 8 | usize::from(input[3])))
                }
                Some(127) if input.len() >= 10 => {
                    let length = input[2..10]
                        .iter()
                        .fold(0, |sum, byte| sum << 8 | usize::from(*byte));
                    Some((10, length))
                }
                Some(length @ ..126) => Some((2, usize::from(length))),
                _ => None,
            };
            match head {
                Some(head) if input.len() >= head.0 + head.1 => break head,
                _ => self.http.read()?,
            }
        };
        let first = self.http.input[0];
        let mut frame: Vec<u8> = self.http.input.drain(..size + length).collect();
        Some((first, frame.split_off(size)))
    }

    /// The next frame, which is text.
    pub(crate) fn text(&mut self) -> String {
        match self.frame() {
            Some((1, payload)) => String::from_utf8(payload).expect("UTF-8"),
            other => panic!("expected text, got {other:?}"),
        }
    }

    /// Sends a message and fails unless it comes back, and nothing else does.
    pub(crate) fn echo(&mut self, text: &str) {
        let message = format!("4{text}");
        self.send(&message);
        assert_eq!(self.text(), message);
    }

    /// Reads on to the close frame and returns its code; `None` if the connection ends without one.
    pub(crate) fn close_code(&mut self) -> Option<u16> {
        loop {
            match self.frame()? {
                (8, payload) => return Some(u16::from(payload[0]) << 8 | u16::from(payload[1])),
                _ => continue,
            }
        }
    }
}

/// A frame as clients send it, masked.
pub(crate) fn frame(opcode: u8, payload: &[u8]) -> Vec<u8> {
    const MASK: [u8; 4] = [1, 2, 3, 4];
    let mut frame = vec![0x80 | opcode];
    match payload.len() {
        short @ ..126 => frame.push(0x80 | short as u8),
        length @ ..0x1_0000 => {
            frame.push(0x80 | 126);
            frame.extend((length as u16).to_be_bytes());
        }
        length => {
            frame.push(0x80 | 127);
            frame.extend((length as u64).to_be_bytes());
        }
    }
    frame.extend(MASK);
    frame.extend(
        payload
            .iter()
            .zip(MASK.iter().cycle())
            .map(|(byte, mask)| byte ^ mask),
    );
    frame
}
