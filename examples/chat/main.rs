//! A chat with rooms: one hub actor for all sockets, and the page that talks to it. Start it by `examples/chat/run`.
//!
//! `wire` is what page and hub say to each other, `rooms` who is where, `hub` the actor. The page is in `page/`.

mod hub;
mod rooms;
mod wire;

use std::io::{Error, ErrorKind, Write};
use std::path::Path;
use std::time::Duration;

use actix::prelude::*;
use actix_files::Files;
use actix_web::http::KeepAlive;
use actix_web::{App, HttpServer};
use clap::Parser;
use engineio::{Config, Events, Server};

use crate::hub::Hub;

/// What may wait for one page. Whoever does not read is told to be slow when it is full.
const MAX_BUFFERED: usize = 256 * 1024;

/// A chat on Engine.IO.
#[derive(Parser)]
struct Options {
    /// The port; 0 lets the system pick one.
    #[arg(long, default_value_t = 3000)]
    port: u16,
    /// The address to listen on.
    #[arg(long, default_value = "127.0.0.1")]
    host: String,
    /// Milliseconds over which SIGTERM spreads the ends of the sessions.
    #[arg(long, default_value_t = 0)]
    drain: u64,
}

#[actix_web::main]
async fn main() -> std::io::Result<()> {
    env_logger::init();
    let options = Options::parse();
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let (page, shared) = (examples.join("chat/page"), examples.join("shared"));
    if !shared.join("node_modules/engine.io-client").is_dir() {
        return Err(Error::new(
            ErrorKind::NotFound,
            "the page's package is missing: start by examples/chat/run",
        ));
    }

    let mut config = Config::default();
    config.max_buffered_bytes = MAX_BUFFERED;
    config.drain_window = Duration::from_millis(options.drain);
    let server = Server::builder()
        .config(config)
        .hub_with(
            Events::DEFAULT | Events::DRAIN,
            Hub::default().start().recipient(),
        )
        .start();
    let engine = server.clone();
    let http = HttpServer::new(move || {
        App::new()
            .service(engineio::scope(&engine))
            .service(Files::new("/shared", &shared))
            .service(Files::new("/", &page).index_file("index.html"))
    })
    .on_connect(engineio::on_connect)
    .h1_allow_half_closed(false)
    .keep_alive(KeepAlive::Os)
    .client_disconnect_timeout(Duration::ZERO)
    .disable_signals()
    .workers(2)
    .bind((&*options.host, options.port))?;
    let addresses = http.addrs();
    let serving = engineio::run_until_signal(&server, http.run())?;
    for address in addresses {
        println!("listening on http://{address}");
    }
    std::io::stdout().flush()?;
    serving.await
}
