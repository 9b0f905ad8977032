//! Text is UTF-8, and fails at the byte that makes it none (Autobahn 6).

use super::*;

#[test]
fn valid_text_cut_anywhere() {
    let content = "κόσμε \u{0} \u{7f}\u{80}\u{7ff}\u{800}\u{ffff}\u{10000}\u{10ffff} 🚀";
    let bytes = content.as_bytes();
    for cut in 0..=bytes.len() {
        let seen = both_ways(&frames(&[
            (TEXT_START, &bytes[..cut]),
            (PING, b""),
            (LAST, &bytes[cut..]),
        ]));
        assert_eq!(seen.messages, [text(content)], "cut at {cut}");
    }
}

#[test]
fn invalid_text_in_one_frame() {
    let table: &[&[u8]] = &[
        b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xed\xa0\x80edited", // a surrogate
        b"\xf4\x90\x80\x80",                                               // beyond U+10FFFF
        b"\xf8\x88\x80\x80\x80",                                           // five bytes
        b"\xc0\xaf",                                                       // overlong
        b"\xe0\x80\xaf",
        b"\x80",
        b"abc\xff",
        b"\xe2\x82", // ends inside a character
        b"\xf0\x9f\x9a",
    ];
    for content in table {
        let seen = both_ways(&masked(TEXT, content));
        assert_eq!(
            (seen.messages, seen.error),
            (vec![], Some(ProtocolError::InvalidUtf8)),
            "{content:x?}"
        );
        assert_eq!(seen.answer[..4], [CLOSE, seen.answer.len() as u8 - 2, 0x03, 0xef]);
        let split = content.len() / 2;
        let seen = both_ways(&frames(&[
            (TEXT_START, &content[..split]),
            (LAST, &content[split..]),
        ]));
        assert_eq!(
            seen.error,
            Some(ProtocolError::InvalidUtf8),
            "{content:x?} in fragments"
        );
        assert_eq!(both_ways(&masked(BINARY, content)).messages, [binary(content)]);
    }
}

#[test]
fn fails_at_the_fragment_with_the_bad_byte() {
    // Autobahn 6.4.1 and 6.4.2: the second fragment is bad, the third never comes.
    let good = "κόσμε".as_bytes();
    for bad in [&b"\xf4\x90\x80\x80"[..], b"\xf4\x90"] {
        let seen = both_ways(&frames(&[(TEXT_START, good), (MORE, bad)]));
        assert_eq!(seen.error, Some(ProtocolError::InvalidUtf8));
    }
}

#[test]
fn fails_at_the_bad_byte_inside_a_frame() {
    // Autobahn 6.4.3 and 6.4.4: one frame in chops.
    let content = [
        &b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5"[..],
        b"\xf4\x90\x80\x80",
        b"edited",
    ]
    .concat();
    let bytes = masked(TEXT, &content);
    let bad = bytes.len() - content.len() + 12;
    let mut connection = connection();
    assert_eq!(feed(&mut connection, [&bytes[..bad]]).error, None);
    assert_eq!(
        feed(&mut connection, [&bytes[bad..=bad]]).error,
        Some(ProtocolError::InvalidUtf8)
    );
}
