//! A server's frames: never masked, the shortest length, the prefix counted.

use super::*;

#[test]
fn header_prefix_and_payload() {
    let payload = [7; 70_000];
    let table: &[(bool, Option<u8>, usize, &[u8])] = &[
        (true, None, 0, b"\x81\x00"),
        (false, None, 0, b"\x82\x00"),
        (true, Some(b'4'), 0, b"\x81\x014"),
        (true, None, 125, b"\x81\x7d"),
        (true, Some(b'4'), 124, b"\x81\x7d4"),
        (true, Some(b'4'), 125, b"\x81\x7e\x00\x7e4"),
        (false, None, 126, b"\x82\x7e\x00\x7e"),
        (false, None, 65535, b"\x82\x7e\xff\xff"),
        (false, Some(4), 65534, b"\x82\x7e\xff\xff\x04"),
        (
            false,
            Some(4),
            65535,
            b"\x82\x7f\x00\x00\x00\x00\x00\x01\x00\x00\x04",
        ),
        (false, None, 65536, b"\x82\x7f\x00\x00\x00\x00\x00\x01\x00\x00"),
    ];
    for (is_text, prefix, len, head) in table {
        let mut out = BytesMut::from(&b"before"[..]);
        assert!(connection().send(*is_text, *prefix, &payload[..*len], &mut out));
        assert_eq!(
            out,
            [b"before", *head, &payload[..*len]].concat(),
            "{prefix:?} and {len} bytes"
        );
    }
}

#[test]
fn sixteen_sends_into_one_buffer_do_not_move_it() {
    let mut out = BytesMut::with_capacity(16 * (14 + 33));
    let start = out.as_ptr();
    let mut connection = connection();
    for _ in 0..16 {
        connection.send(true, Some(b'4'), &[b'x'; 32], &mut out);
    }
    assert_eq!((out.as_ptr(), out.len()), (start, 16 * 35));
}
