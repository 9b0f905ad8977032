//! An arena for blobs: one actor owns the world and ticks 30 times a second. Start it by `examples/game/run`.
//!
//! `world` (with `blob`, `bots`, `geometry`) holds the rules and knows no socket; `wire` is the format of the
//! messages; `arena` is the actor between the two. The page is in `page/`.

mod arena;
mod blob;
mod bots;
mod geometry;
mod wire;
mod world;

use std::io::{Error, ErrorKind, Write};
use std::path::Path;
use std::time::Duration;

use actix::prelude::*;
use actix_files::Files;
use actix_web::http::KeepAlive;
use actix_web::{App, HttpServer};
use clap::Parser;
use engineio::Server;

use crate::arena::Arena;

/// A game on Engine.IO.
#[derive(Parser)]
struct Options {
    /// The port; 0 lets the system pick one.
    #[arg(long, default_value_t = 3001)]
    port: u16,
    /// The address to listen on.
    #[arg(long, default_value = "127.0.0.1")]
    host: String,
    /// How many play at least: bots fill up.
    #[arg(long, default_value_t = 14, value_parser = clap::value_parser!(u8).range(0..=60))]
    fill: u8,
    /// Makes the same arena each time; without it it is another one each time.
    #[arg(long)]
    seed: Option<u64>,
}

#[actix_web::main]
async fn main() -> std::io::Result<()> {
    env_logger::init();
    let options = Options::parse();
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let (page, shared) = (examples.join("game/page"), examples.join("shared"));
    if !shared.join("node_modules/engine.io-client").is_dir() {
        return Err(Error::new(
            ErrorKind::NotFound,
            "the page's package is missing: start by examples/game/run",
        ));
    }

    let seed = options.seed.unwrap_or_else(rand::random);
    let arena = Arena::new(seed, usize::from(options.fill)).start();
    let server = Server::builder().hub(arena.recipient()).start();
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
