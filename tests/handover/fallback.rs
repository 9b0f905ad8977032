//! Where the connection cannot be had, its bytes go on passing through the dispatcher. (TLS and HTTP/2 are in
//! `tests/composition`.)

use actix_web::{App, HttpServer};
use engineio::Config;

use crate::support::{Running, patient, run};
use crate::{Accepted, both, echo};

fn start(accepted: &Accepted, config: Config, ours: bool) -> Running {
    let (on_connect, only_note) = (accepted.on_connect(), accepted.only_note());
    run(move |listener| {
        let server = echo(config);
        let engine = server.clone();
        let http = HttpServer::new(move || App::new().service(engineio::scope(&engine)))
            .on_connect(move |connection, extensions| match ours {
                true => on_connect(connection, extensions),
                false => only_note(connection, extensions),
            })
            .h1_allow_half_closed(false)
            .disable_signals()
            .workers(1);
        (server, http.listen(listener).expect("listen").run())
    })
}

fn assert_kept(running: &Running, accepted: &Accepted) {
    for mut websocket in both(running.address) {
        accepted.assert_kept(&websocket.http);
        websocket.echo("still here");
        accepted.assert_kept(&websocket.http);
    }
}

#[test]
fn without_our_on_connect() {
    let accepted = Accepted::default();
    assert_kept(&start(&accepted, patient(), false), &accepted);
}

#[test]
fn by_configuration() {
    let accepted = Accepted::default();
    let mut config = patient();
    config.handover = false;
    assert_kept(&start(&accepted, config, true), &accepted);
}

/// The others are no illusion.
#[test]
fn not_otherwise() {
    let accepted = Accepted::default();
    let running = start(&accepted, patient(), true);
    for websocket in both(running.address) {
        accepted.assert_handed_over(&websocket.http);
    }
}
