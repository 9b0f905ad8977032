//! A WebSocket echo: every message comes back as it is, without Engine.IO's packets. What conformance suites drive
//! (`tests/autobahn`).
//!
//! As it is, this is the whole server: door, handover of the TCP connection, the socket's actor with its pump, session
//! and write buffer, a `SocketHandler`; with `--no-handover` the bytes pass through the HTTP server. All that the
//! feature `bare` takes out are the packet types in front of messages, the packets that are no messages (the open
//! packet), and the bound on the number of a message's fragments. With `--layer` it is the WebSocket layer alone in the
//! body of a response, and shows how `engineio::ws` is used without the rest.

use std::convert::Infallible;
use std::future::Future;
use std::io::Write;
use std::net::TcpListener;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use actix_rt::time::{Sleep, sleep};
use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::Payload;
use actix_web::http::header;
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use bytes::{Bytes, BytesMut};
use clap::Parser;
use engineio::ws::handshake::{Accept, Handshake, HandshakeError};
use engineio::ws::{Connection, Limits, Message};
use engineio::{Config, Data, PerMessageDeflate, Server, Socket, SocketHandler};
use futures_core::Stream;

/// How much is answered before it is written.
const CHUNK: usize = 64 * 1024;

/// How long a peer that broke the protocol is listened to, so that the close frame is not lost to a reset.
const LINGER: Duration = Duration::from_millis(100);

/// Longer than any case of a suite: no ping of Engine.IO's is due.
const NEVER: Duration = Duration::from_secs(24 * 60 * 60);

/// A WebSocket echo server.
#[derive(Parser, Clone, Copy)]
struct Options {
    /// The port; 0 lets the system pick one.
    #[arg(long)]
    port: u16,
    /// Leave WebSockets in the HTTP server.
    #[arg(long)]
    no_handover: bool,
    /// The WebSocket layer alone.
    #[arg(long)]
    layer: bool,
    /// Bytes that each WebSocket may remember earlier messages in, to compress better.
    #[arg(long, default_value_t = 0)]
    context_takeover: usize,
    /// Agree on no compression.
    #[arg(long)]
    no_compression: bool,
    /// Compress messages of at least so many bytes.
    #[arg(long, default_value_t = 0)]
    threshold: usize,
    /// Bytes of a message.
    #[arg(long, default_value_t = 64 * 1024 * 1024)]
    max_message: usize,
}

/// Reads the headers.
fn accept(req: &HttpRequest, options: &Options) -> Result<Accept, HandshakeError> {
    let mut handshake = Handshake::new();
    let lines = |name| req.headers().get_all(name).map(|line| line.as_bytes());
    lines(header::CONNECTION).for_each(|line| handshake.connection(line));
    lines(header::UPGRADE).for_each(|line| handshake.upgrade(line));
    lines(header::SEC_WEBSOCKET_VERSION).for_each(|line| handshake.version(line));
    lines(header::SEC_WEBSOCKET_KEY).for_each(|line| handshake.key(line));
    if !options.no_compression {
        lines(header::SEC_WEBSOCKET_EXTENSIONS)
            .for_each(|line| handshake.extensions_within(line, options.context_takeover));
    }
    handshake.accept()
}

async fn open(req: HttpRequest, payload: web::Payload, options: web::Data<Options>) -> HttpResponse {
    let accept = match accept(&req, &options) {
        Ok(accept) => accept,
        Err(error) => return HttpResponse::BadRequest().body(error.to_string()),
    };
    let limits = Limits {
        max_message: options.max_message,
        max_fragments: 1_000_000,
    };
    let mut response = HttpResponse::SwitchingProtocols();
    response.upgrade("websocket");
    response.insert_header((header::SEC_WEBSOCKET_ACCEPT, &accept.key[..]));
    let connection = match accept.deflate {
        Some(agreement) => {
            response.insert_header((header::SEC_WEBSOCKET_EXTENSIONS, agreement.to_string()));
            Connection::with_deflate(limits, agreement, options.threshold)
        }
        None => Connection::new(limits),
    };
    response.body(BoxBody::new(Echo {
        payload: payload.into_inner(),
        connection,
        out: BytesMut::new(),
        timer: None,
        ended: false,
    }))
}

/// The body of the 101: actix asks it for more whenever it has read something.
struct Echo {
    payload: Payload,
    connection: Connection,
    out: BytesMut,
    /// Runs while a peer is awaited that shall close.
    timer: Option<Pin<Box<Sleep>>>,
    ended: bool,
}

impl Echo {
    /// Takes what has come, and answers it.
    fn read(&mut self) {
        let mut noop = Context::from_waker(Waker::noop());
        while !self.ended && self.out.len() < CHUNK {
            match Pin::new(&mut self.payload).poll_next(&mut noop) {
                Poll::Ready(Some(Ok(bytes))) => self.connection.receive(bytes),
                Poll::Ready(Some(Err(_)) | None) => self.ended = true,
                Poll::Pending => break,
            }
            self.answer();
        }
    }

    fn answer(&mut self) {
        loop {
            let message = self.connection.poll_message();
            // The answers to pings that came before the message go before its echo.
            self.connection.transmit(&mut self.out);
            let (text, payload) = match &message {
                Ok(Some(Message::Text(text))) => (true, text.as_bytes()),
                Ok(Some(Message::Binary(bytes))) => (false, bytes),
                Ok(None) => return,
                Err(_) => {
                    self.timer = Some(Box::pin(sleep(LINGER)));
                    return;
                }
            };
            self.connection
                .send_compressed(text, None, payload, &mut self.out);
        }
    }
}

impl MessageBody for Echo {
    type Error = Infallible;

    fn size(&self) -> BodySize {
        BodySize::Stream
    }

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Infallible>>> {
        self.read();
        if !self.out.is_empty() {
            return Poll::Ready(Some(Ok(std::mem::take(&mut self.out).freeze())));
        }
        let waits = match &mut self.timer {
            Some(timer) => timer.as_mut().poll(cx).is_pending(),
            None => !self.connection.is_closed(),
        };
        if waits && !self.ended {
            return Poll::Pending;
        }
        Poll::Ready(None)
    }
}

/// Answers inside the socket's own actor.
struct Answer;

impl SocketHandler for Answer {
    fn on_message(&mut self, socket: &Socket, data: Data) {
        if let Err(error) = socket.try_send(data) {
            log::warn!("{socket:?}: {error}");
            socket.close();
        }
    }
}

/// Serves by the whole server.
async fn whole(options: Options) -> std::io::Result<()> {
    let mut config = Config::default();
    config.bare = true;
    config.handover = !options.no_handover;
    config.ping_interval = NEVER;
    config.max_http_buffer_size = options.max_message;
    config.max_buffered_bytes = 2 * options.max_message;
    config.per_message_deflate = (!options.no_compression).then(|| {
        let mut deflate = PerMessageDeflate::default();
        deflate.threshold = options.threshold;
        deflate.context_takeover = options.context_takeover;
        deflate
    });
    let server = Server::builder().config(config).behavior(|_, _| Answer).start();
    let listener = engineio::listen(&server, ("127.0.0.1", options.port))?.workers(1);
    let addresses = listener.addresses()?;
    let serving = listener.run();
    for address in addresses {
        println!("listening on ws://{address}/engine.io/?EIO=4&transport=websocket");
    }
    std::io::stdout().flush()?;
    serving.await
}

/// Serves by the WebSocket layer alone.
async fn layer(options: Options) -> std::io::Result<()> {
    let listener = TcpListener::bind(("127.0.0.1", options.port))?;
    println!("listening on ws://{}", listener.local_addr()?);
    std::io::stdout().flush()?;
    HttpServer::new(move || {
        App::new()
            .app_data(web::Data::new(options))
            .default_service(web::get().to(open))
    })
    .h1_allow_half_closed(false)
    .client_disconnect_timeout(Duration::ZERO)
    .workers(1)
    .listen(listener)?
    .run()
    .await
}

#[actix_web::main]
async fn main() -> std::io::Result<()> {
    env_logger::init();
    let options = Options::parse();
    match options.layer {
        true => layer(options).await,
        false => whole(options).await,
    }
}
