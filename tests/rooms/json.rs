//! Messages as JSON, and what is done about bad ones.

use std::collections::HashMap;

use engineio::{BadInput, Close, Data, Json, JsonHandler, Send as Message, Server, Socket, SocketHandler};
use serde::{Deserialize, Serialize};

use crate::support::*;
use crate::{Hall, channel};

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum Say {
    Join { room: String },
    Text { text: String },
}

/// Joins rooms and tells them what is said; asks `policy` what to do about all else.
struct Talker<P> {
    policy: P,
    tell: std::sync::mpsc::Sender<Close>,
}

impl<P: 'static> SocketHandler for Talker<P> {
    fn on_close(&mut self, _: &Socket, close: Close) {
        let _ = self.tell.send(close);
    }
}

impl<P: Fn(&Socket, Data) -> Option<BadInput> + 'static> JsonHandler for Talker<P> {
    type Message = Say;

    fn on_json(&mut self, socket: &Socket, message: Say) {
        match message {
            Say::Join { room } => assert!(socket.server().room(&room).join(socket)),
            Say::Text { .. } => {
                for room in socket.rooms() {
                    room.json().broadcast(&message).expect("it has a form in JSON");
                }
            }
        }
    }

    fn on_bad_input(&mut self, socket: &Socket, data: Data, error: serde_json::Error) -> BadInput {
        assert!(!error.to_string().is_empty());
        (self.policy)(socket, data).unwrap_or(BadInput::Close)
    }
}

fn hall<P>(policy: P) -> (Hall, std::sync::mpsc::Receiver<Close>)
where
    P: Fn(&Socket, Data) -> Option<BadInput> + Clone + Send + Sync + 'static,
{
    let (tell, told) = channel();
    let hall = Hall::of(move || {
        Server::builder().behavior(move |_, _| {
            Json(Talker {
                policy: policy.clone(),
                tell: tell.clone(),
            })
        })
    });
    (hall, told)
}

const JOIN: &str = r#"4{"type":"join","room":"lobby"}"#;
const TEXT: &str = r#"{"type":"text","text":"hé"}"#;

/// What is no message, as frames: opcode and payload.
fn bad() -> Vec<(u8, Vec<u8>)> {
    let mut bad: Vec<(u8, Vec<u8>)> = [
        "",
        "{",
        "null",
        "{}",
        r#"{"type":"none"}"#,
        r#"{"type":"join","room":7}"#,
    ]
    .map(|text| (1, format!("4{text}").into_bytes()))
    .into();
    bad.push((1, format!("4{}", "[".repeat(100_000)).into_bytes()));
    bad.push((2, b"{\"type\":\"text\",\"text\":\"\xff\"}".to_vec()));
    bad
}

#[test]
fn values_come_in_and_go_out() {
    let (hall, _told) = hall(|_, _| None);
    let mut guests = hall.guests(2);
    for guest in &mut guests {
        guest.client.send(JOIN);
    }
    let room = hall.server().room("lobby");
    until("both are in", || room.len() == 2);
    // Text and binary alike.
    guests[0].client.send(&format!("4{TEXT}"));
    guests[0].client.send_frame(2, TEXT.as_bytes());
    for guest in &mut guests {
        guest.expect([TEXT, TEXT]);
    }
    let numbers = room.json::<[u32]>();
    assert_eq!(numbers.room(), &room);
    numbers
        .broadcast_except([&guests[0].socket], &[1, 2])
        .expect("JSON");
    numbers.clone().broadcast(&[3]).expect("JSON");
    guests[0].expect(["[3]"]);
    guests[1].expect(["[1,2]", "[3]"]);
}

#[test]
fn what_has_no_form_is_an_error() {
    let no_key = HashMap::from([((1, 2), 3)]);
    assert!(Message::json(&no_key).is_err());
    let hall = Hall::open();
    let mut guest = hall.guest();
    let room = hall.server().room("lobby");
    room.join(&guest.socket);
    assert!(room.json().broadcast(&no_key).is_err());
    room.broadcast("end");
    guest.expect(["end"]);
}

/// What borrows from the message is not copied.
#[test]
fn data_may_be_borrowed_from() {
    let data = Data::from(r#""plain""#);
    let text: &str = data.json().expect("a string");
    assert_eq!(text, "plain");
    assert!(data.json::<u8>().is_err());
    assert!(Data::default().json::<()>().is_err());
}

#[test]
fn bad_input_may_be_ignored() {
    let (hall, told) = hall(|_, _| Some(BadInput::Ignore));
    let mut guest = hall.guest();
    for (opcode, payload) in bad() {
        guest.client.send_frame(opcode, &payload);
    }
    guest.client.send(JOIN);
    guest.client.send(&format!("4{TEXT}"));
    guest.expect([TEXT]);
    assert!(told.try_recv().is_err());
}

/// At once: what comes behind it is not handled any more.
#[test]
fn bad_input_may_end_the_session() {
    let (hall, told) = hall(|_, _| None);
    for (opcode, payload) in bad() {
        let mut guest = hall.guest();
        let mut burst = frame(opcode, &payload);
        burst.extend(frame(1, JOIN.as_bytes()));
        guest.client.http.send(burst);
        let close = told.recv_timeout(PATIENCE).expect("an end");
        assert_eq!(close.to_string(), "parse error: no message of this application");
        assert_eq!(guest.client.close_code(), Some(1002));
        assert_eq!(guest.socket.rooms(), []);
    }
}

#[test]
fn bad_input_may_be_answered() {
    let (hall, told) = hall(|socket, data| {
        let _ = socket.try_send(format!("{data:?} is no message"));
        (data.len() > 4)
            .then_some(BadInput::Close)
            .or(Some(BadInput::Ignore))
    });
    let mut guest = hall.guest();
    guest.client.send("4null");
    guest.expect(["Text(4 bytes) is no message"]);
    guest.client.send("4false");
    let close = told.recv_timeout(PATIENCE).expect("an end");
    assert_eq!(close.reason, engineio::CloseReason::ParseError);
}

/// By polling, too, where `BadInput::Close` would drop the answer.
#[cfg(feature = "test")]
#[test]
fn an_answer_to_bad_input_leaves_before_the_end() {
    use engineio::{CloseReason, test};

    test::run(async {
        let (tell, _told) = channel();
        let policy = |socket: &Socket, _| {
            let _ = socket.try_send("what?");
            socket.close_with(Close::because(CloseReason::ParseError, "no message"));
            Some(BadInput::Ignore)
        };
        let behavior = move |_: &Socket, _: &_| {
            let tell = tell.clone();
            Json(Talker { policy, tell })
        };
        let server = Server::builder().behavior(behavior).start();
        for connect in [test::polling, test::websocket] {
            let client = connect(&server).await.expect("it is let in");
            client.send("null");
            let close = client.expect_close(CloseReason::ParseError).await;
            assert_eq!(close.description, "no message");
            client.expect("what?").await;
        }
    });
}
