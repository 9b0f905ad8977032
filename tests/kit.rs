//! The test kit: an application's test in virtual time and the same one over real sockets, and each thing that a
//! client of the kit does.

mod common;

use std::collections::VecDeque;
use std::time::Duration;

use actix::prelude::*;
use actix_rt::time::Instant;
use common::{Host, Polling};
use engineio::proto::Refusal;
use engineio::test::{self, Client, UpgradeFailed};
use engineio::{
    CloseReason, Config, Data, Detail, Event, Revision, Server, ServerBuilder, Socket, Transport,
};

const TRANSPORTS: [Transport; 2] = [Transport::Polling, Transport::WebSocket];
const REVISIONS: [Revision; 2] = [Revision::V3, Revision::V4];

/// An application: whoever is here hears what the others say, and who comes and goes.
#[derive(Default)]
struct Lobby(Vec<(Socket, String)>);

impl Lobby {
    fn tell(&self, text: &str) {
        for (socket, _) in &self.0 {
            socket.addr().do_send(engineio::Send::new(text.to_owned()));
        }
    }
}

impl Actor for Lobby {
    type Context = Context<Self>;
}

impl Handler<Event> for Lobby {
    type Result = ();

    fn handle(&mut self, event: Event, _: &mut Self::Context) {
        match event {
            Event::Connection { socket, handshake } => {
                let name = handshake.query("name").expect("a name").into_owned();
                self.tell(&format!("{name} is here"));
                self.0.push((socket, name));
            }
            Event::Message { socket, data, .. } => {
                let (_, name) = self
                    .0
                    .iter()
                    .find(|(other, _)| *other == socket)
                    .expect("one of us");
                self.tell(&format!("{name}: {}", data.as_text().expect("text")));
            }
            Event::Close { socket, .. } => {
                let at = self
                    .0
                    .iter()
                    .position(|(other, _)| *other == socket)
                    .expect("one of us");
                let (_, name) = self.0.remove(at);
                self.tell(&format!("{name} has left"));
            }
            _ => {}
        }
    }
}

fn lobby() -> Server {
    Server::builder()
        .hub(Lobby::default().start().recipient())
        .start()
}

/// What a test of the lobby needs of a client.
trait Guest {
    async fn say(&mut self, text: &'static str);
    async fn hears(&mut self, text: &'static str);
    async fn leave(self);
}

impl Guest for Client {
    async fn say(&mut self, text: &'static str) {
        self.send(text);
    }

    async fn hears(&mut self, text: &'static str) {
        self.expect(text).await;
    }

    async fn leave(self) {
        self.close();
        self.expect_close(CloseReason::TransportClose).await;
    }
}

/// One who comes by HTTP.
struct ByHttp(Polling, VecDeque<String>);

impl ByHttp {
    async fn new(host: &Host, name: &str) -> Self {
        let path = format!("/engine.io/?name={name}");
        ByHttp(Polling::open_at(host.addr, &path, &[]).await, VecDeque::new())
    }
}

impl Guest for ByHttp {
    async fn say(&mut self, text: &'static str) {
        self.0.push(&[&format!("4{text}")]).await;
    }

    async fn hears(&mut self, text: &'static str) {
        while self.1.is_empty() {
            self.1.extend(self.0.poll().await);
        }
        assert_eq!(self.1.pop_front(), Some(format!("4{text}")));
    }

    async fn leave(mut self) {
        self.0.push(&["1"]).await;
    }
}

/// The test of the application, however its guests come.
async fn they_meet<G: Guest>(mut alice: G, bob: impl Future<Output = G>) {
    let mut bob = bob.await;
    alice.hears("bob is here").await;
    alice.say("hi").await;
    bob.hears("alice: hi").await;
    alice.hears("alice: hi").await;
    for _ in 0..10 {
        bob.say("and again").await;
        alice.hears("bob: and again").await;
        bob.hears("bob: and again").await;
    }
    bob.leave().await;
    alice.hears("bob has left").await;
}

#[actix_web::test]
async fn an_application_over_real_sockets() {
    let host = common::serve(&lobby());
    they_meet(ByHttp::new(&host, "alice").await, ByHttp::new(&host, "bob")).await;
}

#[test]
fn the_same_application_in_the_kit() {
    test::run(async {
        let server = lobby();
        let guest = async |name: &str| {
            let name = format!("name={name}");
            test::polling(&server).query(&name).await.expect("it is let in")
        };
        they_meet(guest("alice").await, guest("bob")).await;
    });
}

fn echo() -> ServerBuilder {
    common::echo(|_| ())
}

/// A client that begins on this transport.
async fn client(server: &Server, transport: Transport, revision: Revision) -> Client {
    let connect = match transport {
        Transport::WebSocket => test::websocket(server),
        _ => test::polling(server),
    };
    connect.revision(revision).await.expect("it is let in")
}

async fn polling(server: &Server) -> Client {
    client(server, Transport::Polling, Revision::V4).await
}

async fn websocket(server: &Server) -> Client {
    client(server, Transport::WebSocket, Revision::V4).await
}

#[test]
fn text_and_binary_go_to_and_fro_on_both_transports_in_both_revisions() {
    test::run(async {
        let server = echo().start();
        for revision in REVISIONS {
            for transport in TRANSPORTS {
                let client = client(&server, transport, revision).await;
                client.send("text");
                client.send(vec![0, 255]);
                client.expect("text").await;
                client.expect(vec![0, 255]).await;
                client.send("1");
                assert_eq!(client.receive().await, Data::from("1"));
                client.expect_nothing(Duration::from_secs(1)).await;
            }
        }
    });
}

#[test]
fn a_broadcast_reaches_everybody_in_order() {
    test::run(async {
        let server = Server::builder().start();
        let [alice, bob] = [polling(&server).await, websocket(&server).await];
        let numbers = || (0..100).map(|number: u32| number.to_string());
        for text in numbers() {
            server.broadcast(text);
        }
        for text in numbers() {
            alice.expect(text.clone()).await;
            bob.expect(text).await;
        }
        server.broadcast_except([alice.socket()], "for the others");
        bob.expect("for the others").await;
        alice.expect_nothing(Duration::from_secs(1)).await;
    });
}

#[test]
fn the_application_sees_the_handshake() {
    #[derive(Debug, Clone, PartialEq)]
    struct Claims(u32);
    let hook = |socket: &Socket, handshake: &engineio::Handshake| {
        let claims = handshake.extensions().get::<Claims>().expect("claims");
        let said = [
            handshake.query("name").expect("a name").into_owned(),
            handshake.header("X-Custom").expect("a header").to_owned(),
            handshake.peer_addr().expect("an address").to_string(),
            format!("{claims:?}"),
        ];
        let _ = socket.try_send(said.join(", "));
    };
    test::run(async {
        let server = Server::builder().on_connection(hook).start();
        let client = test::websocket(&server)
            .query("name=a%20b")
            .header("x-custom", "1")
            .peer_addr(([192, 0, 2, 1], 5).into())
            .extension(Claims(7))
            .await
            .expect("it is let in");
        client.expect("a b, 1, 192.0.2.1:5, Claims(7)".to_owned()).await;
    });
}

#[test]
fn whoever_is_not_let_in_is_told_why() {
    test::run(async {
        let config = common::config(|config| {
            config.transports = [Transport::Polling].into_iter().collect();
            config.allow_eio3 = false;
        });
        let server = Server::builder().config(config).start();
        let refusal = test::websocket(&server).await.expect_err("it is refused");
        assert_eq!(refusal, Refusal::UnknownTransport);
        let old = test::polling(&server).revision(Revision::V3);
        let refusal = old.await.expect_err("it is refused");
        assert_eq!(refusal, Refusal::UnsupportedProtocolVersion);
        server.close(Duration::from_secs(1)).await;
        let refusal = test::polling(&server).await.expect_err("it is refused");
        assert_eq!(refusal, Refusal::ServerClosing);
    });
}

#[test]
fn an_upgrade_loses_nothing_that_is_sent_during_the_swap() {
    const COUNT: usize = 200;
    for revision in REVISIONS {
        test::run(async {
            let server = echo().start();
            let client = client(&server, Transport::Polling, revision).await;
            let (ours, theirs) = (
                async || {
                    for number in 0..COUNT {
                        client.send(format!("echo {number}"));
                        actix_rt::task::yield_now().await;
                    }
                },
                async || {
                    for number in 0..COUNT {
                        client
                            .socket()
                            .try_send(format!("{number}"))
                            .expect("there is room");
                        actix_rt::task::yield_now().await;
                    }
                },
            );
            let (upgraded, (), ()) = tokio::join!(client.upgrade(), ours(), theirs());
            assert_eq!(upgraded, Ok(()));
            assert_eq!(client.socket().transport(), Transport::WebSocket);
            let (mut echoes, mut pushed) = (0, 0);
            for _ in 0..2 * COUNT {
                let data = client.receive().await;
                let text = data.as_text().expect("text");
                let (count, number) = match text.strip_prefix("echo ") {
                    Some(number) => (&mut echoes, number),
                    None => (&mut pushed, text),
                };
                assert_eq!(number, count.to_string());
                *count += 1;
            }
            client.expect_nothing(Duration::from_secs(60)).await;
            assert_eq!(client.upgrade().await, Err(UpgradeFailed));
            client.send("still here");
            client.expect("still here").await;
        });
    }
}

#[test]
fn an_upgrade_that_is_not_allowed_leaves_the_session_on_polling() {
    test::run(async {
        let server = common::echo(|config| config.allow_upgrades = false).start();
        let client = polling(&server).await;
        assert_eq!(client.upgrade().await, Err(UpgradeFailed));
        client.send("still here");
        client.expect("still here").await;
    });
}

#[test]
fn an_upgrade_of_a_stalled_client_fails_in_time() {
    test::run(async {
        let server = echo().start();
        let client = polling(&server).await;
        client.stall();
        let start = Instant::now();
        assert_eq!(client.upgrade().await, Err(UpgradeFailed));
        assert_eq!(
            start.elapsed().as_secs(),
            Config::default().upgrade_timeout.as_secs()
        );
        client.resume();
        client.send("still here");
        client.expect("still here").await;
        assert_eq!(client.upgrade().await, Ok(()));
    });
}

#[test]
fn the_heartbeat_goes_on_for_hours_and_a_stalled_client_times_out() {
    let config = Config::default();
    let (interval, timeout) = (config.ping_interval, config.ping_timeout);
    for revision in REVISIONS {
        test::run(async {
            let server = echo().start();
            for transport in TRANSPORTS {
                let client = client(&server, transport, revision).await;
                test::advance(Duration::from_secs(3 * 3600)).await;
                assert_eq!(server.clients_count(), 1);
                client.stall();
                let start = Instant::now();
                let close = client.expect_close(CloseReason::PingTimeout).await;
                let took = start.elapsed();
                let rests = matches!(close.detail, Some(Detail::LastSeen { .. }));
                assert!(
                    rests && took > timeout && took < interval + timeout + Duration::from_secs(1),
                    "{took:?}"
                );
                assert_eq!(server.clients_count(), 0);
            }
        });
    }
}

#[test]
fn a_round_trip_is_measured_from_the_ping_to_its_pong() {
    test::run(async {
        let server = echo().start();
        let client = test::websocket(&server).await.expect("a session");
        client.stall();
        test::advance(server.config().ping_interval + Duration::from_millis(30)).await;
        assert_eq!(client.socket().stats().round_trip, None);
        client.resume();
        test::settle().await;
        let round_trip = client.socket().stats().round_trip.expect("a pong");
        assert!((30..40).contains(&round_trip.as_millis()), "{round_trip:?}");
        let all = server.stats().round_trips;
        assert_eq!((all.count, all.sum), (1, round_trip));
        let bucket = all.buckets().find(|(_, count)| *count > 0);
        assert_eq!(bucket, Some((0.05, 1)));
    });
}

#[test]
fn an_upgrade_that_is_given_up_leaves_the_session_on_polling() {
    test::run(async {
        let server = echo().start();
        let client = polling(&server).await;
        client.stall();
        let given_up = actix_rt::time::timeout(Duration::from_secs(1), client.upgrade()).await;
        assert!(given_up.is_err());
        client.resume();
        client.send("still here");
        client.expect("still here").await;
        assert_eq!(client.upgrade().await, Ok(()));
    });
}

#[test]
fn a_stalled_client_reads_later_what_came_meanwhile() {
    test::run(async {
        let server = echo().start();
        for transport in TRANSPORTS {
            let client = client(&server, transport, Revision::V4).await;
            client.stall();
            client.send("1");
            client.send("2");
            client.expect_nothing(Duration::from_secs(5)).await;
            client.resume();
            client.expect("1").await;
            client.expect("2").await;
        }
    });
}

#[test]
fn a_client_that_does_not_read_fills_the_write_buffer() {
    test::run(async {
        let server = common::echo(|config| config.max_buffered_bytes = 100_000).start();
        for transport in TRANSPORTS {
            let client = client(&server, transport, Revision::V4).await;
            client.stall();
            let message = Data::from("x".repeat(10_000));
            let mut sent = 0;
            let error = loop {
                match client.socket().try_send(message.clone()) {
                    Ok(()) => sent += 1,
                    Err(error) => break error,
                }
                test::settle().await;
            };
            assert_eq!(error, engineio::SendError::Full);
            client.resume();
            for _ in 0..sent {
                client.expect(message.clone()).await;
            }
        }
    });
}

#[test]
fn a_dropped_poll_ends_the_session() {
    test::run(async {
        let server = echo().start();
        let client = polling(&server).await;
        client.drop_poll().await;
        let close = client.expect_close(CloseReason::TransportError).await;
        assert_eq!(close.description, "poll connection closed prematurely");
    });
}

#[test]
fn a_client_that_is_gone_is_noticed() {
    test::run(async {
        let server = echo().start();
        for transport in TRANSPORTS {
            let client = client(&server, transport, Revision::V4).await;
            drop(client);
            test::settle().await;
            assert_eq!(server.clients_count(), 0);
        }
    });
}

#[test]
fn ends_of_either_side_are_told_with_their_reasons() {
    test::run(async {
        let server = common::echo(|config| config.max_http_buffer_size = 100).start();
        for transport in TRANSPORTS {
            let begin = async || client(&server, transport, Revision::V4).await;
            let client = begin().await;
            client.close();
            client.expect_close(CloseReason::TransportClose).await;

            let client = begin().await;
            client.socket().try_send("last words").expect("there is room");
            client.socket().close();
            client.expect_close(CloseReason::ForcedClose).await;
            client.expect("last words").await;

            let client = begin().await;
            client.send("x".repeat(100));
            let close = client.expect_close(CloseReason::TransportError).await;
            assert_eq!(close.description, "payload too large");
        }
        let left = [polling(&server).await, websocket(&server).await];
        server
            .drain(Duration::from_secs(30), Duration::from_secs(60))
            .await;
        for client in left {
            client.expect_close(CloseReason::ServerClosing).await;
        }
    });
}

#[test]
fn a_post_takes_no_more_than_the_handshake_has_allowed() {
    test::run(async {
        let server = common::echo(|config| config.max_http_buffer_size = 100).start();
        let client = polling(&server).await;
        // Two of the second size fill a POST to the last byte; so do the two that follow, in base64.
        for size in [60, 60, 49, 48, 60, 1, 99] {
            client.send("x".repeat(size));
        }
        client.send(vec![1; 36]);
        client.send(vec![2; 36]);
        for size in [60, 60, 49, 48, 60, 1, 99] {
            client.expect("x".repeat(size)).await;
        }
        client.expect(vec![1; 36]).await;
        client.expect(vec![2; 36]).await;
        client.expect_nothing(Duration::from_secs(1)).await;

        // Clients of revision 3 know of no limit.
        let client = test::polling(&server).revision(Revision::V3).await;
        let client = client.expect("it is let in");
        client.send("x".repeat(60));
        client.send("x".repeat(60));
        client.expect_close(CloseReason::TransportError).await;
    });
}

#[test]
fn a_request_has_the_path_of_the_configuration() {
    test::run(async {
        let config = common::config(|config| config.path = "/socket".to_owned());
        let server = Server::builder()
            .config(config)
            .on_connection(|socket, handshake| {
                let _ = socket.try_send(handshake.path().to_owned());
            })
            .start();
        for transport in TRANSPORTS {
            let client = client(&server, transport, Revision::V4).await;
            client.expect("/socket/").await;
        }
    });
}

/// What a test says that fails.
fn failure(test: impl Future<Output = ()>) -> String {
    let test = std::panic::AssertUnwindSafe(|| test::run(test));
    let panic = std::panic::catch_unwind(test).expect_err("it fails");
    *panic.downcast().expect("it says why")
}

#[test]
fn an_expectation_that_fails_says_what_came_instead() {
    let begin = async || {
        let server = echo().start();
        websocket(&server).await
    };
    let said = failure(async {
        let client = begin().await;
        client.send("one");
        client.send("two");
        test::settle().await;
        client.expect("two").await;
    });
    assert!(said.starts_with("tests/kit.rs:"), "{said}");
    assert!(
        said.ends_with(r#"expected "two", but "one" came (the session is on websocket, then "two")"#),
        "{said}"
    );
    let said = failure(async { begin().await.expect("anything").await });
    assert!(
        said.contains(r#"expected "anything", but nothing came in 145s"#),
        "{said}"
    );
    let said = failure(async {
        let client = begin().await;
        client.socket().close();
        client.expect("anything").await;
    });
    assert!(
        said.contains("nothing more can come (the session has ended: forced close"),
        "{said}"
    );
    for stalls in [false, true] {
        let said = failure(async move {
            let client = begin().await;
            if stalls {
                client.stall();
            }
            client.socket().discard();
            client.expect_nothing(Duration::from_secs(1)).await;
        });
        assert!(
            said.contains(
                "expected nothing of a session that goes on, but it is over (the session has ended: "
            ),
            "{said}"
        );
    }
    let said = failure(async {
        let client = begin().await;
        client.stall();
        client.expect_close(CloseReason::TransportClose).await;
    });
    assert!(
        said.contains(
            "expected the end by transport close, but it was another (the session has ended: ping timeout"
        ),
        "{said}"
    );
    let said = failure(async {
        begin().await.expect_close(CloseReason::TransportClose).await;
    });
    assert!(said.contains("it did not come in 145s"), "{said}");
}
