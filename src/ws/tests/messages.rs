//! Messages, fragments, pings: what a well-behaved client sends (Autobahn 1, 2, 5, 9).

use super::*;

#[test]
fn text_and_binary_of_every_length_form() {
    for len in [
        0, 1, 7, 8, 9, 124, 125, 126, 127, 128, 65535, 65536, 65537, 100_000,
    ] {
        let content: Vec<u8> = (0..len).map(|i| b'a' + (i % 26) as u8).collect();
        let seen = both_ways(&frames(&[(TEXT, &content), (BINARY, &content)]));
        let expected = [text(std::str::from_utf8(&content).unwrap()), binary(&content)];
        assert_eq!(seen.messages, expected, "length {len}");
        assert_eq!((seen.error, seen.answer), (None, vec![]));
    }
}

#[test]
fn sixteen_messages_in_one_read_are_slices_of_it() {
    let list: Vec<Vec<u8>> = (0..16).map(|i| vec![b'a' + i; 32]).collect();
    let bytes: Vec<u8> = list.iter().flat_map(|content| masked(TEXT, content)).collect();
    let range = bytes.as_ptr_range();
    let mut connection = connection();
    connection.receive(Bytes::from(bytes));
    for content in &list {
        let Ok(Some(Message::Text(message))) = connection.poll_message() else {
            panic!("no text")
        };
        assert_eq!(message.as_bytes(), content);
        assert!(range.contains(&message.as_ptr()), "copied");
    }
    assert_eq!(connection.poll_message(), Ok(None));
    assert_eq!(connection.input.capacity(), 0);
}

#[test]
fn input_that_others_hold_is_copied_and_left_alone() {
    let bytes = Bytes::from(masked(TEXT, b"hello"));
    let before = bytes.to_vec();
    let mut connection = connection();
    connection.receive(bytes.clone());
    assert_eq!(connection.poll_message(), Ok(Some(text("hello"))));
    assert_eq!(bytes, before);
}

#[test]
fn several_reads_before_a_poll() {
    let bytes = frames(&[(TEXT, b"one"), (BINARY, b"two")]);
    let mut connection = connection();
    connection.receive_slice(&bytes[..3]);
    connection.receive(Bytes::copy_from_slice(&bytes[3..11]));
    connection.receive_slice(&bytes[11..]);
    assert_eq!(connection.poll_message(), Ok(Some(text("one"))));
    assert_eq!(connection.poll_message(), Ok(Some(binary(b"two"))));
    assert_eq!(connection.poll_message(), Ok(None));
    assert_eq!(connection.poll_message(), Ok(None));
}

#[test]
fn fragments_are_put_together() {
    let seen = both_ways(&frames(&[
        (TEXT_START, b"fragment1"),
        (LAST, b"fragment2"),
        (BINARY_START, b""),
        (MORE, b""),
        (LAST, b""),
        (BINARY_START, b""),
        (MORE, b"middle"),
        (LAST, b""),
        (TEXT, b"whole"),
    ]));
    assert_eq!(
        seen.messages,
        [
            text("fragment1fragment2"),
            binary(b""),
            binary(b"middle"),
            text("whole")
        ]
    );
    assert_eq!(seen.error, None);
}

#[test]
fn control_frames_between_fragments() {
    let seen = both_ways(&frames(&[
        (TEXT_START, b"frag"),
        (PONG, b"unasked"),
        (MORE, b"men"),
        (PING, b"are you there"),
        (LAST, b"ted"),
    ]));
    assert_eq!(seen.messages, [text("fragmented")]);
    assert_eq!(seen.answer, b"\x8a\x0dare you there");
}

#[test]
fn pong_carries_the_pings_payload_of_every_length() {
    for len in 0..=125 {
        let payload: Vec<u8> = (0..len).map(|i| 255 - i as u8).collect();
        let seen = both_ways(&masked(PING, &payload));
        assert_eq!(seen.answer, [&[PONG, len as u8], &payload[..]].concat());
    }
}

#[test]
fn of_a_thousand_pings_in_one_read_the_latest_are_answered() {
    let bytes: Vec<u8> = (0..1000u16)
        .flat_map(|i| masked(PING, &i.to_be_bytes()))
        .collect();
    let mut connection = connection();
    let pongs: Vec<u8> = (1000 - MAX_PONGS as u16..1000)
        .flat_map(|i| [&[PONG, 2][..], &i.to_be_bytes()].concat())
        .collect();
    assert_eq!(feed(&mut connection, [&bytes[..]]).answer, pongs);
    assert!(!connection.has_transmit());
}

#[test]
fn messages_limit_is_reached_exactly() {
    let half = vec![7; LIMITS.max_message / 2];
    let seen = both_ways(&frames(&[(BINARY_START, &half), (LAST, &half)]));
    assert_eq!(seen.messages, [binary(&vec![7; LIMITS.max_message])]);
    let most: Vec<(u8, &[u8])> = (0..LIMITS.max_fragments)
        .map(|i| (if i == 0 { BINARY_START } else { MORE }, &b"."[..]))
        .collect();
    let mut bytes = frames(&most[..LIMITS.max_fragments - 1]);
    bytes.extend(masked(LAST, b"."));
    assert_eq!(both_ways(&bytes).messages, [binary(&[b'.'; 16])]);
}

#[test]
fn announced_but_absent_payload_takes_no_memory() {
    let mut connection = connection();
    let mut header = masked(BINARY, &vec![0; LIMITS.max_message]);
    header.truncate(14 + 10);
    feed(&mut connection, [&header[..]]);
    let assembly = connection.assembly.as_ref().unwrap();
    assert_eq!(
        (assembly.len(), assembly.missing()),
        (10, LIMITS.max_message - 10)
    );
    assert!(assembly.capacity() < 64, "{}", assembly.capacity());
}

#[test]
fn a_big_frame_in_many_reads_ends_in_a_buffer_of_its_size() {
    let content: Vec<u8> = (0..LIMITS.max_message).map(|i| i as u8).collect();
    let bytes = masked(BINARY, &content);
    let seen = feed(&mut connection(), bytes.chunks(1460));
    assert_eq!(seen.messages, [binary(&content)]);
    let Some(Message::Binary(message)) = seen.messages.into_iter().next() else {
        panic!()
    };
    assert_eq!(message.try_into_mut().unwrap().capacity(), LIMITS.max_message);
}
