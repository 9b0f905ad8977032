//! What is asked for, and what is refused, in the order of the checks.

use super::*;

const SID: &str = "lv_VI97HAXpY6yYWAAAC";

fn get(query: &str) -> Head<'_> {
    Head {
        method: Method::Get,
        query,
        upgrade: false,
        binary_body: false,
    }
}

fn upgrade(query: &str) -> Head<'_> {
    Head {
        upgrade: true,
        ..get(query)
    }
}

fn by(method: Method, query: &str) -> Head<'_> {
    Head { method, ..get(query) }
}

fn asked(head: Head<'_>) -> Result<Intent, Refusal> {
    parse(head, Transports::all(), true)
}

fn call(head: Head<'_>) -> Result<Call, Refusal> {
    match asked(head) {
        Ok(Intent::Session { sid, call }) if sid.as_str() == SID => call,
        other => panic!("{other:?}"),
    }
}

#[test]
fn handshakes() {
    for (query, up, transport, revision, base64, jsonp) in [
        (
            "EIO=4&transport=polling",
            false,
            Transport::Polling,
            Revision::V4,
            false,
            None,
        ),
        (
            "EIO=3&transport=polling&t=N8hyd6w&b64=1",
            false,
            Transport::Polling,
            Revision::V3,
            true,
            None,
        ),
        (
            "transport=polling&EIO=4&b64=",
            false,
            Transport::Polling,
            Revision::V4,
            false,
            None,
        ),
        (
            "transport=polling&EIO=4&b64=1&b64=",
            false,
            Transport::Polling,
            Revision::V4,
            false,
            None,
        ),
        (
            "EIO=4&transport=websocket",
            true,
            Transport::WebSocket,
            Revision::V4,
            false,
            None,
        ),
        (
            "EIO=3&transport=websocket&b64=1&j=2",
            true,
            Transport::WebSocket,
            Revision::V3,
            true,
            None,
        ),
        (
            "EIO=3&transport=polling&j=0",
            false,
            Transport::Polling,
            Revision::V3,
            true,
            Some("0"),
        ),
        (
            "EIO=4&transport=polling&j=1;2x",
            false,
            Transport::Polling,
            Revision::V4,
            true,
            Some("12"),
        ),
        (
            "EIO=4&transport=polling&j=alert()",
            false,
            Transport::Polling,
            Revision::V4,
            true,
            Some(""),
        ),
        (
            "EIO=4&transport=polling&j",
            false,
            Transport::Polling,
            Revision::V4,
            true,
            Some(""),
        ),
        // As URLSearchParams reads it.
        (
            "E%49O=%34&transport=poll%69ng&x=%FF%&+",
            false,
            Transport::Polling,
            Revision::V4,
            false,
            None,
        ),
        (
            "&&EIO=4&=&transport=polling&sid=",
            false,
            Transport::Polling,
            Revision::V4,
            false,
            None,
        ),
    ] {
        let head = Head {
            upgrade: up,
            ..get(query)
        };
        let jsonp = jsonp.map(Jsonp::new);
        assert_eq!(
            asked(head),
            Ok(Intent::Handshake {
                transport,
                revision,
                base64,
                jsonp
            }),
            "{query}"
        );
    }
}

#[test]
fn calls_of_a_session() {
    let polling = format!("EIO=4&transport=polling&sid={SID}");
    let (revision, jsonp) = (Revision::V4, None);
    assert_eq!(
        call(get(&polling)),
        Ok(Call::Poll {
            revision,
            jsonp: None
        })
    );
    assert_eq!(
        call(by(Method::Post, &polling)),
        Ok(Call::Push {
            revision,
            jsonp,
            binary: false
        })
    );

    let websocket = format!("EIO=3&transport=websocket&sid={SID}");
    assert_eq!(
        call(upgrade(&websocket)),
        Ok(Call::Upgrade {
            revision: Revision::V3
        })
    );

    let old = format!("EIO=3&transport=polling&sid={SID}&j=7");
    let (revision, jsonp) = (Revision::V3, Some(Jsonp::new("7")));
    let head = Head {
        binary_body: true,
        ..by(Method::Post, &old)
    };
    assert_eq!(
        call(head),
        Ok(Call::Push {
            revision,
            jsonp,
            binary: true
        })
    );
}

/// The sid is left for the caller to look up first, as engine.io does.
#[test]
fn refusals_that_wait_for_the_session() {
    let version = Refusal::UnsupportedProtocolVersion;
    let mismatch = Refusal::from(BadRequest::TransportMismatch);
    for (head, refusal) in [
        (get("EIO=4&transport=websocket"), mismatch.clone()),
        (upgrade("EIO=4&transport=polling"), mismatch),
        (
            by(Method::Options, "EIO=4&transport=polling"),
            Refusal::BadHandshakeMethod,
        ),
        (
            by(Method::Other, "EIO=4&transport=polling"),
            Refusal::BadHandshakeMethod,
        ),
        (
            by(Method::Post, "EIO=4&transport=websocket"),
            Refusal::BadHandshakeMethod,
        ),
        (get("transport=polling"), version.clone()),
        (get("EIO=5&transport=polling"), version.clone()),
        (upgrade("EIO=04&transport=websocket"), version),
    ] {
        let query = format!("{}&sid={SID}", head.query);
        assert_eq!(
            call(Head {
                query: &query,
                ..head
            }),
            Err(refusal),
            "{head:?} {query}"
        );
    }
}

/// Codes as in engine.io's own tests, and in its order: transport, sid, method, upgrade, version.
#[test]
fn refusals() {
    let long = format!("transport=polling&EIO=4&sid={}", "a".repeat(65));
    for (head, code, context) in [
        (get(""), 0, "UNKNOWN_TRANSPORT"),
        (get("transport="), 0, "UNKNOWN_TRANSPORT"),
        (get("EIO=4&transport=tobi"), 0, "UNKNOWN_TRANSPORT"),
        (get("EIO=4&transport=constructor"), 0, "UNKNOWN_TRANSPORT"),
        (get("EIO=4&transport=Polling"), 0, "UNKNOWN_TRANSPORT"),
        (get("EIO=4&transport=webtransport"), 0, "UNKNOWN_TRANSPORT"),
        (
            by(Method::Post, "transport=tobi&sid=a/b&EIO=9"),
            0,
            "UNKNOWN_TRANSPORT",
        ),
        (get("transport=polling&sid=a/b"), 1, "UNKNOWN_SID"),
        (get("transport=polling&sid=%00&EIO=4"), 1, "UNKNOWN_SID"),
        (by(Method::Other, "transport=websocket&sid=%20"), 1, "UNKNOWN_SID"),
        (get(&long), 1, "UNKNOWN_SID"),
        (
            by(Method::Post, "transport=polling&EIO=4"),
            2,
            "BAD_HANDSHAKE_METHOD",
        ),
        (
            by(Method::Options, "transport=polling&EIO=4"),
            2,
            "BAD_HANDSHAKE_METHOD",
        ),
        (
            by(Method::Other, "transport=websocket"),
            2,
            "BAD_HANDSHAKE_METHOD",
        ),
        (get("transport=websocket"), 3, "TRANSPORT_HANDSHAKE_ERROR"),
        (upgrade("transport=polling&EIO=4"), 3, "TRANSPORT_HANDSHAKE_ERROR"),
        (get("EIO=4&EIO=4&transport=polling"), 3, "DUPLICATE_PARAMETER"),
        (
            get("EIO=4&transport=polling&transport=websocket"),
            3,
            "DUPLICATE_PARAMETER",
        ),
        (
            get("EIO=4&transport=polling&sid=a&s%69d=b"),
            3,
            "DUPLICATE_PARAMETER",
        ),
        (get("transport=polling"), 5, "UNSUPPORTED_PROTOCOL_VERSION"),
        (
            get("EIO=abc&transport=polling"),
            5,
            "UNSUPPORTED_PROTOCOL_VERSION",
        ),
        (get("EIO=2&transport=polling"), 5, "UNSUPPORTED_PROTOCOL_VERSION"),
        (
            upgrade("EIO=&transport=websocket"),
            5,
            "UNSUPPORTED_PROTOCOL_VERSION",
        ),
    ] {
        let refusal = asked(head).unwrap_err();
        assert_eq!(
            (refusal.code(), refusal.context()),
            (code, context),
            "{head:?} {}",
            head.query
        );
    }
}

#[test]
fn what_is_switched_off_is_unknown() {
    let only = Transports::from([Transport::WebSocket]);
    let query = "EIO=4&transport=polling";
    assert_eq!(parse(get(query), only, true), Err(Refusal::UnknownTransport));
    assert!(parse(upgrade("EIO=3&transport=websocket"), only, true).is_ok());
    assert_eq!(
        parse(upgrade("EIO=3&transport=websocket"), only, false),
        Err(Refusal::UnsupportedProtocolVersion)
    );
}

#[test]
fn another_revision_than_the_sessions_is_a_mismatch() {
    let call = Call::Poll {
        revision: Revision::V3,
        jsonp: None,
    };
    assert_eq!(call.check_revision(Revision::V3), Ok(()));
    assert_eq!(
        call.check_revision(Revision::V4),
        Err(BadRequest::ProtocolMismatch.into())
    );
}

#[test]
fn debug_hides_the_query() {
    assert!(!format!("{:?}", get("sid=secret")).contains("secret"));
}

#[test]
fn parameters_are_read_as_forms_are() {
    for query in [
        "",
        "&",
        "a",
        "a=b",
        "=",
        "=b",
        "a=b=c",
        "a=b&&c=d&",
        "%61=%62",
        "a+b",
        "%",
        "%4&b",
        "%zz=%41",
        "%ff",
        "a%3D=%3D",
        "a%26=%26&%=+",
        "é+=%&é=ü",
        "a=+=+b&=&c%3d",
    ] {
        let (mut read, mut rest) = (Vec::new(), Some(query));
        while let Some(text) = rest {
            let (name, value);
            (name, value, rest) = super::split_parameter(text);
            read.push((name, value));
        }
        // An empty part is no parameter in a form, and no parameter that matters here.
        read.retain(|(name, value)| !name.is_empty() || !value.is_empty());
        let mut expected: Vec<_> = form_urlencoded::parse(query.as_bytes()).collect();
        expected.retain(|(name, value)| !name.is_empty() || !value.is_empty());
        assert_eq!(read, expected, "{query:?}");
    }
}

#[cfg(feature = "server")]
#[test]
fn a_query_asks_for_polling_by_its_transport_alone() {
    for (query, asks) in [
        ("EIO=4&transport=polling", true),
        ("transport=%70olling&sid=x", true),
        ("EIO=4&transport=websocket&j=0", false),
        ("EIO=4&transport=", false),
        ("transport=polling&transport=polling", false),
        ("", false),
    ] {
        assert_eq!(asks_for_polling(query), asks, "{query}");
    }
}
