//! What a handler sends to its own socket while it is told of messages that came together: in order with everything
//! else, whole, and as far as the session goes; over a connection of the socket's own, and over the HTTP server's.

#[path = "life/mod.rs"]
mod support;

use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, channel};

use actix::{Actor, Context, Handler};
use bytes::Bytes;
use engineio::{
    CloseReason, Config, Data, Event, Events, PerMessageDeflate, Send, SendError, Server, Socket,
    SocketHandler,
};
use flate2::{Decompress, FlushDecompress};
use support::{PATIENCE, Polling, Running, WebSocket, assert_clients, frame, patient, quiet_panics, start};

/// A handler that is one closure.
struct Answering<F>(F);

impl<F: FnMut(&Socket, Data) + 'static> SocketHandler for Answering<F> {
    fn on_message(&mut self, socket: &Socket, data: Data) {
        (self.0)(socket, data);
    }
}

/// The ways on which messages come and answers go.
fn configs() -> [Config; 2] {
    [true, false].map(|handover| {
        let mut config = patient();
        config.handover = handover;
        config
    })
}

fn answering(
    config: Config,
    answer: impl Fn(&Socket, Data) + Clone + std::marker::Send + Sync + 'static,
) -> Running {
    start(1, move || {
        Server::builder()
            .config(config)
            .behavior(move |_, _| Answering(answer.clone()))
            .start()
    })
}

/// Sends messages in one write.
fn pipeline(websocket: &mut WebSocket, messages: impl IntoIterator<Item = impl AsRef<str>>) {
    let bytes: Vec<u8> = messages
        .into_iter()
        .flat_map(|text| frame(1, format!("4{}", text.as_ref()).as_bytes()))
        .collect();
    websocket.http.stream.write_all(&bytes).expect("it is taken");
}

fn numbers(count: usize) -> Vec<String> {
    (1..=count).map(|number| number.to_string()).collect()
}

fn texts(websocket: &mut WebSocket, count: usize) -> Vec<String> {
    (0..count).map(|_| websocket.text()).collect()
}

#[test]
fn a_handlers_own_broadcasts_keep_their_place() {
    for config in configs() {
        let running = answering(config, |socket, data| {
            let text = data.as_text().expect("text").to_owned();
            let send = |what: &str| socket.try_send(format!("{text} {what}")).expect("there is room");
            if text.len() % 2 == 0 {
                send("before");
            }
            socket.server().broadcast(format!("{text} to all"));
            send("behind");
        });
        let mut websocket = WebSocket::open(running.address);
        let messages = ["1", "22", "333", "4444", "5"];
        pipeline(&mut websocket, messages);
        let expected = messages.iter().flat_map(|text| {
            let before = (text.len() % 2 == 0).then(|| format!("4{text} before"));
            let others = ["to all", "behind"].map(|what| format!("4{text} {what}"));
            before.into_iter().chain(others)
        });
        let expected: Vec<_> = expected.collect();
        assert_eq!(texts(&mut websocket, expected.len()), expected);
    }
}

/// Its place is where it is sent, not where it is made.
#[test]
fn a_message_that_was_made_before_a_broadcast_and_sent_after_it() {
    for config in configs() {
        let running = answering(config, |socket, _| {
            let early = Send::text("made early");
            socket.server().broadcast("to all");
            socket.try_send("first").expect("there is room");
            socket.try_send_message(early).expect("there is room");
        });
        let mut websocket = WebSocket::open(running.address);
        pipeline(&mut websocket, ["1", "2"]);
        let expected = ["4to all", "4first", "4made early"];
        assert_eq!(texts(&mut websocket, 6), [expected, expected].concat());
    }
}

/// Of sizes at the borders of a frame's length, and more altogether than is encoded in one go.
fn mixed(number: usize, part: usize) -> Data {
    const SIZES: [usize; 5] = [0, 1, 125, 126, 70_000];
    let size = SIZES[(3 * number + part) % SIZES.len()];
    let byte = b'a' + ((number + part) % 26) as u8;
    match (number + part) % 2 {
        0 => Data::from(vec![byte; size]),
        _ => Data::from(char::from(byte).to_string().repeat(size)),
    }
}

fn assert_mixed(websocket: &mut WebSocket) {
    pipeline(websocket, (0..100).map(|number| number.to_string()));
    for number in 0..100 {
        for part in 0..3 {
            let expected = match mixed(number, part) {
                Data::Text(text) => (1, format!("4{text}").into_bytes()),
                Data::Binary(bytes) => (2, bytes.to_vec()),
            };
            let frame = websocket.frame().expect("the connection lives");
            assert!(frame == expected, "answer {number}, {part}");
        }
    }
}

#[test]
fn more_answers_than_are_encoded_in_one_go() {
    for config in configs() {
        let running = answering(config, |socket, data| {
            let number = data
                .as_text()
                .and_then(|text| text.parse().ok())
                .expect("a number");
            for part in 0..3 {
                socket.try_send(mixed(number, part)).expect("there is room");
            }
        });
        assert_mixed(&mut WebSocket::open(running.address));
        let mut polling = Polling::open(running.address);
        assert_mixed(&mut WebSocket::upgrade(&mut polling));
        // All of what was taken is given back.
        for socket in running.server.clients() {
            support::until("an empty buffer", || socket.buffered_bytes() == 0);
        }
    }
}

/// Sends for the address come in the order in which they were sent, and so do all others, which may overtake them.
#[test]
fn every_way_to_send_at_once() {
    for config in configs() {
        let running = answering(config, |socket, data| {
            let text = data.as_text().expect("text").to_owned();
            let message = |what: &str| Send::text(format!("{text} {what}"));
            socket.try_send(format!("{text} a")).expect("there is room");
            socket.addr().do_send(message("posted"));
            socket
                .try_send_message(message("b").compress(false))
                .expect("there is room");
            // Each with a key of its own: none replaces another.
            let key = text.parse().expect("a number");
            socket
                .try_send_message(message("c").volatile(key))
                .expect("there is room");
            socket.try_send(format!("{text} d")).expect("there is room");
        });
        let mut websocket = WebSocket::open(running.address);
        let messages = numbers(20);
        pipeline(&mut websocket, &messages);
        let received = texts(&mut websocket, 5 * messages.len());
        let (posted, others): (Vec<_>, Vec<_>) =
            received.into_iter().partition(|text| text.ends_with("posted"));
        let expected: Vec<_> = messages.iter().map(|text| format!("4{text} posted")).collect();
        assert_eq!(posted, expected);
        let expected = messages
            .iter()
            .flat_map(|text| ["a", "b", "c", "d"].map(|what| format!("4{text} {what}")));
        assert_eq!(others, expected.collect::<Vec<_>>());
    }
}

#[test]
fn an_answer_that_never_has_room() {
    for mut config in configs() {
        config.max_buffered_bytes = 10_000;
        let (tell, told) = channel();
        let running = answering(config, move |socket, data| {
            // With 64 bytes more each: the largest that has room, and one byte more.
            socket
                .try_send(Data::from(vec![1; 10_000 - 64]))
                .expect("there is room");
            let refused = socket.try_send(Data::from(vec![2; 10_001 - 64]));
            tell.send(refused).expect("the test waits");
            socket.try_send(data).expect("there is room");
        });
        let mut websocket = WebSocket::open(running.address);
        pipeline(&mut websocket, ["x"]);
        assert_eq!(told.recv_timeout(PATIENCE), Ok(Err(SendError::TooLarge)));
        assert_eq!(websocket.frame(), Some((2, vec![1; 10_000 - 64])));
        assert_eq!(websocket.text(), "4x");
    }
}

/// Echoes, but for the words that end it.
struct Mortal(std::sync::mpsc::Sender<CloseReason>);

impl SocketHandler for Mortal {
    fn on_message(&mut self, socket: &Socket, data: Data) {
        match data.as_text() {
            Some("panic") => panic!("on purpose"),
            Some("close") => {
                socket.close();
                assert_eq!(socket.try_send("late"), Err(SendError::Closed));
            }
            _ => socket.try_send(data).expect("it is open"),
        }
    }

    fn on_close(&mut self, _: &Socket, close: engineio::Close) {
        let _ = self.0.send(close.reason);
    }
}

fn mortal(config: Config) -> (Running, Receiver<CloseReason>) {
    let (tell, told) = channel();
    let running = start(1, move || {
        Server::builder()
            .config(config)
            .behavior(move |_, _| Mortal(tell.clone()))
            .start()
    });
    (running, told)
}

/// The fifth of ten messages ends the session.
fn ends_at_the_fifth(word: &str, reason: CloseReason) {
    quiet_panics();
    for config in configs() {
        let (running, told) = mortal(config);
        let mut neighbour = WebSocket::open(running.address);
        neighbour.echo("before");
        let mut websocket = WebSocket::open(running.address);
        let mut messages = numbers(10);
        messages[4] = word.to_owned();
        pipeline(&mut websocket, &messages);
        assert_eq!(texts(&mut websocket, 4), ["41", "42", "43", "44"]);
        let last = websocket.frame();
        assert!(matches!(last, Some((8, _))), "{last:?}");
        websocket.send_frame(8, &last.expect("a close frame").1);
        assert_eq!(websocket.frame(), None);
        assert_eq!(told.recv_timeout(PATIENCE), Ok(reason));
        neighbour.echo("after");
        assert_clients(&running, 1);
    }
}

#[test]
fn a_panic_amid_messages_that_came_together() {
    ends_at_the_fifth("panic", CloseReason::Panicked);
}

#[test]
fn a_close_amid_messages_that_came_together() {
    ends_at_the_fifth("close", CloseReason::ForcedClose);
}

/// A client's inflater: of messages one by one, or of all of them.
fn inflate(inflater: &mut Decompress, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(1 << 20);
    for part in [payload, &[0, 0, 0xff, 0xff]] {
        inflater
            .decompress_vec(part, &mut out, FlushDecompress::Sync)
            .expect("it inflates");
    }
    out
}

#[test]
fn compressed_answers_come_in_order() {
    for (config, takeover) in configs()
        .into_iter()
        .flat_map(|config| [(config.clone(), 0), (config, 8192)])
    {
        let mut config = config;
        let mut deflate = PerMessageDeflate::default();
        deflate.context_takeover = takeover;
        deflate.threshold = 200;
        config.per_message_deflate = Some(deflate);
        let running = answering(config, |socket, data| {
            let text = data.as_text().expect("text");
            // Compressed, too short for that, compressed, and not to be.
            let long = format!("{text} and what all of them have in common; ").repeat(30);
            let messages = [
                Send::text(long.clone()),
                Send::text(text.to_owned()),
                Send::new(Bytes::from(long.clone())),
                Send::text(long).compress(false),
            ];
            for message in messages {
                socket.try_send_message(message).expect("there is room");
            }
        });
        let mut http = support::Http::connect(running.address);
        http.send(
            "GET /engine.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\n\
             Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
             Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\r\n",
        );
        let response = http.response();
        let agreed = response
            .header("sec-websocket-extensions")
            .expect("it is agreed on");
        assert_eq!(
            agreed.contains("server_no_context_takeover"),
            takeover == 0,
            "{agreed}"
        );
        let mut websocket = WebSocket { http };
        assert!(websocket.text().starts_with("0{"));
        pipeline(&mut websocket, numbers(10));
        let mut inflater = Decompress::new(false);
        for number in numbers(10) {
            let long = format!("{number} and what all of them have in common; ").repeat(30);
            let expected = [
                (0xc1, format!("4{long}")),
                (0x81, format!("4{number}")),
                (0xc2, long.clone()),
                (0x81, format!("4{long}")),
            ];
            for (first, content) in expected {
                let (seen, payload) = websocket.raw_frame().expect("the connection lives");
                assert_eq!(seen, first, "{number}, takeover {takeover}");
                let payload = match seen & 0x40 {
                    0 => payload,
                    _ => inflate(&mut inflater, &payload),
                };
                if takeover == 0 {
                    inflater.reset(false);
                }
                assert!(payload == content.as_bytes(), "{number}, takeover {takeover}");
            }
        }
    }
}

/// Whatever its transport, a ping is answered, and the messages around it are in order.
#[test]
fn pings_between_messages() {
    for config in configs() {
        let handover = config.handover && support::hands_over();
        let running = answering(config, |socket, data| {
            let _ = socket.try_send(data);
        });
        let mut websocket = WebSocket::open(running.address);
        let bytes = [
            frame(1, b"4one"),
            frame(9, b"p"),
            frame(1, b"4two"),
            frame(1, b"4three"),
        ];
        websocket
            .http
            .stream
            .write_all(&bytes.concat())
            .expect("it is taken");
        let frames: Vec<_> = (0..4).map(|_| websocket.frame().expect("it lives")).collect();
        let pong = frames
            .iter()
            .position(|(opcode, _)| *opcode == 10)
            .expect("a pong");
        if handover {
            assert_eq!(
                pong, 1,
                "behind the answer to what came before, in front of the others"
            );
        }
        assert_eq!(frames[pong].1, b"p");
        let answers = frames.iter().filter(|(opcode, _)| *opcode == 1);
        let answers: Vec<_> = answers.map(|(_, payload)| &payload[..]).collect();
        assert_eq!(answers, [&b"4one"[..], b"4two", b"4three"]);
    }
}

/// Echoes what it is told as an actor.
struct Echoing;

impl Actor for Echoing {
    type Context = Context<Self>;
}

impl Handler<Event> for Echoing {
    type Result = ();

    fn handle(&mut self, event: Event, _: &mut Self::Context) {
        if let Event::Message { socket, data, .. } = event {
            socket.try_send(data).expect("there is room");
        }
    }
}

#[test]
fn an_actor_that_takes_few_messages_at_once() {
    for mut config in configs() {
        // One and a half of them.
        config.max_unhandled_bytes = 100;
        let running = start(1, move || {
            let echoing = Echoing.start();
            Server::builder()
                .config(config)
                .recipient(move |_, _| echoing.clone().recipient())
                .start()
        });
        let mut websocket = WebSocket::open(running.address);
        let messages = numbers(1000);
        pipeline(&mut websocket, &messages);
        let expected: Vec<_> = messages.iter().map(|text| format!("4{text}")).collect();
        assert_eq!(texts(&mut websocket, messages.len()), expected);
        websocket.echo("and goes on");
    }
}

/// Tells how large the batches are that it echoes.
struct EchoingBatches(std::sync::mpsc::Sender<usize>);

impl Actor for EchoingBatches {
    type Context = Context<Self>;
}

impl Handler<Event> for EchoingBatches {
    type Result = ();

    fn handle(&mut self, event: Event, _: &mut Self::Context) {
        match event {
            Event::Batch { socket, messages, .. } => {
                let _ = self.0.send(messages.len());
                for data in messages {
                    socket.try_send(data).expect("there is room");
                }
            }
            other => panic!("nobody asked for {other:?}"),
        }
    }
}

/// In one write, hence in few reads: fewer events than messages, and none is lost or out of its place.
#[test]
fn an_actor_is_told_by_the_batch() {
    for config in configs() {
        let (tell, told) = channel();
        let heard = Arc::new(AtomicUsize::new(0));
        let hook = heard.clone();
        let running = start(1, move || {
            let echoing = EchoingBatches(tell).start();
            Server::builder()
                .config(config)
                .hub_with(Events::BATCH, echoing.recipient())
                .on_message(move |_, _| {
                    hook.fetch_add(1, Ordering::Relaxed);
                })
                .start()
        });
        let messages = numbers(1000);
        let expected: Vec<_> = messages.iter().map(|text| format!("4{text}")).collect();
        let mut websocket = WebSocket::open(running.address);
        pipeline(&mut websocket, &messages);
        assert_eq!(texts(&mut websocket, messages.len()), expected);
        let batches: Vec<_> = told.try_iter().collect();
        assert_eq!(batches.iter().sum::<usize>(), 1000);
        assert!(batches.len() < 200, "{batches:?}");
        assert!(!batches.contains(&0));

        // A payload of polling is one batch, as long as it lasts.
        let mut polling = Polling::open(running.address);
        polling.post(&expected[..16].join("\x1e"));
        let payload = expected[..16].join("\x1e").into_bytes();
        assert_eq!(polling.poll().body, payload);
        assert_eq!(told.recv_timeout(PATIENCE), Ok(16));
        // The closures hear of each by itself.
        assert_eq!(heard.load(Ordering::Relaxed), 1016);
    }
}

/// A socket's own process takes what several threads post to it: each thread's messages in their order, and all that
/// was taken before the close in front of it.
#[test]
fn from_several_threads_and_a_close_behind() {
    const EACH: usize = 500;
    for config in configs() {
        let running = start(1, move || Server::builder().config(config).start());
        let mut websocket = WebSocket::open(running.address);
        let socket = running.server.clients().remove(0);
        std::thread::scope(|scope| {
            for thread in ["a", "b", "c"] {
                let socket = &socket;
                scope.spawn(move || {
                    for number in 0..EACH {
                        socket
                            .try_send(format!("{thread} {number}"))
                            .expect("there is room");
                    }
                });
            }
        });
        socket.close();
        let received = texts(&mut websocket, 3 * EACH);
        for thread in ["a", "b", "c"] {
            let of_thread: Vec<_> = received
                .iter()
                .filter_map(|text| text.strip_prefix(&format!("4{thread} ")))
                .collect();
            let expected: Vec<_> = (0..EACH).map(|number| number.to_string()).collect();
            assert_eq!(of_thread, expected);
        }
        assert!(matches!(websocket.frame(), Some((8, _))));
    }
}

/// Posts a payload while a poll waits, and reads answers until there are so many messages.
fn answers_to(polling: &mut Polling, payload: &str, count: usize) -> Vec<String> {
    let mut received = Vec::new();
    let mut posted = false;
    while received.len() < count {
        polling.send_poll();
        if !std::mem::replace(&mut posted, true) {
            let response = polling.post(payload);
            assert_eq!((response.status, response.text()), (200, "ok"));
        }
        let response = polling.gets.response();
        assert_eq!(response.status, 200);
        received.extend(response.text().split('\x1e').map(str::to_owned));
    }
    received
}

#[test]
fn answers_to_a_payload_while_a_poll_waits() {
    let running = answering(patient(), |socket, data| {
        let text = data.as_text().expect("text").to_owned();
        let send = |what: &str| socket.try_send(format!("{text} {what}")).expect("there is room");
        send("before");
        if text.len() % 2 == 0 {
            socket.server().broadcast(format!("{text} to all"));
        }
        socket
            .try_send_all([format!("{text} one"), format!("{text} two")])
            .expect("there is room");
        socket.try_send(vec![1, 2]).expect("there is room");
        send("behind");
    });
    let mut polling = Polling::open(running.address);
    let messages = ["1", "22", "333", "4", "55555", "666666"];
    let expected: Vec<_> = messages
        .iter()
        .flat_map(|text| {
            let to_all = (text.len() % 2 == 0).then_some("to all");
            let texts = ["before"].into_iter().chain(to_all).chain(["one", "two"]);
            let texts = texts.map(|what| format!("4{text} {what}"));
            texts
                .chain(["bAQI=".to_owned(), format!("4{text} behind")])
                .collect::<Vec<_>>()
        })
        .collect();
    let payload = messages.map(|text| format!("4{text}")).join("\x1e");
    for _ in 0..3 {
        assert_eq!(answers_to(&mut polling, &payload, expected.len()), expected);
    }
    let socket = running.server.clients().remove(0);
    support::until("an empty buffer", || socket.buffered_bytes() == 0);
}

/// What has no room in the answer to a poll waits for the next one.
#[test]
fn more_answers_than_one_poll_takes_on_the_short_way() {
    let running = answering(patient(), |socket, data| {
        let text = data.as_text().expect("text").to_owned();
        for number in 0..10 {
            let long = format!("{text} {number} {}", "x".repeat(10_000));
            socket.try_send(long).expect("there is room");
        }
    });
    let mut polling = Polling::open(running.address);
    let received = answers_to(&mut polling, "4a\x1e4b", 20);
    let heads: Vec<_> = received.iter().map(|text| &text[..4]).collect();
    let expected: Vec<_> = ["a", "b"]
        .iter()
        .flat_map(|text| (0..10).map(move |number| format!("4{text} {number}")))
        .collect();
    assert_eq!(heads, expected);
    assert!(received.iter().all(|text| text.len() == 10_005));
}

#[test]
fn a_panic_and_a_close_amid_a_payload_while_a_poll_waits() {
    quiet_panics();
    for (word, reason) in [
        ("panic", CloseReason::Panicked),
        ("close", CloseReason::ForcedClose),
    ] {
        let (running, told) = mortal(patient());
        let mut polling = Polling::open(running.address);
        let payload = format!("41\x1e42\x1e4{word}\x1e44");
        assert_eq!(answers_to(&mut polling, &payload, 3), ["41", "42", "1"]);
        assert_eq!(polling.poll().status, 400);
        assert_eq!(told.recv_timeout(PATIENCE), Ok(reason));
        assert_clients(&running, 0);
    }
}

#[test]
fn several_messages_in_one_go_are_all_taken_or_none() {
    for mut config in configs() {
        config.max_buffered_bytes = 10_000;
        let running = start(1, move || Server::builder().config(config).start());
        let mut websocket = WebSocket::open(running.address);
        let socket = running.server.clients().remove(0);
        let half = || Data::from("x".repeat(5_000));
        let room = "there is room";
        for by_address in [false, true] {
            socket.try_send("1").expect(room);
            socket.try_send_all(["2", "3"]).expect(room);
            assert_eq!(socket.try_send_all([half(), half()]), Err(SendError::TooLarge));
            assert_eq!(socket.try_send_all([""; 0]), Ok(()));
            running.server.broadcast("4");
            socket.try_send_all(["5", "6"]).expect(room);
            socket.try_send("7").expect(room);
            if by_address {
                socket.addr().do_send(Send::text("8"));
                socket.try_send_all(["9"]).expect(room);
            }
            let count = if by_address { 9 } else { 7 };
            let expected: Vec<_> = (1..=count).map(|number| format!("4{number}")).collect();
            assert_eq!(texts(&mut websocket, count), expected);
            support::until("an empty buffer", || socket.buffered_bytes() == 0);
        }
        socket.close();
        assert_eq!(socket.try_send_all(["late"]), Err(SendError::Closed));
    }
    let mut config = patient();
    config.max_buffered_bytes = 10_000;
    let running = start(1, move || Server::builder().config(config).start());
    let mut polling = Polling::open(running.address);
    let socket = running.server.clients().remove(0);
    let data = Data::from("x".repeat(4_000));
    socket
        .try_send_all([data.clone(), data.clone()])
        .expect("there is room");
    assert_eq!(socket.try_send_all(["small".into(), data]), Err(SendError::Full));
    socket.try_send("small").expect("there is room");
    let received = polling.poll();
    assert_eq!(
        received.text().split('\x1e').map(str::len).collect::<Vec<_>>(),
        [4_001, 4_001, 6]
    );
}
