//! An HTTP/1.1 client that does nothing on its own: one connection, requests and answers as they are on the
//! wire.

use std::net::SocketAddr;

use actix_rt::net::TcpStream;
use bytes::{Buf as _, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use super::within;

/// A connection: TCP, or TLS over it.
pub(crate) trait Io: AsyncRead + AsyncWrite + Unpin {}
impl<T: AsyncRead + AsyncWrite + Unpin> Io for T {}

/// A connection to a server.
pub(crate) struct Http {
    io: Box<dyn Io>,
    host: String,
    read: BytesMut,
}

/// What came back.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Http {
    pub(crate) async fn connect(addr: SocketAddr) -> Http {
        let io = within(TcpStream::connect(addr)).await.expect("nobody listens");
        let _ = io.set_nodelay(true);
        Http::over(Box::new(io), addr.to_string())
    }

    pub(crate) fn over(io: Box<dyn Io>, host: String) -> Http {
        Http {
            io,
            host,
            read: BytesMut::new(),
        }
    }

    /// The connection, and what was read from it and not used.
    pub(crate) fn into_parts(self) -> (Box<dyn Io>, BytesMut) {
        (self.io, self.read)
    }

    /// Writes a request. A body comes with its `Content-Length`; a header `host` replaces ours.
    pub(crate) async fn send(
        &mut self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: Option<&[u8]>,
    ) {
        let mut head = format!("{method} {target} HTTP/1.1\r\n");
        if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
            head += &format!("host: {}\r\n", self.host);
        }
        for (name, value) in headers {
            head += &format!("{name}: {value}\r\n");
        }
        if let Some(body) = body {
            head += &format!("content-length: {}\r\n", body.len());
        }
        let mut bytes = (head + "\r\n").into_bytes();
        bytes.extend_from_slice(body.unwrap_or_default());
        self.write(&bytes).await;
    }

    /// Writes bytes as they are.
    pub(crate) async fn write(&mut self, bytes: &[u8]) {
        within(self.io.write_all(bytes))
            .await
            .expect("the connection broke");
        within(self.io.flush()).await.expect("the connection broke");
    }

    /// Reads an answer.
    pub(crate) async fn response(&mut self) -> Response {
        within(self.read_response()).await
    }

    pub(crate) async fn get(&mut self, target: &str) -> Response {
        self.get_with(target, &[]).await
    }

    pub(crate) async fn get_with(&mut self, target: &str, headers: &[(&str, &str)]) -> Response {
        self.send("GET", target, headers, None).await;
        self.response().await
    }

    pub(crate) async fn post(&mut self, target: &str, body: &[u8]) -> Response {
        let headers = [("content-type", "text/plain;charset=UTF-8")];
        self.send("POST", target, &headers, Some(body)).await;
        self.response().await
    }

    /// Waits until the server closes the connection; fails if it says anything more.
    pub(crate) async fn closed(&mut self) {
        assert!(!within(self.fill()).await, "more came: {:?}", self.read);
        assert!(self.read.is_empty(), "left over: {:?}", self.read);
    }

    async fn read_response(&mut self) -> Response {
        let mut response = loop {
            if let Some(head) = self.take_until(b"\r\n\r\n") {
                break parse_head(&head);
            }
            assert!(
                self.fill().await,
                "closed without an answer, after {:?}",
                self.read
            );
        };
        if response.header("transfer-encoding") == Some("chunked") {
            response.body = self.read_chunks().await;
        } else if let Some(length) = response.header("content-length") {
            let length = length.parse().expect("a content-length");
            response.body = self.take(length).await;
        }
        response
    }

    async fn read_chunks(&mut self) -> Vec<u8> {
        let mut body = Vec::new();
        loop {
            let line = loop {
                if let Some(line) = self.take_until(b"\r\n") {
                    break line;
                }
                assert!(self.fill().await, "closed in a chunked body");
            };
            let size = usize::from_str_radix(line.trim(), 16).expect("the size of a chunk");
            body.extend(self.take(size).await);
            self.take(2).await;
            if size == 0 {
                return body;
            }
        }
    }

    async fn take(&mut self, length: usize) -> Vec<u8> {
        while self.read.len() < length {
            assert!(self.fill().await, "closed in a body");
        }
        self.read.split_to(length).to_vec()
    }

    fn take_until(&mut self, end: &[u8]) -> Option<String> {
        let at = self.read.windows(end.len()).position(|window| window == end)?;
        let text = String::from_utf8(self.read.split_to(at).to_vec()).expect("text");
        self.read.advance(end.len());
        Some(text)
    }

    /// Reads some more; false at the end.
    async fn fill(&mut self) -> bool {
        self.io.read_buf(&mut self.read).await.unwrap_or(0) > 0
    }
}

impl Response {
    /// The first value of a header.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.all(name).next()
    }

    /// All values of a header.
    pub(crate) fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.headers
            .iter()
            .filter(move |(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| &**value)
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("text")
    }

    /// The `code` and `message` of a refusal.
    pub(crate) fn refusal(&self) -> (u16, u64, String) {
        let json: serde_json::Value = serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("no refusal, {error}: {self:?}"));
        let message = json["message"].as_str().expect("a message").to_owned();
        (self.status, json["code"].as_u64().expect("a code"), message)
    }

    /// Status and code of a refusal.
    pub(crate) fn code(&self) -> (u16, u64) {
        let (status, code, _) = self.refusal();
        (status, code)
    }
}

fn parse_head(head: &str) -> Response {
    let mut lines = head.split("\r\n");
    let status = lines.next().and_then(|line| line.split(' ').nth(1));
    Response {
        status: status.and_then(|status| status.parse().ok()).expect("a status"),
        headers: lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            .collect(),
        body: Vec::new(),
    }
}
