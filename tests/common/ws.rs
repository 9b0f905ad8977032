//! A WebSocket client that does nothing on its own: one frame per call, masked, whole but for `frame`.

use std::net::SocketAddr;

use bytes::{Buf as _, BytesMut};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::within;
use super::{Http, Io, Response};

const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// The headers that ask for a WebSocket.
pub(crate) const HEADERS: [(&str, &str); 4] = [
    ("connection", "Upgrade"),
    ("upgrade", "websocket"),
    ("sec-websocket-version", "13"),
    ("sec-websocket-key", KEY),
];

/// An open WebSocket.
pub(crate) struct WebSocket {
    io: Box<dyn Io>,
    read: BytesMut,
    /// The server's 101.
    pub(crate) response: Response,
    closing: bool,
}

/// What came in.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Frame {
    Text(String),
    Binary(Vec<u8>),
    Pong(Vec<u8>),
    Close(u16, String),
    /// The connection has ended, without a close frame if none came before.
    End,
}

impl WebSocket {
    /// Opens one, or tells what the server said instead of 101.
    pub(crate) async fn connect(
        addr: SocketAddr,
        target: &str,
        headers: &[(&str, &str)],
    ) -> Result<WebSocket, Response> {
        WebSocket::over(Http::connect(addr).await, target, headers).await
    }

    /// Like `connect`, over a connection that is there.
    pub(crate) async fn over(
        mut http: Http,
        target: &str,
        headers: &[(&str, &str)],
    ) -> Result<WebSocket, Response> {
        let all = [&HEADERS[..], headers].concat();
        http.send("GET", target, &all, None).await;
        let response = http.response().await;
        match response.status {
            101 => Ok(WebSocket::of(http, response)),
            _ => Err(response),
        }
    }

    /// One whose request was sent already.
    pub(crate) async fn opened(mut http: Http) -> WebSocket {
        let response = http.response().await;
        assert_eq!(response.status, 101);
        WebSocket::of(http, response)
    }

    fn of(http: Http, response: Response) -> WebSocket {
        assert_eq!(response.header("sec-websocket-accept"), Some(ACCEPT));
        let (io, read) = http.into_parts();
        WebSocket {
            io,
            read,
            response,
            closing: false,
        }
    }

    pub(crate) async fn text(&mut self, text: &str) {
        self.write(0x1, text.as_bytes()).await;
    }

    pub(crate) async fn binary(&mut self, bytes: &[u8]) {
        self.write(0x2, bytes).await;
    }

    pub(crate) async fn close(&mut self, code: u16) {
        self.closing = true;
        self.write(0x8, &code.to_be_bytes()).await;
    }

    /// A frame with this first byte: FIN, the reserved bits and the opcode.
    pub(crate) async fn frame(&mut self, first: u8, payload: &[u8]) {
        self.write_raw(first, payload).await;
    }

    /// Bytes as they are.
    pub(crate) async fn bytes(&mut self, bytes: &[u8]) {
        within(self.io.write_all(bytes))
            .await
            .expect("the connection broke");
    }

    /// The next frame. A close frame is answered by one.
    pub(crate) async fn next(&mut self) -> Frame {
        let frame = within(self.read_frame()).await;
        if let Frame::Close(code, _) = frame
            && !std::mem::replace(&mut self.closing, true)
        {
            // The server may be gone already.
            let _ = within(self.try_write(0x88, &code.to_be_bytes())).await;
        }
        frame
    }

    /// The next frame, which must be text.
    pub(crate) async fn next_text(&mut self) -> String {
        match self.next().await {
            Frame::Text(text) => text,
            other => panic!("not text: {other:?}"),
        }
    }

    async fn write(&mut self, opcode: u8, payload: &[u8]) {
        self.write_raw(0x80 | opcode, payload).await;
    }

    async fn write_raw(&mut self, first: u8, payload: &[u8]) {
        within(self.try_write(first, payload))
            .await
            .expect("the connection broke");
    }

    async fn try_write(&mut self, first: u8, payload: &[u8]) -> std::io::Result<()> {
        const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];
        let mut bytes = vec![first];
        match payload.len() {
            length @ 0..=125 => bytes.push(0x80 | length as u8),
            length @ 126..=0xffff => {
                bytes.push(0x80 | 126);
                bytes.extend((length as u16).to_be_bytes());
            }
            length => {
                bytes.push(0x80 | 127);
                bytes.extend((length as u64).to_be_bytes());
            }
        }
        bytes.extend(MASK);
        bytes.extend(
            payload
                .iter()
                .zip(MASK.iter().cycle())
                .map(|(byte, mask)| byte ^ mask),
        );
        self.io.write_all(&bytes).await?;
        self.io.flush().await
    }

    async fn read_frame(&mut self) -> Frame {
        let Some(opcode) = self.read_bytes(1).await else {
            return Frame::End;
        };
        let opcode = opcode[0];
        assert_eq!(opcode & 0xf0, 0x80, "no whole frame without reserved bits");
        let length = match self.number(1).await {
            126 => self.number(2).await,
            127 => self.number(8).await,
            length => length,
        };
        let payload = self.read_bytes(length).await.expect("ended in a frame");
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("UTF-8");
        match opcode & 0xf {
            0x1 => Frame::Text(text(&payload)),
            0x2 => Frame::Binary(payload),
            0x8 if payload.is_empty() => Frame::Close(1005, String::new()),
            0x8 => Frame::Close(u16::from_be_bytes([payload[0], payload[1]]), text(&payload[2..])),
            0xa => Frame::Pong(payload),
            other => panic!("opcode {other}"),
        }
    }

    async fn number(&mut self, length: usize) -> usize {
        let bytes = self.read_bytes(length).await.expect("ended in a frame's head");
        bytes
            .iter()
            .fold(0, |number, byte| number << 8 | usize::from(*byte))
    }

    async fn read_bytes(&mut self, length: usize) -> Option<Vec<u8>> {
        while self.read.len() < length {
            if self.io.read_buf(&mut self.read).await.unwrap_or(0) == 0 {
                return None;
            }
        }
        let bytes = self.read[..length].to_vec();
        self.read.advance(length);
        Some(bytes)
    }
}
