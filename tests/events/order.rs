//! Messages arrive in the order in which each thread, and each handler, has sent them.

use std::collections::HashMap;

use engineio::{Data, Events, Server, Socket};

use crate::common::{Kind, Polling, Record, WebSocket, serve, upgrade};

const WS: &str = "/engine.io/?EIO=4&transport=websocket";

/// How many messages a handler answers one with.
const ANSWERS: usize = 20;
/// How many messages the client sends.
const QUESTIONS: usize = 50;
/// How many messages each of the threads sends.
const EACH: usize = 500;
const THREADS: usize = 3;

fn answering(kind: Kind) -> Server {
    eprintln!("{kind:?}");
    let record = Record::answering(|socket: &Socket, data: Data| {
        for index in 0..ANSWERS {
            socket
                .try_send(format!("h {}-{index}", data.as_text().unwrap()))
                .unwrap();
        }
    });
    record.attach(kind, Events::MESSAGE, Server::builder()).start()
}

fn questions() -> Vec<String> {
    (0..QUESTIONS).map(|question| format!("4{question}")).collect()
}

/// What must come from the handler.
fn answers() -> Vec<String> {
    let answer = |question| (0..ANSWERS).map(move |index| format!("{question}-{index}"));
    (0..QUESTIONS).flat_map(answer).collect()
}

/// Packets by who sent them, `4<sender> <what>`.
fn by_sender(packets: &[String]) -> HashMap<&str, Vec<&str>> {
    let mut senders: HashMap<&str, Vec<&str>> = HashMap::new();
    for packet in packets {
        let (sender, what) = packet[1..].split_once(' ').unwrap_or_else(|| panic!("{packet}"));
        senders.entry(sender).or_default().push(what);
    }
    senders
}

/// Lets threads send while the test goes on.
fn threads(socket: &Socket) -> Vec<std::thread::JoinHandle<()>> {
    let thread = |number| {
        let socket = socket.clone();
        std::thread::spawn(move || {
            for index in 0..EACH {
                socket.try_send(format!("t{number} {index}")).unwrap();
            }
        })
    };
    (0..THREADS).map(thread).collect()
}

/// All of it, each sender's in order.
fn check(packets: &[String]) {
    let senders = by_sender(packets);
    assert_eq!(senders["h"], answers());
    let numbers: Vec<_> = (0..EACH).map(|index| index.to_string()).collect();
    for thread in 0..THREADS {
        assert_eq!(senders[&*format!("t{thread}")], numbers);
    }
    assert_eq!(packets.len(), ANSWERS * QUESTIONS + EACH * THREADS);
}

#[actix_web::test]
async fn what_handlers_send() {
    for kind in Kind::ALL {
        let server = answering(kind);
        let host = serve(&server);
        let mut client = Polling::open(host.addr).await;
        let questions = questions();
        client
            .push(&questions.iter().map(|packet| &**packet).collect::<Vec<_>>())
            .await;
        let packets = client.poll_for(ANSWERS * QUESTIONS).await;
        assert_eq!(by_sender(&packets)["h"], answers());
    }
}

#[actix_web::test]
async fn handlers_and_threads_on_a_websocket() {
    for kind in Kind::ALL {
        let server = answering(kind);
        let host = serve(&server);
        let mut ws = WebSocket::connect(host.addr, WS, &[]).await.unwrap();
        ws.next_text().await;
        let threads = threads(&server.clients()[0]);
        for question in questions() {
            ws.text(&question).await;
        }
        let mut packets = Vec::new();
        while packets.len() < ANSWERS * QUESTIONS + EACH * THREADS {
            packets.push(ws.next_text().await);
        }
        for thread in threads {
            thread.join().unwrap();
        }
        check(&packets);
    }
}

#[actix_web::test]
async fn handlers_and_threads_across_the_swap() {
    for kind in Kind::ALL {
        let server = answering(kind);
        let host = serve(&server);
        let mut client = Polling::open(host.addr).await;
        let ws = client.websocket().await;
        let threads = threads(&server.clients()[0]);
        let questions = questions();
        let (first, second) = questions.split_at(QUESTIONS / 2);
        client
            .push(&first.iter().map(|packet| &**packet).collect::<Vec<_>>())
            .await;
        let (mut ws, mut packets) = upgrade(&mut client, ws).await;
        for question in second {
            ws.text(question).await;
        }
        while packets.len() < ANSWERS * QUESTIONS + EACH * THREADS {
            packets.push(ws.next_text().await);
        }
        for thread in threads {
            thread.join().unwrap();
        }
        check(&packets);
    }
}

/// A handler of one socket sends to another, both ways at once.
#[actix_web::test]
async fn from_one_socket_to_another() {
    let record = Record::answering(|socket: &Socket, data: Data| {
        for other in socket.server().clients() {
            if other != *socket {
                other.try_send(data.clone()).unwrap();
            }
        }
    });
    for kind in Kind::ALL {
        let server = record.attach(kind, Events::MESSAGE, Server::builder()).start();
        let host = serve(&server);
        let mut one = WebSocket::connect(host.addr, WS, &[]).await.unwrap();
        let mut two = WebSocket::connect(host.addr, WS, &[]).await.unwrap();
        one.next_text().await;
        two.next_text().await;
        for index in 0..100 {
            one.text(&format!("4{index}")).await;
            two.text(&format!("4{index}")).await;
        }
        for index in 0..100 {
            assert_eq!(one.next_text().await, format!("4{index}"));
            assert_eq!(two.next_text().await, format!("4{index}"));
        }
    }
}
