//! An echo server: the counterpart of the tests with real clients, and of the benchmarks.
//!
//! Text comes back as text, binary as binary, in order. Text that begins with `b` goes to every connected
//! client instead, its sender included. `!close` makes the server close the session; `!bye` makes it send
//! three messages and close at once.
//!
//! Without flags it has the settings that today's clients expect, not this library's defaults.

use std::io::Write;
use std::net::SocketAddr;
use std::time::Duration;

use actix::prelude::*;
use actix_cors::Cors;
use actix_web::http::{KeepAlive, StatusCode};
use actix_web::{App, HttpResponse, HttpServer, web};
use clap::Parser;
use engineio::{
    Config, Cookie, Data, Event, Events, Handshake, KeepHeaders, Origins, PerMessageDeflate, SendError,
    Server, Socket, SocketHandler, Transport, Transports, WsEngine,
};

/// An Engine.IO echo server.
#[derive(Parser, Clone)]
struct Options {
    /// The port; 0 lets the system pick one.
    #[arg(long)]
    port: u16,
    /// The address to listen on.
    #[arg(long, default_value = "127.0.0.1")]
    host: String,
    /// How many threads serve.
    #[arg(long, default_value_t = 1)]
    workers: usize,
    /// Milliseconds.
    #[arg(long, default_value_t = 25_000)]
    ping_interval: u64,
    /// Milliseconds.
    #[arg(long, default_value_t = 20_000)]
    ping_timeout: u64,
    /// Bytes of a message or a POST body.
    #[arg(long, default_value_t = 1_000_000)]
    max_payload: usize,
    /// Milliseconds.
    #[arg(long, default_value_t = 10_000)]
    upgrade_timeout: u64,
    /// Names, separated by commas.
    #[arg(long, value_delimiter = ',', default_value = "polling,websocket", value_parser = transport)]
    transports: Vec<Transport>,
    /// Refuse clients of revision 3.
    #[arg(long)]
    no_eio3: bool,
    /// Refuse upgrades from polling to WebSocket.
    #[arg(long)]
    no_upgrades: bool,
    /// Compress nothing.
    #[arg(long)]
    no_compression: bool,
    /// Bytes that each WebSocket may remember earlier messages in, to compress better.
    #[arg(long, default_value_t = 0)]
    context_takeover: usize,
    /// How hard WebSocket messages are compressed: 1 to 9.
    #[arg(long, default_value_t = 4)]
    level: u8,
    /// Leave WebSockets in the HTTP server.
    #[arg(long)]
    no_handover: bool,
    /// Let pages of this origin in, with credentials, and no others.
    #[arg(long)]
    cors_origin: Option<String>,
    /// Send the session's id in a cookie of this name.
    #[arg(long)]
    cookie: Option<String>,
    /// Which implementation of WebSocket: `built-in`, or `actix-web-actors` (feature `ws_engine`).
    #[arg(long, default_value = "built-in", value_parser = ws_engine)]
    ws_engine: WsEngine,
    /// Milliseconds over which SIGTERM spreads the ends of the sessions.
    #[arg(long, default_value_t = 0)]
    drain: u64,
    /// Serve `/ready`, and with the feature `metrics` also `/metrics` for Prometheus.
    #[arg(long)]
    monitor: bool,
    /// Accept connections on each thread by itself, and serve nothing but Engine.IO.
    #[arg(long, conflicts_with_all = ["monitor", "cors_origin"])]
    own_listener: bool,
    /// Answer from an actor that is told by the batch, and sends by the batch, instead of inside the socket's own.
    #[arg(long)]
    via_actor: bool,
}

fn transport(name: &str) -> Result<Transport, String> {
    Transport::from_name(name).ok_or_else(|| format!("no such transport: {name}"))
}

fn ws_engine(name: &str) -> Result<WsEngine, String> {
    match name {
        "built-in" => Ok(WsEngine::BuiltIn),
        #[cfg(feature = "ws_engine")]
        "actix-web-actors" => Ok(WsEngine::ActixWebActors),
        _ => Err(format!("no such engine in this build: {name}")),
    }
}

impl Options {
    fn config(&self) -> Config {
        let mut config = Config::engine_io_6();
        config.keep_headers = KeepHeaders::None;
        config.ping_interval = Duration::from_millis(self.ping_interval);
        config.ping_timeout = Duration::from_millis(self.ping_timeout);
        config.upgrade_timeout = Duration::from_millis(self.upgrade_timeout);
        config.max_http_buffer_size = self.max_payload;
        config.transports = self.transports.iter().copied().collect::<Transports>();
        config.drain_window = Duration::from_millis(self.drain);
        config.allow_eio3 = !self.no_eio3;
        config.allow_upgrades = !self.no_upgrades;
        config.per_message_deflate = (!self.no_compression).then(|| {
            let mut deflate = PerMessageDeflate::default();
            deflate.context_takeover = self.context_takeover;
            deflate.level = self.level;
            deflate
        });
        config.http_compression = (!self.no_compression).then(Default::default);
        config.handover = !self.no_handover;
        config.ws_engine = self.ws_engine;
        config.cookie = self.cookie.as_ref().map(Cookie::named);
        config.origins = match &self.cors_origin {
            Some(origin) => Origins::List(vec![origin.clone()]),
            None => Origins::Any,
        };
        config
    }
}

/// Lets the pages of one origin in, with credentials. Other origins are for engineio to refuse.
fn cors(origin: &str) -> Cors {
    Cors::default()
        .allowed_origin(origin)
        .allowed_methods(["GET", "POST"])
        .allow_any_header()
        .supports_credentials()
        .block_on_origin_mismatch(false)
}

/// What a message asks for.
enum Wish {
    Echo,
    Broadcast,
    Close,
    Bye,
}

impl Wish {
    #[inline]
    fn of(data: &Data) -> Wish {
        match data.as_text() {
            Some(text) if text.starts_with('b') => Wish::Broadcast,
            Some(text) if text.starts_with('!') => match text {
                "!close" => Wish::Close,
                "!bye" => Wish::Bye,
                _ => Wish::Echo,
            },
            _ => Wish::Echo,
        }
    }
}

/// Does what a message asks for.
fn answer(socket: &Socket, data: Data) {
    let result = match Wish::of(&data) {
        Wish::Echo => socket.try_send(data),
        Wish::Broadcast => {
            socket.server().broadcast(data);
            Ok(())
        }
        Wish::Close => {
            socket.close();
            Ok(())
        }
        Wish::Bye => {
            let sent = ["bye-1", "bye-2", "bye-3"]
                .into_iter()
                .try_for_each(|bye| socket.try_send(bye));
            socket.close();
            sent
        }
    };
    report(socket, result);
}

fn report(socket: &Socket, result: Result<(), SendError>) {
    if let Err(error) = result {
        log::warn!("{socket:?}: {error}");
        socket.close();
    }
}

/// Answers inside the socket's own actor.
struct Echo;

impl SocketHandler for Echo {
    fn on_message(&mut self, socket: &Socket, data: Data) {
        answer(socket, data);
    }
}

/// Answers by messages to the socket's actor.
struct EchoActor;

impl Actor for EchoActor {
    type Context = Context<Self>;
}

impl Handler<Event> for EchoActor {
    type Result = ();

    fn handle(&mut self, event: Event, _: &mut Self::Context) {
        let Event::Batch { socket, messages, .. } = event else {
            return;
        };
        let is_echo = |data| matches!(Wish::of(data), Wish::Echo);
        if messages.iter().all(is_echo) {
            return report(&socket, socket.try_send_all(messages));
        }
        for data in messages {
            answer(&socket, data);
        }
    }
}

/// Whether new sessions are taken, and statistics.
fn monitor(app: &mut web::ServiceConfig, server: &Server) {
    let engine = server.clone();
    let ready = move || {
        let status = match engine.is_ready() {
            true => StatusCode::OK,
            false => StatusCode::SERVICE_UNAVAILABLE,
        };
        async move { HttpResponse::new(status) }
    };
    app.route("/ready", web::get().to(ready));
    #[cfg(feature = "metrics")]
    app.route("/metrics", web::get().to(engineio::metrics(server)));
}

/// An HTTP server with an `App`, set as Engine.IO wants it.
macro_rules! serve {
    ($address:expr, $workers:expr, $app:expr, $engine:expr, $besides:expr) => {{
        let http = HttpServer::new(move || {
            $app.service(engineio::scope(&$engine))
                .configure($besides.clone())
        })
        .on_connect(engineio::on_connect)
        .h1_allow_half_closed(false)
        .keep_alive(KeepAlive::Os)
        .client_disconnect_timeout(Duration::ZERO)
        .disable_signals()
        .workers($workers)
        .bind($address)?;
        (http.addrs(), http.run())
    }};
}

/// Says where clients find it.
fn tell(addresses: &[SocketAddr]) -> std::io::Result<()> {
    for address in addresses {
        println!("listening on http://{address}");
    }
    std::io::stdout().flush()
}

#[actix_web::main]
async fn main() -> std::io::Result<()> {
    env_logger::init();
    let options = Options::parse();
    let builder = Server::builder().config(options.config());
    let server = match options.via_actor {
        true => builder.hub_with(Events::BATCH, EchoActor.start().recipient()),
        false => builder.behavior(|_: &Socket, _: &Handshake| Echo),
    }
    .start();

    if options.own_listener {
        let listener = engineio::listen(&server, (&*options.host, options.port))?
            .own_listeners(true)
            .workers(options.workers);
        let addresses = listener.addresses()?;
        let serving = listener.run();
        tell(&addresses)?;
        return serving.await;
    }
    let (engine, workers) = (server.clone(), options.workers);
    let (monitored, wanted) = (server.clone(), options.monitor);
    let besides = move |app: &mut web::ServiceConfig| {
        if wanted {
            monitor(app, &monitored);
        }
    };
    // Two types of App, so that nobody pays for middleware that is not there.
    let bound = (&*options.host, options.port);
    let (addresses, http) = match options.cors_origin {
        Some(origin) => serve!(bound, workers, App::new().wrap(cors(&origin)), engine, besides),
        None => serve!(bound, workers, App::new(), engine, besides),
    };
    let serving = engineio::run_until_signal(&server, http)?;
    tell(&addresses)?;
    serving.await
}
