//! Application code that panics: a handler ends its own session, a hook its own request or session, and
//! nobody else notices anything.

#[path = "life/mod.rs"]
mod support;

use std::cell::Cell;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use actix::{Actor, Context, Handler};
use engineio::{Accept, CloseReason, Data, Event, IdError, Server, ServerBuilder, Socket, SocketHandler};
use support::*;

/// Fifty sessions on polling and fifty on WebSocket that want nothing but their echo.
struct Neighbours(Vec<Polling>, Vec<WebSocket>);

impl Neighbours {
    fn move_in(running: &Running) -> Self {
        Neighbours(
            (0..50).map(|_| Polling::open(running.address)).collect(),
            (0..50).map(|_| WebSocket::open(running.address)).collect(),
        )
    }

    /// Everybody gets back what he sent, and nothing else.
    fn echo(&mut self, text: &str) {
        self.0.iter_mut().for_each(|neighbour| neighbour.echo(text));
        self.1.iter_mut().for_each(|neighbour| neighbour.echo(text));
    }

    const COUNT: usize = 100;
}

/// Sends something, then panics; everything else it echoes.
fn handle(socket: &Socket, data: Data) {
    if data.as_text() == Some("boom") {
        let _ = socket.try_send("leak");
        panic!("on purpose");
    }
    let _ = socket.try_send(data);
}

struct Own;

impl SocketHandler for Own {
    fn on_message(&mut self, socket: &Socket, data: Data) {
        handle(socket, data);
    }
}

/// A per-connection actor, or a hub.
struct Other;

impl Actor for Other {
    type Context = Context<Self>;
}

impl Handler<Event> for Other {
    type Result = ();

    fn handle(&mut self, event: Event, _: &mut Self::Context) {
        if let Event::Message { socket, data, .. } = event {
            handle(&socket, data);
        }
    }
}

/// The three kinds of handlers must fail alike.
fn a_panic_ends_one_session(
    last_word: &str,
    kind: impl FnOnce(ServerBuilder) -> ServerBuilder + Send + 'static,
) {
    quiet_panics();
    let (running, ends) = start_telling(1, kind);
    let mut neighbours = Neighbours::move_in(&running);
    neighbours.echo("before");

    let mut on_websocket = WebSocket::open(running.address);
    let mut upgraded = WebSocket::upgrade(&mut Polling::open(running.address));
    let mut polling = Polling::open(running.address);
    polling.send_poll();
    on_websocket.send("4boom");
    upgraded.send("4boom");
    assert_eq!(polling.post("4boom").status, 200);
    neighbours.echo("during");
    // An actor panics in its own time: that it is gone is seen at the next event.
    on_websocket.send("4another");
    upgraded.send("4another");
    polling.post("4another");

    assert_eq!(on_websocket.close_code(), Some(1011));
    assert_eq!(upgraded.close_code(), Some(1011));
    let last = polling.gets.response();
    assert_eq!((last.status, last.text()), (200, last_word));
    for _ in 0..3 {
        assert_eq!(ends.recv_timeout(PATIENCE), Ok(CloseReason::Panicked));
    }
    neighbours.echo("after");
    assert_clients(&running, Neighbours::COUNT);
}

/// A server that tells why its sessions end.
fn start_telling(
    workers: usize,
    build: impl FnOnce(ServerBuilder) -> ServerBuilder + Send + 'static,
) -> (Running, Receiver<CloseReason>) {
    let (tell, ends) = channel();
    let running = start(workers, move || {
        let builder = Server::builder().config(patient()).on_close(move |_, close| {
            let _ = tell.send(close.reason);
        });
        build(builder).start()
    });
    (running, ends)
}

#[test]
fn an_own_behaviour_that_panics() {
    a_panic_ends_one_session("4leak\u{1e}1", |builder| builder.behavior(|_, _| Own));
}

#[test]
fn an_actor_of_a_connection_that_panics() {
    // What it sent before has left already, by the poll that waited.
    a_panic_ends_one_session("4leak", |builder| builder.actor(|_, _| Other));
}

#[test]
fn a_closure_that_panics() {
    a_panic_ends_one_session("4leak\u{1e}1", |builder| builder.on_message(handle));
}

/// Without another event the heartbeat sees that an actor is gone.
#[test]
fn an_actor_that_panics_and_a_client_that_says_nothing_more() {
    quiet_panics();
    let running = start(1, || {
        Server::builder()
            .config(config(200, 600_000, 1_000))
            .actor(|_, _| Other)
            .start()
    });
    let mut websocket = WebSocket::open(running.address);
    websocket.send("4boom");
    assert_eq!(websocket.close_code(), Some(1011));
    assert_clients(&running, 0);
}

#[test]
fn a_hub_that_dies_takes_its_sessions_along_but_not_the_server() {
    quiet_panics();
    let (tell, hub) = channel();
    let (running, ends) = start_telling(1, move |builder| {
        let hub = Other.start().recipient();
        tell.send(hub.clone()).expect("the test waits");
        builder.hub(hub)
    });
    let hub = hub.recv().expect("a hub");
    let mut sockets: Vec<WebSocket> = (0..20).map(|_| WebSocket::open(running.address)).collect();
    let mut polling = Polling::open(running.address);
    polling.echo("before");
    sockets[0].send("4boom");
    assert_eq!(sockets[0].text(), "4leak");
    // What comes in while it is dying is lost with it.
    until("the hub's end", || !hub.connected());
    for websocket in &mut sockets {
        websocket.send("4are you there?");
        assert_eq!(websocket.close_code(), Some(1011));
    }
    polling.send_poll();
    assert_eq!(polling.post("4are you there?").status, 200);
    assert_eq!(polling.gets.response().text(), "1");
    for _ in 0..21 {
        assert_eq!(ends.recv_timeout(PATIENCE), Ok(CloseReason::Panicked));
    }
    assert_clients(&running, 0);
}

/// Whether a query asks for a panic at this place.
fn wants_panic(query: Option<&str>, place: &str) -> bool {
    query.is_some_and(|query| {
        query
            .split('&')
            .any(|pair| pair.strip_prefix("boom=") == Some(place))
    })
}

fn panic_at(socket: &Socket, place: &str) {
    if wants_panic(Some(socket.request().query_string()), place) {
        let _ = socket.try_send("leak");
        panic!("on purpose");
    }
}

#[test]
fn a_factory_that_panics() {
    quiet_panics();
    let (running, _ends) = start_telling(2, |builder| {
        builder
            .behavior(|socket, _| {
                panic_at(socket, "factory");
                Own
            })
            .on_connection(|socket, _| panic_at(socket, "connection"))
    });
    let mut neighbours = Neighbours::move_in(&running);
    neighbours.echo("before");
    for place in ["factory", "connection"] {
        let mut http = Http::connect(running.address);
        for _ in 0..20 {
            let response = http.get(&format!("EIO=4&transport=polling&boom={place}"));
            assert_eq!(response.status, 500);
            // What the factory wanted sent must not come to the next session of this thread.
            let mut next = WebSocket::open(running.address);
            next.echo("clean");
            next.send("1");
            let query = format!("EIO=4&transport=websocket&boom={place}");
            assert_eq!(WebSocket::request(running.address, &query).1.status, 500);
        }
    }
    neighbours.echo("after");
    assert_clients(&running, Neighbours::COUNT);
}

/// Lives through all events; how far it comes depends on which of them panics.
fn live(address: std::net::SocketAddr, place: &str) -> Option<()> {
    let mut http = Http::connect(address);
    let open = http.get(&format!("EIO=4&transport=polling&boom={place}"));
    let (_, rest) = open.text().split_once("\"sid\":\"")?;
    let sid = rest.split('"').next()?;
    let query = format!("EIO=4&transport=polling&sid={sid}");
    // A refused POST ends its connection.
    let post = |body: &str| Http::connect(address).post(&query, body);
    post("4hello");
    let mut polled = http.get(&query);
    while polled.status == 200 && polled.text() != "2" {
        polled = http.get(&query);
    }
    post("3");
    let (mut websocket, response) =
        WebSocket::request(address, &format!("EIO=4&transport=websocket&sid={sid}"));
    if response.status == 101 {
        websocket.http.send(
            [
                frame(1, b"2probe"),
                frame(1, b"5"),
                frame(1, b"4hello"),
                frame(1, b"junk"),
            ]
            .concat(),
        );
        websocket.close_code();
    }
    Some(())
}

#[test]
fn each_event_hook_that_panics() {
    quiet_panics();
    let (tell, told) = channel();
    let running = start(2, move || {
        Server::builder()
            .config(config(300, 600_000, 600_000))
            .behavior(move |_, handshake| Witness::new(&tell, handshake))
            .on_message(|socket, _| panic_at(socket, "message"))
            .on_close(|socket, _| panic_at(socket, "close"))
            .on_error(|socket, _| panic_at(socket, "error"))
            .on_flush(|socket, _| panic_at(socket, "flush"))
            .on_drain(|socket| panic_at(socket, "drain"))
            .on_packet(|socket, _| panic_at(socket, "packet"))
            .on_packet_create(|socket, _| panic_at(socket, "packet_create"))
            .on_heartbeat(|socket| panic_at(socket, "heartbeat"))
            .on_upgrading(|socket, _| panic_at(socket, "upgrading"))
            .on_upgrade(|socket, _| panic_at(socket, "upgrade"))
            .start()
    });
    let mut neighbour = Neighbour::new(&running);
    for (place, reason) in [
        ("message", Some(CloseReason::Panicked)),
        ("close", None),
        ("error", Some(CloseReason::ParseError)),
        ("flush", Some(CloseReason::Panicked)),
        ("drain", Some(CloseReason::Panicked)),
        ("packet", Some(CloseReason::Panicked)),
        ("packet_create", Some(CloseReason::Panicked)),
        ("heartbeat", Some(CloseReason::Panicked)),
        ("upgrading", Some(CloseReason::Panicked)),
        ("upgrade", Some(CloseReason::Panicked)),
    ] {
        neighbour.echo("before");
        live(running.address, place);
        let mut first = told.recv_timeout(PATIENCE).expect(place);
        if let Told::Closed(seen, _) = first {
            assert_eq!(Some(seen), reason, "{place}");
            first = told.recv_timeout(PATIENCE).expect(place);
        } else {
            assert_eq!(reason, None, "{place}");
        }
        assert_eq!(first, Told::Gone, "{place}");
        neighbour.echo("after");
    }
    assert_clients(&running, 1);
}

/// A WebSocket that answers the pings which come between its echoes.
struct Neighbour(WebSocket);

impl Neighbour {
    fn new(running: &Running) -> Self {
        Neighbour(WebSocket::open(running.address))
    }

    fn echo(&mut self, text: &str) {
        let message = format!("4{text}");
        self.0.send(&message);
        loop {
            match self.0.text() {
                ping if ping == "2" => self.0.send("3"),
                received => return assert_eq!(received, message),
            }
        }
    }
}

#[test]
fn each_hook_of_a_request_that_panics() {
    quiet_panics();
    let (tell, told) = channel();
    let build = move || {
        Server::builder()
            .config(patient())
            .behavior(move |_, handshake| Witness::new(&tell, handshake))
            .generate_id(|handshake| {
                let query = handshake.query_string().to_owned();
                assert_on_purpose(!wants_panic(Some(&query), "id"));
                async move {
                    assert_on_purpose(!wants_panic(Some(&query), "id_later"));
                    Ok::<_, IdError>(engineio::Sid::generate().as_str().to_owned())
                }
            })
            .start()
    };
    let running = start_with(2, build, |scope| {
        scope
            .allow_request(|req| {
                let query = req.query_string().to_owned();
                assert_on_purpose(!wants_panic(Some(&query), "allow"));
                async move {
                    assert_on_purpose(!wants_panic(Some(&query), "allow_later"));
                    Ok(Accept::new())
                }
            })
            .initial_headers(|_, req| assert_on_purpose(!wants_panic(Some(req.query_string()), "initial")))
            .headers(|_, req| assert_on_purpose(!wants_panic(Some(req.query_string()), "headers")))
            .connection_error(|req, _| assert_on_purpose(!wants_panic(Some(req.query_string()), "error")))
    });
    let mut neighbours = Neighbours::move_in(&running);
    neighbours.echo("before");
    for place in ["id", "id_later", "allow", "allow_later", "initial", "headers"] {
        let mut http = Http::connect(running.address);
        for transport in ["polling", "websocket"] {
            let query = format!("EIO=4&transport={transport}&boom={place}");
            let response = match transport {
                "polling" => http.get(&query),
                _ => WebSocket::request(running.address, &query).1,
            };
            assert_eq!(response.status, 500, "{place} on {transport}");
            if matches!(place, "initial" | "headers") {
                // A WebSocket in the HTTP server is gone before its session's process has begun.
                let reason = match transport {
                    "websocket" if !hands_over() => CloseReason::TransportClose,
                    _ => CloseReason::Panicked,
                };
                assert_eq!(
                    ends(&told, 1),
                    [(reason, String::new())],
                    "{place} on {transport}"
                );
            }
        }
        // The connection is as good as before.
        assert_eq!(http.get("EIO=4&transport=nonsense").status, 400);
    }
    // Between handshake and end: the answer is lost with what was in it, so the session ends.
    let mut session = Polling::open(running.address);
    session.post("4hello");
    let query = format!("{}&boom=headers", session.query());
    assert_eq!(session.gets.get(&query).status, 500);
    assert_eq!(ends(&told, 1), [(CloseReason::Panicked, String::new())]);
    // An upgrade that fails so leaves polling as it was.
    let mut session = Polling::open(running.address);
    let query = format!("EIO=4&transport=websocket&sid={}&boom=headers", session.sid);
    assert_eq!(WebSocket::request(running.address, &query).1.status, 500);
    session.echo("unharmed");
    session.close();
    ends(&told, 1);
    // A refusal stays one.
    let mut http = Http::connect(running.address);
    assert_eq!(http.get("EIO=4&transport=nonsense&boom=error").status, 400);
    neighbours.echo("after");
    assert_clients(&running, Neighbours::COUNT);
}

fn assert_on_purpose(good: bool) {
    if !good {
        panic!("on purpose");
    }
}

/// Tells that it was dropped.
struct Dropped(Sender<()>);

impl Drop for Dropped {
    fn drop(&mut self) {
        let _ = self.0.send(());
    }
}

#[test]
fn hooks_that_never_answer_are_dropped_with_their_client() {
    let (tell, dropped) = channel();
    let tell_too = tell.clone();
    let build = move || {
        Server::builder()
            .config(patient())
            .generate_id(move |handshake| {
                let guard = Dropped(tell.clone());
                let hang = wants_panic(Some(handshake.query_string()), "id");
                async move {
                    if hang {
                        std::future::pending::<()>().await;
                    }
                    std::mem::forget(guard);
                    Ok::<_, IdError>(engineio::Sid::generate().as_str().to_owned())
                }
            })
            .start()
    };
    let running = start_with(1, build, move |scope| {
        let tell = tell_too.clone();
        scope.allow_request(move |req| {
            let guard = Dropped(tell.clone());
            let hang = wants_panic(Some(req.query_string()), "allow");
            async move {
                if hang {
                    std::future::pending::<()>().await;
                }
                std::mem::forget(guard);
                Ok(Accept::new())
            }
        })
    });
    for place in ["id", "allow"] {
        let mut http = Http::connect(running.address);
        http.send_get(&format!("EIO=4&transport=polling&boom={place}"));
        drop(http);
        dropped.recv_timeout(PATIENCE).expect(place);
    }
    assert_clients(&running, 0);
}

/// Panics when it is dropped, unless the thread panics already.
struct Grenade(Option<Sender<()>>);

impl SocketHandler for Grenade {}

impl Drop for Grenade {
    fn drop(&mut self) {
        let Some(tell) = &self.0 else { return };
        let _ = tell.send(());
        if !std::thread::panicking() {
            panic!("on purpose");
        }
    }
}

#[test]
fn a_handler_that_panics_when_dropped() {
    quiet_panics();
    let (tell, dropped) = channel();
    let running = start(1, move || {
        Server::builder()
            .config(patient())
            .behavior(move |_, handshake| Grenade(handshake.query("guest").is_none().then(|| tell.clone())))
            .start()
    });
    let mut sockets: Vec<WebSocket> = (0..10).map(|_| WebSocket::open(running.address)).collect();
    for websocket in &mut sockets[..5] {
        websocket.send("1");
        assert_eq!(websocket.close_code(), Some(1000));
        websocket.send_frame(8, &1000u16.to_be_bytes());
        dropped.recv_timeout(PATIENCE).expect("a drop");
    }
    assert_clients(&running, 5);
    // None of them is counted as living for ever: the way down does not wait for its deadline.
    let start = std::time::Instant::now();
    block_on(running.server.close(Duration::from_secs(30)));
    assert!(start.elapsed() < Duration::from_secs(20));
}

/// It blocks its thread's sessions while it lasts; they must live when it is over.
#[test]
fn a_handler_that_blocks_its_thread() {
    thread_local!(static BLOCKED: Cell<bool> = const { Cell::new(false) });
    let (running, ends) = start_telling(1, |builder| {
        builder
            .config(config(400, 1_000, 1_000))
            .on_message(|socket, data| {
                if data.as_text() == Some("block") && !BLOCKED.replace(true) {
                    std::thread::sleep(Duration::from_secs(3));
                }
                let _ = socket.try_send(data);
            })
    });
    let mut neighbours: Vec<Neighbour> = (0..20).map(|_| Neighbour::new(&running)).collect();
    let mut blocker = Neighbour::new(&running);
    blocker.0.send("4block");
    for neighbour in &mut neighbours {
        neighbour.echo("still here");
    }
    for neighbour in &mut neighbours {
        neighbour.echo("still here");
    }
    assert!(ends.try_recv().is_err());
}
