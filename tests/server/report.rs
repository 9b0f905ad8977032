//! What the test server says: JSON objects, one a line, on the standard output.

use std::io::Write;

use actix_web::HttpRequest;
use actix_web::http::header::HeaderMap;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use engineio::Packet;
use engineio::{Data, Handshake, Socket};
use serde_json::{Map, Value, json};

/// Writes one line. Whoever reads is gone when it fails, and the server ends by its standard input then.
pub(crate) fn report(value: &Value) {
    let mut line = value.to_string();
    line.push('\n');
    let mut stdout = std::io::stdout().lock();
    let _ = stdout.write_all(line.as_bytes()).and_then(|()| stdout.flush());
}

/// `{"event": name, "id": .., ...fields}`.
pub(crate) fn tell(name: &str, socket: &Socket, fields: Value) {
    let mut line = json!({ "event": name, "id": socket.id().as_str() });
    merge(&mut line, fields);
    report(&line);
}

pub(crate) fn merge(into: &mut Value, fields: Value) {
    if let (Value::Object(into), Value::Object(fields)) = (into, fields) {
        into.extend(fields);
    }
}

/// `{"text": ..}` or `{"base64": ..}`.
pub(crate) fn data(data: &Data) -> Value {
    match data {
        Data::Text(text) => json!({ "text": &**text }),
        Data::Binary(bytes) => json!({ "base64": STANDARD.encode(bytes) }),
    }
}

/// `{"type": .., "text"|"base64": ..}`.
pub(crate) fn packet(packet: &Packet) -> Value {
    let mut value = json!({ "type": packet.kind.as_str() });
    merge(&mut value, data(&packet.data));
    value
}

/// What the application sees of a handshake.
pub(crate) fn handshake(handshake: &Handshake) -> Value {
    let query: Map<String, Value> = form_urlencoded::parse(handshake.query_string().as_bytes())
        .map(|(key, value)| (key.into_owned(), Value::from(value)))
        .collect();
    let headers: Map<String, Value> = handshake
        .headers()
        .iter()
        .map(|(name, value)| (name.to_owned(), String::from_utf8_lossy(value).into()))
        .collect();
    json!({
        "transport": handshake.transport().as_str(),
        "protocol": handshake.revision().number(),
        "path": handshake.path(),
        "query": query,
        "headers": headers,
        "remoteAddress": handshake.peer_addr().map(|addr| addr.ip().to_string()),
    })
}

/// What a session shows of itself at any time.
pub(crate) fn socket(socket: &Socket) -> Value {
    json!({
        "id": socket.id().as_str(),
        "readyState": format!("{:?}", socket.ready_state()).to_lowercase(),
        "transport": socket.transport().as_str(),
        "upgraded": socket.upgraded(),
        "protocol": socket.protocol().number(),
        "bufferedBytes": socket.buffered_bytes(),
        "request": handshake(socket.request()),
    })
}

/// What actix shows of a request.
pub(crate) fn request(req: &HttpRequest) -> Value {
    json!({
        "method": req.method().as_str(),
        "url": req.uri().to_string(),
        "headers": headers(req.headers()),
    })
}

pub(crate) fn headers(map: &HeaderMap) -> Value {
    let headers: Map<String, Value> = map
        .iter()
        .map(|(name, value)| {
            (
                name.as_str().to_owned(),
                String::from_utf8_lossy(value.as_bytes()).into(),
            )
        })
        .collect();
    headers.into()
}
