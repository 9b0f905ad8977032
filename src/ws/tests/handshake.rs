//! The opening handshake (RFC 6455 sections 1.3, 4.2).

use crate::ws::handshake::{Handshake, HandshakeError, accept_key};

const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";

fn accept(
    connection: &[&str],
    upgrade: &[&str],
    version: &[&str],
    key: &[&str],
) -> Result<[u8; 28], HandshakeError> {
    let mut handshake = Handshake::new();
    connection
        .iter()
        .for_each(|value| handshake.connection(value.as_bytes()));
    upgrade
        .iter()
        .for_each(|value| handshake.upgrade(value.as_bytes()));
    version
        .iter()
        .for_each(|value| handshake.version(value.as_bytes()));
    key.iter().for_each(|value| handshake.key(value.as_bytes()));
    assert_eq!(
        handshake.is_requested(),
        handshake.accept() != Err(HandshakeError::Upgrade) && !upgrade.is_empty()
    );
    handshake.accept().map(|accept| accept.key)
}

#[test]
fn the_rfcs_example() {
    assert_eq!(accept_key(KEY.as_bytes()), Ok(*b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
}

#[test]
fn headers_as_clients_and_proxies_write_them() {
    let connections: [&[&str]; 5] = [
        &["Upgrade"],
        &["upgrade"],
        &["keep-alive, Upgrade"],
        &["UPGRADE ,\tkeep-alive"],
        &["keep-alive", "Upgrade"],
    ];
    for connection in connections {
        for upgrade in [
            &["websocket"][..],
            &["WebSocket"],
            &["h2c, websocket"],
            &["h2c", "websocket"],
        ] {
            let key = accept(connection, upgrade, &["13"], &[KEY]);
            assert_eq!(
                key,
                Ok(*b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="),
                "{connection:?} {upgrade:?}"
            );
        }
    }
}

#[test]
fn refused() {
    use HandshakeError::*;
    let up: &[&str] = &["Upgrade"];
    let ws: &[&str] = &["websocket"];
    let (v, k): (&[&str], &[&str]) = (&["13"], &[KEY]);
    type Lines<'a> = &'a [&'a str];
    let table: [(Lines, Lines, Lines, Lines, HandshakeError); 18] = [
        (&[], ws, v, k, Connection),
        (&["keep-alive"], ws, v, k, Connection),
        (&["upgraded"], ws, v, k, Connection),
        (&["close upgrade"], ws, v, k, Connection),
        (up, &[], v, k, Upgrade),
        (up, &["h2c"], v, k, Upgrade),
        (up, &["websocket2"], v, k, Upgrade),
        (up, ws, &[], k, Version),
        (up, ws, &["8"], k, Version),
        (up, ws, &["130"], k, Version),
        (up, ws, &["13", "13"], k, Version),
        (up, ws, v, &[], Key),
        (up, ws, v, &[""], Key),
        (up, ws, v, &["dGhlIHNhbXBsZQ=="], Key),         // short
        (up, ws, v, &["dGhlIHNhbXBsZSBub25jZXM="], Key), // 17 bytes
        (up, ws, v, &["dGhlIHNhbXBsZSBub25jZQ"], Key),   // no padding
        (up, ws, v, &["dGhlIHNhbXBsZSBub25j*Q=="], Key),
        (up, ws, v, &[KEY, KEY], Key),
    ];
    for (connection, upgrade, version, key, error) in table {
        assert_eq!(
            accept(connection, upgrade, version, key),
            Err(error),
            "{version:?} {key:?}"
        );
    }
}

#[test]
fn keys_of_22_random_characters() {
    assert!(accept_key(b"abcdefghijklmnopqrstuv==").is_ok());
    assert!(accept_key(b"abcdefghijklmnopqrstuvwx").is_err());
    assert!(accept_key(&[b'A'; 1000]).is_err());
}

#[test]
fn extensions_in_one_line_or_several() {
    let agreed = |lines: &[&str]| {
        let mut handshake = Handshake::new();
        handshake.connection(b"Upgrade");
        handshake.upgrade(b"websocket");
        handshake.version(b"13");
        handshake.key(KEY.as_bytes());
        lines
            .iter()
            .for_each(|line| handshake.extensions(line.as_bytes()));
        let accept = handshake
            .accept()
            .expect("a good handshake whatever the extensions");
        accept.deflate.map(|agreement| agreement.to_string())
    };
    const BOTH: &str = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";
    assert_eq!(agreed(&[]), None);
    assert_eq!(agreed(&["x-custom", "\"", "permessage-deflate; odd"]), None);
    assert_eq!(agreed(&["x-custom", "permessage-deflate"]).as_deref(), Some(BOTH));
    let two = [
        "permessage-deflate; server_max_window_bits=11",
        "permessage-deflate",
    ];
    assert_eq!(agreed(&two), Some(format!("{BOTH}; server_max_window_bits=11")));
}

#[test]
fn the_first_subprotocol_that_is_offered() {
    let agreed = |lines: &[&[u8]]| {
        let mut handshake = Handshake::new();
        handshake.connection(b"Upgrade");
        handshake.upgrade(b"websocket");
        handshake.version(b"13");
        handshake.key(KEY.as_bytes());
        lines.iter().for_each(|line| handshake.protocols(line));
        handshake
            .accept()
            .expect("a good handshake whatever is offered")
            .protocol
    };
    assert_eq!(agreed(&[]), None);
    assert_eq!(agreed(&[b"one, two"]).as_deref(), Some("one"));
    assert_eq!(agreed(&[b"one", b"two"]).as_deref(), Some("one"));
    assert_eq!(agreed(&[b"", b" ,\tv1.a~b!"]).as_deref(), Some("v1.a~b!"));
    for odd in [
        &b"one two"[..],
        b"\"one\"",
        b"a/b",
        b"a=b, c",
        b"\xff",
        b"one\x00",
        b", ,",
    ] {
        assert_eq!(
            agreed(&[odd, b"two"]).as_deref(),
            (odd == b", ,").then_some("two"),
            "{odd:?}"
        );
    }
}
