//! What takes the short way, and what is left for the long one, byte for byte. That both answer alike is shown over
//! the wire, by `tests/composition/own_http.rs`.

use bytes::BytesMut;

use super::Shortcut;
use crate::{Config, Server};

const REST: &str = "GET / HTTP/1.1\r\n";

/// Whether `request` of a new session, with `SID` in the place of its id, takes the short way. It leaves what lies behind
/// it, or all.
async fn is_short(request: &str) -> bool {
    let mut config = Config::engine_io_6();
    config.allow_eio3 = true;
    config.max_http_buffer_size = 100;
    let server = Server::builder().config(config).start();
    let client = crate::test::polling(&server).await.expect("a session");
    let request = request.replace("SID", client.socket().id().as_str());
    let whole = format!("{request}{REST}");
    let mut input = BytesMut::from(whole.as_str());
    let short = Shortcut::new(server).take(&mut input);
    let left = if short.is_some() { REST } else { whole.as_str() };
    assert_eq!(input, left, "{request}");
    short.is_some()
}

fn post(headers: &str, body: &str) -> String {
    format!("POST /engine.io/?EIO=4&transport=polling&sid=SID HTTP/1.1\r\n{headers}\r\n{body}")
}

fn get(query: &str, headers: &str) -> String {
    format!("GET /engine.io/?{query} HTTP/1.1\r\n{headers}\r\n")
}

#[test]
fn whole_polls_and_posts_of_a_session_take_it() {
    let query = "transport=polling&EIO=4&sid=SID&t=abc";
    let browser = "host: x\r\nUser-Agent: Mozilla/5.0 (X11)\r\naccept: */*\r\nAccept-Encoding: gzip, br\r\n\
                   Connection: keep-alive\r\nReferer: http://x/?a=1#b\r\nCookie: io=SID; a=b\r\n";
    let taken = [
        get(query, "host: x\r\n"),
        get(query, "HOST:x\r\nconnection:Keep-Alive\r\n"),
        get(query, "host: x\r\nconnection: Upgrade\r\n"),
        get(query, browser),
        post("host: x\r\ncontent-length: 2\r\n", "4a"),
        post("content-type: text/plain\r\nContent-Length: 0\r\nHost: x\r\n", ""),
        post("host: x\r\ncontent-length: 100\r\n", &"4".repeat(100)),
    ];
    crate::test::run(async {
        for request in taken {
            assert!(is_short(&request).await, "{request}");
        }
    });
}

#[test]
fn whatever_is_unusual_is_left() {
    let query = "transport=polling&EIO=4&sid=SID";
    let host = "host: x\r\n";
    let left = [
        // Of others, or for nobody.
        get(query, host).replace("/engine.io/", "/engine.io"),
        get(query, host).replace("/engine.io/", "/engine.io/x"),
        get(query, host).replace("/engine.io/", "http://x/engine.io/"),
        get(query, host).replace("/engine.io/", "/engine%2eio/"),
        get(query, host).replace("?", "#?"),
        get(query, host).replace("GET", "PUT"),
        get(query, host).replace("GET", "HEAD"),
        get(query, host).replace("GET", "OPTIONS"),
        get("transport=polling&EIO=4", host),
        get("transport=polling&EIO=4&sid=unknown", host),
        get("transport=polling&EIO=3&sid=SID", host),
        get("transport=websocket&EIO=4&sid=SID", host),
        get("transport=polling&EIO=4&sid=SID&j=0", host),
        get("transport=polling&EIO=4&sid=SID#t", host),
        get("transport=polling&EIO=4&sid=SID&a=\u{e9}", host),
        // What HTTP makes more of.
        get(query, host).replace("1.1", "1.0"),
        get(query, ""),
        get(query, "host: x\r\nhost: x\r\n"),
        get(query, "host: x\r\nconnection: close\r\n"),
        get(query, "host: x\r\nconnection: upgrade, close\r\n"),
        get(query, "host: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n"),
        get(query, "host: x\r\nupgrade: h2c\r\n"),
        get(query, "host: x\r\ncontent-length: 0\r\n"),
        get(query, "host: x\r\ntransfer-encoding: chunked\r\n"),
        get(
            query,
            "host: x\r\nuser-agent: Mozilla/4.0 (compatible;MSIE 8.0)\r\n",
        ),
        get(
            query,
            "host: x\r\naccept-encoding: gzip\r\naccept-encoding: br\r\n",
        ),
        get(query, &(host.to_owned() + &"a: b\r\n".repeat(32))),
        post("host: x\r\n", ""),
        post("host: x\r\ncontent-length: 2\r\nexpect: 100-continue\r\n", "4a"),
        post(
            "host: x\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n",
            "4a",
        ),
        post("host: x\r\ncontent-length: 2\r\ncontent-length: 2\r\n", "4a"),
        post("host: x\r\ncontent-length: +2\r\n", "4a"),
        post("host: x\r\ncontent-length: 2, 2\r\n", "4a"),
        post("host: x\r\ncontent-length:\r\n", "4a"),
        post("host: x\r\ncontent-length: 9999999999\r\n", "4a"),
        post(
            "host: x\r\ncontent-type: a\r\ncontent-type: b\r\ncontent-length: 2\r\n",
            "4a",
        ),
        post("host: x\r\ncontent-length: 101\r\n", &"4".repeat(101)),
        // Not there.
        post("host: x\r\ncontent-length: 99\r\n", "4a"),
        get(query, host).replace("\r\n\r\n", "\r\n"),
        get(query, host).replace("GET", "G ET"),
    ];
    crate::test::run(async {
        for request in left {
            assert!(!is_short(&request).await, "{request}");
        }
    });
}
