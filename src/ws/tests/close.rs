//! The closing handshake from both sides (Autobahn 7; RFC 6455 sections 5.5.1, 7.1, 7.4).

use std::time::{Duration, Instant};

use super::*;
use crate::ws::{CLOSE_TIMEOUT, CloseCode, CloseFrame};

#[test]
fn peers_close_is_answered_by_one() {
    let mut connection = connection();
    let mut bytes = frames(&[
        (TEXT, b"before"),
        (PING, b"p"),
        (CLOSE, &close_payload(1000, "bye ☮".as_bytes())),
    ]);
    bytes.extend(frames(&[
        (TEXT, b"late"),
        (PING, b"late"),
        (CLOSE, b""),
        (0xff, b"late"),
    ]));
    let seen = feed(&mut connection, [&bytes[..]]);
    assert_eq!((seen.messages, seen.error), (vec![text("before")], None));
    assert_eq!(seen.answer, b"\x8a\x01p\x88\x02\x03\xe8");
    assert!(connection.is_closed() && connection.deadline().is_none());
    let expected = CloseFrame {
        code: Some(CloseCode::NORMAL),
        reason: "bye ☮".into(),
    };
    assert_eq!(connection.close_received(), Some(&expected));
    // Closing again, or sending, says nothing more.
    connection.close(Instant::now(), CloseCode::NORMAL, "");
    assert!(!connection.send(false, None, b"late", &mut BytesMut::new()) && !connection.has_transmit());
}

#[test]
fn close_without_a_code() {
    let mut connection = connection();
    assert_eq!(
        feed(&mut connection, [&masked(CLOSE, b"")[..]]).answer,
        b"\x88\x00"
    );
    assert_eq!(connection.close_received(), Some(&CloseFrame::default()));
}

#[test]
fn close_payloads() {
    use ProtocolError::*;
    let valid = [
        1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999,
    ];
    for code in valid {
        let seen = both_ways(&masked(CLOSE, &close_payload(code, b"x")));
        assert_eq!(
            (seen.error, &seen.answer[..]),
            (None, &[&[CLOSE, 2], &code.to_be_bytes()[..]].concat()[..])
        );
    }
    for code in [
        0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535,
    ] {
        let seen = both_ways(&masked(CLOSE, &close_payload(code, b"")));
        assert_eq!(seen.error, Some(InvalidCloseCode(code)));
        assert_eq!(seen.answer[2..4], 1002u16.to_be_bytes());
    }
    assert_eq!(both_ways(&masked(CLOSE, b"\x03")).error, Some(InvalidClose));
    assert_eq!(
        both_ways(&masked(CLOSE, &close_payload(1000, b"\xed\xa0\x80"))).error,
        Some(InvalidUtf8)
    );
    let longest = both_ways(&masked(CLOSE, &close_payload(1000, &[b'*'; 123])));
    assert_eq!(longest.error, None);
}

#[test]
fn our_close_then_theirs() {
    let now = Instant::now();
    let mut connection = connection();
    connection.close(now, CloseCode::GOING_AWAY, "restart");
    assert!(!connection.is_open() && !connection.is_closed());
    assert_eq!(connection.deadline(), Some(now + CLOSE_TIMEOUT));
    assert_eq!(transmit(&mut connection), b"\x88\x09\x03\xe9restart");
    assert!(!connection.send(true, None, b"late", &mut BytesMut::new()));

    // Data on the way is dropped, over the limit too; pings are not answered any more.
    let huge = vec![0; LIMITS.max_message * 2];
    let data = frames(&[(TEXT, b"dropped"), (BINARY, &huge), (LAST, b"\xff"), (PING, b"p")]);
    let seen = feed(&mut connection, data.chunks(1000));
    assert_eq!(
        seen,
        Seen {
            messages: vec![],
            error: None,
            answer: vec![]
        }
    );

    let seen = feed(
        &mut connection,
        masked(CLOSE, &close_payload(1001, b"")).chunks(1),
    );
    assert_eq!(
        seen,
        Seen {
            messages: vec![],
            error: None,
            answer: vec![]
        }
    );
    assert!(connection.is_closed() && connection.deadline().is_none());
    assert_eq!(
        connection.close_received().unwrap().code,
        Some(CloseCode::GOING_AWAY)
    );
}

#[test]
fn our_close_inside_their_message() {
    for cut in 0..80 {
        let bytes = frames(&[(TEXT_START, &[b'x'; 30]), (LAST, &[b'y'; 20]), (CLOSE, b"")]);
        let cut = cut.min(bytes.len() - 6);
        let mut connection = connection();
        feed(&mut connection, [&bytes[..cut]]);
        connection.close(Instant::now(), CloseCode::NORMAL, "");
        let seen = feed(&mut connection, [&bytes[cut..]]);
        assert_eq!(seen.error, None, "cut at {cut}");
        assert!(
            connection.is_closed() && connection.close_received().is_some(),
            "cut at {cut}"
        );
    }
}

#[test]
fn our_close_is_not_answered_in_time() {
    let now = Instant::now();
    let mut connection = connection();
    connection.close(now, CloseCode::NORMAL, "");
    connection.handle_timeout(now + CLOSE_TIMEOUT - Duration::from_millis(1));
    assert!(!connection.is_closed());
    connection.handle_timeout(now + CLOSE_TIMEOUT);
    assert!(connection.is_closed() && connection.deadline().is_none());
    assert_eq!(connection.close_received(), None);
    assert_eq!(transmit(&mut connection), b"\x88\x02\x03\xe8");
}

#[test]
fn a_broken_frame_after_our_close_ends_it_without_a_second_one() {
    let mut connection = connection();
    connection.close(Instant::now(), CloseCode::NORMAL, "");
    let seen = feed(&mut connection, [&b"\x83"[..]]);
    assert_eq!(seen.error, Some(ProtocolError::ReservedOpCode(3)));
    assert_eq!(seen.answer, b"\x88\x02\x03\xe8");
    assert!(connection.is_closed());
}

#[test]
fn timeout_of_an_open_connection_is_nothing() {
    let mut connection = connection();
    assert_eq!(connection.deadline(), None);
    connection.handle_timeout(Instant::now() + Duration::from_secs(1000));
    assert!(connection.is_open());
}

#[test]
fn reason_is_cut_between_characters() {
    for (reason, len) in [
        ("a".repeat(200), 123),
        ("é".repeat(100), 122),
        ("🚀".repeat(40), 120),
        ("".into(), 0),
    ] {
        let mut connection = connection();
        connection.close(Instant::now(), CloseCode::NORMAL, &reason);
        let frame = transmit(&mut connection);
        assert_eq!(frame[1] as usize, 2 + len);
        assert_eq!(&frame[4..], &reason.as_bytes()[..len]);
    }
}
