//! The query of a request, and the sid in it.

use engineio::Sid;
use engineio::proto::{Call, Head, Intent, Jsonp, Method, Refusal, Revision, Transport, Transports, request};

use super::{Input, Seen};

/// One byte of circumstances, then the query.
pub fn query(data: &[u8], seen: &mut Seen) {
    let mut input = Input(data);
    let flags = input.byte();
    let query = String::from_utf8_lossy(input.0);
    let head = Head {
        method: [Method::Get, Method::Post, Method::Options, Method::Other][usize::from(flags & 3)],
        query: &query,
        upgrade: flags & 4 != 0,
        binary_body: flags & 8 != 0,
    };
    let enabled = [
        Transports::all(),
        Transports::from([Transport::Polling]),
        Transports::from([Transport::WebSocket]),
        Transports::none(),
    ][usize::from(flags >> 4 & 3)];
    let eio3 = flags & 64 != 0;

    let result = request::parse(head, enabled, eio3);
    assert_eq!(result, request::parse(head, enabled, eio3));
    match &result {
        Err(refusal) => check_refusal(refusal, seen),
        Ok(Intent::Handshake {
            transport,
            revision,
            base64,
            jsonp,
        }) => {
            seen.note(("handshake", transport, revision, base64, jsonp.is_some()));
            assert!(enabled.contains(*transport));
            assert!(eio3 || *revision == Revision::V4);
            assert_eq!(head.method, Method::Get);
            assert_eq!(head.upgrade, *transport == Transport::WebSocket);
            if let Some(jsonp) = jsonp {
                assert!(*base64 && *transport == Transport::Polling);
                assert!(jsonp.digits().bytes().all(|byte| byte.is_ascii_digit()));
            }
        }
        Ok(Intent::Session { sid, call }) => {
            let index = match call {
                Ok(Call::Poll { jsonp, .. } | Call::Push { jsonp, .. }) => jsonp.as_ref().map(Jsonp::digits),
                _ => None,
            };
            check_sid(sid, &format!("{result:?}"), index.unwrap_or_default());
            match call {
                Err(refusal) => check_refusal(refusal, seen),
                Ok(call) => check_call(call, head, eio3, seen),
            }
        }
    }
}

fn check_call(call: &Call, head: Head<'_>, eio3: bool, seen: &mut Seen) {
    assert!(eio3 || call.revision() == Revision::V4);
    assert_eq!(call.check_revision(call.revision()), Ok(()));
    let (method, upgrade, jsonp) = match call {
        Call::Poll { jsonp, .. } => (Method::Get, false, jsonp.as_ref()),
        Call::Push { jsonp, binary, .. } => {
            assert_eq!(*binary, head.binary_body);
            (Method::Post, false, jsonp.as_ref())
        }
        Call::Upgrade { .. } => (Method::Get, true, None),
    };
    seen.note((
        "call",
        method,
        upgrade,
        jsonp.map(|jsonp| jsonp.digits().len().min(3)),
    ));
    assert_eq!((head.method, head.upgrade), (method, upgrade));
}

/// An id is short, of its alphabet, and no log shows it; but a client may give a JSONP index of the same digits, which
/// is shown once.
fn check_sid(sid: &Sid, shown: &str, index: &str) {
    let text = sid.as_str();
    assert!((1..=Sid::MAX_LEN).contains(&text.len()));
    assert!(
        text.bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"_.~-".contains(&byte))
    );
    assert_eq!(Sid::parse(text).as_ref(), Ok(sid));
    let rest = match index.contains(text) {
        true => shown.replacen(index, "", 1),
        false => shown.to_owned(),
    };
    // Long enough not to be a word of the debug output by chance.
    assert!(text.len() < 20 || !rest.contains(text), "{shown}");
}

fn check_refusal(refusal: &Refusal, seen: &mut Seen) {
    seen.note(("refusal", refusal.context()));
    assert!(refusal.code() <= 5 && (400..=503).contains(&refusal.status()));
    let json: serde_json::Value = serde_json::from_str(&refusal.body()).expect("the body is JSON");
    assert_eq!(json["code"], refusal.code());
    assert_eq!(json["message"], refusal.message());
}
