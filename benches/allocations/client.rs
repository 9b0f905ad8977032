//! The client: raw TCP, blocking, everything sent at once.

use std::io::{ErrorKind, Read, Write};

use super::{SocketAddr, TcpStream};

const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// A TCP connection.
pub(crate) struct Connection {
    stream: TcpStream,
    address: SocketAddr,
}

impl Connection {
    fn open(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).expect("the server listens");
        stream.set_nodelay(true).expect("a TCP option");
        Connection { stream, address }
    }

    fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).expect("the server reads");
    }

    fn receive(&mut self, bytes: &mut [u8]) {
        self.stream.read_exact(bytes).expect("the server answers");
    }

    /// A response's head, up to its empty line.
    fn head(&mut self) -> String {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            self.receive(&mut byte);
            head.push(byte[0]);
        }
        String::from_utf8(head).expect("a head is ASCII")
    }

    /// A request, sent.
    fn ask(&mut self, method: &str, target: &str, rest: &str) {
        let host = self.address;
        self.send(
            format!("{method} /engine.io/?EIO=4&{target} HTTP/1.1\r\nHost: {host}\r\n{rest}").as_bytes(),
        );
    }

    /// A whole response; its body.
    fn answer(&mut self) -> String {
        let head = self.head().to_ascii_lowercase();
        assert!(head.starts_with("http/1.1 200 "), "{head}");
        let length = head
            .split_once("content-length: ")
            .and_then(|(_, rest)| rest.split_once("\r\n"));
        let length = length
            .and_then(|(length, _)| length.parse().ok())
            .expect("a length");
        let mut body = vec![0; length];
        self.receive(&mut body);
        String::from_utf8(body).expect("a text payload")
    }
}

/// A session on WebSocket, with its messages ready-made.
pub(crate) struct WebSocket {
    connection: Connection,
    sent: Vec<u8>,
    expected: Vec<u8>,
    received: Vec<u8>,
}

impl WebSocket {
    /// Opens one that sends `count` messages of `size` bytes at a time.
    pub(crate) fn open(address: SocketAddr, count: usize, size: usize) -> Self {
        let mut connection = Connection::open(address);
        connection.ask(
            "GET",
            "transport=websocket",
            "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        );
        let head = connection.head();
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        let mut start = [0; 2];
        connection.receive(&mut start);
        let mut open = vec![0; usize::from(start[1])];
        connection.receive(&mut open);
        let payload = vec![b'4'; size + 1];
        let expected = frame(None, &payload).repeat(count);
        WebSocket {
            connection,
            sent: frame(Some(MASK), &payload).repeat(count),
            received: vec![0; expected.len()],
            expected,
        }
    }

    /// Sends the messages and takes their echoes.
    pub(crate) fn echo(&mut self) {
        self.connection.send(&self.sent);
        self.connection.receive(&mut self.received);
        assert!(self.received == self.expected, "an echo is wrong");
    }

    /// Closes by a close frame, and waits for the end.
    pub(crate) fn close(mut self) {
        self.connection.send(&[0x88, 0x82, 0, 0, 0, 0, 0x03, 0xe8]);
        match self.connection.stream.read_to_end(&mut Vec::new()) {
            Ok(_) => {}
            Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset),
        }
    }

    pub(crate) fn into_connection(self) -> Connection {
        self.connection
    }
}

/// A text frame; a client's has a mask.
fn frame(mask: Option<[u8; 4]>, payload: &[u8]) -> Vec<u8> {
    let bit = if mask.is_some() { 0x80 } else { 0 };
    let mut frame = vec![0x81];
    match u16::try_from(payload.len()).expect("at most 64 KiB") {
        length @ 0..126 => frame.push(bit | length as u8),
        length => {
            frame.push(bit | 126);
            frame.extend_from_slice(&length.to_be_bytes());
        }
    }
    frame.extend(mask.iter().flatten());
    let key = mask.unwrap_or_default();
    frame.extend(
        payload
            .iter()
            .zip(key.iter().cycle())
            .map(|(byte, mask)| byte ^ mask),
    );
    frame
}

/// A session on polling, with two connections.
pub(crate) struct Polling {
    polls: Connection,
    pushes: Connection,
    target: String,
    push: String,
    payload: String,
}

impl Polling {
    /// Opens one that sends `count` messages at a time.
    pub(crate) fn open(address: SocketAddr, count: usize) -> Self {
        let (mut polls, pushes) = (Connection::open(address), Connection::open(address));
        polls.ask("GET", "transport=polling", "\r\n");
        let open = polls.answer();
        let sid = open
            .split('"')
            .nth(3)
            .expect("an open packet begins with the sid");
        let payload = vec!["4a message of thirty-two bytes......"; count].join("\u{1e}");
        let push = format!(
            "Content-Type: text/plain;charset=UTF-8\r\nContent-Length: {}\r\n\r\n{payload}",
            payload.len()
        );
        let target = format!("transport=polling&sid={sid}");
        Polling {
            polls,
            pushes,
            target,
            push,
            payload,
        }
    }

    /// A parked GET, a POST, and the answers to both.
    pub(crate) fn cycle(&mut self) {
        self.polls.ask("GET", &self.target, "\r\n");
        self.pushes.ask("POST", &self.target, &self.push);
        assert_eq!(self.pushes.answer(), "ok");
        let mut echoes = self.polls.answer();
        // The poll may have been answered between two messages of the payload.
        while echoes.len() < self.payload.len() {
            self.polls.ask("GET", &self.target, "\r\n");
            echoes = format!("{echoes}\u{1e}{}", self.polls.answer());
        }
        assert_eq!(echoes, self.payload);
    }

    /// Leaves a poll waiting on the one connection that stays.
    pub(crate) fn park(mut self) -> Connection {
        self.polls.ask("GET", &self.target, "\r\n");
        self.polls
    }
}
