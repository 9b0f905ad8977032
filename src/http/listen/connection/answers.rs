//! What a connection says: answers of the App by actix-http's encoder, those that came the short way, and its own.

use std::fmt::Write as _;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use actix_http::body::{BodySize, BoxBody, MessageBody};
use actix_http::h1::Message;
use actix_http::{ConnectionType, Response, StatusCode};
use actix_web::HttpResponse;
use actix_web::http::header;
use bytes::{Buf, BytesMut};
use tokio::io::AsyncWrite;
use tokio_util::codec::Encoder;

use super::{Connection, Step};

/// More than the head of an answer that the App has not seen.
const HEAD_SIZE: usize = 512;

impl<F> Connection<F> {
    /// Begins to answer.
    pub(super) fn answer(&mut self, response: Response<BoxBody>, is_stopping: bool) -> io::Result<()> {
        let (mut head, body) = response.into_parts();
        // What is left of the request's body cannot be told from the next request without reading it.
        if !head.upgrade() && (self.inlet.is_some() || self.is_last || is_stopping) {
            head.head_mut().set_connection_type(ConnectionType::Close);
        }
        self.upgrades_to_nothing &= !head.upgrade() && head.status() != StatusCode::SWITCHING_PROTOCOLS;
        let is_offer = head.headers().contains_key(header::UPGRADE);
        let (size, start) = (body.size(), self.output.len());
        self.codec.encode(Message::Item((head, size)), &mut self.output)?;
        if self.is_kept() && !is_offer {
            unsay_upgrade(&mut self.output, start);
        }
        match size {
            BodySize::None | BodySize::Sized(0) => self.finish(),
            _ => self.step = Step::Answering { body, slow: false },
        }
        Ok(())
    }

    /// Answers a request of which the encoder has not heard.
    pub(super) fn answer_shortly(&mut self, response: HttpResponse, is_stopping: bool) -> io::Result<()> {
        let (response, body) = response.into_parts();
        let body = body.try_into_bytes().map_err(|_| io::ErrorKind::InvalidData)?;
        let output = &mut self.output;
        output.reserve(HEAD_SIZE + body.len());
        // `200 OK`
        let _ = write!(
            output,
            "HTTP/1.1 {}\r\ncontent-length: {}\r\n",
            response.status(),
            body.len()
        );
        let mut header = |name: &[u8], value: &[u8]| {
            for part in [name, b": ", value, b"\r\n"] {
                output.extend_from_slice(part);
            }
        };
        for (name, value) in response.headers() {
            header(name.as_str().as_bytes(), value.as_bytes());
        }
        if is_stopping {
            header(b"connection", b"close");
        }
        self.codec.config().write_date_header(output, false);
        output.extend_from_slice(b"\r\n");
        output.extend_from_slice(&body);
        self.step = Step::Idle;
        Ok(())
    }

    /// The answer is complete.
    pub(super) fn finish(&mut self) {
        self.is_last |= !self.codec.keep_alive() && !self.is_kept();
        self.step = Step::Idle;
    }

    /// Whether the connection is kept although the encoder takes it for one that was upgraded.
    fn is_kept(&self) -> bool {
        self.upgrades_to_nothing && self.codec.upgrade()
    }

    /// Answers for the App, as the last that is said.
    pub(super) fn refuse(&mut self, status: StatusCode) {
        let mut response = Response::with_body(status, ());
        response.head_mut().set_connection_type(ConnectionType::Close);
        let response = Message::Item((response, BodySize::Sized(0)));
        // It can only fail for want of a body.
        let _ = self.codec.encode(response, &mut self.output);
        self.is_last = true;
    }

    /// Ready when all is written.
    pub(super) fn write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut written = 0;
        while written < self.output.len() {
            match Pin::new(&mut self.io).poll_write(cx, &self.output[written..]) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(count)) => written += count,
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => {
                    if written > 0 {
                        self.output.advance(written);
                        self.deadline = None;
                    }
                    return Poll::Pending;
                }
            }
        }
        self.output.clear();
        Pin::new(&mut self.io).poll_flush(cx)
    }
}

/// Takes out of the head at `start` what the encoder repeats of its request: it does so before all other headers.
fn unsay_upgrade(output: &mut BytesMut, start: usize) {
    const REPEATED: &[u8] = b"\r\nconnection: upgrade";
    let mut lines = output[start..].windows(REPEATED.len());
    if let Some(at) = lines.position(|line| line.eq_ignore_ascii_case(REPEATED)) {
        let at = start + at;
        output.copy_within(at + REPEATED.len().., at);
        output.truncate(output.len() - REPEATED.len());
    }
}
