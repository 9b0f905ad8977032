//! A server that feeds each session numbered messages, one behind the other: the next one leaves when the one before
//! was acknowledged as flushed. After its end it tells for each session how many were. For tests of the way down.

use std::collections::HashMap;
use std::io::Write;
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use actix_web::http::KeepAlive;
use actix_web::{App, HttpServer};
use clap::Parser;
use engineio::{Config, Origins, Send, Server, Socket};

/// Feeds its sessions.
#[derive(Parser, Clone)]
struct Options {
    /// How many threads serve.
    #[arg(long, default_value_t = 1)]
    workers: usize,
    /// Milliseconds between two messages to a session.
    #[arg(long, default_value_t = 500)]
    every: u64,
    /// Milliseconds over which SIGTERM spreads the ends of the sessions.
    #[arg(long, default_value_t = 0)]
    drain: u64,
    /// Milliseconds that sessions have after that.
    #[arg(long, default_value_t = 1_000)]
    deadline: u64,
}

/// How many messages each session was acknowledged, by its id.
type Flushed = Arc<Mutex<HashMap<String, u64>>>;

async fn feed(socket: Socket, every: Duration, flushed: Flushed) {
    let id = socket.id().as_str().to_owned();
    for number in 1.. {
        // Closed, or its process is gone: the end.
        let Ok(Ok(())) = socket.addr().send(Send::text(number.to_string())).await else {
            return;
        };
        if let Ok(mut flushed) = flushed.lock() {
            flushed.insert(id.clone(), number);
        }
        actix_rt::time::sleep(every).await;
    }
}

#[actix_web::main]
async fn main() -> std::io::Result<()> {
    env_logger::init();
    let options = Options::parse();
    let mut config = Config::engine_io_6();
    config.origins = Origins::Any;
    config.drain_window = Duration::from_millis(options.drain);
    config.drain_deadline = Duration::from_millis(options.deadline);
    let flushed = Flushed::default();
    let (every, sink) = (Duration::from_millis(options.every), flushed.clone());
    let server = Server::builder()
        .config(config)
        .on_connection(move |socket, _| {
            actix_rt::spawn(feed(socket.clone(), every, sink.clone()));
        })
        .on_message(|socket, data| {
            let _ = socket.try_send(data);
        })
        .start();

    let listener = TcpListener::bind(("127.0.0.1", 0))?;
    let address = listener.local_addr()?;
    let engine = server.clone();
    let http = HttpServer::new(move || App::new().service(engineio::scope(&engine)))
        .on_connect(engineio::on_connect)
        .h1_allow_half_closed(false)
        .keep_alive(KeepAlive::Os)
        .client_disconnect_timeout(Duration::ZERO)
        .disable_signals()
        .workers(options.workers)
        .listen(listener)?
        .run();
    let serving = engineio::run_until_signal(&server, http)?;
    println!("listening on http://{address}");
    std::io::stdout().flush()?;
    serving.await?;
    let flushed = flushed.lock().map(|flushed| flushed.clone()).unwrap_or_default();
    let end = serde_json::json!({ "sessions": server.clients_count(), "flushed": flushed });
    println!("{end}");
    Ok(())
}
