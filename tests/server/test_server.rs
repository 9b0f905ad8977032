//! A server whose application is remote-controlled, for the tests in `tests/engineio`: options come as JSON in
//! the first argument, commands as JSON lines on the standard input, events leave as JSON lines on the standard
//! output. It stands on the public API alone. The end of its input ends it.

mod application;
mod options;
mod posts;
mod report;
mod script;
mod tls;
mod web;

use std::io::BufRead;
use std::net::{SocketAddr, TcpListener};
use std::rc::Rc;
use std::time::Duration;

use actix_web::dev::ServerHandle;
use actix_web::guard::fn_guard;
use actix_web::middleware::{Condition, from_fn};
use actix_web::{App, HttpServer};
use engineio::Server;
use serde_json::json;
use tokio::sync::mpsc;

use options::Options;
use report::report;
use script::Command;

/// How long sessions have at the end: a test that wants more says so by `closeServer`.
const CLOSE_DEADLINE: Duration = Duration::from_millis(50);

#[actix_web::main]
async fn main() -> std::io::Result<()> {
    env_logger::init();
    let argument = std::env::args().nth(1).unwrap_or_else(|| "{}".to_owned());
    let options: Options = serde_json::from_str(&argument).expect("options");
    let server = application::start(&options);
    let commands = commands();
    if options.listen {
        return listen(&server, options, commands).await;
    }
    serve(&server, options, commands).await
}

/// The lines of the standard input.
fn commands() -> mpsc::UnboundedReceiver<Command> {
    let (sender, receiver) = mpsc::unbounded_channel();
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines() {
            let Ok(line) = line else { return };
            let command = serde_json::from_str(&line).expect("a command");
            if sender.send(command).is_err() {
                return;
            }
        }
    });
    receiver
}

fn listening(address: SocketAddr) {
    report(&json!({ "event": "listening", "port": address.port(), "protocol": engineio::PROTOCOL }));
}

/// With `engineio::listen`.
async fn listen(
    server: &Server,
    options: Options,
    mut commands: mpsc::UnboundedReceiver<Command>,
) -> std::io::Result<()> {
    let mut listener = engineio::listen(server, ("127.0.0.1", options.port))?;
    let addresses = listener.addresses()?;
    listener = listener
        .workers(options.workers.unwrap_or(1))
        .own_listeners(options.own_listeners);
    let engine = server.clone();
    // Runs when `run` below has been polled once: signals are caught from then on.
    actix_rt::spawn(async move {
        addresses.into_iter().for_each(listening);
        while let Some(command) = commands.recv().await {
            command.start(&engine, None, None);
        }
        engine.close(CLOSE_DEADLINE).await;
        std::process::exit(0)
    });
    // Returns by itself after a signal.
    listener
        .scope(move |scope| web::hooks(scope, &options))
        .run()
        .await
}

/// With `engineio::scope` in an App.
async fn serve(
    server: &Server,
    options: Options,
    mut commands: mpsc::UnboundedReceiver<Command>,
) -> std::io::Result<()> {
    let listener = TcpListener::bind(("127.0.0.1", options.port))?;
    let address = listener.local_addr()?;
    let mut http = http(server, &options, listener)?;
    listening(address);
    while let Some(command) = commands.recv().await {
        if command.wants_restart() {
            http.stop(false).await;
            http = self::http(server, &options, TcpListener::bind(address)?)?;
            listening(address);
        }
        command.start(server, None, None);
    }
    server.close(CLOSE_DEADLINE).await;
    // Not `http.stop(..)`: an actix-server worker (2.9.8) that stops while the accept thread has not counted yet a
    // connection that is over already subtracts one from zero, which is a panic in a debug build.
    std::process::exit(0)
}

fn http(server: &Server, options: &Options, listener: TcpListener) -> std::io::Result<ServerHandle> {
    let (server, settings) = (server.clone(), options.clone());
    let http = HttpServer::new(move || {
        let options = Rc::new(settings.clone());
        let step = |index: usize| {
            let step = options.middlewares.get(index).cloned();
            from_fn(move |req, next| web::step(step.clone(), req, next))
        };
        let own = options.own_upgrade;
        let is_own = fn_guard(move |ctx| own && ctx.head().headers().contains_key("upgrade"));
        App::new()
            // The one that is wrapped last runs first.
            .wrap(from_fn(posts::remember))
            .wrap(step(3))
            .wrap(step(2))
            .wrap(step(1))
            .wrap(step(0))
            .wrap(web::default_headers(&options.default_headers))
            .wrap(Condition::new(
                options.cors.is_some(),
                web::cors(options.cors.as_ref()),
            ))
            .service(web::hooks(engineio::scope(&server), &options))
            .route("/", actix_web::web::get().guard(is_own).to(web::own_upgrade))
            .default_service(actix_web::web::to(web::rest))
    })
    .on_connect(engineio::on_connect)
    .h1_allow_half_closed(false)
    .client_disconnect_timeout(Duration::ZERO)
    .disable_signals()
    .shutdown_timeout(1)
    .workers(options.workers.unwrap_or(1));
    let http = match &options.tls {
        Some(tls) => {
            let tls = tls::set_up(tls.client_certificates).map_err(std::io::Error::other)?;
            report(&tls.client);
            http.listen_rustls_0_23(listener, tls.config)?
        }
        None => http.listen(listener)?,
    };
    let http = http.run();
    let handle = http.handle();
    actix_rt::spawn(http);
    Ok(handle)
}
